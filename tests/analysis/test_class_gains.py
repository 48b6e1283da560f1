"""Gains of classes, from records made by hand to the figure."""

from pathlib import Path

import pytest
from matplotlib.image import imread
from tool_runs import main_of

from mmaction_ext.analysis.class_gains import (
    ClassGain,
    class_accuracies,
    class_gains,
    draw_class_gains,
)
from mmaction_ext.errors import InputError
from mmaction_ext.tables.seed_runs import RowConfig
from mmaction_ext.tracking.identity import config_hash, load_config
from mmaction_ext.tracking.reading.record import Attempt, Evaluation, RunRecord

CONFIG = RowConfig('demo/full', 'current', ('epoch', 2))


def record(seed, accuracies, config='demo/full', digest='current'):
    attempt = Attempt(
        path='a.wandb',
        start_time=1.0,
        host='h',
        commit='c',
        last_iter=8,
        exit_code=0,
        corrupt=False,
        truncated=False,
    )
    row = {'iter': 8, 'epoch': 2, 'test/acc/top1': 0.5}
    row.update({f'test/class/top1_{number:02d}': value for number, value in accuracies.items()})
    return RunRecord(
        f'{config}-{seed}',
        'train',
        config,
        seed,
        digest,
        attempts=(attempt,),
        evaluations=(Evaluation(row, attempt),),
    )


def test_accuracies_are_means_over_the_seeds_asked_for():
    records = [
        record(0, {0: 0.25, 11: 1.0}),
        record(1, {0: 0.75, 11: 0.0}),
        record(2, {0: 0, 11: 0}),
        record(0, {0: 0.9, 11: 0.9}, config='demo/other'),
    ]
    assert class_accuracies(records, CONFIG, [0, 1]) == {0: 0.5, 11: 0.5}


@pytest.mark.parametrize(
    'records, seeds, message',
    [
        ([], [0], 'no run of demo/full has test/class/top1_'),
        ([record(0, {})], [0], 'no run of demo/full has test/class/top1_'),
        ([record(0, {0: 1.0})], [0, 1], 'demo/full, seed 1: no run'),
        ([record(0, {0: 1.0}, digest='old')], [0], 'seed 0: run of another version'),
        ([record(0, {0: float('nan')})], [0], 'seed 0: test/class/top1_00 is nan'),
    ],
)
def test_what_is_no_result_is_not_used(records, seeds, message):
    with pytest.raises(InputError, match=message):
        class_accuracies(records, CONFIG, seeds)


def test_large_gains_come_first_and_the_margin_itself_counts():
    before = {0: 0.5, 1: 0.5, 2: 0.5, 3: 0.2}
    after = {0: 0.56, 1: 0.8, 2: 0.559, 3: 0.1}
    gains = class_gains(before, after, ['a', 'b', 'c', 'd'], margin=0.06)
    assert [each.name for each in gains] == ['b', 'a']
    assert gains[0].gain == pytest.approx(0.3)
    assert [each.name for each in class_gains(before, after, margin=-1)] == ['1', '0', '2', '3']


def test_other_classes_and_classes_without_a_name_are_refused():
    with pytest.raises(InputError, match=r'different classes: \[1\]'):
        class_gains({0: 1.0}, {0: 1.0, 1: 1.0})
    with pytest.raises(InputError, match='class 3 has no name: there are 2'):
        class_gains({3: 1.0}, {3: 1.0}, ['a', 'b'])


def test_the_figure_grows_with_its_classes(tmp_path):
    gain = ClassGain('costs_5$ or 6$', 0.2, 0.5)
    for number in (1, 4):
        draw_class_gains([gain] * number, ('MFNet', 'MF-KPSEM'), tmp_path / f'{number}.png')
    short, tall = (imread(tmp_path / f'{number}.png') for number in (1, 4))
    assert tall.shape[0] > short.shape[0] and short[..., :3].std() > 0.05


def test_what_cannot_be_drawn_is_said(tmp_path):
    with pytest.raises(InputError, match='nothing to draw'):
        draw_class_gains([], ('a', 'b'), tmp_path / 'a.png')
    gains = [ClassGain('a', 0.1, 0.2)]
    with pytest.raises(InputError, match=r'a.xyz cannot be written'):
        draw_class_gains(gains, ('a', 'b'), tmp_path / 'a.xyz')
    with pytest.raises(InputError, match='cannot be written: No such file'):
        draw_class_gains(gains, ('a', 'b'), tmp_path / 'none' / 'a.png')


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Two configs and their runs under two seeds."""
    names = ('before', 'after')
    paths = [tmp_path / 'configs' / 'demo' / f'{name}.py' for name in names]
    paths[0].parent.mkdir(parents=True)
    for path in paths:
        path.write_text(f'train_cfg = dict(max_epochs=2)\nname = {path.stem!r}\n')
    hashes = [config_hash(load_config(path)) for path in paths]
    records = [
        record(seed, {0: 0.5 + gain, 1: 0.5}, f'demo/{name}', digest)
        for name, digest, gain in zip(names, hashes, (0, 0.2), strict=True)
        for seed in (0, 1)
    ]
    monkeypatch.setattr(
        'mmaction_ext.tracking.reading.find.find_runs', lambda folder, **options: records
    )
    monkeypatch.chdir(tmp_path)
    return [str(path) for path in paths]


def test_the_tool_draws_what_the_runs_say(place, capsys):
    main = main_of('class-gains')
    Path('classes.txt').write_text('swim\nrun\n')
    assert main([*place, '--classes', 'classes.txt', '-o', 'gains.pdf']) == 0
    assert capsys.readouterr().out.splitlines() == [
        'swim: 50.0 -> 70.0 (+20.0)',
        'figure: gains.pdf',
    ]
    assert Path('gains.pdf').read_bytes().startswith(b'%PDF')


def test_the_tool_says_what_is_wrong(place, capsys):
    main = main_of('class-gains')
    assert main([*place, '--margin', '30']) == 2
    assert main([*place, '--seeds', '7']) == 2
    assert main([place[0], 'gone.py']) == 2
    errors = capsys.readouterr().err.splitlines()
    assert 'nothing to draw' in errors[0] and 'seed 7: no run' in errors[1]
    assert 'gone.py does not exist' in errors[2]
