"""The fixtures of suites."""

from written_project import command, hold, markup, project

__all__ = ['command', 'hold', 'markup', 'project']
