"""Make a W&B report and a workspace for a suite of tables, on the server of WANDB_BASE_URL.

Each table becomes a section with a run set of its own (its W&B groups): curves of validation and
test accuracy against iterations, bars of the test metrics, and accuracy against parameters and
multiply-adds, all grouped by row with mean and standard deviation over the seeds. Nothing that
exists is changed: each call makes a new report and a new saved view of the workspace.
"""

import os
import unicodedata
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mmaction_ext.cli.common import add_tables_argument, load_tables
from mmaction_ext.cli.text import clean, print_json
from mmaction_ext.errors import InputError
from mmaction_ext.tables import TableSpec
from mmaction_ext.tables.spec import Column
from mmaction_ext.tracking.identity import RunIdentity

NAME = 'dashboard'
HELP = 'make a W&B report and workspace for tables'
EPILOG = """examples:
  mmaction-ext dashboard configs/dcf --entity my-lab --project mmaction_ext
  mmaction-ext dashboard dcf_table1 --project p --entity my-lab --only report --title 'DCF'
  mmaction-ext dashboard configs/dcf --project p --entity my-lab --dry-run   what would be made

Needs an API key (`wandb login` or WANDB_API_KEY), runs in the project (`wandb sync` uploads those
logged offline) and the library wandb-workspaces (pip install 'mmaction_ext[dashboard]'); --dry-run
needs none of them. The addresses of what was made are printed at the end.

exit codes: 0 made; 2 bad input, or the server is out of reach or refuses
"""
KINDS = ('report', 'workspace')
#: the row of a run, in its W&B config
ROW_KEY = 'identity.config'
#: parameters and multiply-adds in the W&B config of a run
COMPLEXITY = {'static.params': 'Parameters', 'static.macs': 'Multiply-adds'}
#: the longest title that W&B takes
_TITLE_LENGTH = 128
#: characters (Unicode categories) that W&B does not take in the name of a workspace
_REFUSED = ('So', 'Sk', 'Sm', 'Sc', 'Cs')
_MAX_RUNS = 100


@dataclass(frozen=True)
class Panel:
    """A plot.

    Attributes:
        kind: ``'line'``, ``'bar'`` or ``'scatter'``.
        title: printed above it.
        x: metric, or key of the run's config for a scatter plot; empty for bars.
        y: metrics.
    """

    kind: str
    title: str
    x: str
    y: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """The plots of one table.

    Attributes:
        id, title: of the table.
        groups: W&B groups of its runs.
        configs: its rows' configs, as the runs name them.
        panels: :class:`Panel` tuple.
    """

    id: str
    title: str
    groups: tuple[str, ...]
    configs: tuple[str, ...]
    panels: tuple[Panel, ...]


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    add_tables_argument(parser)
    parser.add_argument(
        '--entity',
        default=os.environ.get('WANDB_ENTITY'),
        help='user or team on the server (default: WANDB_ENTITY)',
    )
    parser.add_argument('--project', required=True, help='its project, which holds the runs')
    parser.add_argument('--title', help="of report and workspace (default: the tables' ids)")
    parser.add_argument('--only', choices=KINDS, help='make one of the two')
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='print as JSON what would be made, and ask no server',
    )


def run(args: Namespace) -> int:
    """Make what is asked for; returns the exit code."""
    if not args.entity:
        raise InputError('say with --entity (or WANDB_ENTITY) whose project it is')
    specs = [spec for spec in load_tables(args) if args.tables or not spec.runs]
    sections = [plan_section(spec) for spec in specs]
    names = [section.id for section in sections]
    title = shorten(args.title or f'Suite {", ".join(names)}')
    kinds = (args.only,) if args.only else KINDS
    if args.dry_run:
        print_json(
            dict(
                entity=args.entity,
                project=args.project,
                title=title,
                make=kinds,
                group_by=ROW_KEY,
                sections=[asdict(section) for section in sections],
            )
        )
        return 0
    for kind, url in make(kinds, args.entity, args.project, title, sections):
        print(f'{kind}  {url}')
    return 0


def plan_section(spec: TableSpec) -> Section:
    """The plots of a table.

    Args:
        spec: a :class:`mmaction_ext.tables.TableSpec`.

    Raises:
        InputError: no row of the table has runs of its own.
    """
    names = [row.config_name for row in spec.configured if row.config_name]
    if not names:
        raise InputError(f'{spec.path} has no row that can be run')
    groups = {RunIdentity(name, 0, '').group for name in names}
    return Section(
        spec.id,
        spec.caption,
        tuple(sorted(groups)),
        tuple(dict.fromkeys(names)),
        tuple(plan_panels(spec.columns)),
    )


