"""The compiled kernel: its values, and what happens where there is none."""

import multiprocessing
import os
import subprocess
import sys
import time
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmaction_ext.errors import InputError
from mmaction_ext.ops import compiled, local_correlation, pair_correlation
from mmaction_ext.ops.correlation import native

pytestmark = pytest.mark.skipif(
    compiled.load(native._SOURCE) is None, reason='there is no C compiler here'
)
BORDERS = ('zeros', 'replicate', 'circular')


def instruction_sets():
    """Numbers of those that this machine has."""
    return range(native._kernel()[1] + 1) if compiled.load(native._SOURCE) else ()


@pytest.fixture(params=instruction_sets())
def instructions(request, monkeypatch):
    """Whichever of the instruction sets of this machine."""
    kernel = native._kernel()
    monkeypatch.setattr(native, '_kernel', lambda: (kernel[0], request.param))


def features(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).requires_grad_()


def check(operation, *inputs):
    """Compare values and gradients with those of the loops in float64."""
    fast = operation(*inputs, implementation='native')
    slow = operation(*(x.double() for x in inputs), implementation='reference')
    torch.testing.assert_close(fast, slow.float(), rtol=1e-5, atol=1e-5)
    weight = torch.randn(fast.shape)
    torch.testing.assert_close(
        torch.autograd.grad(fast, inputs, weight),
        torch.autograd.grad(slow, inputs, weight.double()),
        rtol=1e-5,
        atol=2e-5,
    )


@pytest.mark.parametrize('border', BORDERS)
@pytest.mark.parametrize(
    'shape, offsets, window, dilations',
    [
        ((2, 70, 4, 5, 7), (-2, -1, 1, 2), 5, (2, 1, 1, 2)),  # more channels than one pass takes
        ((1, 2, 3, 4, 18), (-1, 0, 1), 9, 1),  # two tiles, the second of two columns
        ((1, 7, 3, 20, 33), (-1, 1), 5, 1),  # blocks of rows
        ((1, 2, 3, 4, 3), (-1, 1), 3, (1, 2)),  # no offset is the mirror image of another
        ((1, 2, 3, 3, 3), (1, 1, -1), 3, 1),  # one offset twice
        ((1, 2, 2, 3, 3), (-5, 5, 3), 3, 1),  # steps longer than the clip
        ((2, 2, 3, 1, 1), (-1, 1), (7, 1), 3),
        ((2, 3, 3, 5, 4), (-2, -1, 0, 1, 2), (3, 11), 1),
    ],
)
def test_equals_the_loops(instructions, border, shape, offsets, window, dilations):
    check(
        lambda x, implementation: local_correlation(
            x, offsets, window, dilations, border, implementation=implementation
        ),
        features(shape),
    )


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(*(st.integers(1, top) for top in (3, 6, 5, 9, 20))),
    steps=st.lists(st.tuples(st.integers(-4, 4), st.integers(1, 3)), min_size=1, max_size=5),
    window=st.tuples(*[st.sampled_from([1, 3, 5, 7])] * 2),
    border=st.sampled_from(BORDERS),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_equals_the_loops_everywhere(shape, steps, window, border, threads, seed):
    offsets, dilations = zip(*steps, strict=True)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        check(
            lambda x, implementation: local_correlation(
                x, offsets, window, dilations, border, implementation=implementation
            ),
            features(shape, seed),
        )
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize('shape, window, dilation', [((2, 3, 5, 7), 3, 1), ((3, 9, 6, 20), 5, 2)])
@pytest.mark.parametrize('keys_as', [lambda x: x, lambda x: x.mT.contiguous().mT])
def test_pairs_equal_the_loops(instructions, shape, window, dilation, keys_as):
    check(
        lambda queries, keys, implementation: pair_correlation(
            queries, keys_as(keys), window, dilation, implementation=implementation
        ),
        features(shape),
        features(shape, 1),
    )


def test_values_do_not_depend_on_threads():
    """Bit for bit: no sum is made by two of them."""
    x, found = features((3, 5, 4, 9, 10)), []
    before = torch.get_num_threads()
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        y = local_correlation(x, (-1, 1), 5, implementation='native')
        found.append((y, *torch.autograd.grad(y.square().sum(), x)))
    torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(other, found[0], strict=True))


@pytest.mark.parametrize('width', [1, 5, 16, 31, 32, 33, 70])
@pytest.mark.parametrize('border', ['zeros', 'circular'])
def test_volumes_written_past_the_cache_are_the_same(instructions, monkeypatch, width, border):
    x = features((2, 67, 5, 9, width)).detach()
    kept, streamed = [
        monkeypatch.setattr(native, '_CACHE_BYTES', size)
        or local_correlation(x, (-2, 0, 1), 5, (1, 1, 2), border, implementation='native')
        for size in (1 << 60, 0)
    ]
    assert torch.equal(kept, streamed)


