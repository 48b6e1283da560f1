"""Evaluate the predictions that tests have left, without running any network.

Accuracy by the k likeliest classes, of each class, confusions, the mean of several predictions as
an ensemble, and whether two differ: all from predictions.npz, which `mmaction-ext train` and
`mmaction-ext test` write.
"""

from __future__ import annotations

import csv
import functools
import io
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmaction_ext.cli.common import (
    add_configs_option,
    add_json_option,
    add_runs_option,
    find_table,
    needed_metrics,
    read_records,
)
from mmaction_ext.cli.text import clean, columns, print_json
from mmaction_ext.errors import InputError, check_at_least, check_positive
from mmaction_ext.files.writing import write_atomically
from mmaction_ext.tables.cells import CellStatus, SeedResult
from mmaction_ext.tables.protocol import mismatch
from mmaction_ext.tracking.reading.record import RunRecord

if TYPE_CHECKING:
    import numpy as np

    from mmaction_ext.evaluation.predictions import Predictions
    from mmaction_ext.evaluation.significance import PairedSamples

NAME = 'evaluate'
HELP = 'accuracies, confusions, ensembles and significance from saved predictions'
EPILOG = """examples:
  mmaction-ext evaluate dcf_table1/full                     each seed of a row of a table
  mmaction-ext evaluate dcf_table1/full/1 --top 1 3 5 --per-class
  mmaction-ext evaluate work_dirs/dcf/table1_components/full/seed0 --confusion confusion.csv
  mmaction-ext evaluate a.npz b.npz --ensemble --weights 2 1
  mmaction-ext evaluate dcf_table1/full --versus dcf_table1/baseline

WHAT is a file of predictions, the folder of a run, or TABLE/ROW or TABLE/ROW/SEED: the predictions
behind the cells of the row in the table's first measured column, whose SHA-256 is compared.

--versus compares as many with as many, seed by seed, on the same samples (by the digest of the
data): the difference with its bootstrap interval over the samples, and the exact McNemar test.
Both are about two trained models. Whether a method is better is a question of seeds: the interval
in the table, and `mmaction-ext plan --power`.

exit codes: 0 evaluated; 2 predictions are missing, damaged or of other samples (one line says
which)
"""
#: what a sample may be among; of fewer classes, all are
DEFAULT_TOP = (1, 5)
#: confusions that are printed
MOST_CONFUSIONS = 10


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('what', nargs='+', metavar='WHAT', help='what was tested, see below')
    parser.add_argument(
        '--versus', nargs='+', default=[], metavar='WHAT', help='compare with these'
    )
    parser.add_argument(
        '--ensemble',
        action='store_true',
        help='evaluate the mean of the class probabilities; of --versus, too',
    )
    parser.add_argument(
        '--weights',
        nargs='+',
        type=float,
        metavar='W',
        help='weights of that mean, one for each of the predictions before --versus',
    )
    parser.add_argument(
        '--top',
        nargs='+',
        type=int,
        metavar='K',
        help='count a sample as right whose class is among the K likeliest (default: 1 5); '
        '--versus compares by the first',
    )
    parser.add_argument(
        '--per-class',
        nargs='?',
        const='',
        metavar='CSV',
        help='print the accuracy of each class, the mean over the predictions, or write it',
    )
    parser.add_argument(
        '--confusion',
        nargs='?',
        const='',
        metavar='CSV',
        help='print the most frequent confusions, or write the whole matrix, true by predicted; '
        'counts of all predictions together',
    )
    parser.add_argument(
        '--labels', metavar='FILE', help='names of the classes, one a line, in their order'
    )
    add_configs_option(parser)
    add_runs_option(parser)
    add_json_option(parser)


