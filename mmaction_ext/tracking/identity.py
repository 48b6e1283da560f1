"""Who a run is: its config's path, its seed, and a hash of what the config resolves to.

Torch-free, so that tables build where torch is not installed.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmaction_ext.compat import MIM_NAME, replace_pkg_resources
from mmaction_ext.errors import InputError, did_you_mean
from mmaction_ext.files.reading import read_regular
from mmaction_ext.tracking import config_cache

#: a resolved config, or a part of one, as plain data
Settings = dict[str, Any]
LoadConfig = Callable[..., Settings]
#: what strings of a config have in the place of the fold
FOLD = '{fold}'
_INHERITED = re.compile(r'\{\{\s*_base_\.([\w.]+)\s*\}\}')
_FOLD_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]*')


@dataclass(frozen=True)
class HashRule:
    """What of a resolved config is no part of its hash.

    Attributes:
        keys: names of settings, wherever they stand, and dotted paths from the top.
        hooks: types of hooks, of any scope, in ``default_hooks`` and ``custom_hooks``.
    """

    keys: frozenset[str]
    hooks: frozenset[str] = frozenset()


_FORMER_RULE = HashRule(
    frozenset(
        {
            'work_dir',
            'launcher',
            'resume',
            'load_from_resume',
            'visualizer',
            'vis_backends',
            'log_level',
            'log_processor',
            'default_hooks.logger',
            'default_hooks.runtime_info',
            'env_cfg',
            'randomness.seed',
            'model_wrapper_cfg',
            'num_workers',
            'persistent_workers',
            'pin_memory',
            'prefetch_factor',
            'filename',
        }
    )
)
#: What cannot change a run's numbers, and so is no part of its recipe: where it runs, how it
#: logs, the processes that load its data; how many samples an evaluation takes at a time (but for
#: a loader that leaves some out, see :func:`batch_matters`) and how many views of them; how often
#: checkpoints are written (unless the last one may be missing) and how many are kept, as tables
#: take no number of an earlier one than they ask for; hooks that only report. How often is
#: validated is part of it: each validation draws a random number.
NO_RECIPE = HashRule(
    _FORMER_RULE.keys
    | {
        'val_dataloader.batch_size',
        'test_dataloader.batch_size',
        'model.test_cfg.max_testing_views',
        'default_hooks.timer',
        'default_hooks.visualization',
        'default_hooks.checkpoint.interval',
        'default_hooks.checkpoint.max_keep_ckpts',
        'checkpoint_interval',
        'find_unused_parameters',
    }
    | {
        f'{split}_dataloader.{name}'
        for split in ('train', 'val', 'test')
        for name in ('timeout', 'multiprocessing_context', 'pin_memory_device')
    },
    frozenset(
        {
            'LoggerHook',
            'RunLoggerHook',
            'MeanLossHook',
            'RuntimeInfoHook',
            'IterTimerHook',
            'VisualizationHook',
            'NaiveVisualizationHook',
            'ProfilerHook',
            'NPUProfilerHook',
            'EmptyCacheHook',
            'PredictionsHook',
            'WandbResultsHook',
            'DivergenceHook',
        }
    ),
)
#: Today's rule, then those by which runs were named before.
HASH_RULES = (NO_RECIPE, _FORMER_RULE)


@dataclass(frozen=True)
class RunIdentity:
    """One row of a table under one seed.

    Attributes:
        config: see :func:`config_name`.
        seed: the random seed.
        config_hash: one of :func:`config_hashes` of the resolved config.
        aliases: the others of them, which name the same run.
        fold: which fold of the data it is of; empty for a config without folds.
    """

    config: str
    seed: int
    config_hash: str
    aliases: tuple[str, ...] = field(default=(), compare=False)
    fold: str = field(default='', compare=False)

    @property
    def hashes(self) -> tuple[str, ...]:
        """All hashes that a run of the config may bear."""
        return (self.config_hash, *self.aliases)

    @property
    def facts(self) -> Settings:
        """What is recorded of it: ``config``, ``seed``, ``config_hash`` and ``fold``, if any."""
        facts: Settings = dict(config=self.config, seed=self.seed, config_hash=self.config_hash)
        return dict(facts, fold=self.fold) if self.fold else facts

    def named_as_in(self, facts: Settings) -> 'RunIdentity | None':
        """The same run by the hash that is on record; ``None`` if the record is of another run.

        Args:
            facts: what was recorded of some run, see :attr:`facts`.
        """
        digest = facts.get('config_hash')
        others = tuple(each for each in self.hashes if each != digest)
        if not isinstance(digest, str) or len(others) == len(self.hashes):
            return None
        named = replace(self, config_hash=digest, aliases=others)
        return named if named.facts.items() <= facts.items() else None

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
        """Id of the recipe under its seed, with which the W&B id of each of its runs begins.

        Runs of before that had a part of its own have it for an id.
        """
        return _sha(f'{self.config}|{self.seed}|{self.config_hash}')

    def work_dir(self, root: Path | str = 'work_dirs') -> str:
        """Folder of the run's logs and checkpoints below ``root``."""
        return (Path(root) / self.config / f'seed{self.seed}').as_posix()


