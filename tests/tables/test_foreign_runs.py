"""Tables of runs that other programs logged: every number is computed a second time, by hand."""

import csv
import io
import json
import os
import statistics
from itertools import product

import pytest
from scipy import stats
from wandb_logs import write_run

from mmaction_ext.errors import InputError
from mmaction_ext.tables import build_table, load_spec, locked_table, read_lock
from mmaction_ext.tables.foreign_runs import is_same, with_foreign_runs, with_locked_rows
from mmaction_ext.tables.lock import lock_text
from mmaction_ext.tables.render import RENDERERS

METHODS = ('tsn', 'tsm', 'dcf')
#: validation accuracy of each epoch
CURVES = {
    (method, seed): [
        level + 0.011 * seed,
        level + 0.05 + 0.007 * seed * (i + 1),
        level + 0.02 - 0.003 * seed**2,
    ]
    for i, (method, level) in enumerate(zip(METHODS, (0.41, 0.52, 0.63), strict=True))
    for seed in range(3)
}
SPEC = """
runs: {source: wandb, row: method, seed: seed}
seeds: [0, 1, 2]
columns:
  - {key: top1, head: Top-1, from: val/acc, scale: 100, fmt: .2f, best: max}
  - {key: delta, head: D, from: top1, relative_to: reference, fmt: +.2f}
rows:
  - {id: tsn, label: TSN, reference: true}
  - {id: tsm, label: TSM}
  - {id: dcf, label: DCF}
"""


def nine(folder, curves=CURVES):
    """Nine runs of a plain script, which logs training and validation in steps of their own."""
    for start, ((method, seed), curve) in enumerate(curves.items()):
        rows = []
        for epoch, acc in enumerate(curve):
            rows.append({'epoch': epoch, 'train/loss': 1.0 / (epoch + 1)})
            rows.append({'epoch': epoch, 'val/acc': acc, 'val/loss': 1 - acc})
        write_run(
            folder,
            f'{method}{seed}',
            dict(method=method, seed=seed, model=dict(params=1000 * len(method))),
            rows,
            {'val/acc': {'max': max(curve)}, 'gmacs': 4.5},
            start=1000 + start,
            display_name=f'{method}-seed{seed}',
            run_group=method,
            tags=['paper'],
        )


@pytest.fixture
def project(tmp_path):
    """A folder in which ``table(text)`` builds a table; ``lines`` are what was said of runs."""

    class Project:
        folder, lines, spec = tmp_path, [], None

        def load(self, text):
            (tmp_path / 'table.yaml').write_text(text)
            self.spec, self.lines = with_foreign_runs(load_spec(tmp_path / 'table.yaml'))
            return self.spec

        def table(self, text):
            spec = self.load(text)
            return build_table(spec, spec.foreign)

    return Project()


def texts(table):
    return [[cell.text for cell in row.cells] for row in table.body]


def printed(values):
    return f'{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}'


def printed_difference(mine, reference):
    """Mean, deviation and 95 % interval of the differences of pairs, by SciPy."""
    pairs = [a - b for a, b in zip(mine, reference, strict=True)]
    low, high = stats.t.interval(0.95, len(pairs) - 1, statistics.mean(pairs), stats.sem(pairs))
    return (
        f'{statistics.mean(pairs):+.2f} ± {statistics.stdev(pairs):.2f} [{low:+.2f}, {high:+.2f}]'
    )


def of(choose):
    """Method to its three values, in percent."""
    return {m: [100 * choose(CURVES[m, seed]) for seed in range(3)] for m in METHODS}


def expected(values):
    return [
        [printed(each), '–' if m == 'tsn' else printed_difference(each, values['tsn'])]
        for m, each in values.items()
    ]