@dataclass(frozen=True)
class Tested:
    """Predictions of a test, and what is known of it.

    Attributes:
        name: what they are called on the screen.
        predictions: the predictions.
        protocol: how the network was tested; empty where nobody says.
        names: names of the classes, by number; empty where nobody knows them.
    """

    name: str
    predictions: Predictions
    protocol: Mapping[str, Any]
    names: Mapping[int, str]

    @property
    def predicted(self) -> np.ndarray:
        """Predicted classes, ``(N,)``."""
        from mmaction_ext.evaluation.classes import predicted_classes

        return predicted_classes(self.predictions.scores)

    def accuracy(self, k: int) -> float:
        """Share of the samples whose class is among the ``k`` likeliest."""
        return float(self.hits(k).mean())

    def hits(self, k: int) -> np.ndarray:
        """Which samples these are, ``(N,)``."""
        from mmaction_ext.evaluation.classes import hits

        return hits(self.predictions.scores, self.predictions.labels, k)

    @property
    def mean_class_accuracy(self) -> float:
        """Mean over the classes."""
        from mmaction_ext.evaluation.classes import mean_class_accuracy

        return mean_class_accuracy(self.predictions.labels, self.predicted)


def run(args: Namespace) -> int:
    """Evaluate; returns the exit code."""
    top = args.top or DEFAULT_TOP
    for k in top:
        check_at_least('--top', k, 1)
    finder = _Finder(args)
    first, second = (
        [each for word in words for each in finder.find(word)]
        for words in (args.what, args.versus)
    )
    if args.weights and not args.ensemble:
        raise InputError('--weights are those of an --ensemble')
    if args.ensemble:
        first, second = [_mean(first, args.weights)], [_mean(second)] if second else []
    pairs = [(*pair, _compared(*pair, top[0])) for pair in _pairs(first, second)]
    classes = _per_class(first, second) if args.per_class is not None else []
    class_heads = _CLASS_HEADS if second else _CLASS_HEADS[:3]
    if args.per_class:
        _write_csv(args.per_class, class_heads, classes)
    confusion = _confusion(first) if args.confusion is not None else None
    if args.confusion and confusion is not None:
        names = _class_names(first[0])
        rows = [[name, *counts] for name, counts in zip(names, confusion.tolist(), strict=True)]
        _write_csv(args.confusion, ['true \\ predicted', *names, 'none'], rows)
    if args.json:
        print_json(_as_json(top, [*first, *second], pairs, classes, confusion))
        return 0
    lines = _score_lines(first, top) + (['', *_score_lines(second, top)] if second else [])
    if pairs:
        lines += ['', *(line for pair in pairs for line in _pair_lines(*pair, top[0]))]
    if args.per_class == '':
        shares = [[*row[:2], *(f'{100 * value:.1f}' for value in row[2:])] for row in classes]
        lines += ['', *columns(shares, class_heads, right=class_heads[1:])]
    if args.confusion == '' and confusion is not None:
        lines += ['', *_confusion_lines(first[0], confusion)]
    print('\n'.join(lines))
    return 0


