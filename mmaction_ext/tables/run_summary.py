"""``runs.lock.json``: what the page shows of runs, frozen, so that it builds without them.

A summary holds everything that the page says of a run but where it lies: thinned learning curves,
tests, accuracies of classes, attempts, environment. The file has one line per run and a digest of
all; ``table.lock.json`` beside it has the numbers of the tables.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import LOG_BYTES, read_regular
from mmaction_ext.tables.cells import Table
from mmaction_ext.tables.class_accuracies import CLASS_METRIC, class_accuracies
from mmaction_ext.tables.lock import damaged, refuse_newer
from mmaction_ext.tables.seed_runs import TEST_FACTS, is_finite
from mmaction_ext.tables.spec.checks import PHASES
from mmaction_ext.tracking.identity import canonical_json, json_digest
from mmaction_ext.tracking.ledger.format import TRAIN_LOSS
from mmaction_ext.tracking.reading.record import (
    Attempt,
    Evaluation,
    RunRecord,
    is_web_address,
    order,
    tellers,
)

FILE_NAME = 'runs.lock.json'
SCHEMA = 1
#: Points of a curve; of more, groups of neighbours are averaged.
MAX_POINTS = 100


@dataclass(frozen=True)
class Curve:
    """A metric on its way.

    Attributes:
        iters, values: at most :data:`MAX_POINTS` of each, to seven digits, in the logged unit.
        logged: how many were logged.
    """

    iters: tuple[float, ...]
    values: tuple[float, ...]
    logged: int


@dataclass(frozen=True)
class AttemptSummary:
    """An attempt at a run; fields as in :class:`mmaction_ext.tracking.reading.record.Attempt`."""

    number: int | None = None
    host: str = ''
    start_time: float | None = None
    end_time: float | None = None
    exit_code: int | None = None
    signal: str | None = None
    last_error: str = ''
    corrupt: bool = False
    truncated: bool = False
    last_iter: int | None = None
    commit: str = ''
    source: str = ''
    path: str = ''


@dataclass(frozen=True)
class TestSummary:
    """A test of a checkpoint.

    Attributes:
        iter, epoch, samples: of the checkpoint, and how many samples it was tested on.
        checkpoint, protocol, predictions: see
            :class:`mmaction_ext.tracking.reading.record.Evaluation`.
        checkpoint_sha256: what tables know the checkpoint by.
        metrics: ``test/...`` to value, but for those of single classes.
        classes: class name to accuracy in [0, 1]; empty where nobody knows them.
        classes_checked: whether these are known to be of this very test.
    """

    __test__ = False  # nothing for pytest

    iter: Any = None
    epoch: Any = None
    samples: Any = None
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    predictions: Mapping[str, Any] = field(default_factory=dict)
    checkpoint_sha256: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    classes: Mapping[str, float] = field(default_factory=dict)
    classes_checked: bool = True


@dataclass(frozen=True)
class RunSummary:
    """What the page shows of a run.

    Attributes:
        uid, job_type, config, seed, config_hash, overrides, complexity, git, env, data, folder,
            sources, conflicts, damage, last_error, imported, url: see
            :class:`mmaction_ext.tracking.reading.record.RunRecord`.
        state: that of the record, or ``'diverged'``.
        source_files: how many files of code it has recorded.
        attempts, tests: oldest first.
        curves: metric to its :class:`Curve`.
    """

    uid: str = ''
    job_type: str = 'train'
    config: str | None = None
    seed: int | None = None
    config_hash: str | None = None
    state: str = 'unknown'
    overrides: Mapping[str, Any] = field(default_factory=dict)
    complexity: Mapping[str, Any] = field(default_factory=dict)
    git: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    source_files: int = 0
    folder: str = ''
    sources: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    last_error: str = ''
    imported: bool = False
    url: str = ''
    attempts: tuple[AttemptSummary, ...] = ()
    tests: tuple[TestSummary, ...] = ()
    curves: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def tellers(self) -> list[str]:
        """Who tells of it, in words."""
        return tellers(self.uid, self.sources)


def summaries(
    records: Iterable[RunRecord], tables: Iterable[Table], known: Iterable[RunSummary] = ()
) -> list[RunSummary]:
    """What the page shows of runs.

    Args:
        records: runs of any order, with all their metrics.
        tables: the tables beside which they are shown; their main columns say which curves are
            of interest.
        known: summaries of any runs. Accuracies of classes that one of them has of the very
            predictions of a test are not read again.
    """
    columns = filter(None, (table.main_column for table in tables))
    metrics = {TRAIN_LOSS, *(validation_metric(column.source) for column in columns)}
    read = {
        test.predictions['sha256']: test.classes
        for run in known
        for test in run.tests
        if test.classes and test.predictions.get('sha256')
    }
    return [_summary(record, metrics, read) for record in sorted(records, key=order)]


def validation_metric(metric: str) -> str:
    """The metric of validation that goes with one of a test: ``val/acc/top1``.

    One that others logged is the metric itself.
    """
    phase, slash, name = metric.removeprefix('metric.').partition('/')
    return f'val/{name}' if phase in PHASES and slash else f'{phase}{slash}{name}'


def _summary(
    record: RunRecord, metrics: Iterable[str], read: Mapping[str, Mapping[str, float]]
) -> RunSummary:
    shared = {each.name for each in dataclasses.fields(RunSummary)} & record.__dict__.keys()
    facts = {name: getattr(record, name) for name in shared}
    curves = {metric: _curve(record, metric) for metric in sorted(metrics)}
    facts.update(
        state='diverged' if record.diverged and record.state != 'running' else record.state,
        source_files=len(record.code),
        sources=record.read_from,
        attempts=tuple(map(_attempt, record.attempts)),
        tests=tuple(_test(record, test, read) for test in record.evaluations),
        curves={metric: curve for metric, curve in curves.items() if curve.logged},
    )
    return RunSummary(**facts)


def _attempt(attempt: Attempt) -> AttemptSummary:
    names = [each.name for each in dataclasses.fields(AttemptSummary)]
    facts = {name: getattr(attempt, name) for name in names}
    return AttemptSummary(**{**facts, 'start_time': _finite(attempt.start_time)})


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _test(
    record: RunRecord, test: Evaluation, read: Mapping[str, Mapping[str, float]]
) -> TestSummary:
    values, predictions = test.values, test.predictions or {}
    digest = values.get('test/checkpoint_sha256')
    classes, is_checked = read.get(predictions.get('sha256', '')), True
    if classes is None:
        classes, is_checked = class_accuracies(record, test)
    return TestSummary(
        values.get('iter'),
        values.get('epoch'),
        values.get('test/num_samples'),
        test.checkpoint or ({'sha256': digest} if digest else {}),
        test.protocol,
        predictions,
        digest,
        {
            name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
            if name.startswith('test/')
            and name not in TEST_FACTS
            and not CLASS_METRIC.fullmatch(name)
        },
        classes,
        is_checked,
    )


def _curve(record: RunRecord, metric: str) -> Curve:
    points = [
        (row['iter'], row[metric])
        for row in record.rows.get(metric.partition('/')[0], ())
        if is_finite(row.get(metric))
    ]
    left = thinned(points, MAX_POINTS)
    iters, values = zip(*left, strict=True) if left else ((), ())
    return Curve(iters, values, len(points))


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, ...]]:
    """Means of equally long groups of neighbours, at most ``most`` of them.

    Args:
        points: (x, y) pairs in order.
        most: how many points may be left.
    """
    size = math.ceil(len(points) / most) or 1
    groups = (points[start : start + size] for start in range(0, len(points), size))
    return [
        tuple(float(f'{sum(values) / len(group):.7g}') for values in zip(*group, strict=True))
        for group in groups
    ]


def read_summaries(path: str | Path) -> list[RunSummary]:
    """Read a file of summaries.

    Raises:
        InputError: there is no such file, it is cut short, was edited, or is of another schema.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        content = json.loads(read_regular(path, LOG_BYTES).decode('utf-8'))
        schema, digest, runs = content['schema'], content['digest'], content['runs']
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(path, 'is cut short or holds no runs') from error
    refuse_newer(path, schema, SCHEMA)
    if digest != json_digest(runs):
        raise damaged(path, 'was edited: its digest is not that of its runs')
    try:
        return TypeAdapter(list[RunSummary]).validate_python(runs)
    except ValidationError as error:
        where = '.'.join(map(str, error.errors()[0]['loc']))
        raise damaged(path, f'holds runs of another form, at {where}') from error


