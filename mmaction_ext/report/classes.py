"""Accuracy of each class of a row: the mean over its seeds."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmaction_ext.tables.cells import CellStatus, SeedResult, Table, TableRow
from mmaction_ext.tables.run_summary import RunSummary, TestSummary


def row_accuracies(
    table: Table, row: TableRow, runs: Mapping[str, Sequence[RunSummary]]
) -> tuple[dict[str, float], bool]:
    """Class name to accuracy in [0, 1] of a row, the mean over the seeds that count.

    Args:
        table, row: a table and a row of it.
        runs: uid to the runs with that id.

    Returns:
        The accuracies, empty where one of these seeds has none, and whether they are known to
        be of the very tests that the table shows.
    """
    seeds = table.cell(row.id, table.main_column.key).seeds if table.main_column else ()
    tests = [_test(seed, runs) for seed in seeds if seed.status is CellStatus.OK]
    is_checked = all(test.classes_checked for test in tests)
    if not tests or any(test.classes.keys() != tests[0].classes.keys() for test in tests):
        return {}, is_checked
    means = {
        name: float(np.mean([test.classes[name] for test in tests])) for name in tests[0].classes
    }
    return means, is_checked


def _test(seed: SeedResult, runs: Mapping[str, Sequence[RunSummary]]) -> TestSummary:
    """The last test of the checkpoint that a table shows of which the accuracies are known."""
    found = (
        test
        for uid in seed.runs
        for run in runs.get(uid, ())
        for test in run.tests[::-1]
        if test.classes and test.checkpoint_sha256 == seed.checkpoint
    )
    return next(found, TestSummary())