class _Finder:
    """Finds predictions by file, folder, or row of a table."""

    def __init__(self, args: Namespace) -> None:
        self.args = args
        self.table = functools.cache(self._table)

    def find(self, word: str) -> list[Tested]:
        """What a word of the command line names."""
        path = Path(word)
        if path.is_file():
            return [self._of_file(word, path)]
        if path.is_dir():
            return [self._of_folder(word, path)]
        parts = word.split('/')
        if len(parts) not in (2, 3):
            raise InputError(f'{word} is no file, no folder and no TABLE/ROW or TABLE/ROW/SEED')
        return list(self._of_row(word, *parts))

    def _of_folder(self, word: str, folder: Path) -> Tested:
        from mmaction_ext.evaluation.predictions import FILE_NAME

        files = [
            file for file in (folder / FILE_NAME, folder / 'test' / FILE_NAME) if file.is_file()
        ]
        if not files:
            raise InputError(f'there is no {folder / FILE_NAME}: mmaction-ext test makes it')
        return self._of_file(word, max(files, key=lambda file: file.stat().st_mtime_ns))

    def _of_file(self, word: str, path: Path) -> Tested:
        """Predictions with what the ledger beside them tells, where there is one."""
        from mmaction_ext.evaluation.predictions import read_predictions
        from mmaction_ext.tracking.reading.comparison import file_state
        from mmaction_ext.tracking.reading.ledger import read_ledger

        predictions = read_predictions(path)
        ledger = read_ledger(path.parent.parent, path.parent.name)
        tests = [
            test
            for test in ledger.results
            if str((test.predictions or {}).get('path')) == path.name
            and file_state(path.parent, test.predictions) == 'same'
        ]
        told = ledger.run
        record = RunRecord(
            '',
            '',
            config=told.config if told else str(predictions.meta.get('config')),
            recipe=(told and told.recipe) or {},
        )
        protocol = (tests[-1].protocol or {}) if tests else {}
        return self._tested(word, predictions, protocol, record)

    def _tested(
        self, name: str, predictions: Predictions, protocol: Mapping[str, Any], record: RunRecord
    ) -> Tested:
        from mmaction_ext.evaluation.classes import class_names
        from mmaction_ext.tables.class_accuracies import class_names_of

        if not len(predictions.labels):
            raise InputError(f'{name} holds no samples')
        num_classes = predictions.scores.shape[1]
        if max(self.args.top or [1]) > num_classes:
            raise InputError(f'--top {max(self.args.top)}: {name} has {num_classes} classes')
        names = class_names({}, self.args.labels) if self.args.labels else class_names_of(record)
        return Tested(name, predictions, protocol, names)

    def _table(self, name: str) -> tuple[Any, Mapping[Any, RunRecord]]:
        """A table, and the records of its runs by their id, type of job and folder."""
        from mmaction_ext.tables import build_table

        spec = find_table(name, self.args.configs)
        records = read_records(self.args, [spec], needed_metrics([spec]))
        by_run = {(record.uid, record.job_type, record.folder): record for record in records}
        return build_table(spec, records), by_run

    def _of_row(self, word: str, name: str, row: str, seed: str = '') -> Iterator[Tested]:
        """The predictions behind a cell of a table; seeds without a result are named."""
        table, records = self.table(name)
        if table.main_column is None:
            raise InputError(f'table {table.id} has no measured column')
        results = table.cell(row, table.main_column.key).seeds
        if seed:
            results = [each for each in results if seed.removeprefix('seed') == str(each.seed)]
        if not results:
            raise InputError(f'{word}: there is no such seed in the table, or nothing to test')
        counted = [each for each in results if each.status is CellStatus.OK]
        for each in results:
            if each not in counted:
                text = f'{name}/{row}/seed{each.seed} is {each.status.value}: {each.reason}'
                if not counted:
                    raise InputError(text)
                print(clean(f'note: {text}'), file=sys.stderr)
        for each in counted:
            yield self._of_result(f'{name}/{row}/seed{each.seed}', each, records)

    def _of_result(
        self, name: str, result: SeedResult, records: Mapping[Any, RunRecord]
    ) -> Tested:
        from mmaction_ext.evaluation.predictions import read_predictions
        from mmaction_ext.tracking.reading.comparison import file_state, named_file

        facts = result.evaluation
        keys = [(uid, facts.get('job_type'), facts.get('folder')) for uid in result.runs]
        record = next((records[key] for key in keys if key in records), None)
        path, _ = named_file((record and record.path) or '', facts.get('predictions'))
        if record is None or path is None:
            raise InputError(f'{name}: no test of its own with predictions is behind it')
        state = file_state(record.path, facts.get('predictions'))
        if state != 'same':
            words = 'is not that which was measured' if state == 'differs' else f'is {state}'
            raise InputError(f'{name}: {path} {words}: mmaction-ext test makes it anew')
        return self._tested(name, read_predictions(path), facts.get('protocol') or {}, record)


