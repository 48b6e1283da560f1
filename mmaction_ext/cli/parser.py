"""The parser of the command line, which knows what was meant by a name that there is not."""

import argparse
from argparse import Action, Namespace
from collections.abc import Sequence
from typing import Any

from mmaction_ext.errors import did_you_mean


class Parser(argparse.ArgumentParser):
    """A parser that says of an unknown option or choice which known one is like it."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        """Read the command line; what is not known ends the program here, in every subparser."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            options = [word.partition('=')[0] for word in unknown if word.startswith('-')]
            hint = did_you_mean(options[0], self._option_string_actions) if options else ''
            self.error(f'unrecognized arguments: {" ".join(unknown)}{hint}')
        return found, unknown

    def _check_value(self, action: Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += did_you_mean(value, action.choices or ())
            raise
