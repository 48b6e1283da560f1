"""The commands: ``mmaction-ext COMMAND``, or ``python -m mmaction_ext COMMAND``.

Each command is a module of this package with ``NAME``, ``HELP`` (one line),
``add_arguments(parser)`` and ``run(args) -> int``. A module is imported when its command is asked
for or listed, and imports what is heavy when it runs. It may also have ``EPILOG``, the end of its
help, ``INTERRUPTED``, what Ctrl-C has it say, and ``EXPECTED``, the errors that are told in one
line, if those are others than :data:`EXPECTED`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from types import SimpleNamespace

from mmaction_ext.cli.parser import Parser
from mmaction_ext.errors import InputError

#: modules of the commands, in the order in which they are listed
MODULES = (
    'init',
    'prepare',
    'browse',
    'complexity',
    'preflight',
    'train',
    'test',
    'test_ensemble',
    'evaluate',
    'plan',
    'launch',
    'cancel',
    'status',
    'tables',
    'explain',
    'doctor',
    'report',
    'figures',
    'visualize',
    'class_gains',
    'convert',
    'import_wandb',
    'dashboard',
)
PROGRAM = 'mmaction-ext'
#: errors that a user can mend: they are told in one line, others with their traceback
EXPECTED = (InputError, OSError, ModuleNotFoundError)

EPILOG = """examples:
  mmaction-ext train CONFIG --seed 0          train, test, record
  mmaction-ext plan                           what is left to train, what it costs, and how
  mmaction-ext preflight dcf_table1           can its rows be trained here?
  mmaction-ext launch TABLE                   make whatever a table lacks
  mmaction-ext status --watch 10              what runs now, how far it is, what failed
  mmaction-ext tables                         write the tables
  mmaction-ext evaluate dcf_table1/full       classes, ensembles, significance of saved tests
  mmaction-ext explain dcf_table1 full top1   where a printed number comes from
  mmaction-ext COMMAND --help                 arguments, examples and exit codes of one command

`python -m mmaction_ext` is the same program.

exit codes: 0 fine; 1 the answer is no: not complete, or problems found; 2 bad input (one line
says what); 130 interrupted
"""


def main(argv: Sequence[str] | None = None, script: str | None = None) -> int:
    """Run one command.

    Args:
        argv: the command line without the program's name; ``sys.argv`` if left out.
        script: name under which the command calls itself, if not ``mmaction-ext COMMAND``.

    Returns:
        The exit code. A command line that cannot be read raises ``SystemExit(2)``.
    """
    for name in ('stdout', 'stderr'):
        if getattr(sys, name) is None:  # closed by whoever started this, as with `>&-`
            setattr(sys, name, open(os.devnull, 'w'))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='replace')  # a terminal without the character
    argv = sys.argv[1:] if argv is None else list(argv)
    args = _parser(argv, script).parse_args(argv)
    args.argv = argv
    command = args.module
    try:
        code = command.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # as after `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        if hasattr(command, 'INTERRUPTED'):
            print(command.INTERRUPTED, file=sys.stderr)
        return 130
    except getattr(command, 'EXPECTED', EXPECTED) as error:
        return _refuse(args.command, error)


def run_script(command: str) -> int:
    """Run one command for a script of ``tools/``; returns the exit code."""
    return main([command, *sys.argv[1:]], os.path.basename(sys.argv[0]))


def _refuse(command: str, error: InputError | OSError | ModuleNotFoundError) -> int:
    """Say in one line what kept a command from its work; returns the exit code, 2 mostly."""
    if isinstance(error, InputError):
        return error.exit()
    if isinstance(error, ModuleNotFoundError):
        text = _lacking(command, error)
    else:
        text = f'{error.filename}: {error.strerror}' if error.filename else str(error)
    return InputError(text).exit()


def _parser(argv: Sequence[str], script: str | None) -> Parser:
    """Parser of the command that is asked for; of all of them without their arguments, if none."""
    parser = Parser(
        prog=PROGRAM,
        description='Train and test motion modules, and make tables of the runs.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=_version())
    commands = parser.add_subparsers(metavar='COMMAND', dest='command', required=True)
    names = {_command_name(module): module for module in MODULES}
    asked = [word for word in argv[:1] if word in names]
    for name in asked or names:
        _add_command(commands, name, names[name], bool(asked), script)
    return parser


def _command_name(module: str) -> str:
    return module.replace('_', '-')


def _add_command(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    module: str,
    is_asked: bool,
    script: str | None,
) -> None:
    try:
        command = importlib.import_module(f'mmaction_ext.cli.{module}')
    except ModuleNotFoundError as error:
        _add_lacking(commands, name, error)
        return
    parser = commands.add_parser(
        name,
        prog=script,
        help=command.HELP,
        description=command.__doc__,
        epilog=getattr(command, 'EPILOG', None),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if is_asked:
        command.add_arguments(parser)
    parser.set_defaults(module=command)


def _add_lacking(
    commands: argparse._SubParsersAction[Parser], name: str, error: ModuleNotFoundError
) -> None:
    """A command whose library is not installed says so, whatever its arguments are."""
    reason = _lacking(name, error)
    parser = commands.add_parser(
        name,
        help=f'not available: {reason}',
        description=reason,
        prefix_chars='\0',
        add_help=False,
    )
    parser.add_argument('ignored', nargs='*')

    def run(args: Namespace) -> int:
        raise InputError(reason)

    parser.set_defaults(module=SimpleNamespace(run=run))


def _lacking(command: str, error: ModuleNotFoundError) -> str:
    return (
        f'{command} needs the library {error.name}, which is not installed '
        f'(pip install {error.name})'
    )


def _version() -> str:
    from mmaction_ext import __version__

    return f'{PROGRAM} {__version__}'