def _mean(members: Sequence[Tested], weights: Sequence[float] | None = None) -> Tested:
    """An ensemble.

    Raises:
        InputError: weights are none or not as many, or the members cannot be averaged.
    """
    from mmaction_ext.evaluation.predictions import average

    for weight in weights or ():
        check_positive('--weights', weight)
    if weights and len(weights) != len(members):
        raise InputError(f'{len(weights)} weights for {len(members)} predictions')
    predictions = [member.predictions for member in members]
    scores = average(predictions, [member.name for member in members], weights)
    name = f'mean of {len(members)}: {", ".join(member.name for member in members)}'
    merged = replace(predictions[0], scores=scores, meta=dict(predictions[0].meta, seed=None))
    return replace(members[0], name=name, predictions=merged)


def _pairs(first: Sequence[Tested], second: Sequence[Tested]) -> list[tuple[Tested, Tested]]:
    """What is compared with what.

    Raises:
        InputError: they are not as many, or of several the seeds are not the same.
    """
    if second and len(first) != len(second):
        raise InputError(
            f'{len(first)} and {len(second)} predictions: compare as many with as many, or the '
            'means of both with --ensemble'
        )
    pairs = list(zip(first, second, strict=False))
    for mine, theirs in pairs if len(pairs) > 1 else ():
        seeds = [each.predictions.meta.get('seed') for each in (mine, theirs)]
        if seeds[0] != seeds[1]:
            raise InputError(
                f'{mine.name} and {theirs.name} are no pair: their seeds are {seeds[0]} and '
                f'{seeds[1]}'
            )
    return pairs


def _compared(mine: Tested, theirs: Tested, k: int) -> PairedSamples:
    """Two tests, sample by sample.

    Raises:
        InputError: they are not of the same samples.
    """
    from mmaction_ext.evaluation.predictions import difference
    from mmaction_ext.evaluation.significance import compare

    problem = difference(mine.predictions, theirs.predictions)
    if problem:
        raise InputError(f'{mine.name} and {theirs.name} cannot be compared: {problem}')
    other = mismatch(mine.protocol, theirs.protocol)
    if other:
        print(clean(f'note: {mine.name} was tested otherwise: {other}'), file=sys.stderr)
    return compare(mine.hits(k), theirs.hits(k))


def _score_lines(tests: Sequence[Tested], top: Sequence[int]) -> list[str]:
    """A line per test, and of several their mean and standard deviation."""
    import numpy as np

    values = np.array(
        [[*(each.accuracy(k) for k in top), each.mean_class_accuracy] for each in tests]
    )
    rows = [
        [each.name, len(each.predictions.labels), *(f'{100 * value:.2f}' for value in line)]
        for each, line in zip(tests, values, strict=True)
    ]
    if len(tests) > 1:
        means, stds = 100 * values.mean(axis=0), 100 * values.std(axis=0, ddof=1)
        spread = [f'{mean:.2f} ± {std:.2f}' for mean, std in zip(means, stds, strict=True)]
        rows.append(['mean ± standard deviation', '', *spread])
    heads = ('predictions', 'samples', *(f'top-{k}' for k in top), 'mean class')
    return columns(rows, heads, right=heads[1:])


def _pair_lines(mine: Tested, theirs: Tested, found: PairedSamples, k: int) -> list[str]:
    low, high = (f'{100 * end:+.2f}' for end in found.interval)
    return [
        clean(f'{mine.name} against {theirs.name}'),
        f'  top-{k} {100 * found.difference:+.2f} [{low}, {high}] (bootstrap over '
        f'{found.samples} samples)',
        f'  right alone: {found.first_alone} and {found.second_alone}; McNemar, exact: '
        f'p = {found.p_value:.3g}',
    ]


_CLASS_HEADS = ('class', 'samples', 'top-1', 'against', 'gain')


