"""One self-contained page with all tables, figures and runs.

Imports neither torch nor mmaction2: the page builds wherever runs and configs lie.
"""

from mmaction_ext.report.page import build_report

__all__ = ['build_report']
