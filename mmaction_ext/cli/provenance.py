"""Where a number comes from: its formula, its seeds, and the runs, files and code behind them.

Explanations are plain data, so that they print as text and as JSON alike.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from mmaction_ext.cli.common import Facts
from mmaction_ext.printable import some
from mmaction_ext.suites.progress import last_error
from mmaction_ext.tables import Table, TableSpec
from mmaction_ext.tables.cells import Cell, CellStatus, SeedResult
from mmaction_ext.tables.code import matches, network_files
from mmaction_ext.tables.run_summary import AttemptSummary, RunSummary
from mmaction_ext.tables.spec import Column, Row
from mmaction_ext.tracking.identity import config_hashes, json_digest, load_config
from mmaction_ext.tracking.ledger.facts import config_digests, is_own, source_digests
from mmaction_ext.tracking.reading.comparison import (
    NETWORK_CODE,
    code_changes,
    code_folder,
    file_state,
    is_file,
    list_state,
)
from mmaction_ext.tracking.reading.ledger import as_dict
from mmaction_ext.tracking.reading.record import Attempt, RunRecord
from mmaction_ext.tracking.writing.attempts import read_run_file

DIFFERENCE = 'taken before rounding'


class Explainer:
    """Explains the cells of a table.

    Args:
        spec: :class:`mmaction_ext.tables.TableSpec`.
        table: the :class:`mmaction_ext.tables.Table` that was built from it.
        records: run records; none for a table that was built from its lock.
        kept: what is kept of runs beside the lock.
        seed: explain the runs of this seed only; of all if ``None``.
    """

    def __init__(
        self,
        spec: TableSpec,
        table: Table,
        records: Iterable[RunRecord] = (),
        kept: Iterable[RunSummary] = (),
        seed: int | None = None,
    ) -> None:
        self.spec, self.table, self.seed = spec, table, seed
        self.rows = {row.id: row for row in (*spec.rows, *spec.fold_rows)}
        self.columns = {column.key: column for column in spec.columns}
        self.logged = {(item.row, item.seed, item.metric): item for item in table.measurements}
        self.runs = RunFacts(records, kept)

    def cell(self, row_id: str, column_key: str) -> Facts:
        """What is known about a cell, the cells that it is made of included.

        Raises:
            InputError: there is no such row or column.
        """
        cell = self.table.cell(row_id, column_key)
        row, column = self.rows[row_id], self.columns[column_key]
        facts = dict(
            table=self.spec.id,
            row=row.id,
            label=row.label,
            column=column.key,
            head=column.head,
            text=cell.text,
            status=cell.status.value,
            value=_number(cell.value),
            std=_number(cell.std),
            interval=cell.interval and [*map(_number, cell.interval)],
            note=cell.note,
            best=cell.best,
            complete=cell.is_fine,
        )
        explain = dict(
            row=self._mark,
            complexity=self._complexity,
            published=self._published,
            history=self._measured,
            column=self._derived,
        )[column.kind]
        return dict(facts, **explain(row, column, cell))

    def network(self, row_id: str, run: Facts) -> Facts:
        """How the network of a run compares with the tree.

        Args:
            row_id: the row, or fold of one, that the run is of.
            run: what :meth:`cell` tells of it.

        Returns:
            Of the source files that have ``changed`` those of the network, the user's own, and
            those that the table tracks; and a ``digest`` of what they were.
        """
        files, tracked = self._network_files(row_id), self.spec.code or ()
        changed = [
            item
            for item in run['code']['changed']
            if _is_of_network(item['path'], files) or matches(item['path'], tracked)
        ]
        recorded = self.runs.code_of(run)
        states = {item['path']: str(recorded.get(item['path'])) for item in changed}
        return dict(changed=changed, digest=json_digest(states))

    def _network_files(self, row_id: str) -> frozenset[str] | None:
        """Those of a row's network; ``None`` where its config does not tell."""
        row = self.rows[row_id]
        config = {} if row.config is None else load_config(*row.load_arguments)
        return network_files(config) if 'model' in config and 'ensemble' not in config else None

    def _mark(self, row: Row, column: Column, cell: Cell) -> Facts:
        return dict(formula=f'{column.name} of the row in {self.spec.path}')

    def _complexity(self, row: Row, column: Column, cell: Cell) -> Facts:
        """Parameters or multiply-adds, which no training changes."""
        parts = self.spec.parts(row)
        if parts:
            return dict(
                formula=f'what the rows {_listed(part.id for part in parts)} have in common',
                parts=[self.cell(part.id, column.key) for part in parts],
            )
        if row.is_published_only:
            return dict(formula='', why=row.reason)
        item = self.logged.get((row.id, None, column.source))
        source = (
            f'told by {column.source} of {_listed(item.result.runs) or "lines of a file"}'
            if item and row.foreign
            else f'counted when run {some(sorted(item.result.runs), 2)} began'
            if item
            else 'counted from the config by mmaction-ext complexity, in complexity.csv'
        )
        if cell.status is not CellStatus.OK:
            return dict(
                formula=f'{column.source}{_times(column)}',
                why=cell.note
                or ('no run tells it' if row.foreign else '')
                or 'no run and no line of complexity.csv for the config as it stands',
                config=_config_in_tree(row),
            )
        return dict(
            formula=f'{column.source}{_times(column)}', source=source, config=_config_in_tree(row)
        )

    def _published(self, row: Row, column: Column, cell: Cell) -> Facts:
        if row.published is None:
            return dict(formula=column.source, why='the row names no published entry')
        figure = row.published.figures.get(column.name)
        facts = dict(
            formula=f'{column.source}{_times(column)}',
            entry=row.published.name,
            citation=row.published.citation,
            figure=figure,
        )
        return facts if figure is not None else dict(facts, why='the paper prints none')

    def _measured(self, row: Row, column: Column, cell: Cell) -> Facts:
        if row.is_published_only:
            return dict(formula='', why=f'published figures only: {row.reason}')
        names = [result for result in cell.seeds if result.status is CellStatus.OK]
        mean = 'mean and standard deviation (n-1)' if len(names) > 1 else 'value'
        formula = f'{mean} of {column.source}{_times(column)} over {_seeds(names)}'
        parts = self.spec.parts(row, column.fold)
        if parts:
            what = 'share of the samples' if column.over_folds == 'pooled' else 'mean'
            each = f', each the {what} of the rows {_listed(part.id for part in parts)}'
            each = f', of the row {parts[0].id}' if column.fold else each
            by_fold = any(result.fold for result in cell.seeds)
            return dict(
                formula=formula + each * (not by_fold) if names else '',
                seeds=self._plain_seeds(cell),
                parts=[self.cell(part.id, column.key) for part in parts],
            )
        return dict(
            formula=formula if names else f'{column.source}{_times(column)}',
            select=self._selection(column, bool(row.foreign)),
            config=_config_in_tree(row),
            seeds=[
                self._seed(row, column, result)
                for result in cell.seeds
                if self.seed in (None, result.seed)
            ],
        )

    def _selection(self, column: Column, foreign: bool) -> str:
        select = column.select or self.spec.select
        return f'the {select.logged if foreign else select.checkpoint} of each run'

    def _derived(self, row: Row, column: Column, cell: Cell) -> Facts:
        """A difference, with both of its sides."""
        mine = self.cell(row.id, column.source)
        if not column.relative:
            name = (column.relative_to or '').partition('.')[2]
            facts: Facts = dict(
                formula=f'{column.source} - published {name}, {DIFFERENCE}',
                seeds=self._plain_seeds(cell),
                parts=[mine],
            )
            if row.published:
                facts.update(
                    citation=row.published.citation, figure=row.published.figures.get(name)
                )
            return facts
        other = self.spec.counterpart(row)
        if other is None or other.id == row.id:
            return dict(formula='', why='the reference row has no difference to itself')
        unit = next((result.unit for result in cell.seeds), '')
        way = 'of the means, ' if cell.unpaired else f'paired by {unit}, ' if unit else ''
        return dict(
            formula=f'{column.source} of {row.id} - {column.source} of {other.id}, '
            f'{way}{DIFFERENCE}',
            seeds=[] if cell.unpaired else self._plain_seeds(cell),
            parts=[mine, self.cell(other.id, column.source)],
        )

    def _plain_seeds(self, cell: Cell) -> list[Facts]:
        """Seeds of a number that no run logged as such."""
        return [
            dict(
                seed=result.seed,
                **(dict(fold=result.fold) if result.fold else {}),
                status=result.status.value,
                reason=result.reason,
                value=_number(result.value),
            )
            for result in cell.seeds
            if self.seed in (None, result.seed)
        ]

    def _seed(self, row: Row, column: Column, result: SeedResult) -> Facts:
        item = self.logged.get((row.id, result.seed, column.measure))
        facts: Facts = dict(
            seed=result.seed,
            status=result.status.value,
            reason=result.reason,
            value=_number(result.value),
            metric=column.source,
            logged=_number(item.result.value) if item else None,
            samples=result.samples,
            data_digest=result.data,
            imported=result.imported,
        )
        evaluation = dict(result.evaluation)
        if result.checkpoint:
            recorded = evaluation.get('checkpoint') or {}
            evaluation['checkpoint'] = {'path': None, **recorded, 'sha256': result.checkpoint}
        facts['measured'] = self.runs.verified(evaluation, result.runs)
        facts['line'] = evaluation.get('line')
        facts['runs'] = [run for uid in result.runs for run in self.runs.of(uid, row)]
        return facts


