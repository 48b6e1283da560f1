"""`init --from-wandb` and what follows it: runs of other programs in every command of tables."""

import json
import shutil
from types import SimpleNamespace

import pytest
from wandb_logs import write_run

from mmaction_ext.cli import main
from mmaction_ext.tracking.reading import wandb_online

ACC = {
    (method, seed): 0.5 + i / 10 + seed / 40
    for i, method in enumerate(('base', 'tsm', 'dcf'))
    for seed in range(3)
}


def nine(folder):
    for start, ((method, seed), acc) in enumerate(ACC.items()):
        write_run(
            folder,
            f'{method}{seed}',
            dict(method=method, seed=seed),
            [{'epoch': 1, 'val/acc': acc - 0.1}, {'epoch': 2, 'val/acc': acc}],
            start=start,
        )


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs a command in an empty folder; its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


class OnlineRun(SimpleNamespace):
    """A run as ``wandb.Api`` gives it."""

    def scan_history(self, **options):
        self.scanned = True
        return self.rows


def online_run(method, seed, acc, **changes):
    facts = dict(
        id=f'{method}{seed}',
        name=f'{method} {seed}',
        group=None,
        jobType=None,
        state='finished',
        config=dict(method=method, seed=seed),
        summary_metrics={'val/acc': acc, 'macs': 1.5e9, '_step': 2},
        tags=['paper'],
        rows=[{'_step': i, '_runtime': 1.0, 'val/acc': acc - 0.1 + i / 10} for i in range(2)],
        historyLineCount=2,
        createdAt='2026-01-02T03:04:05Z',
        heartbeatAt='2026-01-02T03:04:06Z',
        url=f'https://wandb.ai/lab/p/runs/{method}{seed}',
        commit=None,
        scanned=False,
    )
    return OnlineRun(**{**facts, **changes})


@pytest.fixture
def online(monkeypatch):
    """The runs of the project lab/p, in a list."""
    runs = [online_run(method, seed, acc) for (method, seed), acc in ACC.items()]
    api = SimpleNamespace(runs=lambda path, **options: iter(runs) if path == 'lab/p' else None)
    monkeypatch.setattr(wandb_online, 'connect', lambda: api)
    monkeypatch.setattr(wandb_online, 'server_url', lambda: 'https://api.wandb.ai')
    return runs


def test_offline_runs_through_every_command(command, tmp_path):
    nine(tmp_path / 'wandb')
    code, out, err = command('init', 'results', '--from-wandb', 'wandb')
    assert (code, err) == (0, '')
    assert (
        out == 'results/table.yaml: made; next: mmaction-ext tables results/table.yaml --print\n'
    )
    formats = ('--formats', 'md', 'tex', 'csv', 'json', 'html')
    code, out, err = command('tables', 'results/table.yaml', *formats, '--print', '--strict')
    assert code == 0 and err == 'wrote reports/results.{md,tex,csv,json,html}\n'
    assert '| base              | 52.5 ± 2.5     | –' in out
    assert '**72.5 ± 2.5** | +20.0 ± 0.0' in out
    written = {path.name: path.read_bytes() for path in (tmp_path / 'reports').iterdir()}

    code, out, _ = command('plan', 'results')
    assert code == 0 and '9 of 9 done' in out and 'to run' not in out
    code, out, _ = command('status', 'results')
    assert code == 0 and '9 finished' in out
    code, out, _ = command('explain', 'results/table.yaml', 'tsm', 'val-acc')
    assert code == 0
    assert 'train         tsm1, in offline-run-tsm1/run-tsm1.wandb, ' in out
    assert 'told by       wandb-offline' in out and 'in the tree' not in out
    code, out, _ = command('report', 'results')
    page = (tmp_path / 'reports/index.html').read_text()
    assert code == 0 and 'run-tsm1.wandb' in page and '>72.5</span>' in page

    # without the runs, all of it comes from the lock
    shutil.rmtree(tmp_path / 'wandb')
    assert command('tables', 'results', *formats, '--locked', '--check')[0] == 0
    assert command('report', 'results', '--locked')[0] == 0
    code, out, _ = command('explain', 'results/table.yaml', 'tsm', 'val-acc', '--locked')
    assert code == 0 and '62.5 ± 2.5' in out
    code, _, err = command('tables', 'results')
    assert (
        code == 2 and 'results/table.yaml: runs.source:' in err and 'wandb does not exist' in err
    )
    assert {
        path.name: path.read_bytes()
        for path in (tmp_path / 'reports').iterdir()
        if path.name in written
    } == written