def load_config(path: Path | str, fold: str = '') -> Settings:
    """Resolve a config with its ``_base_`` chain, importing none of its custom modules.

    A config of several folds of its data declares ``folds = (1, 2, 3)``, or names, and has
    ``{fold}`` in the strings that depend on it, such as ``'test_split{fold}.txt'``. In a fold it
    is what a file for this fold alone would be, with the same hash, and has the name of such a
    file (:func:`config_name`): folds are a shorter way to write such files down, no second part
    of a run's identity, and whatever reads runs knows theirs by config, seed and hash as before.
    What a config needs of others (``ensemble``, ``weights_of``) it takes of the same fold, if they
    have folds: test sets of one and the same network are folds, too.

    The config of an ensemble, ``ensemble = dict(members=['../a.py', '../b.py'])`` with paths
    relative to its own folder, gets the names and hashes of its members as
    ``ensemble.member_hashes``: its hash changes with theirs. So does a config that tests the
    weights of another one, ``weights_of = 'a.py'``, as ``weights_of_hashes``.

    Args:
        path: a config file.
        fold: one of its folds. A config with folds that is read without one keeps ``folds`` and
            ``{fold}``, and is that of no run.

    Returns:
        The resolved config as plain dicts, lists and scalars.

    Raises:
        InputError: the file, a member or the source of the weights does not exist, does not
            parse or has no such fold; the message names it.
    """
    return complete_config(path, in_fold(path, _read_config(path), fold), fold)


def in_fold(path: str | os.PathLike[str], config: Settings, fold: str = '') -> Settings:
    """A config as it is in one of its folds; see :func:`load_config`.

    Args:
        path: its file, for messages.
        config: what that resolves to, which is not changed.
        fold: the fold; empty for none.

    Raises:
        InputError: the config has no such fold, or its ``folds`` are no different names.
    """
    folds = config_folds(path, config)
    if not fold:
        return config
    if not folds:
        raise InputError(f'{path} has no folds, and so no fold {fold}')
    if fold not in folds:
        near = did_you_mean(fold, folds)
        raise InputError(f'{path} has the folds {", ".join(folds)}, but no fold {fold}{near}')
    other = Path(path).with_name(f'{Path(path).stem}_{fold_name(fold)}.py')
    if other.exists():
        raise InputError(f'{other} has the name of the fold {fold} of {path}')
    return {key: _filled(value, fold) for key, value in config.items() if key != 'folds'}


def config_folds(path: str | os.PathLike[str], config: Settings) -> tuple[str, ...]:
    """The folds that a config declares; empty without any.

    Raises:
        InputError: they are no sequence of different names.
    """
    declared = config.get('folds')
    if declared is None:
        return ()
    names = tuple(map(str, declared)) if isinstance(declared, (list, tuple)) else ()
    if not names or len(set(names)) < len(names) or not all(map(_FOLD_NAME.fullmatch, names)):
        raise InputError(
            f'folds of {path} must be different numbers or plain names, as (1, 2, 3), '
            f'got {declared!r}'
        )
    return names


def check_fold(path: str | os.PathLike[str], config: Settings, how: str) -> None:
    """Make sure that a config is in one of its folds, if it has any.

    Args:
        path: its file, for the message.
        config: as :func:`in_fold` gives it.
        how: how to name one.

    Raises:
        InputError: it is not.
    """
    folds = config_folds(path, config)
    if folds:
        raise InputError(f'{path} has the folds {", ".join(folds)}: {how}')


