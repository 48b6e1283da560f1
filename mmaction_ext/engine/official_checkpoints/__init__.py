"""Checkpoints of the papers' own code: what they hold, and their weights as this project has them.

Names were read in the released code: github.com/arunos728/SELFY (commit d6e1e00),
github.com/yzfly/TCM (34685f7) and github.com/cypw/PyTorch-MFNet (4d0f5a9). No file of theirs was
at hand.
"""

from mmaction_ext.engine.official_checkpoints.conversion import convert
from mmaction_ext.engine.official_checkpoints.identify import Network, identify
from mmaction_ext.engine.official_checkpoints.names import (
    KINDS,
    official_name,
    plain_names,
    released_names,
)
from mmaction_ext.engine.official_checkpoints.reading import read_weights

__all__ = [
    'KINDS',
    'Network',
    'convert',
    'identify',
    'official_name',
    'plain_names',
    'read_weights',
    'released_names',
]
