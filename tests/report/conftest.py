"""Tables and runs made by hand."""

from fractions import Fraction

import pytest

from mmaction_ext.tables.cells import Cell, CellStatus, SeedResult, Table, TableRow, format_number
from mmaction_ext.tables.spec import Column
from mmaction_ext.tables.statistics import mean, sample_std, t_interval
from mmaction_ext.tracking.records import Evaluation, Fragment, RunRecord

MARKUP = '</script><script>alert(1)</script> <b>x</b> & "q" | $a_b$ \u2028 %{x}'
TOP1 = Column('top1', 'Top-1', 'test/acc/top1', Fraction(100), '.1f', 'max')
MACS = Column('macs', 'GMACs', 'static.macs', Fraction(1, 10**9), '.2f')
DELTA = Column('delta', 'Δ', 'top1', fmt='+.1f', relative_to='reference')
GFLOPS = Column('gflops', 'Published GFLOPs', 'published.gflops')
PUBLISHED = Column('published', 'Published Top-1', 'published.top1')
COLUMNS = (MACS, GFLOPS, PUBLISHED, TOP1, DELTA)
DASH = Cell(CellStatus.NOT_APPLICABLE, '–')


def plain_cell(value):
    """A figure that needs no run; text as papers print it, or a dash."""
    if value is None:
        return DASH
    if isinstance(value, str):
        return Cell(CellStatus.OK, value)
    return Cell(CellStatus.OK, str(value), str(value), Fraction(repr(value)))


def seeds_cell(values, row, fmt='.1f'):
    """Mean over seeds; ``None`` stands for a seed without a run."""
    seeds = tuple(
        SeedResult(i, CellStatus.MISSING, reason='no run') if value is None else
        SeedResult(i, CellStatus.OK, Fraction(repr(value)), runs=(f'{row}-{i}',),
                   checkpoint=f'sha of {row} {i}')
        for i, value in enumerate(values))
    counted = [seed.value for seed in seeds if seed.value is not None]
    if not counted:
        return Cell(CellStatus.MISSING, 'missing', seeds=seeds)
    number = format_number(mean(counted), fmt)
    status = CellStatus.OK if len(counted) == len(seeds) else CellStatus.PARTIAL
    return Cell(status, number, number, mean(counted),
                sample_std(counted) if len(counted) > 1 else None, t_interval(counted), seeds)


def difference_cell(values, reference, row):
    if values == reference:
        return DASH
    pairs = [None if None in pair else pair[0] - pair[1] for pair in zip(values, reference)]
    return seeds_cell(pairs, row, '+.1f')


def make_row(name, top1, reference, macs=1.0, gflops=None, published=None, label=None):
    """A row of :data:`COLUMNS`, compared with the first of its table; ``macs`` in 10^9."""
    return TableRow(name, label or name, [
        plain_cell(macs), plain_cell(gflops), plain_cell(published), seeds_cell(top1, name),
        difference_cell(top1, reference, name)])


def make_table(*rows, name='demo', caption='A demo', folder='dcf/table1_demo'):
    for row in rows:
        row.counterpart = row.counterpart or rows[0].id
    return Table(name, caption, 'Model', COLUMNS, list(rows),
                 spec_path=f'configs/{folder}/table.yaml')


def make_fragment(exit_code=0, **facts):
    """One attempt; facts that the dataclass has no default for are those of a finished one."""
    return Fragment(**{**dict(
        path='a/run-1.wandb', start_time=1700000000.0, host='host', commit='ab' * 20, last_iter=8,
        exit_code=exit_code, corrupt=False, truncated=False), **facts})


def make_run(row, seed, values=None, config=None, **facts):
    """A finished run with two epochs of learning curve and one test."""
    fragment = facts.pop('fragment', None) or make_fragment()
    test = {'iter': 8, 'epoch': 2, 'test/acc/top1': 0.5, 'test/num_samples': 10,
            'test/checkpoint_sha256': f'sha of {row} {seed}', **(values or {})}
    rows = {'train': [{'iter': i, 'epoch': 1 + i // 5, 'train/loss': 2 / i}
                      for i in range(1, 9)],
            'val': [{'iter': i, 'epoch': i // 4, 'val/acc/top1': i / 16} for i in (4, 8)]}
    return RunRecord(**{**dict(
        uid=f'{row}-{seed}', job_type='train', config=config or f'dcf/table1_demo/{row}',
        seed=seed, config_hash='0123456789abcdef', static=dict(params=3250000, macs=2 * 10**9),
        fragments=(fragment,), rows=rows, evaluations=(Evaluation(test, fragment),)), **facts})


@pytest.fixture
def make():
    """The factories of this module."""
    class Make:
        row, table, run, fragment = map(staticmethod, (make_row, make_table, make_run,
                                                       make_fragment))
        markup = MARKUP
    return Make


@pytest.fixture
def table():
    """A reference row of three seeds, one that gains 2 points, one that lacks a seed, one with
    published figures alone."""
    reference = [50.0, 51.0, 52.0]
    return make_table(
        make_row('base', reference, reference, macs=2.0, published=49.0, gflops=2.1),
        make_row('full', [52.0, 53.0, 54.0], reference, macs=4.0, published=52.0, gflops='4.2x30'),
        make_row('part', [51.0, None, 54.0], reference, macs=3.0),
        make_row('other', [None, None, None], reference, macs=None, published=60.0,
                 gflops='>100'))


@pytest.fixture
def runs():
    """The runs of ``table``."""
    return [make_run(row, seed) for row in ('base', 'full', 'part') for seed in range(3)
            if (row, seed) != ('part', 1)]


@pytest.fixture
def hostile():
    """A table and runs whose every text is markup."""
    reference = [50.0, 51.0]
    nasty = make_table(
        make_row('a', reference, reference, label=MARKUP),
        make_row('b', [53.0, 54.0], reference, label=MARKUP, published=60.0, gflops='7'),
        name='nasty', caption=MARKUP, folder='kpsem/table2a_demo')
    nasty.warnings, nasty.notes = [MARKUP], [MARKUP]
    fragment = make_fragment(path=MARKUP, host=MARKUP, commit=MARKUP)
    facts = dict(fragment=fragment, config=MARKUP, overrides={MARKUP: MARKUP},
                 env={MARKUP: MARKUP}, git={MARKUP: MARKUP}, config_hash=MARKUP)
    values = {f'test/{MARKUP}': 1.0, 'test/class/top1_0': 0.5, 'test/class/top1_1': 0.25}
    return nasty, [make_run(row, seed, values, **facts) for row in 'ab' for seed in range(2)]
