"""Runs as tables see them: all that is known of a run, put together into one record.

What is read, and by what: the run's ledger (:mod:`~mmaction_ext.tracking.reading.ledger` and
:mod:`~mmaction_ext.tracking.reading.metrics`), offline W&B logs
(:mod:`~mmaction_ext.tracking.reading.wandb_offline`), snapshots of online runs
(:mod:`~mmaction_ext.tracking.reading.wandb_snapshot`) and CSV files
(:mod:`~mmaction_ext.tracking.reading.csv_runs`). The ledger is believed; a source that
contradicts it makes a conflict of the record.
"""

from mmaction_ext.tracking.reading.csv_runs import read_csv_runs
from mmaction_ext.tracking.reading.find import find_runs, read_runs
from mmaction_ext.tracking.reading.record import (SOURCES, Evaluation, Fragment, RunRecord,
                                                  is_web_address, order)
from mmaction_ext.tracking.reading.rows import MAX_TRAIN_ROWS, split_by_phase, stitch

__all__ = ['MAX_TRAIN_ROWS', 'SOURCES', 'Evaluation', 'Fragment', 'RunRecord', 'find_runs',
           'is_web_address', 'order', 'read_csv_runs', 'read_runs', 'split_by_phase', 'stitch']
