"""Whole suites: every run that some tables lack, planned, started and followed.

``plan`` says which runs those are, what each needs, completes and costs; ``store`` keeps what was
handed to whom; ``claims`` lets one launcher in at a time; ``executors`` run them, on this machine
or on a cluster. How a run fares stands in its ledger, which these rooms only read.

Imports neither torch nor mmaction2.
"""
