"""`dashboard`: what the real wandb-workspaces SDK sends to a stand-in of the server."""

import json
import subprocess
import sys

import pytest
from wandb_server import ENTITY, StoredRun, WandbServer

from mmaction_ext.cli import dashboard, main

TABLE = """
id: {id}
caption: "Rows <script> | 100%"
seeds: [0]
columns:
  - {{key: top1, head: Top-1, from: test/acc/top1, scale: 100, fmt: .1f, best: max}}
  - {{key: small, head: Small, from: test/motion/small, fmt: .1f}}
  - {{key: delta, head: Δ, from: top1, relative_to: reference, fmt: +.1f}}
  - {{key: params, head: Params, from: static.params, fmt: .0f}}
rows:
  - {{id: full, label: Full, config: full.py, reference: true}}
  - {{id: it's, label: Quoted, config: "it's.py"}}
"""


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """Two tables of two rows each; the working directory is above ``configs``."""
    for name in ('one', 'two'):
        folder = tmp_path / 'configs/demo' / name
        folder.mkdir(parents=True)
        (folder / 'table.yaml').write_text(TABLE.format(id=name).replace("id: it's", 'id: quoted'))
        for row in ('full', "it's"):
            (folder / f'{row}.py').write_text('train_cfg = dict(max_epochs=1)\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server(monkeypatch):
    """A server with one run, as that of this process."""
    import wandb

    with WandbServer() as server:
        server.runs[ENTITY, 'p', 'x'] = StoredRun(ENTITY, 'p', 'x')
        for key, value in dict(
            server.environment,
            WANDB_X_GRAPHQL_RETRY_MAX='1',
            WANDB_X_GRAPHQL_RETRY_WAIT_MIN_SECONDS='0.01',
        ).items():
            monkeypatch.setenv(key, value)
        wandb.teardown()
        yield server
        wandb.teardown()


def call(*argv, project='p', entity=ENTITY):
    return main(['dashboard', *argv, '--project', project, '--entity', entity])


def specification(view):
    return json.loads(view['spec'])


def plots(panels):
    """Kind, title and metrics of panels as W&B stores them."""
    found = []
    for panel in panels:
        config = panel['config']
        metrics = config.get('metrics') or [config['xAxis'], config['yAxis']]
        found.append((panel['viewType'], config['chartTitle'], metrics))
    return found


EXPECTED = [
    ('Run History Line Plot', 'Training loss', ['train/loss']),
    ('Run History Line Plot', 'Top-1: validation and test', ['val/acc/top1', 'test/acc/top1']),
    ('Bar Chart', 'Top-1: test', ['test/acc/top1']),
    (
        'Scatter Plot',
        'Top-1 against parameters',
        ['config:static.value.params', 'summary:test/acc/top1'],
    ),
    (
        'Scatter Plot',
        'Top-1 against multiply-adds',
        ['config:static.value.macs', 'summary:test/acc/top1'],
    ),
]


@pytest.mark.slow
def test_report_holds_the_plots_of_each_table(server, suite, capsys):
    assert call('configs', '--only', 'report', '--title', 'A <b> | suite') == 0
    [(key, view)] = server.views.items()
    out = capsys.readouterr().out
    assert out.startswith(f'report  {server.url}/{ENTITY}/p/reports/') and key in out
    assert (view['displayName'], view['type'], view['projectName']) == (
        'A <b> | suite',
        'runs',
        'p',
    )
    grids = [
        block['metadata']
        for block in specification(view)['blocks']
        if block['type'] == 'panel-grid'
    ]
    assert [grid['runSets'][0]['name'] for grid in grids] == ['one', 'two']
    for grid, name in zip(grids, ('one', 'two'), strict=True):
        assert plots(grid['panelBankSectionConfig']['panels']) == EXPECTED
        [run_set] = grid['runSets']
        [condition] = run_set['filters']['filters']
        assert condition['key'] == dict(section='run', name='group')
        assert (condition['op'], condition['value']) == ('IN', [f'demo/{name}'])
        assert run_set['grouping'] == [dict(section='config', name='identity.value.config')]
        assert run_set['project']['name'] == 'p'
    assert 'Rows <script> | 100%' in view['spec']
    server.check()


@pytest.mark.slow
def test_curves_are_means_over_seeds_of_a_row_against_iterations(server, suite):
    assert call('one', '--only', 'report') == 0
    [view] = server.views.values()
    [grid] = [block for block in specification(view)['blocks'] if block['type'] == 'panel-grid']
    curve = grid['metadata']['panelBankSectionConfig']['panels'][1]['config']
    assert curve['xAxis'] == 'iter' and curve['smoothingType'] == 'none'
    assert (curve['groupBy'], curve['groupAgg'], curve['groupArea']) == (
        'identity.value.config',
        'mean',
        'stddev',
    )


@pytest.mark.slow
def test_workspace_has_a_section_per_table(server, suite, capsys):
    assert call('configs', '--only', 'workspace', '--title', 'A <b> | suite') == 0
    [view] = server.views.values()
    assert capsys.readouterr().out.startswith(f'workspace  {server.url}/{ENTITY}/p?nw=')
    assert view['displayName'] == 'A b  suite'  # W&B takes no such signs there
    section = specification(view)['section']
    sections = section['panelBankConfig']['sections']
    assert [item['name'] for item in sections] == ['one', 'two']
    assert all(plots(item['panels']) == EXPECTED for item in sections)
    [run_set] = section['runSets']
    assert run_set['filters']['filters'][0]['value'] == ['demo/one', 'demo/two']
    assert run_set['grouping'] == [
        dict(section='run', name='group'),
        dict(section='config', name='identity.value.config'),
    ]
    assert section['settings']['xAxis'] == 'iter'


@pytest.mark.slow
def test_both_are_made_and_their_addresses_printed(server, suite, capsys):
    assert call('one') == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        'report',
        'workspace',
    ]
    assert sorted(view['type'] for view in server.views.values()) == ['project-view', 'runs']
    assert {view['displayName'] for view in server.views.values()} == {'Suite one'}