@pytest.mark.parametrize(
    'select, choose, said',
    [
        ('', lambda curve: curve[-1], 'Last value of each run.'),
        (
            'select: {policy: best, metric: val/acc, mode: max}',
            max,
            'Epoch with the highest val/acc of each run.',
        ),
        (
            'select: {policy: best, metric: val/loss, mode: min}',
            max,
            'Epoch with the lowest val/loss of each run.',
        ),
        ('select: {policy: summary}', max, 'Summary of each run.'),
    ],
    ids=['last', 'best', 'lowest', 'summary'],
)
def test_nine_runs_of_a_plain_script(project, select, choose, said):
    nine(project.folder / 'wandb')
    table = project.table(SPEC + select)
    assert texts(table) == expected(of(choose))
    assert [row.cells[0].best for row in table.body] == [False, False, True]
    assert table.notes[0] == said and table.is_complete and not project.lines
    assert (table.head_mark, table.footnotes) == (
        '†',
        [('†', 'Imported from wandb: runs that were logged elsewhere')],
    )
    [line, *_] = csv.DictReader(io.StringIO(RENDERERS['csv'](table)))
    assert line['runs'] == '0: tsn0; 1: tsn1; 2: tsn2' and line['status'] == 'imported'
    low, high = stats.t.interval(
        0.95, 2, statistics.mean(of(choose)['tsn']), stats.sem(of(choose)['tsn'])
    )
    assert (float(line['low']), float(line['high'])) == pytest.approx((low, high))


def test_a_minimal_specification_takes_rows_and_seeds_from_the_runs(project):
    """A source, a row key, a seed key and the metrics are enough; a lock is, too."""
    nine(project.folder / 'wandb')
    text = (
        'runs: {source: wandb, row: method, seed: seed}\ncolumns: [{from: val/acc, scale: 100}]\n'
    )
    table = project.table(text)
    assert (table.id, [column.head for column in table.columns]) == (
        project.folder.name,
        ['val/acc'],
    )
    assert [row.label for row in table.body] == sorted(METHODS) and project.spec.seeds == (0, 1, 2)
    path = project.folder / 'table.lock.json'
    path.write_text(lock_text({table.id: locked_table(table, project.spec)}))
    locked = read_lock(path)
    plain = load_spec(project.folder / 'table.yaml')
    spec = with_locked_rows(plain, locked)
    again = build_table(spec, (), locked=locked[table.id])
    assert [render(again) for render in RENDERERS.values()] == [
        render(table) for render in RENDERERS.values()
    ]
    # other runs are asked for than were locked
    (project.folder / 'table.yaml').write_text(text.replace('seed: seed', 'seed: seed, tags: x'))
    spec = with_locked_rows(load_spec(project.folder / 'table.yaml'), locked)
    assert texts(build_table(spec, (), locked=locked[table.id])) == [['stale']] * 3
    with pytest.raises(InputError, match='the lock holds no row'):
        with_locked_rows(plain, {})


@pytest.mark.parametrize(
    'runs',
    [
        r"name: '(?P<row>\w+)-seed(?P<seed>\d)'",
        r"row: group, name: 'seed(?P<seed>\d)$'",
        'row: config.method, seed: config.seed',
    ],
)
def test_rows_and_seeds_by_name_group_or_key(project, runs):
    nine(project.folder / 'wandb')
    table = project.table(SPEC.replace('row: method, seed: seed', runs))
    assert texts(table) == expected(of(lambda curve: curve[-1]))


def test_counts_are_those_of_config_and_summary(project):
    nine(project.folder / 'wandb')
    columns = (
        'columns:\n  - {key: p, head: P, from: config.model.params, scale: 0.001, fmt: .1f}\n'
        '  - {key: g, head: G, from: summary.gmacs, fmt: .1f}\n'
        '  - {key: lr, head: L, from: config.lr}\n'
    )
    table = project.table(SPEC.replace('columns:\n', columns))
    assert [row[:3] for row in texts(table)] == [['3.0', '4.5', 'missing']] * 3
    # a number that runs of a row do not have in common is none of the row
    table = project.table(SPEC.replace('columns:\n', columns.replace('model.params', 'seed')))
    assert [row[0] for row in texts(table)] == ['conflict'] * 3


