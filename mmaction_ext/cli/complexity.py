"""Print the parameters and multiply-adds of the models of some configs.

    mmaction-ext complexity configs/dcf/table1_components/full.py
    mmaction-ext complexity configs/dcf/*/full.py --shape 16 224 224 --json
    mmaction-ext complexity configs/dcf/*/table.yaml --csv reports/complexity.csv
    mmaction-ext complexity --report reports/complexity.md

One view is counted, of the shape that the config states as ``input_shape`` (C, T, H, W) or that
``--shape`` gives. One multiply-add is what papers print as one FLOP: convolutions, linear layers,
matrix products and correlations count; normalisation, activation, pooling and additions do not.
A ``table.yaml`` stands for the configs of its rows, and an ensemble costs what its members cost
together. A network that several configs share is counted once. Nothing is trained, loaded or
allocated.
"""

from __future__ import annotations

import csv
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmaction_ext.cli.common import PACKAGED_CONFIGS
from mmaction_ext.cli.config_options import add_overrides_option
from mmaction_ext.errors import InputError
from mmaction_ext.tables import load_spec
from mmaction_ext.tracking.identity import config_name, network_of

if TYPE_CHECKING:
    from mmaction_ext.models.complexity import Complexity

NAME = 'complexity'
HELP = 'parameters and multiply-adds of configs and tables'
#: so few are counted sooner than processes start
FEW = 8


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('configs', nargs='*', metavar='CONFIG', help='config files or table.yaml')
    parser.add_argument(
        '--shape',
        nargs=3,
        type=int,
        metavar=('T', 'H', 'W'),
        help="frames, height and width of one view, instead of the config's; a "
        'network that is built for num_segments frames takes no other number',
    )
    parser.add_argument(
        '--json',
        action='store_true',
        help='one JSON object for one config, a list of them for several',
    )
    parser.add_argument(
        '--csv',
        type=Path,
        metavar='FILE',
        help='also write the file from which `mmaction-ext tables` takes the cost '
        'of rows that never ran (config, network, params, macs)',
    )
    add_overrides_option(
        parser, "settings that override the configs', e.g. model.cls_head.num_classes=400"
    )
    parser.add_argument(
        '--workers',
        type=int,
        metavar='N',
        help='number of processes (default: one per processor, or none for '
        f'fewer than {FEW} configs)',
    )
    parser.add_argument(
        '--report',
        type=Path,
        metavar='FILE',
        help='write the networks of configs/complexity.yaml beside what their '
        'papers print, as Markdown',
    )


def run(args: Namespace) -> int:
    """Count, write and print; returns the exit code."""
    from mmaction_ext import compat

    if bool(args.report) == bool(args.configs):
        raise InputError('give configs, or --report FILE')
    if args.csv and (args.shape or args.cfg_options):
        raise InputError(
            '--csv is for the configs as they are: leave out --shape and --cfg-options'
        )
    compat.apply()
    from mmaction_ext.engine.checks import check_output_folder

    for file in filter(None, (args.report, args.csv)):
        check_output_folder(str(file.parent))
    if args.report:
        write_report(args.report)
        return 0
    results, faults = measure_all(args)
    if args.csv and results:
        write_csv(args.csv, results)
    if args.json and results:
        print(json.dumps(results if results[1:] or faults else results[0]))
    elif results:
        print_table(results)
    return max([0, *(fault.exit() for fault in faults)])


def find_configs(paths: list[str]) -> list[str]:
    """Config files, each once, with those of its rows in the place of a ``table.yaml``."""
    found = []
    for path in paths:
        if path.endswith('.yaml'):
            found += [str(row.config) for row in load_spec(path).rows if row.config]
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def measure(
    path: str, shape: Sequence[int] | None = None, options: dict[str, Any] | None = None
) -> Complexity:
    """Counts of one config.

    Args:
        path: Config file.
        shape: (T, H, W) of one view, or None for the config's own.
        options: dotted keys to values that override the config's.

    Raises:
        InputError: The config cannot be read, or its model cannot be built.
    """
    from mmaction_ext.engine.run_config import read_config
    from mmaction_ext.models.complexity import count

    cfg = read_config(path, options)
    channels = (cfg.get('input_shape') or (3,))[0]
    try:
        return count(cfg, (channels, *shape) if shape else None)
    except ValueError as error:
        raise InputError(f'{path}: {error}') from error


def attempt(path: str, args: Namespace) -> Complexity | InputError:
    """Counts of one config, or why there are none."""
    try:
        return measure(path, args.shape, args.cfg_options)
    except InputError as error:
        return error


def measure_all(args: Namespace) -> tuple[list[dict[str, Any]], list[InputError]]:
    """Counts of all configs, each with its path, and what is wrong with those that have none."""
    from mmaction_ext.analysis.config_complexity import count_configs
    from mmaction_ext.datasets.processes import all_processors

    configs = find_configs(args.configs)
    counts: Mapping[str, Complexity | InputError]
    if args.shape or args.cfg_options:
        counts = {path: attempt(path, args) for path in configs}
    else:
        workers = all_processors() if len(configs) >= FEW else 0
        workers = workers if args.workers is None else args.workers
        counts = count_configs(configs, workers, show_progress)
    results, faults = [], []
    for path, complexity in counts.items():
        if isinstance(complexity, InputError):
            faults.append(complexity)
        elif complexity.macs is None:
            faults.append(InputError(f'{path} states no input_shape: give one with --shape T H W'))
        else:
            results.append(dict(config=path, **asdict(complexity)))
    return results, faults


def show_progress(done: int, total: int) -> None:
    """Keep one line of a terminal up to date."""
    if sys.stderr.isatty():
        end = '\n' if done == total else ''
        print(f'\rcounted {done} of {total} networks', end=end, file=sys.stderr, flush=True)


def print_table(results: list[dict[str, Any]]) -> None:
    """Print one line per config: millions of parameters, billions of multiply-adds."""
    width = max(len(result['config']) for result in results)
    print(f'{"config":{width}}  {"input":>15}  {"params (M)":>10}  {"GMACs":>9}')
    for result in results:
        shape = 'x'.join(map(str, result['input_shape']))
        print(
            f'{result["config"]:{width}}  {shape or "members":>15}  '
            f'{result["params"] / 1e6:10.3f}  '
            f'{result["macs"] / 1e9:9.4f}'
        )


def write_csv(path: Path, results: list[dict[str, Any]]) -> None:
    """Write the counts with each config's name and the hash of its network, sorted by name."""
    rows = [
        (config_name(path), network_of(path), result['params'], result['macs'])
        for path, result in ((result['config'], result) for result in results)
    ]
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(('config', 'network', 'params', 'macs'))
        writer.writerows(sorted(rows))


def write_report(path: Path) -> None:
    """Write the report of the networks that the papers print the cost of."""
    from mmaction_ext.analysis.complexity_report import build_report

    text = build_report(
        PACKAGED_CONFIGS / 'complexity.yaml',
        lambda model: print(f'counting {model}', file=sys.stderr),
    )
    path.write_text(text, encoding='utf-8')
    print(path)