def _filled(node: Any, fold: str) -> Any:
    """A part of a config with the fold in its strings."""
    if isinstance(node, str):
        return node.replace(FOLD, fold)
    if isinstance(node, dict):
        return {key: _filled(value, fold) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(_filled(value, fold) for value in node)
    return node


def complete_config(path: str | os.PathLike[str], config: Settings, fold: str = '') -> Settings:
    """A config that was read as :func:`load_config` gives it: with the hashes of those it needs.

    Args:
        path: the config file.
        config: what it resolves to, which is changed in place.
        fold: the fold that it is in.

    Raises:
        InputError: ``weights_of`` names no config that exists and is trained itself, or stands
            in an ensemble; ``ensemble`` does not name two or more different configs that exist
            and are no ensembles themselves.
    """
    if not fold and config_folds(path, config):  # of no run
        return config
    source = weights_source(path, config)
    if source:
        found = _read_in_fold(source, fold)
        if 'ensemble' in config or 'ensemble' in found or found.get('weights_of'):
            raise InputError(
                f'config {path}: weights_of must name a config that is trained itself '
                f'and stand in no ensemble, found {config["weights_of"]}'
            )
        name = config_name(source, *shared_fold(source, fold))
        config['weights_of_hashes'] = {name: config_hashes(found)}
    if 'ensemble' in config:
        members = ensemble_members(path, config)
        if len(members) < 2 or len(set(members)) < len(members):
            names = (config['ensemble'] or {}).get('members') or ()
            raise InputError(
                f'config {path}: ensemble must name two or more different members, '
                f'found {list(names)}'
            )
        contents = {member: _read_in_fold(member, fold) for member in members}
        for member, content in contents.items():
            if 'ensemble' in content:
                raise InputError(f'config {path}: member {member} is an ensemble itself')
        config['ensemble']['member_hashes'] = {
            config_name(member, *own): config_hashes(complete_config(member, content, *own))
            for member, content in contents.items()
            for own in [shared_fold(member, fold)]
        }
    return config


def weights_source(path: str | os.PathLike[str], config: Settings) -> Path | None:
    """The config whose run's weights a config is tested with, instead of training its own.

    Args:
        path: the config file.
        config: what it resolves to; its ``weights_of`` is a path relative to the file's folder.

    Returns:
        Path of that config file; ``None`` where ``config`` trains its own weights.

    Raises:
        InputError: ``weights_of`` is no path.
    """
    name = config.get('weights_of')
    if not name:
        return None
    if not isinstance(name, str):
        raise InputError(f'config {path}: weights_of must be the path of a config, got {name!r}')
    return Path(os.path.normpath(Path(path).parent / name))


def ensemble_members(path: str | os.PathLike[str], config: Settings) -> list[Path]:
    """The configs whose predictions an ensemble averages.

    Args:
        path: the config file of the ensemble.
        config: what it resolves to.

    Returns:
        Paths of the members' config files; empty where ``config`` is no ensemble.
    """
    names = (config.get('ensemble') or {}).get('members') or ()
    return [Path(os.path.normpath(Path(path).parent / name)) for name in names]


def shared_fold(path: Path, fold: str = '') -> tuple[str, ...]:
    """The fold in which a config is needed by one that is in a fold: the same, if it has folds.

    Args:
        path: its file.
        fold: that of the one that needs it; empty for none.

    Returns:
        What :func:`load_config` and :func:`config_name` take behind ``path``.
    """
    return (fold,) if fold and config_folds(path, _read_config(path)) else ()


def _read_in_fold(path: Path, fold: str) -> Settings:
    """What another config resolves to in the same fold."""
    config = in_fold(path, _read_config(path), *shared_fold(path, fold))
    check_fold(path, config, 'what takes its weights or predictions must have them, too')
    return config


def _read_config(path: Path | str) -> Settings:
    if not Path(path).is_file():
        raise InputError(f'config {path} does not exist')
    found = config_cache.kept(path)
    if found is not None:
        return found
    from mmengine.config import Config

    replace_pkg_resources()
    try:
        found = unscoped(Config.fromfile(str(path), import_custom_modules=False).to_dict())
    except Exception as error:
        raise InputError(f'config {path} cannot be read: {error}') from error
    chain = dict(config_chain(path)).values()
    _check_inherited(path, found, chain)
    config_cache.keep(path, found, chain, config_hashes)
    return found


def _check_inherited(path: Path | str, config: Settings, chain: Iterable[str]) -> None:
    """See that no ``{{_base_.key}}`` is left inside a text.

    mmengine runs a config with a word in its place, and puts the value where a whole value is that
    word, but not where a function has made it part of another one.
    """
    texts = (read_regular(Path(file)).decode(errors='replace') for file in chain)
    names = {name for text in texts for name in _INHERITED.findall(text)}
    word = '|'.join(map(re.escape, sorted(names)))
    left = names and re.search(rf"'[^']*_({word})_[0-9a-f]{{6}}[^']*'", repr(config))
    if left:
        raise InputError(
            f'config {path}: {{{{_base_.{left[1]}}}}} stands for a whole value, not for part of a '
            f'text ({left[0]}): write it out'
        )


def config_chain(path: Path | str) -> list[tuple[str, str]]:
    """A config and all that it inherits from, itself first.

    Args:
        path: the config file, which can be read.

    Returns:
        (name, file) pairs: the path from ``configs/`` on, of another package as in ``_base_``
        (``mmaction::...``).
    """
    replace_pkg_resources()  # which a config that is kept was read without
    found, waiting = [], [(f'configs/{config_name(path)}.py', str(path))]
    while waiting:
        name, file = waiting.pop(0)
        found.append((name, file))
        waiting += _bases(file)
    return found


def _bases(file: str) -> list[tuple[str, str]]:
    from mmengine.config import Config

    bases = []
    for base in Config._get_base_files(file):
        place, _ = Config._get_cfg_path(base, file)
        bases.append((base if '::' in base else f'configs/{config_name(place)}.py', place))
    return bases


def unscoped(node: Any) -> Any:
    """A config, or a part of one, without the scope of what it inherits from this package.

    mmengine notes it (``_base_ = 'mmaction_ext::...'``), and it changes nothing, see
    :mod:`mmaction_ext.registry`: an inherited row is the row.
    """
    if isinstance(node, dict):
        return {
            key: unscoped(value)
            for key, value in node.items()
            if (key, value) != ('_scope_', MIM_NAME)
        }
    return type(node)(map(unscoped, node)) if isinstance(node, (list, tuple)) else node


def config_name(path: str | os.PathLike[str], fold: str = '') -> str:
    """Path of a config below its ``configs`` folder, without ``.py``, then ``_`` and the fold.

    So a fold has the name that a file for it alone would have, and runs of such files are its own.

    A config that lies under no ``configs`` folder is named by its own folder and stem. Two
    projects that keep their runs in one folder need different names below ``configs``.

    >>> config_name('any/where/configs/dcf/table1_components/full.py')
    'dcf/table1_components/full'
    >>> config_name('configs/own/tsm.py', '2'), config_name('configs/own/tsm.py', 'ann')
    ('own/tsm_fold2', 'own/tsm_ann')
    """
    parts = Path(os.path.abspath(path)).with_suffix('').parts
    below = [i for i, part in enumerate(parts[:-1]) if part == 'configs']
    name = '/'.join(parts[below[-1] + 1 :] if below else parts[-2:])
    return f'{name}_{fold_name(fold)}' if fold else name


def fold_name(fold: str) -> str:
    """What stands for a fold in names of configs and rows: itself, but ``fold2`` for a number."""
    return f'fold{fold}' if fold.isdecimal() else fold


def config_below(folder: Path | str, name: str) -> tuple[Path, str]:
    """The file of a config that some run says it is of, and the fold, or nothing.

    Reading a config executes it, and a run may come from anywhere: a name that leads out of the
    folder, by ``..``, as an absolute path or through a symbolic link, is refused.

    Args:
        folder: the ``configs`` folder.
        name: path below it, without ``.py``; see :func:`config_name`.

    Raises:
        InputError: there is no such file below the folder.
    """
    cuts = (found.start() for found in re.finditer('_(?=[^/]+$)', name))
    for stem, end in ((name, ''), *((name[:cut], name[cut + 1 :]) for cut in cuts)):
        fold = re.sub(r'^fold(?=\d+$)', '', end)
        path = Path(folder) / f'{stem}.py'
        try:
            if path.resolve().is_relative_to(Path(folder).resolve()) and path.is_file():
                return path, fold
        except (OSError, ValueError):  # a name that no file can have
            pass
    raise InputError(f'there is no config {name[:200]!r} below {folder}')


def config_hash(config: Settings) -> str:
    """Hash of all in a resolved config that can change the run's numbers.

    Args:
        config: as returned by :func:`load_config`; see :data:`NO_RECIPE` for what is left out.

    Returns:
        16 hexadecimal digits.
    """
    return config_hashes(config)[0]


def config_hashes(config: Settings) -> tuple[str, ...]:
    """All hashes that a run of a config may bear: by today's rule, then by earlier ones.

    Whoever asks whether a run is one of a config looks for the run's hash among these.

    Args:
        config: as for :func:`config_hash`.
    """
    return config_cache.known_hashes(config) or tuple(
        json_digest(_recipe(config, rule)) for rule in HASH_RULES
    )


def network_hash(configs: Iterable[Settings]) -> str:
    """Hash of what decides how many parameters and multiply-adds there are.

    That is the model and the shape of a view; a learning rate, a list or a name changes neither.

    Args:
        configs: resolved: one, or those of the members of an ensemble.

    Returns:
        16 hexadecimal digits.
    """
    return json_digest(
        [[config.get('model'), config.get('input_shape') or ()] for config in configs]
    )


def network_of(
    path: str | os.PathLike[str], load: LoadConfig = load_config, fold: str = ''
) -> str:
    """:func:`network_hash` of a config file, in one of its folds or, if they share it, in none.

    Raises:
        InputError: it, or a member of an ensemble, cannot be read.
    """
    in_fold = (fold,) if fold else ()
    config = load(path, *in_fold)
    members = ensemble_members(path, config)
    parts = [load(each, *shared_fold(each, fold)) for each in members]
    return network_hash(parts or [config])


def training_length(config: Mapping[str, Any]) -> tuple[str, int] | None:
    """``('epoch', n)`` or ``('iter', n)`` of a resolved config; ``None`` if it does not say."""
    train_cfg = config.get('train_cfg')
    train_cfg = train_cfg if isinstance(train_cfg, dict) else {}
    for unit in ('epoch', 'iter'):
        length = train_cfg.get(f'max_{unit}s')
        if isinstance(length, int):
            return unit, length
    return None


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; tuples as lists, other objects by ``str``."""
    return json.dumps(value, sort_keys=True, separators=(',', ':'), default=str)


def json_digest(value: Any) -> str:
    """16 hexadecimal digits of the SHA-256 of a value's :func:`canonical_json`."""
    return _sha(canonical_json(value))


_HOOK_PLACES = ('default_hooks.', 'custom_hooks.')
_HASH_PLACES = ('weights_of_hashes.', 'ensemble.member_hashes.')


def _recipe(node: Any, rule: HashRule, prefix: str = '') -> Any:
    """A config, or the part of one below ``prefix``, without what a rule leaves out.

    By today's rule nor does it matter whether what then is empty was there.
    """
    if prefix in _HASH_PLACES:
        return {name: hashes[HASH_RULES.index(rule)] for name, hashes in node.items()}
    if isinstance(node, dict):
        kept = {
            key: (value, _recipe(value, rule, f'{prefix}{key}.'))
            for key, value in node.items()
            if not _is_left_out(node, key, rule, prefix)
        }
        return {
            key: recipe
            for key, (value, recipe) in kept.items()
            if recipe or not value or rule is _FORMER_RULE
        }
    if isinstance(node, (list, tuple)):
        return [
            _recipe(item, rule, prefix)
            for item in node
            if not (prefix in _HOOK_PLACES and _hook_type(item) in rule.hooks)
        ]
    return node


def _is_left_out(node: Settings, key: str, rule: HashRule, prefix: str) -> bool:
    if key == 'batch_size' and batch_matters(node):
        return False
    if f'{prefix}{key}' == 'default_hooks.checkpoint.interval' and not node.get('save_last', True):
        return False
    return (
        key in rule.keys
        or f'{prefix}{key}' in rule.keys
        or (prefix in _HOOK_PLACES and _hook_type(node[key]) in rule.hooks)
    )


def batch_matters(loader: Settings) -> bool:
    """Whether the size of the batches of an evaluation decides which samples are evaluated.

    Args:
        loader: config of its loader, which may drop the last samples, itself or by its
            ``batch_sampler``, or take ``num_batch_per_epoch`` batches and no more.
    """
    sampler = loader.get('batch_sampler')
    return bool(
        loader.get('drop_last')
        or loader.get('num_batch_per_epoch')
        or (isinstance(sampler, dict) and sampler.get('drop_last'))
    )


def _hook_type(hook: Any) -> str | None:
    """Name of a hook's class, without scope or module."""
    kind = hook.get('type') if isinstance(hook, dict) else None
    return getattr(kind, '__name__', None) or str(kind).rpartition('.')[2]


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