def test_lightning(project):
    """Its names, its flattened settings, its test that is logged once, at the end."""
    values = {}
    for start, (depth, seed) in enumerate(product((18, 50), range(3))):
        acc = [0.3 + depth / 1000 + seed / 100, 0.5 + seed / 50, 0.4 + depth / 500]
        rows = [
            row
            for epoch, each in enumerate(acc)
            for row in (
                {'train/loss_step': 0.5, 'epoch': epoch, 'trainer/global_step': 50 * epoch + 49},
                {'val/acc': each, 'epoch': epoch, 'trainer/global_step': 50 * epoch + 50},
            )
        ]
        tested = 0.2 + depth / 200 + seed / 30
        rows.append({'test/acc': tested, 'epoch': 3, 'trainer/global_step': 150})
        write_run(
            project.folder / 'wandb',
            f'r{start}',
            {'model/depth': depth, 'seed_everything': seed},
            rows,
            start=start,
        )
        values.setdefault(depth, []).append((max(acc), tested))
    table = project.table("""
runs: {source: wandb, row: model.depth, seed: seed_everything}
select: {policy: best, metric: val/acc, mode: max}
columns:
  - {from: val/acc, scale: 100, fmt: .2f}
  - {from: test/acc, scale: 100, fmt: .2f, best: max}
""")
    assert [row.label for row in table.body] == ['18', '50']
    assert texts(table) == [
        [printed([100 * pair[i] for pair in values[depth]]) for i in (0, 1)] for depth in (18, 50)
    ]


def test_a_sweep(project):
    """Parameters of a sweep are settings like others: rows may be any combination of them."""
    finals = {}
    for start, (lr, width, seed) in enumerate(product((0.1, 0.01), (32, 64), range(3))):
        finals[lr, width, seed] = 0.1 + lr + width / 1000 + seed / (7 + start)
        write_run(
            project.folder / 'sweep',
            f'sweep{start}',
            dict(optimizer=dict(lr=lr), width=width, seed=seed),
            [{'accuracy': finals[lr, width, seed]}],
            start=start,
        )
    table = project.table("""
runs: {source: sweep, seed: seed}
seeds: [0, 1, 2]
columns:
  - {key: acc, head: A, from: accuracy, scale: 100, fmt: .2f, best: max}
  - {key: delta, head: D, from: acc, relative_to: reference, fmt: +.2f}
rows:
  - {id: small, wandb: {optimizer.lr: 0.1, width: 32}, reference: true}
  - {id: slow, wandb: {optimizer.lr: 0.01, width: 64}}
""")
    small, slow = (
        [100 * finals[lr, width, seed] for seed in range(3)]
        for lr, width in ((0.1, 32), (0.01, 64))
    )
    assert texts(table) == [
        [printed(small), '–'],
        [printed(slow), printed_difference(slow, small)],
    ]
    assert project.lines == [
        f'{table.id}: runs sweep3, sweep4, sweep5, sweep6, sweep7, 1 more counts for nothing: '
        'is of no row'
    ]


def test_a_csv_of_somebody_else(project):
    """Percent, other heads, a seed that a spreadsheet made a float of, a missing cell."""
    values = {'Base Line': [71.25, 70.5, None], 'Ours (full)': [73.5, 74.25, 75.0]}
    lines = ['Approach,Run seed,Top-1 acc,Params']
    for approach, each in values.items():
        lines += [
            f'{approach},{seed}.0,{"" if value is None else value},{len(approach)}.5'
            for seed, value in enumerate(each)
        ]
    (project.folder / 'theirs.csv').write_text('\n'.join(lines))
    table = project.table("""
runs: {source: theirs.csv, row: Approach, seed: Run seed}
columns:
  - {key: p, from: config.Params, head: P}
  - {key: acc, from: metric.Top-1 acc, head: A, fmt: .2f, best: max}
  - {key: delta, head: D, from: acc, relative_to: reference, fmt: +.2f}
rows: [{id: Base-Line, reference: true}, {id: Ours-full}]
""")
    mine, base = values['Ours (full)'], values['Base Line'][:2]
    pairs = [a - b for a, b in zip(mine, base, strict=False)]
    assert texts(table) == [
        ['9.5', f'{printed(base)} (2/3)', '–'],
        [
            '11.5',
            printed(mine),
            f'{statistics.mean(pairs):+.2f} ± {statistics.stdev(pairs):.2f} (2/3)',
        ],
    ]
    assert table.body[0].cells[1].note == 'seed 2 missing: it logged no Top-1 acc'
    assert not any(row.cells[1].best for row in table.body)  # one cell alone is complete
    assert table.footnotes[-1][1] == 'Imported from theirs.csv: numbers without a run behind them'


