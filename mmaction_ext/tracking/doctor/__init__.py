"""What is wrong with the runs on disk, and what to do about it.

Nothing is changed but by :func:`remove_leftovers`.
"""

from mmaction_ext.tracking.doctor.examination import examine
from mmaction_ext.tracking.doctor.finding import SEVERITIES, Finding
from mmaction_ext.tracking.doctor.leftovers import (
    LEFTOVER_SECONDS,
    leftover_files,
    remove_leftovers,
)

__all__ = [
    'LEFTOVER_SECONDS',
    'SEVERITIES',
    'Finding',
    'examine',
    'leftover_files',
    'remove_leftovers',
]
