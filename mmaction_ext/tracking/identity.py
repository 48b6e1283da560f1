"""Who a run is: its config's path, its seed, and a hash of what the config resolves to.

Torch-free, so that tables build where torch is not installed.
"""

import copy
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from mmaction_ext.compat import replace_pkg_resources
from mmaction_ext.errors import InputError

#: What may differ between two machines or two attempts of one and the same run: where it
#: runs, how it logs, how many loader processes feed it. None of it changes the numbers.
VOLATILE_KEYS = frozenset({
    'work_dir', 'launcher', 'resume', 'load_from_resume', 'visualizer', 'vis_backends',
    'log_level', 'log_processor', 'default_hooks.logger', 'default_hooks.runtime_info',
    'env_cfg', 'randomness.seed', 'model_wrapper_cfg', 'num_workers', 'persistent_workers',
    'pin_memory', 'prefetch_factor', 'filename',
})


@dataclass(frozen=True)
class RunIdentity:
    """One row of a table under one seed.

    Attributes:
        config: posix path of the config below ``configs/``, without ``.py``.
        seed: the random seed.
        config_hash: :func:`config_hash` of the resolved config.
    """

    config: str
    seed: int
    config_hash: str

    @property
    def group(self) -> str:
        """Folder of the config: the table the row belongs to, and the W&B group."""
        return self.config.rpartition('/')[0] or self.config

    @property
    def name(self) -> str:
        """Display name of the run in W&B."""
        return f'{self.config.rpartition("/")[2]}/seed{self.seed}'

    @property
    def uid(self) -> str:
        """W&B run id: the same for every attempt at this run."""
        return _sha(f'{self.config}|{self.seed}|{self.config_hash}')

    def work_dir(self, root='work_dirs') -> str:
        """Folder of the run's logs and checkpoints below ``root``."""
        return (Path(root) / self.config / f'seed{self.seed}').as_posix()


def load_config(path) -> dict:
    """Resolve a config with its ``_base_`` chain, importing none of its custom modules.

    The config of an ensemble, ``ensemble = dict(members=['../a.py', '../b.py'])`` with paths
    relative to its own folder, gets the names and hashes of its members as
    ``ensemble.member_hashes``: its hash changes with theirs. So does a config that tests the
    weights of another one, ``weights_of = 'a.py'``, as ``weights_of_hashes``.

    Args:
        path: a config file.

    Returns:
        The resolved config as plain dicts, lists and scalars.

    Raises:
        InputError: the file, a member or the source of the weights does not exist or does not
            parse; the message names it.
    """
    config = _read_config(path)
    source = weights_source(path, config)
    if source:
        config['weights_of_hashes'] = {config_name(source): config_hash(_read_config(source))}
    if 'ensemble' in config:
        members = ensemble_members(path, config)
        config['ensemble']['member_hashes'] = {
            config_name(member): config_hash(load_config(member)) for member in members}
    return config


def weights_source(path, config: dict) -> Path | None:
    """The config whose run's weights a config is tested with, instead of training its own.

    Args:
        path: the config file.
        config: what it resolves to; its ``weights_of`` is a path relative to the file's folder.

    Returns:
        Path of that config file; ``None`` where ``config`` trains its own weights.

    Raises:
        InputError: ``weights_of`` names no config that exists and is trained itself, or stands
            in an ensemble.
    """
    name = config.get('weights_of')
    if not name:
        return None
    if not isinstance(name, str):
        raise InputError(f'config {path}: weights_of must be the path of a config, got {name!r}')
    source = Path(os.path.normpath(Path(path).parent / name))
    found = _read_config(source)
    if 'ensemble' in config or 'ensemble' in found or found.get('weights_of'):
        raise InputError(f'config {path}: weights_of must name a config that is trained itself '
                         f'and stand in no ensemble, found {name}')
    return source


def ensemble_members(path, config: dict) -> list:
    """The configs whose predictions an ensemble averages.

    Args:
        path: the config file of the ensemble.
        config: what it resolves to.

    Returns:
        Paths of the members' config files; empty where ``config`` is no ensemble.

    Raises:
        InputError: ``ensemble`` does not name two or more different configs that exist and are
            no ensembles themselves.
    """
    if 'ensemble' not in config:
        return []
    names = (config['ensemble'] or {}).get('members') or ()
    members = [Path(os.path.normpath(Path(path).parent / name)) for name in names]
    if len(members) < 2 or len(set(members)) < len(members):
        raise InputError(f'config {path}: ensemble must name two or more different members, '
                         f'found {list(names)}')
    for member in members:
        if 'ensemble' in _read_config(member):
            raise InputError(f'config {path}: member {member} is an ensemble itself')
    return members


def _read_config(path) -> dict:
    from mmengine.config import Config
    if not Path(path).is_file():
        raise InputError(f'config {path} does not exist')
    replace_pkg_resources()
    try:
        return Config.fromfile(str(path), import_custom_modules=False).to_dict()
    except Exception as error:
        raise InputError(f'config {path} cannot be read: {error}') from error


def config_name(path) -> str:
    """Path of a config below its ``configs`` folder, without ``.py``.

    A config that lies under no ``configs`` folder is named by its own folder and stem. Two
    projects that keep their runs in one folder need different names below ``configs``.

    >>> config_name('any/where/configs/dcf/table1_components/full.py')
    'dcf/table1_components/full'
    """
    parts = Path(os.path.abspath(path)).with_suffix('').parts
    below = [i for i, part in enumerate(parts[:-1]) if part == 'configs']
    return '/'.join(parts[below[-1] + 1:] if below else parts[-2:])


def config_below(folder, name: str) -> Path:
    """The file of a config that some run says it is of.

    Reading a config executes it, and a run may come from anywhere: a name that leads out of the
    folder, by ``..``, as an absolute path or through a symbolic link, is refused.

    Args:
        folder: the ``configs`` folder.
        name: path below it, without ``.py``; see :func:`config_name`.

    Raises:
        InputError: there is no such file below the folder.
    """
    path = Path(folder) / f'{name}.py'
    if not path.resolve().is_relative_to(Path(folder).resolve()) or not path.is_file():
        raise InputError(f'there is no config {name!r} below {folder}')
    return path


def config_hash(config: dict) -> str:
    """Hash of all in a resolved config that can change the run's numbers.

    Args:
        config: as returned by :func:`load_config`; see :data:`VOLATILE_KEYS` for what is
            left out.

    Returns:
        16 hexadecimal digits.
    """
    return _sha(canonical_json(_without_volatile(copy.deepcopy(config))))


def training_length(config: dict) -> tuple | None:
    """``('epoch', n)`` or ``('iter', n)`` of a resolved config; ``None`` if it does not say."""
    train_cfg = config.get('train_cfg')
    train_cfg = train_cfg if isinstance(train_cfg, dict) else {}
    for unit in ('epoch', 'iter'):
        length = train_cfg.get(f'max_{unit}s')
        if isinstance(length, int):
            return unit, length
    return None


def canonical_json(value) -> str:
    """JSON with sorted keys and no spaces; tuples as lists, other objects by ``str``."""
    return json.dumps(value, sort_keys=True, separators=(',', ':'), default=str)


def _without_volatile(node, prefix=''):
    if isinstance(node, dict):
        return {
            key: _without_volatile(value, f'{prefix}{key}.')
            for key, value in node.items()
            if key not in VOLATILE_KEYS and f'{prefix}{key}' not in VOLATILE_KEYS
        }
    if isinstance(node, (list, tuple)):
        return [_without_volatile(item, prefix) for item in node]
    return node


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