def test_an_export_of_the_wandb_page(project):
    """Its heads say what W&B calls a run; runs that crashed are left out, and that is said."""
    (project.folder / 'export.csv').write_text(
        '"Name","State","Tags","ID","method","seed","val/acc"\n'
        '"a","finished","paper, x","id1","tsm","0","0.5"\n'
        '"b","crashed","paper","id2","tsm","1","0.9"\n'
        '"c","finished","","id3","tsm","1","0.7"\n'
    )
    text = (
        'runs: {source: export.csv, row: method, seed: seed%s}\n'
        'columns: [{from: val/acc, fmt: .2f}]\n'
    )
    table = project.table(text % '')
    assert texts(table) == [[printed([0.5, 0.7])]]
    assert project.lines == [f'{table.id}: run id2 counts for nothing: is crashed']
    table = project.table(text % ', tags: paper')
    assert texts(table) == [['0.50 (1/2)']]
    assert table.body[0].cells[0].note == 'seed 1 failed: killed'
    assert f"{table.id}: run id3 counts for nothing: has no tag 'paper'" in project.lines
    table = project.table(text % ', state: [finished, crashed]')
    assert texts(table) == [['0.50 (1/2)']]  # two runs of one seed contradict each other
    assert 'several runs of one row and seed: 0.9 (run id2' in table.body[0].cells[0].note


def test_two_runs_of_one_cell_are_a_conflict_that_names_both(project):
    nine(project.folder / 'wandb')
    write_run(
        project.folder / 'wandb', 'again', dict(method='tsm', seed=1), [{'val/acc': 0.9}], start=1
    )
    table = project.table(SPEC)
    assert table.cell('tsm', 'top1').text.endswith('(2/3)')
    note = table.cell('tsm', 'top1').note
    assert note.startswith('seed 1 conflict: several runs of one row and seed: ')
    assert 'run again' in note and 'run tsm1' in note
    assert not table.is_complete


def test_filters_and_states_say_what_they_leave_out(project):
    nine(project.folder / 'wandb')
    folder = project.folder / 'wandb'
    write_run(
        folder, 'other', dict(method='tsm', seed=0, data='v2'), [{'val/acc': 0.9}], tags=['x']
    )
    write_run(folder, 'odd', dict(method='tsm', seed='one'), [{'val/acc': 0.9}], tags=['paper'])
    write_run(folder, 'late', dict(method='tsm', seed=7), [{'val/acc': 0.9}], tags=['paper'])
    killed = write_run(
        folder,
        'killed',
        dict(method='dcf', seed=2),
        [{'val/acc': 0.9}],
        exit_code=None,
        tags=['paper'],
    )
    os.utime(killed, (1, 1))
    table = project.table(SPEC.replace('seed: seed', 'seed: seed, tags: [paper]'))
    assert texts(table) == expected(of(lambda curve: curve[-1]))
    name = project.folder.name
    assert sorted(project.lines) == [
        f'{name}: run killed counts for nothing: is crashed',
        f'{name}: run late counts for nothing: has seed 7, which is none of the table',
        f"{name}: run odd counts for nothing: seed is 'one', no whole number",
        f"{name}: run other counts for nothing: has no tag 'paper'",
    ]
    table = project.table(SPEC.replace('seed: seed', 'seed: seed, config: {data: [v2, v3]}'))
    assert texts(table)[1][0] == '90.00 (1/3)' and texts(table)[0] == ['missing', '–']


def test_a_run_that_crashed_is_why_a_seed_is_missing(project):
    curves = {key: curve for key, curve in CURVES.items() if key != ('dcf', 2)}
    nine(project.folder / 'wandb', curves)
    failed = write_run(
        project.folder / 'wandb', 'f', dict(method='dcf', seed=2), [{'val/acc': 0.9}], exit_code=1
    )
    table = project.table(SPEC)
    assert table.cell('dcf', 'top1').note == 'seed 2 failed: ended with exit code 1'
    failed.unlink()
    table = project.table(SPEC)
    assert table.cell('dcf', 'top1').note == 'seed 2 missing: no run'


