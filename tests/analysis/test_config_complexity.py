"""Many configs: each network is counted once, and one that fails does not hide the others."""

import re
import sys

import pytest
from mmengine.config import Config

from mmaction_ext.analysis import config_complexity
from mmaction_ext.analysis.config_complexity import count_configs
from mmaction_ext.errors import InputError
from mmaction_ext.models.complexity import count

MODEL = dict(
    type='Recognizer2D',
    backbone=dict(
        type='MotionBackbone',
        module=None,
        num_segments=8,
        backbone=dict(type='timm.resnet10t', channels=(8, 8, 8, 8), stem_width=8),
    ),
    cls_head=dict(type='TSNHead', in_channels=8, num_classes=12),
)
SHAPE, LARGER = (3, 8, 64, 64), (3, 8, 96, 96)


@pytest.fixture
def write(tmp_path):
    def write(name, **config):
        path = tmp_path / f'{name}.py'
        Config(dict(dict(model=MODEL, input_shape=SHAPE), **config)).dump(path)
        return path

    return write


def test_each_network_is_counted_once_for_each_shape(write, monkeypatch):
    calls = []

    def counted(model, shape):
        calls.append(shape)
        return count(model, shape)

    monkeypatch.setattr(config_complexity, 'count', counted)
    paths = [write('a'), write('b', lr=1), write('c', input_shape=LARGER)]
    progress = []
    found = count_configs(paths, progress=lambda *numbers: progress.append(numbers))
    assert calls == [SHAPE, LARGER] and progress == [(1, 2), (2, 2)]
    assert found == {
        path: count(MODEL, shape)
        for path, shape in zip(paths, (SHAPE, SHAPE, LARGER), strict=True)
    }


def test_what_fails_is_said_of_its_config_alone(write, tmp_path):
    broken = write('broken', model=dict(MODEL, type='NoSuchModel'))
    bare = tmp_path / 'bare.py'
    bare.write_text('lr = 1\n')
    sound = write('sound')
    found = count_configs([broken, bare, tmp_path / 'gone.py', sound])
    assert found[sound] == count(MODEL, SHAPE)
    for path, word in (
        (broken, 'NoSuchModel'),
        (bare, 'no model'),
        (tmp_path / 'gone.py', 'does not exist'),
    ):
        assert isinstance(found[path], InputError)
        assert str(path) in str(found[path]) and word in str(found[path])


def test_parameters_alone_without_a_shape(write):
    [found] = count_configs([write('a', input_shape=None)]).values()
    assert found.params == count(MODEL).params and found.macs is None


@pytest.mark.parametrize('shape, macs', [(LARGER, 'sum'), (None, None)])
def test_ensemble_is_the_sum_of_its_members(write, shape, macs):
    write('a'), write('b', input_shape=shape)
    [found] = count_configs([write('both', ensemble=dict(members=['a.py', 'b.py']))]).values()
    a, b = count(MODEL, SHAPE), count(MODEL, shape)
    assert found.params == a.params + b.params
    assert found.macs == (a.macs + b.macs if macs else None)


def test_member_that_cannot_be_counted_is_an_error(write):
    write('a'), write('b', model=dict(MODEL, type='NoSuchModel'))
    path = write('both', ensemble=dict(members=['a.py', 'b.py']))
    [found] = count_configs([path]).values()
    assert isinstance(found, InputError) and re.search('both.py: .*NoSuchModel', str(found))


@pytest.mark.parametrize('workers', [0, 1])
def test_modules_of_the_user_are_imported(workers, write, tmp_path, monkeypatch):
    """In each process, from the folder where the user works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', sys.path[:])
    (tmp_path / f'own{workers}.py').write_text(
        'from mmaction.models import TSNHead\nfrom mmaction.registry import MODELS\n'
        f'MODELS.register_module(name="Mine{workers}", module=TSNHead)\n'
    )
    head = dict(MODEL['cls_head'], type=f'Mine{workers}')
    paths = [
        write(f'row_{name}', model=dict(MODEL, cls_head=head), custom_imports=dict(imports=[name]))
        for name in (f'own{workers}', 'nothing_of_that_name')
    ]
    found, fault = count_configs(paths, workers).values()
    assert found == count(MODEL, SHAPE)
    assert 'nothing_of_that_name cannot be imported' in str(fault) and str(paths[1]) in str(fault)
