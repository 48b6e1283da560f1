"""The ledger of a run: what it is, what it logged and how it ended, in its own folder.

Needs no W&B, no server and no clean end. Written by the first process of a run alone; nothing in
it is ever half replaced. See :mod:`mmaction_ext.tracking.ledger.format` for the files.
"""
