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

What decides which results count::

    select: {policy: best, metric: val/acc/top1, mode: max}   # or {policy: last}
    split: test
    protocol: {num_clips: 10, num_crops: 3, clip_len: any}
    code: [mmaction_ext/modules/dcf.py, 'mmaction_ext/ops/correlation/*']

Rows over the folds of a data set (leave one person out, the three splits of UCF101) are of configs
that declare ``folds = (1, 2, 3)``, or names, and have ``{fold}`` in the strings that depend on it
(``'test_split{fold}.txt'``); a run is of one (``mmaction-ext train CONFIG --fold 2``). The table
names those that count::

    folds: [1, 2, 3]              # of every row with a config
    - {id: dcf, config: dcf.py}                        # the mean over them
    - {id: dcf_2, config: dcf.py, fold: 2}             # one of them alone
    - {key: all, head: All, from: test/acc/top1, over_folds: pooled}    # else their mean
    - {key: second, head: Second, from: test/acc/top1, fold: 2}         # of this one alone

Each seed has the mean of its folds, as papers print it, and what is said over seeds is said of
these. With one seed the folds themselves are what mean, standard deviation and interval are over,
and differences are paired by fold. ``pooled`` is the share of right samples among those of all
folds together. Folds stand in no table, but wherever runs are told apart: ``explain``, ``plan``
and ``status`` have a row ``dcf_fold2``.

A figure of it, drawn by ``mmaction-ext figures``, is one of these:

    figure: {lines: [small, large], x: Size (pixels), y: Top-1 (%), chance: 8.3}
    figure: {lines: frames, x: Frames, y: Top-1 (%)}          # a column of marks, row.frames
    figure: {scatter: [params, macs, step], y: Top-1 (%)}

A test of which a run records another ``protocol`` (``split``, ``clip_len``, ``frame_interval``,
``num_clips``, ``num_crops``, ``resolution`` as [width, height]) is not used: without another one
the cell is stale. Rows that were tested under differing protocols are a warning, unless ``any``
allows it or ``varies`` holds ``test_dataloader``. ``code`` names source files, relative to the
folder of the package or, of the user's own modules, to the folder where they are imported from
(``*`` also matches ``/``): runs that record another version of one of them are stale. Without
``code`` a change of those operators, modules and host files
(:data:`mmaction_ext.tables.code.DEFAULT_GLOBS`) that the row's network is made of, or of an own
module, since a run is noted under the table, and its numbers count; ``code: []`` tracks nothing.
Only ledgers record either; a run without one counts.
"""

from pathlib import Path

from pydantic import TypeAdapter

from mmaction_ext.tables.document import Document
from mmaction_ext.tables.spec.model import (
    LAST,
    Column,
    Drawing,
    Row,
    Runs,
    Section,
    Select,
    TableSpec,
)

__all__ = [
    'LAST',
    'Column',
    'Drawing',
    'Row',
    'Runs',
    'Section',
    'Select',
    'TableSpec',
    'load_spec',
]

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
