"""Tables built from runs that are made by hand."""

from dataclasses import dataclass
from fractions import Fraction

import pytest

from mmaction_ext.tables import build_table
from mmaction_ext.tables.published import PublishedEntry
from mmaction_ext.tables.seed_runs import RowConfig
from mmaction_ext.tables.spec import Column, Row, TableSpec
from mmaction_ext.tracking.reading.record import Attempt, Evaluation, RunRecord

MARKUP = '</script><script>alert(1)</script> <b>x</b> & "q" | $a_b$ \u2028 %{x}'
DIGEST = '0123456789abcdef'
TOP1 = Column('top1', 'Top-1', 'test/acc/top1', Fraction(100), '.1f', 'max')
MACS = Column('macs', 'GMACs', 'static.macs', Fraction(1, 10**9), '.2f')
DELTA = Column('delta', 'Δ', 'top1', fmt='+.1f', relative_to='reference')
GFLOPS = Column('gflops', 'Published GFLOPs', 'published.gflops')
PUBLISHED = Column('published', 'Published Top-1', 'published.top1')
COLUMNS = (MACS, GFLOPS, PUBLISHED, TOP1, DELTA)


@dataclass(frozen=True)
class Model:
    """What a row of :data:`COLUMNS` is made of.

    Attributes:
        id: of the row.
        top1: percentage of each seed; ``None`` for a seed without a run.
        macs: in 10^9; ``None`` if nobody counted them.
        gflops, published: what the paper prints, if anything.
        label, relative_to: as in :class:`Row`.
    """

    id: str
    top1: list
    macs: float | None = 1.0
    gflops: str | float | None = None
    published: float | None = None
    label: str = ''
    relative_to: str = ''

    def row(self, folder, is_first):
        """Its row in the specification; the first one is the reference."""
        figures = dict(gflops=self.gflops, top1=self.published)
        return Row(
            self.id,
            self.label or self.id,
            f'configs/{folder}/{self.id}.py',
            1,
            is_first,
            PublishedEntry(f'p.{self.id}', figures, 'P, Table 1'),
            relative_to=self.relative_to,
        )

    def runs(self, folder):
        """Its runs, one for each seed."""
        return [
            make_run(
                self.id, seed, {'test/acc/top1': top1 / 100}, f'{folder}/{self.id}', complexity={}
            )
            for seed, top1 in enumerate(self.top1)
            if top1 is not None
        ]


def make_table(*models, name='demo', caption='A demo', folder='dcf/table1_demo', columns=COLUMNS):
    """A table of :class:`Model`, compared with the first one, built from their runs."""
    rows = [model.row(folder, model is models[0]) for model in models]
    spec = TableSpec(
        id=name,
        caption=caption,
        path=f'configs/{folder}/table.yaml',
        columns=columns,
        layout=tuple(rows),
        seeds=tuple(range(len(models[0].top1))),
    )
    configs = {row.id: RowConfig(row.config_name, DIGEST) for row in rows}
    complexity = {
        (configs[model.id].name, DIGEST): dict(macs=int(model.macs * 10**9))
        for model in models
        if model.macs
    }
    return build_table(
        spec, [run for model in models for run in model.runs(folder)], configs, complexity
    )


def make_attempt(exit_code=0, **facts):
    """One attempt; facts that the dataclass has no default for are those of a finished one."""
    return Attempt(
        **{
            **dict(
                path='a/run-1.wandb',
                start_time=1700000000.0,
                host='host',
                commit='ab' * 20,
                last_iter=8,
                exit_code=exit_code,
                corrupt=False,
                truncated=False,
            ),
            **facts,
        }
    )


def make_run(row, seed, values=None, config=None, **facts):
    """A finished run with two epochs of learning curve and one test."""
    attempt = facts.pop('attempt', None) or make_attempt()
    test = {
        'iter': 8,
        'epoch': 2,
        'test/acc/top1': 0.5,
        'test/num_samples': 10,
        'test/checkpoint_sha256': f'sha of {row} {seed}',
        **(values or {}),
    }
    rows = {
        'train': [{'iter': i, 'epoch': 1 + i // 5, 'train/loss': 2 / i} for i in range(1, 9)],
        'val': [{'iter': i, 'epoch': i // 4, 'val/acc/top1': i / 16} for i in (4, 8)],
    }
    return RunRecord(
        **{
            **dict(
                uid=f'{row}-{seed}',
                job_type='train',
                config=config or f'dcf/table1_demo/{row}',
                seed=seed,
                config_hash=DIGEST,
                complexity=dict(params=3250000, macs=2 * 10**9),
                attempts=(attempt,),
                rows=rows,
                evaluations=(Evaluation(test, attempt),),
            ),
            **facts,
        }
    )


@pytest.fixture
def make():
    """The factories of this module."""

    class Make:
        row, table, run, attempt = map(staticmethod, (Model, make_table, make_run, make_attempt))
        markup, columns = MARKUP, COLUMNS

    return Make


@pytest.fixture
def table():
    """A reference row of three seeds, one that gains 2 points, one that lacks a seed, one with
    published figures alone."""
    return make_table(
        Model('base', [50.0, 51.0, 52.0], macs=2.0, published=49.0, gflops=2.1),
        Model('full', [52.0, 53.0, 54.0], macs=4.0, published=52.0, gflops='4.2x30'),
        Model('part', [51.0, None, 54.0], macs=3.0),
        Model('other', [None, None, None], macs=None, published=60.0, gflops='>100'),
    )


@pytest.fixture
def runs():
    """The runs of ``table``."""
    return [
        make_run(row, seed)
        for row in ('base', 'full', 'part')
        for seed in range(3)
        if (row, seed) != ('part', 1)
    ]


@pytest.fixture
def hostile():
    """A table and runs whose every text is markup."""
    nasty = make_table(
        Model('a', [50.0, 51.0], label=MARKUP),
        Model('b', [53.0, 54.0], label=MARKUP, published=60.0, gflops='7'),
        name='nasty',
        caption=MARKUP,
        folder='kpsem/table2a_demo',
    )
    nasty.warnings, nasty.notes = [MARKUP], [MARKUP]
    attempt = make_attempt(path=MARKUP, host=MARKUP, commit=MARKUP)
    facts = dict(
        attempt=attempt,
        config=MARKUP,
        overrides={MARKUP: MARKUP},
        env={MARKUP: MARKUP},
        git={MARKUP: MARKUP},
        config_hash=MARKUP,
    )
    values = {f'test/{MARKUP}': 1.0, 'test/class/top1_0': 0.5, 'test/class/top1_1': 0.25}
    return nasty, [make_run(row, seed, values, **facts) for row in 'ab' for seed in range(2)]