class RunFacts:
    """What records and run folders tell about runs.

    Args:
        records: run records.
        kept: what is kept of runs that are gone.
    """

    def __init__(self, records: Iterable[RunRecord], kept: Iterable[RunSummary] = ()) -> None:
        self.records, self.kept = list(records), list(kept)
        self.tree: dict[str, str] = {}  # read when it is first needed

    def of(self, uid: str, row: Row) -> list[Facts]:
        """Facts about the runs of an id, one for its training and one for its tests."""
        found = [self._facts(record, row) for record in self.records if record.uid == uid]
        gone = [
            dict(
                uid=uid,
                kept=run.job_type,
                git=run.git,
                env=run.env,
                attempts=[_attempt(item) for item in run.attempts],
            )
            for run in self.kept
            if run.uid == uid
        ]
        return found or gone or [dict(uid=uid)]

    def code_of(self, run: Facts) -> Mapping[str, Any]:
        """The digests of source files that a run recorded, by what :meth:`of` tells of it."""
        place = run['uid'], run['job_type'], run['folder']
        return next(
            each.code for each in self.records if (each.uid, each.job_type, each.folder) == place
        )

    def _facts(self, record: RunRecord, row: Row) -> Facts:
        content = read_run_file(record.path) if record.path else {}
        return dict(
            uid=record.uid,
            job_type=record.job_type,
            name=record.name,
            state=record.state,
            folder=record.folder,
            url=record.url,
            config=record.config,
            seed=record.seed,
            config_hash=record.config_hash,
            overrides=record.overrides,
            sources=list(record.read_from),
            conflicts=list(record.conflicts),
            last_error=last_error(record),
            git=record.git,
            env=record.env,
            code=self._code(record.code),
            data={
                split: dict(facts, list=list_state(facts)) for split, facts in record.data.items()
            },
            initial_checkpoint=as_dict(content.get('initial_checkpoint')) or None,
            initial_weights=_parts_from_files(content.get('initial_weights')),
            config_files=_config_files(as_dict(content.get('config_files')), row),
            attempts=[_attempt(item) for item in record.attempts],
        )

    def _code(self, recorded: Mapping[str, str]) -> Facts:
        """How many source files a run recorded, and those that are not as in the tree."""
        if recorded and not self.tree:
            names = (name for record in self.records for name in record.code)
            self.tree = source_digests(names)
        return dict(
            files=len(recorded),
            changed=[
                dict(path=path, tree=state)
                for path, state in code_changes(recorded, self.tree).items()
            ],
        )

    def verified(self, evaluation: Facts, uids: Collection[str]) -> Facts:
        """Facts about a measurement, with what became of the files it names.

        Args:
            evaluation: see :class:`mmaction_ext.tables.cells.SeedResult`.
            uids: ids of the runs that it may be of.
        """
        facts = dict(evaluation)
        folder = self._folder(facts, uids)
        for key in ('checkpoint', 'predictions'):
            named = as_dict(facts.get(key))
            if named:
                path = named.get('path') or _likely_path(folder, facts)
                state = file_state(folder, dict(named, path=path))
                facts[key] = dict(named, path=path, file='verified' if state == 'same' else state)
            elif facts.get(key):
                facts[key] = None  # no such thing as a run writes
        return facts

    def _folder(self, facts: Facts, uids: Collection[str]) -> Path | None:
        """The folder of the run that a measurement is of; ``None`` if it is not here."""
        found = [
            record.path
            for record in self.records
            if record.uid in uids and facts.get('folder') in (None, record.folder)
        ]
        return next((path for path in found if path and path.is_dir()), None)