def plan_panels(columns: Iterable[Column]) -> list[Panel]:
    """Curves, bars and scatter plots of the test metrics in the columns of a table.

    Where columns have a best end, the metrics without one are left to the table.
    """
    tested = [
        column
        for column in columns
        if column.kind == 'history' and column.source.startswith('test/')
    ]
    tested = [column for column in tested if column.best] or tested
    heads = {column.source: column.head for column in tested}
    panels = [Panel('line', 'Training loss', 'iter', ('train/loss',))]
    panels += [
        Panel(
            'line',
            f'{head}: validation and test',
            'iter',
            (metric.replace('test/', 'val/', 1), metric),
        )
        for metric, head in heads.items()
    ]
    panels += [Panel('bar', f'{head}: test', '', (metric,)) for metric, head in heads.items()]
    for metric, head in list(heads.items())[:1]:
        panels += [
            Panel('scatter', f'{head} against {name.lower()}', key, (metric,))
            for key, name in COMPLEXITY.items()
        ]
    return panels


def shorten(title: str) -> str:
    """A title that W&B takes: one line, not too long."""
    title = clean(title)
    return title if len(title) <= _TITLE_LENGTH else title[: _TITLE_LENGTH - 1] + '…'


def make(
    kinds: Iterable[str], entity: str, project: str, title: str, sections: Sequence[Section]
) -> list[tuple[str, str]]:
    """Create a report, a workspace or both.

    Args:
        kinds: of :data:`KINDS`.
        entity: user or team on the server.
        project: its project, which holds the runs.
        title: of what is made.
        sections: :class:`Section` list.

    Returns:
        Pairs of kind and address.

    Raises:
        InputError: there is no API key, no such project, or the server fails.
        ModuleNotFoundError: wandb-workspaces is not installed.
    """
    from mmaction_ext.tracking.reading.wandb_online import (
        connect,
        failures_as_input_errors,
        server_url,
    )

    makers = dict(report=_report, workspace=_workspace)
    connect()  # says in one line what is wrong with key or server
    import wandb_workspaces  # noqa: F401

    made = []
    with failures_as_input_errors(f'W&B project {entity}/{project} at {server_url()}'):
        for kind in kinds:
            saved = makers[kind](entity, project, title, sections).save()
            made.append((kind, saved.url))
    return made


def _report(entity: str, project: str, title: str, sections: Sequence[Section]) -> Any:
    """Report of one panel grid per table, each with its run set."""
    import wandb_workspaces.reports.v2 as reports

    blocks: list[Any] = []
    for section in sections:
        run_set = reports.Runset(
            entity=entity,
            project=project,
            name=section.id,
            groupby=[f'config.{ROW_KEY}'],
            filters=_group_filter(section.groups),
        )
        blocks += [
            reports.H1(section.id),
            reports.P(section.title),
            reports.PanelGrid(runsets=[run_set], panels=_panels(section)),
        ]
    return reports.Report(
        entity=entity,
        project=project,
        title=title,
        blocks=blocks,
        description='Made by mmaction-ext dashboard',
        width='fluid',
    )


def _workspace(entity: str, project: str, title: str, sections: Sequence[Section]) -> Any:
    """Workspace of one section per table; it has one run set, grouped by table and row."""
    import wandb_workspaces.workspaces as workspaces
    from wandb_workspaces.expr import Config, Metric

    groups = sorted({group for section in sections for group in section.groups})
    run_set = workspaces.RunsetSettings(
        filters=_group_filter(groups), groupby=[Metric('Group'), Config(ROW_KEY)]
    )
    shown = [
        workspaces.Section(name=section.id, panels=_panels(section), is_open=True)
        for section in sections
    ]
    name = ''.join(char for char in title if unicodedata.category(char) not in _REFUSED)
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=shown,
        runset_settings=run_set,
        settings=workspaces.WorkspaceSettings(x_axis='iter', max_runs=_MAX_RUNS),
    )


def _group_filter(groups: Iterable[str]) -> str:
    # the SDK reads this as Python; its own way from objects to text forgets to escape quotes
    return f'Metric("Group") in {list(groups)!r}'


def _panels(section: Section) -> list[Any]:
    makers = dict(line=_line, bar=_bar, scatter=_scatter)
    return [makers[panel.kind](panel) for panel in section.panels]


def _line(panel: Panel) -> Any:
    import wandb_workspaces.reports.v2 as reports

    return reports.LinePlot(
        title=panel.title,
        x=panel.x,
        y=list(panel.y),
        smoothing_type='none',
        max_runs_to_show=_MAX_RUNS,
        **_by_row(),
    )


def _bar(panel: Panel) -> Any:
    import wandb_workspaces.reports.v2 as reports

    return reports.BarPlot(
        title=panel.title,
        metrics=list(panel.y),
        **_by_row(),
        max_runs_to_show=_MAX_RUNS,
        max_bars_to_show=_MAX_RUNS,
    )


def _scatter(panel: Panel) -> Any:
    import wandb_workspaces.reports.v2 as reports

    return reports.ScatterPlot(
        title=panel.title,
        x=reports.Config(panel.x),
        log_x=True,
        y=reports.SummaryMetric(panel.y[0]),
    )


def _by_row() -> dict[str, Any]:
    """Seeds of a row as their mean and standard deviation."""
    import wandb_workspaces.reports.v2 as reports

    return dict(
        groupby=reports.Config(ROW_KEY), groupby_aggfunc='mean', groupby_rangefunc='stddev'
    )
