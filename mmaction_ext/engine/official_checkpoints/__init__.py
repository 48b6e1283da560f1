"""Checkpoints of the papers' own code: what they hold, and their weights as this project has them.

Each network's files are a module of :mod:`kinds`: names and shapes as read in its released code.
No file of theirs was at hand. Image networks to start from are modules of :mod:`images`.
"""

from mmaction_ext.engine.official_checkpoints.conversion import convert
from mmaction_ext.engine.official_checkpoints.identify import identify
from mmaction_ext.engine.official_checkpoints.images import IMAGES
from mmaction_ext.engine.official_checkpoints.kinds import KINDS
from mmaction_ext.engine.official_checkpoints.names import (
    official_name,
    plain_names,
    released_names,
)
from mmaction_ext.engine.official_checkpoints.reading import read_weights

__all__ = [
    'IMAGES',
    'KINDS',
    'convert',
    'identify',
    'official_name',
    'plain_names',
    'read_weights',
    'released_names',
]
