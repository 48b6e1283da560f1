"""What the models of many configs cost: each distinct network is counted once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mmaction_ext.datasets.processes import map_surviving
from mmaction_ext.engine.run_config import import_modules
from mmaction_ext.errors import InputError
from mmaction_ext.models.complexity import Complexity, count, total
from mmaction_ext.tracking.identity import ensemble_members, json_digest, load_config, network_hash

P = TypeVar('P', str, Path)


@dataclass(frozen=True)
class _Network:
    """A model and one view of it; equal networks have equal keys."""

    key: str
    model: dict[str, Any]
    input_shape: tuple[int, ...]
    custom_imports: dict[str, Any]


def count_configs(
    paths: Iterable[P],
    workers: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[P, Complexity | InputError]:
    """Count the models of configs, each network with one input shape only once.

    An ensemble costs what its members cost together.

    Args:
        paths: Config files.
        workers: Number of processes; 0 counts in this one.
        progress: Called with the numbers of networks counted and to be counted.

    Returns:
        Path to :class:`Complexity`, or to the :class:`InputError` that says why there is none.
    """
    parts = {path: _parts(path) for path in paths}
    found = {
        network.key: network
        for networks in parts.values()
        if not isinstance(networks, InputError)
        for network in networks
    }
    counted: dict[str, Complexity | str] = {}
    for network, result in map_surviving(_count, list(found.values()), workers):
        counted[network.key] = result or 'the process that counted it died'
        progress(len(counted), len(found))
    return {path: _total(path, networks, counted) for path, networks in parts.items()}


def _parts(path: str | Path) -> list[_Network] | InputError:
    """The networks of a config: one, or those of an ensemble's members."""
    try:
        config = load_config(path)
        members = ensemble_members(path, config)
        return [_network(member, load_config(member)) for member in members] or [
            _network(path, config)
        ]
    except ValueError as error:
        return InputError(' '.join(str(error).split()))


def _network(path: str | Path, config: dict[str, Any]) -> _Network:
    if 'model' not in config:
        raise ValueError(f'{path}: there is no model')
    model, shape = config['model'], tuple(config.get('input_shape') or ())
    imports = config.get('custom_imports') or {}
    return _Network(json_digest([network_hash([config]), imports]), model, shape, imports)


def _count(network: _Network) -> Complexity | str:
    try:
        import_modules(network.custom_imports)
        return count(network.model, network.input_shape or None)
    except ValueError as error:
        return str(error)


def _total(
    path: str | Path,
    networks: list[_Network] | InputError,
    counted: dict[str, Complexity | str],
) -> Complexity | InputError:
    if isinstance(networks, InputError):
        return networks
    results = []
    for network in networks:
        result = counted[network.key]
        if isinstance(result, str):
            return InputError(f'{path}: {result}')
        results.append(result)
    return total(results)