def _likely_path(folder: Path | None, facts: Facts) -> str | None:
    """Name of the checkpoint of a run whose log tells only its digest and age."""
    names = [
        f'{unit}_{facts[unit]}.pth'
        for unit in ('epoch', 'iter')
        if isinstance(facts.get(unit), int)
    ]
    return next((name for name in names if folder and is_file(folder / name)), None)


def _attempt(attempt: Attempt | AttemptSummary) -> Facts:
    return dict(
        number=attempt.number,
        host=attempt.host,
        start=attempt.start_time,
        end=attempt.end_time,
        exit_code=attempt.exit_code,
        signal=attempt.signal,
        commit=attempt.commit,
        last_iter=attempt.last_iter,
        log=attempt.path,
        corrupt=attempt.corrupt,
        truncated=attempt.truncated,
    )


def _parts_from_files(recorded: object) -> list[Facts]:
    """Parts of a model that start from a file of their own; the whole's is the checkpoint."""
    parts = [as_dict(part) for part in recorded] if isinstance(recorded, list) else []
    return [
        {name: part.get(name) for name in ('part', 'path', 'sha256')}
        for part in parts
        if part.get('part') not in (None, 'model')
    ]


def _is_of_network(path: str, files: frozenset[str] | None) -> bool:
    """Whether a source file is the user's own, or code of networks and one of ``files``."""
    is_used = files is None or is_own(path) or path in files
    return is_used and code_folder(path) in NETWORK_CODE


def _config_in_tree(row: Row) -> Facts | None:
    """The config of a row; ``None`` for one of foreign runs."""
    if row.config is None:
        return None
    digest, *aliases = config_hashes(load_config(*row.load_arguments))
    return dict(path=Path(row.config).as_posix(), hash=digest, aliases=aliases)


def _config_files(recorded: dict[str, str], row: Row) -> list[Facts]:
    """The files a run's config was made of, each compared with the tree."""
    if row.config is None:
        return []
    now = config_digests(row.config)
    if not recorded:
        return [dict(path=path, sha256=digest, tree='only') for path, digest in now.items()]
    return [
        dict(
            path=path,
            sha256=digest,
            tree='same' if now.get(path) == digest else 'differs' if path in now else 'gone',
        )
        for path, digest in recorded.items()
    ]


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _times(column: Column) -> str:
    return '' if column.scale == 1 else f' x {float(column.scale):g}'


def _seeds(results: Sequence[SeedResult]) -> str:
    unit = results[0].unit if results else 'seed'
    plural = '' if len(results) == 1 else 's'
    return f'{unit}{plural} {_listed(result.label for result in results)}'


def _listed(names: Iterable[str]) -> str:
    return ', '.join(names)
