"""Table specifications (``table.yaml``): what a table says, checked before it is built.

A row is one of three::

    - {id: full, label: DCF, config: full.py, published: dcf.table1.full}
    - {id: ucf101, label: MFNet, mean_of: [split1, split2, split3]}
    - {id: tdn, label: TDN, published: dcf.table4.tdn, reason: no implementation in mmaction2}

the runs of a config, which may lie in another table's folder; the mean, seed by seed, of rows of
this table that have configs; or what a paper prints, alone, with the reason as a footnote. A
config with ``ensemble = dict(members=[...])`` is a row like any other
(:func:`mmaction_ext.tracking.identity.load_config`, ``mmaction-ext test-ensemble``).

A column takes its numbers from one of these; the difference columns stand after what they are
taken of::

    - {key: ticks, head: Pyramid, from: row.pyramid}        # a key of the rows, printed as it is
    - {key: params, head: Params (M), from: static.params, scale: 1.0e-6, fmt: .2f}
    - {key: paper, head: Published, from: published.top1}
    - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, best: max}
    - {key: best, head: Best epoch, from: val/acc/top1, scale: 100,
       select: {policy: best, metric: val/acc/top1}}         # see below; else as the table has it
    - {key: delta, head: Δ, from: top1, relative_to: reference, fmt: +.1f}
    - {key: off, head: Δ paper, from: top1, relative_to: published.top1, tolerance: 0.5, fmt: +.1f}

A published figure is printed with the digits that it has in the file, whatever ``fmt`` says of
them, and so is a difference of two of them; ``fmt`` gives the sign, and the digits where ``scale``
changes the number.

``relative_to: reference`` is paired by seed with the row that has ``reference: true``, with its
95 % interval from three seeds on, or with the row that the row's own ``relative_to`` names
(itself: no difference). Where the two share fewer than two seeds, but have two each, it is the
difference of their means, with Welch's interval from three seeds of each on, and says so.
``relative_to: published.<metric>`` is the difference to what the paper prints for the row, in the
printed unit; with ``tolerance`` a cell whose difference is larger is *out of tolerance*. The
difference as it is printed is judged, so that the page alone tells why: with ``.1f`` a tolerance
of 0.5 allows whatever rounds to 0.5.

Keys of the table itself: ``id``, ``caption``, ``row_head``, ``seeds``, ``note``, ``published``
(the file of published figures), ``varies`` (config keys in which rows may differ from the
reference), ``project`` (title of the page) and ``group`` (what the table is listed under there),
and what decides which results count::

    select: {policy: best, metric: val/acc/top1, mode: max}   # or {policy: last}
    split: test
    protocol: {num_clips: 10, num_crops: 3, clip_len: any}
    code: [mmaction_ext/modules/dcf.py, 'mmaction_ext/ops/correlation/*']

A test of which a run records another ``protocol`` (``split``, ``clip_len``, ``frame_interval``,
``num_clips``, ``num_crops``, ``resolution`` as [width, height]) is not used: without another one
the cell is stale. Rows that were tested under differing protocols are a warning, unless ``any``
allows it or ``varies`` holds ``test_dataloader``. ``code`` names source files, relative to the
folder of the package or, of the user's own modules, to the folder where they are imported from
(``*`` also matches ``/``): runs that record another version of one of them are stale. Without
``code`` a change of the operators, modules or host
(:data:`mmaction_ext.tables.code.DEFAULT_GLOBS`) or of an own module since a run is noted under the
table, and its numbers count; ``code: []`` tracks nothing. Only ledgers record either; a run
without one counts.

Rows may also be of runs that other programs logged: a plain script with W&B, Lightning, a sweep,
or the lines of a CSV file. This is all that such a table needs::

    runs: {source: ENTITY/PROJECT, row: method, seed: seed}
    columns: [{from: val/acc, scale: 100, best: max}]

``source`` may be a folder of offline logs (``wandb``) or a CSV file, too. ``row`` and ``seed`` are
keys of the runs' config (``model.depth`` leads into nested ones, and finds ``model/depth``), CSV
columns, or ``name``, ``group``, ``job_type``, ``tags``; ``name: '(?P<row>.+)-s(?P<seed>[0-9]+)'``
reads them from names, and ``seed: 0`` says that there are none. ``state``, ``tags`` and
``config`` take some of the runs alone. Rows that are listed have the value as their ``id``, or say
what their runs have::

    rows:
      - {id: tsn, label: TSN, reference: true}
      - {id: wide, label: 'TSM, wide', wandb: {method: tsm, width: [64, 128]}}

Of such runs columns take any metric that they log, by its name, or as ``metric.<name>`` where that
could be something else, and from ``config.<key>`` and ``summary.<key>`` a number that all runs of
a row have, as of parameters. ``select`` may be ``{policy: summary}``, and ``best`` go by any
metric. Two runs of one row and seed are a conflict; runs that count for nothing are named when the
table is built. A dagger and a note mark rows that were not run here, unless ``mark_imported`` is
``false``. `mmaction-ext init --from-wandb` writes such a file.
"""

from pathlib import Path

from pydantic import TypeAdapter

from mmaction_ext.tables.document import Document
from mmaction_ext.tables.spec.model import LAST, Column, Row, Runs, Section, Select, TableSpec

__all__ = ['LAST', 'Column', 'Row', 'Runs', 'Section', 'Select', 'TableSpec', 'load_spec']

_SCHEMA = TypeAdapter(TableSpec)


def load_spec(path: str | Path) -> TableSpec:
    """Read and check a ``table.yaml``.

    Args:
        path: the file; paths in it are relative to its folder.

    Raises:
        InputError: anything in it is unknown, missing, contradictory, or points to a file
            that does not exist; the message names file, line and key.
    """
    return Document(path).validated(_SCHEMA)