def test_the_best_epoch_needs_to_be_told(project):
    """Metrics that are logged in steps of their own, without an epoch, are not taken by chance."""
    rows = [row for acc in (0.2, 0.6, 0.4) for row in ({'val/acc': acc}, {'test/acc': acc / 2})]
    write_run(project.folder / 'wandb', 'r', dict(method='m', seed=0), rows)
    text = """
runs: {source: wandb, row: method, seed: seed}
select: {policy: best, metric: val/acc}
columns: [{from: test/acc, fmt: .2f}, {from: val/acc, fmt: .2f}]
"""
    table = project.table(text)
    assert texts(table) == [['missing', '0.60']]
    assert 'log both in one step, or with an epoch' in table.body[0].cells[0].note


def test_a_metric_that_no_run_has(project):
    (project.folder / 'wandb').mkdir()
    assert project.table(SPEC) and project.lines == [f'{project.spec.id}: wandb holds no run']
    nine(project.folder / 'wandb')
    table = project.table(SPEC.replace('val/acc', 'val/top1'))
    assert [row[0] for row in texts(table)] == ['missing'] * 3
    assert project.lines == [
        f'{table.id}: no run logged val/top1; logged are epoch, gmacs, train/loss, val/acc, '
        'val/acc.max, val/loss'
    ]


def test_a_damaged_log_is_not_trusted(project):
    nine(project.folder / 'wandb')
    [path] = (project.folder / 'wandb').rglob('run-tsm1.wandb')
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    table = project.table(SPEC)
    assert table.cell('tsm', 'top1').note == 'seed 1 untrusted: the log is damaged'


def test_names_of_runs_stay_text(project, markup='<script>alert(1)</script> \x1b[31m| & $a_b$ ✓'):
    for seed in (0, 1):
        write_run(
            project.folder / 'wandb', f'r{seed}', dict(method=markup, seed=seed), [{'acc': seed}]
        )
    table = project.table(
        'runs: {source: wandb, row: method, seed: seed}\ncolumns: [{from: metric.acc}]\n'
    )
    for name, render in RENDERERS.items():
        text = render(table)
        assert '\x1b' not in text
        assert name not in ('html', 'md') or '<script>alert' not in text
    assert json.loads(RENDERERS['json'](table))['rows'][0]['cells']


@pytest.mark.parametrize(
    'change, message',
    [
        (('source: wandb', 'source: gone'), r'gone does not exist: a source is a folder of'),
        (('source: wandb', 'source: lab/project'), 'there is no copy of the runs of lab/project'),
        ((', seed: seed}', '}'), 'seed is missing'),
        (('row: method, ', ''), 'needs wandb: what its runs have'),
        (('seed: seed', "seed: seed, name: '('"), 'is no regular expression'),
        (('seed: seed', "seed: seed, name: 's(?P<seed>.)'"), 'is also a group of name'),
        (('seed: seed', 'seed: seed, state: gone'), "input should be 'finished'"),
        (('from: top1', 'from: gone'), 'relative_to needs the key of an earlier column'),
        (
            ('label: TSN', 'config: table.yaml, wandb: {}'),
            'needs runs: of the table, and no config',
        ),
        (('label: TSN', 'mean_of: [tsm, dcf], wandb: {}'), 'needs runs: of the table'),
    ],
)
def test_mistakes_are_named(project, change, message):
    (project.folder / 'wandb').mkdir()
    with pytest.raises(InputError, match=message) as error:
        project.load(SPEC.replace(*change))
    assert 'table.yaml' in str(error.value)


@pytest.mark.parametrize(
    'wanted, found, result',
    [
        ('tsm', 'tsm', True),
        ('tsm', 'TSM', False),
        (50, '50', True),
        (0.1, '0.10', True),
        (True, 'True', True),
        (True, 1, False),
        (['a', 'b'], 'b', True),
        ('x', ('x', 'y'), True),
        ('None', None, False),
        (None, None, True),
    ],
)
def test_values_as_yaml_config_and_csv_write_them(wanted, found, result):
    assert is_same(wanted, found) is result
