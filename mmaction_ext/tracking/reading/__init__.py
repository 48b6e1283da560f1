"""Readers of what runs left behind: ledgers, W&B logs, snapshots of online runs, CSV files.

Each file is read once (and its digest cached), each run is put together from all files that tell
about it, and where two of them disagree the run says so. Nothing here writes into a run's folder.
The way in is :mod:`mmaction_ext.tracking.reading.find`. Torch-free.
"""