@pytest.mark.parametrize(
    'arrange',
    [
        lambda x: x.to(memory_format=torch.channels_last_3d),
        lambda x: x.flip(-1).flip(-1)[..., :5],
        lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
        lambda x: x[:1].expand(2, -1, -1, -1, -1),
    ],
)
def test_any_strides(arrange):
    x = features((2, 3, 4, 6, 5)).detach()
    arranged = arrange(x)
    expected = local_correlation(arranged.contiguous(), (-1, 1), 3, implementation='native')
    assert torch.equal(local_correlation(arranged, (-1, 1), 3, implementation='native'), expected)


def test_operator_contract():
    """Schema, shape rule and gradient agree with what the kernel does (PyTorch's own check)."""
    arguments = ([-1, 1], [3, 5], [1, 1], 'zeros', 0.5, 'native')
    x = features((2, 3, 4, 5, 5))
    torch.library.opcheck(torch.ops.mmaction_ext.local_correlation, (x, *arguments))
    torch.library.opcheck(
        torch.ops.mmaction_ext.local_correlation_backward,
        (torch.randn(2, 30, 4, 5, 5), x.detach(), *arguments),
    )
    maps = features((2, 3, 5, 5)), features((2, 3, 5, 5), 1), [3, 5], 1, 0.5, 'native'
    torch.library.opcheck(torch.ops.mmaction_ext.pair_correlation, maps)


def test_what_it_cannot_take_is_refused_by_name():
    x = torch.randn(1, 2, 3, 4, 4, dtype=torch.float64)
    with pytest.raises(InputError, match='float64'):
        local_correlation(x, (1,), implementation='native')
    with pytest.raises(InputError, match='not 40'):
        local_correlation(x.float(), (1,), 3, 40, implementation='native')


def test_a_fork_of_a_process_that_used_threads_computes_too():
    x = features((4, 2, 3, 4, 4)).detach()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    expected = local_correlation(x, (1,), implementation='native')
    receiving, sending = multiprocessing.Pipe(duplex=False)
    if (child := os.fork()) == 0:
        sending.send(torch.equal(local_correlation(x, (1,), implementation='native'), expected))
        os._exit(0)
    torch.set_num_threads(before)
    assert receiving.poll(60) and receiving.recv()
    os.waitpid(child, 0)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """Nothing is compiled yet."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.delenv(compiled.SWITCH, raising=False)
    compiled._load.cache_clear()
    yield tmp_path / 'mmaction_ext' / 'compiled'
    compiled._load.cache_clear()


@pytest.mark.parametrize(
    'compiler, reason',
    [
        ('no-such-cc', 'no C compiler no-such-cc'),
        ('false', 'fails: exit code'),
        ('true', 'No such file'),
        ('"cc', 'CC is no command'),
    ],
)
def test_without_a_compiler_one_line_tells_and_the_portable_path_serves(
    fresh, monkeypatch, compiler, reason
):
    monkeypatch.setenv('CC', compiler)
    with pytest.warns(RuntimeWarning, match=reason) as told:
        assert compiled.load(native._SOURCE) is None
        assert compiled.load(native._SOURCE) is None
    assert len(told) == 1 and '\n' not in str(told[0].message)


def test_the_error_of_a_compiler_is_told(fresh, monkeypatch):
    """Not where it was included from."""
    monkeypatch.setenv(
        'CC', "sh -c 'echo In file included from a.c >&2; echo a.c:1: error: odd >&2; exit 1'"
    )
    with pytest.warns(RuntimeWarning, match='fails: a.c:1: error: odd'):
        assert compiled.load(native._SOURCE) is None


def test_a_damaged_library_is_compiled_anew(fresh):
    path = compiled._library(native._SOURCE)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert compiled.load(native._SOURCE) is not None
    assert path.stat().st_size == len(whole)


def test_a_cache_that_others_can_write_is_not_loaded_from(fresh):
    fresh.mkdir(parents=True)
    fresh.chmod(0o777)
    with pytest.warns(RuntimeWarning, match='alone'):
        assert compiled.load(native._SOURCE) is None


def test_an_interrupted_caller_waits_for_its_threads():
    """They use its memory."""
    ended = []

    def work(begin, end):
        if begin == 0:
            raise KeyboardInterrupt
        time.sleep(0.05)
        ended.append(begin)
        return 0

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(KeyboardInterrupt):
            compiled.run(work, 3)
    finally:
        torch.set_num_threads(before)
    assert sorted(ended) == [1, 2]


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv(compiled.SWITCH, '0')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert compiled.load(native._SOURCE) is None


@pytest.mark.slow
def test_many_processes_that_start_at_once_compile_once(fresh, tmp_path):
    counter = tmp_path / 'cc'
    counter.write_text(f'#!/bin/sh\necho . >> {tmp_path}/calls\nexec cc "$@"\n')
    counter.chmod(0o755)
    code = (
        'from mmaction_ext.ops import compiled; from mmaction_ext.ops.correlation import native; '
        'assert compiled.load(native._SOURCE)'
    )
    processes = [
        subprocess.Popen(
            [sys.executable, '-W', 'error', '-c', code], env=dict(os.environ, CC=str(counter))
        )
        for _ in range(4)
    ]
    assert [process.wait(300) for process in processes] == [0] * 4
    assert (tmp_path / 'calls').read_text().count('.') == 1
