"""Run records and table specifications made by hand."""

from fractions import Fraction

import pytest

from mmaction_ext.tables.code import TrackedCode
from mmaction_ext.tables.seed_runs import RowConfig
from mmaction_ext.tables.spec import Column, Row, TableSpec
from mmaction_ext.tracking.reading.record import Attempt, Evaluation, RunRecord


def make_attempt(
    exit_code=0, corrupt=False, truncated=False, last_iter=8, path='a.wandb', **ledger
):
    return Attempt(
        path=path,
        start_time=1.0,
        host='h',
        commit='c',
        last_iter=last_iter,
        exit_code=exit_code,
        corrupt=corrupt,
        truncated=truncated,
        **ledger,
    )


def make_record(
    config='demo/full',
    seed=0,
    top1=0.8,
    *,
    digest='current',
    uid=None,
    epoch=2,
    iteration=8,
    exit_code=0,
    corrupt=False,
    overrides=None,
    job_type='train',
    complexity=None,
    rows=None,
    values=None,
    samples=240,
    attempt=None,
    test=None,
    **ledger,
):
    """A run with one attempt; ``top1=None`` leaves out the test result.

    What only a ledger tells is given by name: ``attempt`` and ``test`` hold fields of the
    attempt and of the evaluation, ``ledger`` those of the record.
    """
    attempt = make_attempt(exit_code, corrupt, **(attempt or {}))
    row = {
        'iter': iteration,
        'epoch': epoch,
        'test/acc/top1': top1,
        'test/num_samples': samples,
        'test/checkpoint_sha256': f'{config} {seed} {iteration}',
    }
    row.update(values or {})
    evaluations = () if top1 is None else (Evaluation(row, attempt, **(test or {})),)
    return RunRecord(
        uid or f'{config}-{seed}-{digest}',
        job_type,
        config,
        seed,
        digest,
        overrides or {},
        complexity or {},
        attempts=(attempt,),
        rows=rows or {},
        evaluations=evaluations,
        **ledger,
    )


def make_configs(
    *names, schedule=('epoch', 2), digest='current', code=TrackedCode(), watched=TrackedCode()
):
    """Row id to config of rows whose id is the last part of their config's name."""
    return {
        name.rpartition('/')[2]: RowConfig(name, digest, schedule, code=code, watched=watched)
        for name in names
    }


TOP1 = Column('top1', 'Top-1', 'test/acc/top1', Fraction(100), '.1f', 'max')


def make_spec(*rows, columns=(TOP1,), **settings):
    """Specification of the rows ``demo/<id>``; the first one is the reference."""
    layout = tuple(
        row
        if not isinstance(row, str)
        else Row(row, row, f'configs/demo/{row}.py', 1, reference=row == rows[0])
        for row in rows
    )
    return TableSpec(
        id='demo',
        caption='A demo',
        columns=tuple(columns),
        layout=layout,
        **{'seeds': (0, 1), **settings},
    )


@pytest.fixture
def make():
    """The factories of this module."""

    class Make:
        record, attempt, spec = map(staticmethod, (make_record, make_attempt, make_spec))
        configs, top1 = staticmethod(make_configs), TOP1

    return Make
