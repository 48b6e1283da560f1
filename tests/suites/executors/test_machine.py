"""What a machine has for runs, by a stand-in for ``nvidia-smi``."""

import os

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.suites.executors import machine
from mmaction_ext.suites.executors.machine import Slots, find_gpus

TWO = """\
GPU 0: NVIDIA H200 (UUID: GPU-aa11)
GPU 1: NVIDIA H200 (UUID: GPU-bb22)
"""
DIVIDED = """\
GPU 0: NVIDIA H200 (UUID: GPU-aa11)
  MIG 1g.18gb     Device  0: (UUID: MIG-c1)
  MIG 1g.18gb     Device  1: (UUID: MIG-c2)
GPU 1: NVIDIA H200 (UUID: GPU-bb22)
"""


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """A machine of which ``nvidia-smi -L`` says so, and ends with that code."""

    def gpus(listing, code=0):
        tool = tmp_path / 'nvidia-smi'
        tool.write_text(f'#!/bin/sh\ncat <<END\n{listing}END\nexit {code}\n')
        tool.chmod(0o755)
        monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
        monkeypatch.setattr(machine, '_device_files', tuple)

    return gpus


@pytest.mark.parametrize(
    ('visible', 'found'),
    [
        (None, ('GPU-aa11', 'GPU-bb22')),
        ('', ()),
        ('-1', ()),
        ('1', ('1',)),
        ('1, 0', ('1', '0')),
        ('0,7,1', ('0',)),  # CUDA ignores what follows one that there is not
        ('GPU-bb', ('GPU-bb',)),
        ('GPU-cc', ()),
        ('NoDevFiles', ()),
    ],
)
def test_gpus_that_are_to_be_seen(gpus, visible, found):
    gpus(TWO)
    assert find_gpus({} if visible is None else {'CUDA_VISIBLE_DEVICES': visible}) == found


def test_parts_of_a_divided_gpu_are_used_one_by_one(gpus):
    gpus(DIVIDED)
    assert find_gpus({}) == ('MIG-c1', 'MIG-c2', 'GPU-bb22')
    with pytest.raises(InputError, match=r'--gpus-per-run 2.*divided'):
        Slots.of_machine(2, environment={})


def test_a_driver_that_does_not_answer_is_no_gpu(gpus):
    gpus(TWO, code=9)
    assert find_gpus({}) == ()


def test_runs_are_spread_over_gpus(gpus):
    gpus(TWO)
    slots = Slots.of_machine(environment={})
    assert (slots.parallel, str(slots)) == (2, '2 at a time on 2 GPUs')
    first, second = slots.take(1), slots.take(1)
    assert {first, second} == {('GPU-aa11',), ('GPU-bb22',)}
    assert slots.environment(first) == {'CUDA_VISIBLE_DEVICES': first[0]}
    slots.give_back(second)
    assert slots.take(1) == second
    assert str(Slots.of_machine(2, environment={})) == '1 at a time on 2 GPUs, 2 GPUs each'
    shared = Slots.of_machine(1, 4, environment={})
    assert sorted(shared.take(1)[0] for _ in range(4)) == ['GPU-aa11'] * 2 + ['GPU-bb22'] * 2
    with pytest.raises(InputError, match='--gpus-per-run 3: this machine has 2 GPUs'):
        Slots.of_machine(3, environment={})


def test_cpu_cores(monkeypatch):
    monkeypatch.setattr(machine, 'find_gpus', lambda environment: ())
    monkeypatch.setattr(machine.os, 'sched_getaffinity', lambda pid: set(range(8)))
    for per_run, asked, told, parallel, threads in (
        (1, None, None, 8, '1'),
        (2, None, None, 4, '1'),
        (1, 2, None, 2, '4'),
        (2, 2, None, 2, '2'),
        (1, None, '4', 2, None),
        (1, None, '4,2', 2, None),
        (1, None, '16', 1, None),
        (1, 3, '4', 3, None),
        (1, 99, None, 99, '1'),
    ):
        environment = {} if told is None else {'OMP_NUM_THREADS': told}
        slots = Slots.of_machine(per_run, asked, environment)
        assert slots.parallel == parallel
        assert slots.environment(slots.take(per_run)).get('OMP_NUM_THREADS') == threads
    with pytest.raises(InputError, match='--gpus-per-run 9: this machine has no GPU'):
        Slots.of_machine(9, environment={})


@pytest.mark.parametrize('values', [(0, None), (1, 0), (-1, None), (1, -2)])
def test_numbers_that_are_too_small(values):
    with pytest.raises(InputError, match='must be at least 1'):
        Slots.of_machine(*values, environment={})
