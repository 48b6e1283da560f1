"""One file of one run that is none, or never ends: all others are shown, that one has a line."""

import os
import shutil
from pathlib import Path

import pytest
from tool_runs import main_of

#: files of a run that commands read
PLACES = (
    'run.json',
    'metrics.jsonl',
    'heartbeat',
    'results/1-8.json',
    'results',
    'run.lock',
    'predictions.npz',
    'epoch_2.pth',
    'wandb/run-abc.wandb',
)


def sparse(path, size=11 << 30):
    with open(path, 'wb') as file:
        file.truncate(size)


ODD = dict(
    pipe=os.mkfifo,
    device=lambda path: path.symlink_to('/dev/zero'),
    folder=lambda path: path.mkdir(),
    loop=lambda path: path.symlink_to(path.name),
    sparse=sparse,
    zeros=lambda path: sparse(path, 300 << 20),
    deep=lambda path: path.write_text('[' * 200_000),
    nested=lambda path: path.write_text('{"config": ' + '{"a": ' * 900 + '1' + '}' * 900 + '}'),
    wide=lambda path: path.write_text('{"a": [' + '[],' * 1_000_000 + '[]]}'),
)


def make_odd(folder, place, odd):
    path = folder / place
    path.parent.mkdir(exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    odd(path)


@pytest.fixture
def make_tables():
    return main_of('tables')


@pytest.mark.timeout(60)
@pytest.mark.parametrize('kind', ODD)
def test_an_odd_file_stops_nothing_and_has_a_line(project, command, make_tables, kind, capsys):
    for seed in (0, 1):
        project.train('base', seed)
        project.train('full', seed, 0.5)
    for number, place in enumerate(PLACES, 2):
        folder = project.train('full', number)
        if place != 'epoch_2.pth' or kind not in ('sparse', 'zeros'):  # weights may be as large
            make_odd(folder, place, ODD[kind])
    copies = project.runs / '.online/e/p'
    copies.mkdir(parents=True)
    ODD[kind](copies / 'xyz-train.json')
    seeds = range(2, 2 + len(PLACES))

    code, out, err = command('status', 'work_dirs')
    assert code in (0, 1) and not err and out.count('test/acc/top1 0.75') >= 2
    listed = [line.split()[1] for line in out.splitlines() if line.startswith('demo/full')]
    assert {str(seed) for seed in seeds} <= set(listed)
    code, out, err = command('status', 'demo')
    assert code in (0, 1) and not err and out.count('finished') >= 4
    code, out, err = command('doctor', 'work_dirs')
    assert code == 1 and not err
    assert all(f'demo/full/seed{seed}' in out for seed in (2, 3, 5))
    assert 'demo/base' not in out or 'error' not in out.partition('demo/base')[0][-200:]
    code, out, err = command('report', '-o', 'page.html')
    assert code == 0 and not err and Path('page.html').read_text().count('75.0') > 1
    capsys.readouterr()
    assert make_tables([]) == 0
    assert '75.0 ± 0.0' in Path('reports/demo.md').read_text()
    assert make_tables(['--strict', '--check']) == 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    'text',
    [
        'a: &a [1, 1]\n'
        + ''.join(
            f'{name}: &{name} [*{other}, *{other}]\n'
            for other, name in zip(
                'abcdefghijklmnopqrstuvwxy', 'bcdefghijklmnopqrstuvwxyz', strict=True
            )
        ),
        'a: &a {b: *a}\n',
        '[' * 100_000,
        'a: 2001-99-99\n',
        f'a: {"1" * 5000}\n',
        'id: more\nseeds: [2001-99-99]\n',
        'a:\n' + '- 1\n' * 20_000,
    ],
)
def test_odd_specification_is_one_line(project, command, text):
    project.train('base', 0)
    project.write('configs/more/table.yaml', f'{text}\nid: more\n')
    for argv in (('status',), ('report',), ('plan',), ('status', 'more')):
        code, out, err = command(*argv)
        assert code == 2 and not out and err.startswith('error: configs/more/table.yaml')
        assert err.count('\n') == 1
    code, out, err = command('status', 'demo')
    assert code == 0 and '0.75' in out and not err


def test_pipe_in_place_of_a_specification(project, command):
    project.train('base', 0)
    (project.root / 'configs/more').mkdir()
    os.mkfifo(project.root / 'configs/more/table.yaml')
    assert command('status') == (
        2,
        '',
        'error: configs/more/table.yaml cannot be read: not a regular file\n',
    )
    code, out, err = command('status', 'demo')
    assert code == 0 and '0.75' in out and not err
