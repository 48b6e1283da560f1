"""Checks what is on disk against a publisher's annotations and writes the annotation files."""

from mmaction_ext.datasets.preparation.inspection import (
    CHECKS,
    Inspection,
    inspect_frames,
    inspect_video,
)
from mmaction_ext.datasets.preparation.prepare import prepare
from mmaction_ext.datasets.preparation.summary import summarise

__all__ = ['CHECKS', 'Inspection', 'inspect_frames', 'inspect_video', 'prepare', 'summarise']