def test_dry_run_prints_what_would_be_made_and_asks_nobody(suite, capsys, monkeypatch):
    monkeypatch.delenv('WANDB_API_KEY', raising=False)
    monkeypatch.setattr('socket.socket.connect', pytest.fail)
    assert call('configs', '--dry-run') == 0
    found = json.loads(capsys.readouterr().out)
    assert (found['entity'], found['project'], found['make']) == (
        ENTITY,
        'p',
        ['report', 'workspace'],
    )
    assert [section['groups'] for section in found['sections']] == [['demo/one'], ['demo/two']]
    assert found['sections'][0]['configs'] == ['demo/one/full', "demo/one/it's"]
    assert [panel['title'] for panel in found['sections'][0]['panels']] == [
        title for _, title, _ in EXPECTED
    ]


def test_dry_run_needs_no_heavy_library(suite):
    code = (
        'import sys; from mmaction_ext.cli import main\n'
        'main(["dashboard", "one", "--project", "p", "--entity", "e", "--dry-run"])\n'
        'print([name for name in ("torch", "mmaction", "wandb", "wandb_workspaces")'
        ' if name in sys.modules])'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == '[]', done.stderr


def refusal(capsys, *argv, **where):
    assert call(*argv, **where) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1
    return error


def test_without_a_key_it_refuses(suite, capsys, monkeypatch):
    monkeypatch.delenv('WANDB_API_KEY', raising=False)
    monkeypatch.setenv('WANDB_BASE_URL', 'http://127.0.0.1:9')
    monkeypatch.setenv('NETRC', str(suite / 'none'))
    error = refusal(capsys, 'one')
    assert 'http://127.0.0.1:9 needs an API key: set WANDB_API_KEY' in error


def test_without_the_library_it_says_what_to_install(server, suite, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'wandb_workspaces', None)
    assert 'needs the library wandb_workspaces' in refusal(capsys, 'one')


@pytest.mark.slow
def test_server_that_fails_project_that_is_not_there_and_server_that_is_gone(
    server, suite, capsys
):
    assert 'nothing' in refusal(capsys, 'one', project='nothing')
    server.broken = True
    assert '500' in refusal(capsys, 'one')
    server.die()
    assert f'W&B server {server.url}' in refusal(capsys, 'one')
    assert server.views == {}


def test_entity_is_needed(suite, capsys, monkeypatch):
    assert '--entity' in refusal(capsys, 'one', entity='')


def test_table_without_runs_of_its_own_is_refused(suite, capsys):
    path = suite / 'configs/demo/one/table.yaml'
    path.write_text("""
id: one
caption: Quoted alone
seeds: [0]
columns: [{key: top1, head: Top-1, from: published.top1, fmt: .1f}]
rows: []
""")
    assert 'table.yaml' in refusal(capsys, 'one', '--dry-run')


def test_titles_are_one_line_that_is_not_too_long():
    assert dashboard.shorten('a\nb\x1b[31m c') == 'a b c'
    assert len(dashboard.shorten('x' * 500)) == 128
    assert dashboard.shorten('x' * 128) == 'x' * 128
