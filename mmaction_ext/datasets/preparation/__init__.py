"""Checks what is on disk against a publisher's annotations and writes the annotation files."""

from .inspection import CHECKS, Finding, inspect_frames, inspect_video
from .prepare import prepare
from .summary import summarise

__all__ = ['CHECKS', 'Finding', 'inspect_frames', 'inspect_video', 'prepare', 'summarise']
