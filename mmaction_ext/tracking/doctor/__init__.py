"""What is wrong with the runs on disk, and what to do about it.

Nothing is changed but by :func:`remove_strays`.
"""

from mmaction_ext.tracking.doctor.examination import examine
from mmaction_ext.tracking.doctor.finding import SEVERITIES, Finding
from mmaction_ext.tracking.doctor.strays import STRAY_SECONDS, remove_strays, stray_files

__all__ = ['SEVERITIES', 'STRAY_SECONDS', 'Finding', 'examine', 'remove_strays', 'stray_files']