def test_what_is_lacking_is_not_to_be_trained_here(command, tmp_path):
    nine(tmp_path / 'wandb')
    command('init', 'results', '--from-wandb', 'wandb')
    shutil.rmtree(tmp_path / 'wandb/offline-run-dcf2')
    code, out, _ = command('plan', 'results')
    assert code == 1 and 'dcf/seed2 missing: no run; its runs are not made here' in out
    assert 'to run' not in out and 'train' not in out.partition('why:')[2]
    assert command('plan', 'results', '--commands')[1].strip() == ''
    plan = json.loads(command('plan', 'results', '--json')[1])
    assert [row['kind'] for row in plan[0]['rows']] == ['imported'] * 3
    code, _, err = command('launch', 'results/table.yaml')
    assert code == 2 and 'has no row that is trained here' in err
    code, out, _ = command('tables', 'results', '--print')
    assert code == 0 and '(2/3)' in out


def test_a_project_on_a_server(command, tmp_path, online):
    """Its runs are copied beside the table, which asks no server; what changed is read again."""
    code, out, err = command('init', 'results', '--from-wandb', 'lab/p')
    assert code == 0 and not err
    assert len(list((tmp_path / 'results/.online/lab/p').glob('*.json'))) == 9
    code, out, _ = command('tables', 'results', '--print')
    assert code == 0 and '| **72.5 ± 2.5** | +20.0 ± 0.0' in out and '| 1.50' in out
    assert 'Imported from lab/p: runs that were logged elsewhere' in out
    code, out, _ = command('explain', 'results/table.yaml', 'dcf', 'val-acc')
    assert 'train         lab/p/dcf2, in https://wandb.ai/lab/p/runs/dcf2, ' in out
    assert 'told by       wandb-online' in out

    for run in online:
        run.scanned = False
    online[0].state = 'crashed'
    online[0].heartbeatAt = '2026-01-02T04:04:06Z'
    code, out, _ = command('import-wandb', 'results/table.yaml')
    assert code == 0 and '1 changed, 8 unchanged' in out and 'results/.online' in out
    assert [run.scanned for run in online] == [True, *[False] * 8]
    code, out, err = command('tables', 'results', '--print', '--forget')
    assert code == 0 and 'results: run base0 counts for nothing: is crashed' in err
    assert '(2/3)' in out

    del online[0]
    code, out, _ = command('import-wandb', 'results/table.yaml')
    assert code == 0 and 'base0-train.json is of a run that lab/p has no more' in out
    shutil.rmtree(tmp_path / 'results/.online')
    code, _, err = command('tables', 'results')
    assert code == 2 and 'fetch them with mmaction-ext import-wandb results/table.yaml' in err


def test_a_csv_with_keys_that_are_said(command, tmp_path):
    (tmp_path / 'r.csv').write_text(
        'which,run,acc\n' + ''.join(f'{m},{seed},{acc}\n' for (m, seed), acc in ACC.items())
    )
    words = ('init', 'out', '--from-wandb', 'r.csv', '--row-key', 'which', '--seed-key', 'run')
    assert command(*words)[0] == 0
    code, out, _ = command('tables', 'out', '--print')
    assert code == 0 and '**72.5 ± 2.5**' in out
    assert 'Imported from r.csv: numbers without a run behind them' in out
    code, out, _ = command('explain', 'out/table.yaml', 'tsm', 'acc')
    assert 'from r.csv:6: no run is behind it' in out


@pytest.mark.parametrize(
    'words, message',
    [
        (
            ['--from-wandb', 'gone'],
            'gone does not exist: a source is a folder of offline W&B logs',
        ),
        (['--from-wandb', 'empty'], '../empty has no finished run'),
        (['--from-wandb', 'one.csv'], 'one.csv has no finished run'),
        (['--row-key', 'x'], '--row-key and --seed-key are of --from-wandb'),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(command, tmp_path, words, message):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'one.csv').write_text('a,b\n')
    code, _, err = command('init', 'out', *words)
    assert code == 2 and message in err and err.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_no_table_is_overwritten(command, tmp_path):
    nine(tmp_path / 'wandb')
    assert command('init', 'out', '--from-wandb', 'wandb')[0] == 0
    code, _, err = command('init', 'out', '--from-wandb', 'wandb')
    assert code == 2 and 'out/table.yaml exists' in err


def test_only_tables_of_a_project_are_renewed(command, tmp_path):
    nine(tmp_path / 'wandb')
    command('init', 'out', '--from-wandb', 'wandb')
    code, _, err = command('import-wandb', 'out/table.yaml')
    assert code == 2 and 'names those of ../wandb, which is no project' in err
