"""A table specification for runs that other programs logged, proposed by a look at them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from mmaction_ext.errors import InputError, did_you_mean
from mmaction_ext.printable import clean
from mmaction_ext.tables.foreign_runs import ATTRIBUTES, LeftOut, seed_of, text_of, value_of
from mmaction_ext.tables.seed_runs import is_finite
from mmaction_ext.tables.spec.model import Runs, plain
from mmaction_ext.tracking.reading.foreign import foreign_runs, look_up
from mmaction_ext.tracking.reading.rows import flat
from mmaction_ext.tracking.reading.snapshots import SourceRun

_SEED = re.compile(r'(?:^|.*[._/ -])(?:seed|random_state|seed_everything)', re.IGNORECASE)
_SEED_IN_NAME = r'(?P<row>.+?)[-_/ ]*(?:seed|s)[-_= ]?(?P<seed>\d+)$'
_ROW = re.compile(
    r'(?:^|.*[._/ -])(?:method|model|arch|architecture|algo|algorithm|variant|module|backbone|'
    r'network|net|experiment|exp|exp_name|name|type)',
    re.IGNORECASE,
)
_BASELINE = re.compile(
    r'(?:.*[-_ ])?(?:base|baseline|none|vanilla|reference)(?:[-_ ].*)?', re.IGNORECASE
)
#: words of a metric's name that tell which end of it is good, the first that is found
_DIRECTIONS = (
    ('min', r'loss|err|error|mse|rmse|mae|nll|perplexity|ppl|fid|wer|cer|latency'),
    (
        'max',
        r'acc|accuracy|top\d*|f1|map|ap\d*|auc|auroc|iou|miou|dice|bleu|rouge|psnr|ssim|recall|'
        r'precision|reward|return|score|r2|success',
    ),
)
#: what is logged beside metrics
_NO_METRIC = re.compile(
    r'(?:.*[._/ -])?(?:epoch|step|steps|global_step|iter|iteration|lr|lr-.*|learning_rate|time|'
    r'runtime|eta|memory|seed|batch|batch_size|grad_norm|created|timestamp)',
    re.IGNORECASE,
)
_COUNT = re.compile(
    r'(?:.*[._/# -])?(?:n_|num_)?(?P<what>params|parameters|g?flops|g?macs)(?:_?[mg])?',
    re.IGNORECASE,
)
#: phases in the order in which their metrics are shown; training is not
_PHASES = (r'test', r'val|valid|validation|eval|dev', r'')
#: columns that are written, and keys that are listed in a comment
MOST_COLUMNS, MOST_LISTED = 6, 12


@dataclass
class _Metric:
    """A logged number.

    Attributes:
        name: as it was logged.
        finals: its last value of each run that has it.
        in_history: whether runs logged it as they went on, and not in their summary alone.
        steps: how often a run logged it, at most.
    """

    name: str
    finals: list[float] = field(default_factory=list)
    in_history: bool = False
    steps: int = 0

    @property
    def words(self) -> list[str]:
        """Words of its name, also those of ``valTop1``."""
        apart = re.sub(r'([a-z])([A-Z])', r'\1_\2', self.name)
        return re.split(r'[^a-z0-9]+', f'{self.name} {apart}'.lower())

    @property
    def best(self) -> str | None:
        """The end that is good; ``None`` where the name does not say."""
        for end, pattern in _DIRECTIONS:
            if any(re.fullmatch(f'(?:{pattern})', word) for word in self.words):
                return end
        return None

    @property
    def phase(self) -> int:
        """Place of its phase in :data:`_PHASES`; beyond them for training."""
        if any(word.startswith('train') for word in self.words):
            return len(_PHASES)
        for i, pattern in enumerate(_PHASES[:-1]):
            if any(re.fullmatch(pattern, word) for word in self.words):
                return i
        return len(_PHASES) - 1

    @property
    def is_fraction(self) -> bool:
        return self.best == 'max' and all(0 <= value <= 1 for value in self.finals)

    def column(self) -> dict[str, Any]:
        """The column as a specification has it."""
        facts: dict[str, Any] = dict(key=plain(self.name) or 'metric', head=self.name)
        facts['from'] = self.name if '/' in self.name else f'metric.{self.name}'
        if self.is_fraction:
            facts.update(head=f'{self.name} (%)', scale=100)
        else:
            largest = max(map(abs, self.finals), default=0) or 1
            digits = next((i for i in range(1, 9) if largest * 10**i >= 100), 9)
            facts.update(fmt=f'.{digits}f')
        if self.best:
            facts['best'] = self.best
        if not self.in_history:
            facts['select'] = dict(policy='summary')
        return facts


def propose(
    source: str, folder: Path, row_key: str | None = None, seed_key: str | None = None
) -> str:
    """Text of a ``table.yaml`` for the runs of a source.

    Args:
        source, folder: see :func:`mmaction_ext.tracking.reading.foreign.foreign_runs`; the file
            is to lie in the folder.
        row_key, seed_key: what tells row and seed, as :class:`mmaction_ext.tables.spec.Runs` has
            it; what is left out is looked for.

    Raises:
        InputError: the source cannot be read, has no finished run, lacks a given key, or nothing
            in it looks like a row or a seed; the message names what there is.
    """
    runs = [run for run in foreign_runs(source, folder) if not run.problem]
    finished = [run for run in runs if run.state == 'finished']
    if not finished:
        states = ', '.join(sorted({run.state or 'unknown' for run in runs})) or 'none'
        raise InputError(f'{source} has no finished run (states of those there are: {states})')
    found = _identification(source, finished, row_key, seed_key)
    return _text(source, folder, runs, found)


@dataclass
class _Identification:
    """Which row and seed runs are.

    Attributes:
        runs: keys ``row``, ``seed`` and ``name`` of ``runs:``.
        keys: what tells rows apart; several where one does not.
        seeds: those of :attr:`counted`.
        counted: the finished runs that have a seed.
        lines: comments on the choice.
    """

    runs: dict[str, Any]
    keys: tuple[str, ...]
    seeds: list[int]
    counted: list[SourceRun]
    lines: list[str] = field(default_factory=list)


def _identification(
    source: str, runs: Sequence[SourceRun], row_key: str | None, seed_key: str | None
) -> _Identification:
    for option, key in (('--row-key', row_key), ('--seed-key', seed_key)):
        if key and all(value_of(run, key) is None for run in runs):
            known = {*ATTRIBUTES, *(name for run in runs for name in flat(run.config))}
            raise InputError(f'{source}: {option}: no run has {key!r}{did_you_mean(key, known)}')
    facts: dict[str, Any] = {}
    varying = _varying(runs)
    name_groups = [re.search(_SEED_IN_NAME, run.name) for run in runs]
    seed = seed_key or next(iter(sorted(filter(_SEED.fullmatch, varying), key=len)), None)
    seed = seed or next(
        (key for key in sorted(_scalars(runs[0]), key=len) if _SEED.fullmatch(key)), None
    )
    if seed:
        facts['seed'] = seed
    elif all(name_groups):
        facts['name'] = _SEED_IN_NAME
        if row_key:
            facts['name'] = _SEED_IN_NAME.replace('?P<row>', '')
    else:
        facts['seed'] = 0
    settings = Runs(source=source, **facts)
    seeds, counted, reason = [], [], ''
    for run in runs:
        try:
            seeds.append(seed_of(settings, run))
            counted.append(run)
        except LeftOut as error:
            reason = reason or str(error)
    if not counted:
        raise InputError(f'{source}: {reason}: say by --seed-key what tells the seed')
    lines = []
    if len(counted) < len(runs):
        lines.append(f'{len(runs) - len(counted)} finished runs have no seed and do not count')
    if row_key:
        return _Identification({'row': row_key, **facts}, (row_key,), seeds, counted, lines)
    if 'name' in facts:
        return _Identification(facts, (), seeds, counted, lines)
    varying = [key for key in _varying(counted) if key != seed]
    keys = _row_keys(counted, seeds, varying)
    if keys is None and (named := _naming_key(counted, seeds, varying)):
        keys = (named,)
        cells = {(_row(run, keys), seed) for run, seed in zip(counted, seeds, strict=True)}
        if len(cells) < len(counted):
            lines.append('some rows have several runs of one seed, of which a table takes none')
    if keys is None:
        what = 'row' if seed else 'row and seed'
        raise InputError(
            f'{source}: no config key, group, job type or tags tell apart the {what} of its '
            f'{len(runs)} finished runs: say it by --row-key and --seed-key; what varies is '
            f'{clean(", ".join(varying[:MOST_LISTED]) or "nothing")}'
        )
    facts = {'row': keys[0], **facts} if len(keys) == 1 else facts
    return _Identification(facts, keys, seeds, counted, lines)


def _scalars(run: SourceRun) -> dict[str, Any]:
    return {
        key: value
        for key, value in flat(run.config).items()
        if isinstance(value, (str, int, float, bool))
    }


def _varying(runs: Sequence[SourceRun]) -> list[str]:
    """Config keys in which runs differ, those that look most like the name of a row first."""
    values: dict[str, set[str]] = {}
    texts: set[str] = set()
    for run in runs:
        for key, value in _scalars(run).items():
            values.setdefault(key, set()).add(text_of(value))
            texts |= {key} if isinstance(value, str) else set()
    found = [key for key, each in values.items() if len(each) > 1]
    return sorted(found, key=lambda key: (not _ROW.fullmatch(key), key not in texts, len(key)))


def _row_keys(
    runs: Sequence[SourceRun], seeds: Sequence[int], varying: Sequence[str]
) -> tuple[str, ...] | None:
    """The fewest keys by which no two runs are of one row and seed, and rows have all seeds.

    What differs from run to run, like a path, is no row; nor is what a row has by the way.
    """
    several = len(set(seeds)) > 1
    candidates = [
        *(key if key not in ATTRIBUTES else f'config.{key}' for key in varying),
        *(
            key
            for key in ('group', 'job_type', 'tags')
            if len({_row(run, (key,)) for run in runs}) > 1
        ),
    ][:MOST_LISTED]
    for size in (1, 2, 3):
        for keys in combinations(candidates, size):
            rows = [_row(run, keys) for run in runs]
            is_apart = len(set(zip(rows, seeds, strict=True))) == len(runs)
            if is_apart and (not several or len(set(rows)) < len(runs)):
                return keys
    return None


def _naming_key(
    runs: Sequence[SourceRun], seeds: Sequence[int], varying: Sequence[str]
) -> str | None:
    """The key that is called like a row, where runs of several seeds repeat each row.

    Their rows need not be told apart: it may be a single one, or a run that was made twice.
    """
    same = set(_scalars(runs[0])) - set(varying) if len(set(seeds)) == len(runs) else ()
    for key in (*varying, *sorted(same, key=lambda key: (len(key), key))):
        rows = {_row(run, (key,)) for run in runs}
        if _ROW.fullmatch(key) and len(set(seeds)) > 1 and len(rows) < len(runs):
            return f'config.{key}' if key in ATTRIBUTES else key
    return None


def _row(run: SourceRun, keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(text_of(value_of(run, key)) for key in keys)


def _metrics(runs: Sequence[SourceRun], taken: Iterable[str]) -> list[_Metric]:
    """Numbers that runs log, those of a test first, then those whose good end is known."""
    found: dict[str, _Metric] = {}
    taken = {key.removeprefix('config.') for key in taken}
    for run in runs:
        history: dict[str, list[float]] = {}
        for row in run.read_rows() if run.source != 'csv' else ():
            for name, value in flat(row).items():
                if is_finite(value):
                    history.setdefault(name, []).append(value)
        summary = {name: value for name, value in flat(run.summary).items() if is_finite(value)}
        for name in history.keys() | summary.keys():
            if name in taken or name[:1] == '_' or _NO_METRIC.fullmatch(name):
                continue
            if _COUNT.fullmatch(name):
                continue
            metric = found.setdefault(name, _Metric(name))
            metric.finals.append(history[name][-1] if name in history else summary[name])
            metric.in_history |= name in history or run.source == 'csv'
            metric.steps = max(metric.steps, len(history.get(name, ())))
    if runs[0].source == 'csv':  # of its columns, settings are those that do not depend on the run
        found = {
            name: each
            for name, each in found.items()
            if each.best or any(value != int(value) for value in each.finals)
        }
    whole = [each for each in found.values() if 2 * len(each.finals) > len(runs)]
    whole = [each for each in whole if not _is_part_of_summary(each.name, found)]
    return sorted(
        whole, key=lambda each: (each.phase, each.best is None, each.best == 'min', each.name)
    )


def _is_part_of_summary(name: str, found: Mapping[str, _Metric]) -> bool:
    """Whether it is the ``max`` that W&B keeps of a metric, say."""
    head, _, part = name.rpartition('.')
    return part in ('max', 'min', 'mean', 'best', 'last', 'first') and head in found


def _counts(runs: Sequence[SourceRun], rows: Sequence[tuple[str, ...]]) -> list[dict[str, Any]]:
    """Columns of parameters and multiply-adds, which all runs of a row have in common."""
    columns = []
    for kind in ('config', 'summary'):
        if runs[0].source == 'csv' and kind == 'summary':
            break
        names = [name for name in flat(getattr(runs[0], kind)) if _COUNT.fullmatch(name)]
        for name in names:
            values = [look_up(getattr(run, kind), name) for run in runs]
            if not all(map(is_finite, values)):
                continue
            if len(set(zip(rows, values, strict=True))) != len(set(rows)):
                continue
            match = _COUNT.fullmatch(name)
            assert match
            what = match['what'].lower()
            is_large = max(values) >= 1e5
            unit = 'M' if what.startswith('param') else 'G'
            head = 'Params' if unit == 'M' else what.removeprefix('g').upper()
            facts: dict[str, Any] = dict(key=plain(name), head=name)
            if is_large:
                facts['head'] = f'{head} ({unit})'
            facts['from'] = f'{kind}.{name}'
            if is_large:
                facts['scale'] = 1e-6 if unit == 'M' else 1e-9
            is_whole = not is_large and all(value == int(value) for value in values)
            columns.append({**facts, 'fmt': '.0f' if is_whole else '.2f'})
    return columns


def _text(
    source: str,
    folder: Path,
    runs: Sequence[SourceRun],
    found: _Identification,
) -> str:
    names, rows = _rows(source, found)
    taken = [
        *found.keys,
        *([found.runs['seed']] if isinstance(found.runs.get('seed'), str) else []),
    ]
    metrics = _metrics(found.counted, taken)
    if not metrics:
        raise InputError(f'{source}: its finished runs logged no number that could be a column')
    baseline = next((row for row in rows if _BASELINE.fullmatch(row['id'])), None)
    if baseline:
        baseline['reference'] = True
    title = plain(folder.resolve().name) or 'table'
    lines = [
        f'# {len(runs)} runs of {clean(source)}, proposed by mmaction-ext init --from-wandb.',
        '# Rows, heads and their order are yours to change; comments say what else there is.',
        f'id: {_flow(title)}',
        f'caption: {_flow(title)}',
        'runs:',
        f'  source: {_flow(source)}',
        *(f'  {key}: {_flow(value)}' for key, value in found.runs.items()),
        *_choices(runs, found, taken),
        f'seeds: {_flow(sorted(set(found.seeds)))}',
        *_selection(metrics),
        'columns:',
        *(f'  - {_flow(column)}' for column in _counts(found.counted, names)),
        *_metric_lines(metrics, bool(baseline)),
        'rows:',
    ]
    if not baseline:
        lines.append('  # reference: true, in one row, is what differences are taken to')
    lines += [f'  - {_flow(row)}' for row in rows]
    return '\n'.join(lines) + '\n'


def _rows(
    source: str, found: _Identification
) -> tuple[list[tuple[str, ...]], list[dict[str, Any]]]:
    """What names the row of each run that counts, and the entries of the rows."""
    settings = Runs(source=source, **found.runs)
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    names = []
    for run in found.counted:
        if found.keys:
            name = _row(run, found.keys)
        else:
            match = re.search(settings.name or '', run.name)
            name = (match['row'] if match else '',)
        names.append(name)
        if name not in rows:
            values = {key: value_of(run, key) for key in found.keys}
            rows[name] = _row_entry(name, values if len(found.keys) > 1 else {})
    _tell_apart(rows.values())
    return names, list(rows.values())


def _choices(runs: Sequence[SourceRun], found: _Identification, taken: Sequence[str]) -> list[str]:
    """Comments on which runs count and which others could."""
    lines = []
    if found.runs.get('seed') == 0:
        lines.append('  # nothing looks like a seed: each row has one run')
    lines += [f'  # {line}' for line in found.lines]
    varying = [key for key in _varying(found.counted) if key not in taken]
    if varying:
        listed = ', '.join(varying[:MOST_LISTED])
        lines.append(f'  # the runs also differ in {clean(listed)};')
        lines.append('  # take only some of them by: config: {KEY: VALUE, OTHER: [ONE, ANOTHER]}')
    tags = sorted({tag for run in runs for tag in run.tags})
    if tags:
        lines.append(
            f'  # tags there are: {clean(", ".join(tags[:MOST_LISTED]))}; tags: [ONE] takes some'
        )
    others = [run for run in runs if run.state != 'finished']
    if others:
        states = sorted({run.state or 'unknown' for run in others})
        lines.append(
            f'  # {len(others)} of the runs are {clean(", ".join(states))} and do not count; '
            'they would by state: [finished, crashed]'
        )
    return lines


def _metric_lines(metrics: Sequence[_Metric], has_baseline: bool) -> list[str]:
    """Columns of the metrics that a table is about; the others as comments."""
    shown = [each for each in metrics if each.phase < len(_PHASES)][:MOST_COLUMNS] or metrics[:1]
    lines = []
    for i, metric in enumerate(shown):
        if metric.best is None:
            lines.append('  # add best: max or best: min for a bold number')
        lines.append(f'  - {_flow(metric.column())}')
        if not i:
            lines += _difference(metric, has_baseline)
    others = [f'  # - {_flow(each.column())}' for each in metrics if each not in shown]
    return lines + others[:MOST_LISTED]


def _row_entry(name: tuple[str, ...], values: dict[str, Any]) -> dict[str, Any]:
    texts = (
        []
        if not values
        else [
            text
            if isinstance(value, str)
            else f'{key.rpartition(".")[2].rpartition("/")[2]} {text}'
            for (key, value), text in zip(values.items(), name, strict=True)
        ]
    )
    label = ', '.join(texts or name) or '(none)'
    entry: dict[str, Any] = dict(id=plain(label) or 'row', label=label)
    return {**entry, 'wandb': values} if values else entry


def _tell_apart(rows: Iterable[dict[str, Any]]) -> None:
    """No two rows may have one id."""
    seen: set[str] = set()
    for row in rows:
        name, number = row['id'], 2
        while row['id'] in seen:
            row['id'] = f'{name}-{number}'
            number += 1
        seen.add(row['id'])


def _selection(metrics: Sequence[_Metric]) -> list[str]:
    """Which value of a run counts; with a metric of validation, also how to take the best."""
    validated = [each for each in metrics if each.phase == 1 and each.best and each.steps > 1] or [
        each for each in metrics if each.best and each.steps > 1
    ]
    lines = [
        '# The last value of each run counts. {policy: summary}: what its summary says.',
        'select: {policy: last}',
    ]
    if validated:
        best = dict(policy='best', metric=validated[0].name, mode=validated[0].best)
        lines += [
            '# or all columns at the epoch that is best in one of them:',
            f'# select: {_flow(best)}',
        ]
    return lines


def _difference(metric: _Metric, has_reference: bool) -> list[str]:
    column = dict(key='delta', head='Δ', relative_to='reference')
    facts = {
        **column,
        'from': metric.column()['key'],
        'fmt': f'+{metric.column().get("fmt", ".1f")}',
    }
    return [f'  {"- " if has_reference else "# - "}{_flow(facts)}']


def _flow(value: object) -> str:
    """A value on one line of YAML."""
    text = yaml.safe_dump(
        [value], default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**9
    )
    return text.strip()[1:-1]