def _per_class(first: Sequence[Tested], second: Sequence[Tested]) -> list[list[Any]]:
    """Class, samples, accuracy and, with others, theirs and the gain; means over the tests."""
    mine, theirs = _class_shares(first), _class_shares(second) if second else {}
    names = _class_names(first[0])
    return [
        [names[label], samples, share]
        + ([theirs[label][1], share - theirs[label][1]] if label in theirs else [])
        for label, (samples, share) in mine.items()
    ]


def _class_shares(tests: Sequence[Tested]) -> dict[int, tuple[int, float]]:
    """Class to its samples and the share that is recognized, the mean over the tests."""
    import numpy as np

    from mmaction_ext.evaluation.classes import counts_by_class

    found = [counts_by_class(each.predictions.labels, each.predicted) for each in tests]
    if any(each.keys() != found[0].keys() for each in found):
        raise InputError('the predictions are not all of the same classes')
    return {
        label: (samples, float(np.mean([each[label][1] / each[label][0] for each in found])))
        for label, (samples, _) in found[0].items()
    }


def _class_names(test: Tested) -> list[str]:
    """A name for each class."""
    count = test.predictions.scores.shape[1]
    return [str(test.names.get(label, f'class {label}')) for label in range(count)]


def _confusion(tests: Sequence[Tested]) -> np.ndarray:
    """Counts of all tests together."""
    import numpy as np

    from mmaction_ext.evaluation.classes import confusion

    sizes = {each.predictions.scores.shape[1] for each in tests}
    if len(sizes) > 1:
        raise InputError(f'the predictions are of {" and ".join(map(str, sorted(sizes)))} classes')
    [size] = sizes
    counts = [confusion(each.predictions.labels, each.predicted, size) for each in tests]
    total: np.ndarray = np.sum(counts, axis=0)
    return total


def _confusion_lines(test: Tested, counts: np.ndarray) -> list[str]:
    names = [*_class_names(test), 'none']
    found = sorted(
        (
            (int(count), label, predicted)
            for label, row in enumerate(counts)
            for predicted, count in enumerate(row)
            if count and label != predicted
        ),
        key=lambda each: (-each[0], each[1:]),
    )
    rows = [
        [names[label], names[predicted], count, f'{100 * count / counts[label].sum():.1f}']
        for count, label, predicted in found[:MOST_CONFUSIONS]
    ]
    heads = ('class', 'taken for', 'samples', '% of the class')
    return columns(rows, heads, right=heads[2:], elastic=(0, 1)) if rows else ['no confusion']


def _write_csv(path: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO(newline='')
    writer = csv.writer(text, lineterminator='\n')
    writer.writerows([heads, *rows])
    try:
        write_atomically(path, text.getvalue().encode())
    except OSError as error:
        raise InputError(f'{path} cannot be written: {error.strerror or error}') from error


def _as_json(
    top: Sequence[int],
    tests: Sequence[Tested],
    pairs: Sequence[tuple[Tested, Tested, PairedSamples]],
    classes: Sequence[Sequence[Any]],
    confusion: np.ndarray | None,
) -> dict[str, Any]:
    """Everything as plain data; accuracies are fractions."""
    scores = [
        dict(
            name=each.name,
            samples=len(each.predictions.labels),
            top={k: each.accuracy(k) for k in top},
            mean_class_accuracy=each.mean_class_accuracy,
            protocol=each.protocol,
            meta=each.predictions.meta,
        )
        for each in tests
    ]
    compared = [
        dict(first=mine.name, second=theirs.name, top=top[0], **asdict(found))
        for mine, theirs, found in pairs
    ]
    named = [dict(zip(_CLASS_HEADS, row, strict=False)) for row in classes]
    table = None if confusion is None else confusion.tolist()
    return dict(predictions=scores, comparisons=compared, classes=named, confusion=table)