def summaries_text(runs: Iterable[RunSummary]) -> str:
    """A file of summaries; where their runs lie is left out."""
    lines = [_line(run) for run in runs]
    body = '[\n' + ',\n'.join(map(canonical_json, lines)) + '\n]' if lines else '[]'
    return f'{{\n"schema": {SCHEMA},\n"digest": "{json_digest(lines)}",\n"runs": {body}\n}}\n'


def renewed_summaries(
    known: Iterable[RunSummary], runs: Sequence[RunSummary], configs: Iterable[str] | None
) -> list[RunSummary]:
    """Summaries in which those of some configs are renewed and all others stay.

    Args:
        known: what there is.
        runs: those that were made now.
        configs: names of the configs that are renewed; ``None`` for all there are.
    """
    if configs is None:
        return list(runs)
    names = set(configs)
    kept = [run for run in known if run.config not in names]
    return sorted([*kept, *(run for run in runs if run.config in names)], key=_order)


def _order(run: RunSummary) -> tuple[Any, ...]:
    """As :func:`mmaction_ext.tracking.reading.record.order`, of what a summary keeps."""
    return (
        run.config or '',
        -1 if run.seed is None else run.seed,
        run.config_hash or '',
        run.uid,
        run.job_type != 'train',
        run.job_type,
    )


def _line(run: RunSummary) -> dict[str, Any]:
    attempts = tuple(
        dataclasses.replace(attempt, path=attempt.path if is_web_address(attempt.path) else '')
        for attempt in run.attempts
    )
    return dict(_known(dataclasses.replace(run, folder='', attempts=attempts)))


def _known(summary: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of the fields of a summary that are not what they are by default."""
    for each in dataclasses.fields(summary):
        value, made = getattr(summary, each.name), each.default_factory
        if value != (each.default if made is dataclasses.MISSING else made()):
            yield each.name, _plain(value)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return dict(_known(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    return list(map(_plain, value)) if isinstance(value, (list, tuple)) else value
