"""Everything that can be known to be wrong before training time is spent."""

import contextlib
import copy
import inspect
import os
import os.path as osp
import re
import tempfile
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

from mmaction.datasets import RawframeDataset, VideoDataset
from mmaction.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
    VISBACKENDS,
    VISUALIZERS,
)
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.dist import is_main_process
from mmengine.registry import DefaultScope, Registry
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmaction_ext.datasets.configs import dataset_config, inner_datasets, unwrapped
from mmaction_ext.datasets.frame_names import FrameNames, MixedNames, listed_names, name_frames
from mmaction_ext.datasets.guarded import GuardedRawframeDataset
from mmaction_ext.engine.initial_weights import is_pretrained, names_weights
from mmaction_ext.errors import InputError, check_at_least, did_you_mean, last_line
from mmaction_ext.models import clips
from mmaction_ext.models.building import build_model, unregistered
from mmaction_ext.models.complexity import check_shape, count_model
from mmaction_ext.models.host.building import is_timm
from mmaction_ext.printable import clean
from mmaction_ext.tracking.identity import (
    batch_matters,
    config_below,
    network_hash,
    unscoped,
)

#: how many missing videos an error names
SHOWN = 3
#: fields of a line of the lists that these data sets, and those derived, read
FIELDS = {VideoDataset: 2, RawframeDataset: 3, GuardedRawframeDataset: 3}
#: settings of a loader that are whole numbers, and the least of them
LEAST = dict(batch_size=1, num_workers=0, prefetch_factor=1)
#: settings of a loader that the runner makes something else of
MADE_SETTINGS = (
    'dataset',
    'sampler',
    'batch_sampler',
    'collate_fn',
    'worker_init_fn',
    'num_batch_per_epoch',
)
#: registries whose classes get all settings that a config has for them
TAKING_ALL = (DATASETS, LOOPS, OPTIMIZERS, TRANSFORMS)
#: a data set without samples
_NOTHING: Any = ()
#: settings of a loader that say how its worker processes work
WORKER_SETTINGS = ('persistent_workers', 'prefetch_factor', 'timeout', 'multiprocessing_context')


def check_output_folder(folder: str) -> None:
    """Make sure a folder exists (it is made) and takes files.

    Raises:
        InputError: it cannot be made or written, with the system's reason.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b'\0' * 4096)
            file.flush()
    except OSError as error:
        raise InputError(f'output folder {folder} cannot be written: {error.strerror}') from error


def check_trainable(cfg: Config) -> None:
    """Make sure that a config has what training needs; one that only tests lacks it.

    Raises:
        InputError: naming what is missing.
    """
    missing = [
        key
        for key in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
        if not cfg.get(key)
    ]
    if missing:
        raise InputError(f'{cfg.filename} cannot be trained: it has no {", ".join(missing)}')


def check_initial_weights(cfg: Config) -> None:
    """Make sure that the files a run starts from exist; addresses are not tried.

    They are ``load_from`` and, anywhere in the model, the ``checkpoint`` of an ``init_cfg`` of
    the type ``Pretrained``, ``pretrained`` and timm's ``checkpoint_path``.

    Raises:
        InputError: one does not; the message names its key and says what makes it.
    """
    found = [('load_from', cfg.get('load_from')), *_initial_weights(cfg.get('model'), 'model')]
    for key, path in found:
        if names_weights(path) and '://' not in path and not osp.isfile(osp.expanduser(path)):
            raise InputError(
                f'{cfg.filename} starts from {path}, which does not exist ({key})'
                f'{_maker(key, path)}'
            )


def _initial_weights(node: Any, where: str) -> list[tuple[str, Any]]:
    """What the parts of a model start from, as its config has it, each by its key."""
    if isinstance(node, (list, tuple)):
        nodes = {f'{where}[{index}]': each for index, each in enumerate(node)}
        return [found for key, each in nodes.items() for found in _initial_weights(each, key)]
    if not isinstance(node, dict):
        return []
    keys = ['pretrained'] + ['checkpoint'] * is_pretrained(node)
    keys += ['checkpoint_path'] * is_timm(node)
    return [(f'{where}.{key}', node[key]) for key in keys if key in node] + [
        found for key, each in node.items() for found in _initial_weights(each, f'{where}.{key}')
    ]


def _maker(key: str, path: str) -> str:
    """What makes a checkpoint: the run in whose folder it lies, or the conversion of a file.

    None of a paper's code is converted for timm.
    """
    run = re.search(r'work_dirs/(.+)/seed(\d+)/[^/]+$', path)
    if run:
        config, fold = Path('configs', f'{run[1]}.py'), ''
        with contextlib.suppress(InputError):
            config, fold = config_below('configs', run[1])
        option = f' --fold {fold}' if fold else ''
        return f'; first run mmaction-ext train {config.as_posix()}{option} --seed {run[2]}'
    return '' if key.endswith('checkpoint_path') else '; mmaction-ext convert makes such a file'


def check_datasets(cfg: Config, splits: Sequence[str] = ('train', 'val', 'test')) -> None:
    """Make sure each split's annotation list is readable, not empty, and its videos exist.

    Whatever the registry takes for a data set is checked: named with or without a scope, or given
    as a class, also inside wrappers (``RepeatDataset``, ``ConcatDataset``). One that reads its
    list in a way of its own is built, and its labels are looked at.

    What is tested on must list its samples (``get_data_info`` of mmengine's ``BaseDataset``), with
    their files and labels: a result is tied to the digest of that list, so that results of other
    samples are never compared. Training and validation take any data set of torch's.

    Raises:
        InputError: naming the list, the line and the missing or malformed entry; or the loader
            and the class that lists no samples.
    """
    num_classes = _num_classes(cfg)
    for split in splits:
        dataset = dataset_config(cfg, split)
        if split == 'test' and dataset:
            _check_listed(f'test_dataloader of {cfg.filename}', dataset)
        for inner in _listing(dataset):
            if _fields(inner):
                check_annotations(inner, num_classes)
            else:
                _check_labels(inner, num_classes, split == 'test')


def check_loaders(cfg: Config, splits: Sequence[str] = ('train', 'val', 'test')) -> None:
    """Make loaders without worker processes such, and see whether torch takes their settings.

    Where ``num_workers`` is 0, as for debugging, what only workers need is dropped from the config
    (:data:`WORKER_SETTINGS`): torch would refuse it, for the test loader after all of training.

    Raises:
        InputError: naming the loader and what is wrong with it. torch itself would find some of
            it only when it makes the worker processes.
    """
    for split in splits:
        loader: dict[str, Any] = cfg.get(f'{split}_dataloader') or {}
        if not loader.get('num_workers'):
            for name in WORKER_SETTINGS:
                loader.pop(name, None)
        settings = {name: value for name, value in loader.items() if name not in MADE_SETTINGS}
        try:
            for name, least in LEAST.items():
                if name in settings and (name, settings[name]) != ('prefetch_factor', None):
                    check_at_least(name, settings[name], least)
            DataLoader(_NOTHING, sampler=(), **settings)
        except (TypeError, ValueError) as error:
            raise InputError(
                f'{split}_dataloader of {cfg.filename} cannot be used: {last_line(error)}'
            ) from error


def check_types(cfg: Config) -> None:
    """See whether all that the runner builds beside model and metrics is registered.

    Raises:
        InputError: something is not, or takes no such argument; with what is named like it.
    """
    places: list[tuple[str, Registry, Any]] = [
        ('default_hooks', HOOKS, list((cfg.get('default_hooks') or {}).values())),
        ('custom_hooks', HOOKS, cfg.get('custom_hooks')),
        ('param_scheduler', PARAM_SCHEDULERS, cfg.get('param_scheduler')),
        ('optim_wrapper', OPTIM_WRAPPERS, cfg.get('optim_wrapper')),
        ('optim_wrapper', OPTIMIZERS, (cfg.get('optim_wrapper') or {}).get('optimizer')),
        ('visualizer', VISUALIZERS, cfg.get('visualizer')),
        ('visualizer', VISBACKENDS, (cfg.get('visualizer') or {}).get('vis_backends')),
        *((name, LOOPS, cfg.get(name)) for name in ('train_cfg', 'val_cfg', 'test_cfg')),
    ]
    for split in ('train', 'val', 'test'):
        name = f'{split}_dataloader'
        loader = cfg.get(name) or {}
        places += [(name, DATA_SAMPLERS, loader.get(key)) for key in ('sampler', 'batch_sampler')]
        datasets = [dataset_config(cfg, split)]
        for dataset in datasets:  # and those that wrappers among them hold
            datasets += inner_datasets(dataset)
            places.append((name, DATASETS, dataset))
            places.append((name, TRANSFORMS, dataset.get('pipeline')))
    with DefaultScope.overwrite_default_scope('mmaction'):
        for name, registry, found in places:
            for each in found if isinstance(found, (list, tuple)) else [found]:
                _check_type(each, registry, f'{name} of {cfg.filename}')


def _check_type(config: Any, registry: Registry, where: str) -> None:
    """Refuse a part of a config whose type is not registered; call it in mmaction2's scope.

    Arguments that its type does not take are refused, too, where mmengine hands on all of them.
    """
    kind = config.get('type') if isinstance(config, dict) else None
    if not isinstance(kind, str):
        return
    found = registry.get(kind)
    if found is None:
        raise InputError(f'{where}: {unregistered(kind, registry)}')
    if registry not in TAKING_ALL:
        return
    parameters = inspect.signature(found).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return
    for name in config:
        if name not in (*parameters, 'type', '_scope_'):
            raise InputError(
                f'{where}: {registry.name} {kind!r} takes no {name!r}'
                + did_you_mean(name, parameters)
            )


def check_evaluators(cfg: Config, splits: Sequence[str] = ('val', 'test')) -> None:
    """Build the metrics; the runner builds those of the test after all of training.

    Raises:
        InputError: naming the evaluator and what is wrong with it, for an unknown metric also
            those that are named like it.
    """
    for split in splits:
        evaluator = cfg.get(f'{split}_evaluator')
        if split == 'train' or not evaluator:
            continue
        where = f'{split}_evaluator of {cfg.filename}'
        has_metrics = isinstance(evaluator, dict) and 'metrics' in evaluator
        metrics = evaluator['metrics'] if has_metrics else evaluator
        with DefaultScope.overwrite_default_scope('mmaction'):
            for metric in metrics if isinstance(metrics, (list, tuple)) else [metrics]:
                _check_type(metric, METRICS, where)
            try:
                Runner.build_evaluator(None, copy.deepcopy(evaluator))
            except Exception as error:  # a metric of anyone's
                raise InputError(f'{where} cannot be built: {last_line(error)}') from error


def check_testing_views(cfg: Config, splits: Sequence[str] = ('val', 'test')) -> None:
    """Give evaluations whose samples go through the model in parts one sample at a time.

    ``model.test_cfg.max_testing_views`` is how many views of a sample ``Recognizer3D`` takes at
    once; it wants batches of one sample then, and gets them. In ``Recognizer2D`` of mmaction2 1.2
    the setting works for no backbone: it asks the module for ``get``, as if it were a dict.

    Raises:
        InputError: the setting is no number of views, the model is a 2-D recognizer, or a loader
            chooses its samples by the size of its batches.
    """
    views = (cfg.model.get('test_cfg') or {}).get('max_testing_views')
    loaders: dict[str, Any] = {
        f'{split}_dataloader': cfg.get(f'{split}_dataloader') or {}
        for split in splits
        if split != 'train'
    }
    if not views or not any(loaders.values()):
        return
    setting = f'model.test_cfg.max_testing_views={views!r} of {cfg.filename}'
    if not isinstance(views, int) or views < 0:
        raise InputError(f'{setting} must be a number of views')
    kind = cfg.model.type
    with DefaultScope.overwrite_default_scope('mmaction'):
        kind = MODELS.get(kind) if isinstance(kind, str) else kind
    if issubclass(kind, clips.Recognizer2D):
        raise InputError(
            f'{setting} is for 3-D recognizers: mmaction2 cannot test a 2-D one with '
            'it; a smaller batch_size of the loaders saves memory too'
        )
    if not issubclass(kind, clips.Recognizer3D):
        return
    changed = {
        name: loader for name, loader in loaders.items() if loader.get('batch_size', 1) != 1
    }
    for name, loader in changed.items():
        if batch_matters(loader):
            raise InputError(
                f'{setting} needs {name}.batch_size=1, but there it decides which '
                'samples are evaluated'
            )
        loader.batch_size = 1
    if changed and is_main_process():
        print(f'{clean(setting)}: batch_size of {" and ".join(changed)} is 1')


def _num_classes(cfg: Config) -> int | None:
    """Outputs of the classifier, also of one inside another head."""
    head = (cfg.get('model') or {}).get('cls_head') or {}
    while 'num_classes' not in head and isinstance(head.get('head'), dict):
        head = head['head']
    return head.get('num_classes')


def _check_listed(where: str, dataset: dict[str, Any]) -> None:
    kind = _kind(dataset)
    if not hasattr(kind, 'get_data_info'):
        raise InputError(
            f'{where}: {getattr(kind, "__name__", dataset.get("type"))} does not list '
            'its samples (get_data_info): an mmengine BaseDataset is needed, as '
            'results are tied to the digest of its list'
        )
    for inner in inner_datasets(dataset):
        _check_listed(where, inner)


def _listing(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """Configs of mmengine's data sets, also of those in wrappers."""
    kinds = [(each, _kind(each)) for each in unwrapped(dataset)]
    return [
        each for each, kind in kinds if isinstance(kind, type) and issubclass(kind, BaseDataset)
    ]


def _kind(dataset: dict[str, Any]) -> Any:
    """The class of a data set, or what stands for none; a name is looked up as the runner does."""
    kind = dataset.get('type')
    return DATASETS.get(kind) if isinstance(kind, str) else kind


def _fields(dataset: dict[str, Any]) -> int | None:
    """Fields of a line of its list; ``None`` where the data set reads it in a way of its own."""
    kind = _kind(dataset)
    return next(
        (
            fields
            for base, fields in FIELDS.items()
            if issubclass(kind, base) and kind.load_data_list is base.load_data_list
        ),
        None,
    )


def _check_labels(dataset: dict[str, Any], num_classes: int | None, tested: bool) -> None:
    name = dataset.get('ann_file') or _kind(dataset).__name__
    with DefaultScope.overwrite_default_scope('mmaction'):
        built = DATASETS.build(copy.deepcopy(dataset))
    built.full_init()
    for index in range(len(built)):
        try:
            info = built.get_data_info(index)
        except IndexError as error:  # mmaction2's, of a label beyond its vector of several
            raise InputError(f'{name}: labels of sample {index}: {last_line(error)}') from error
        label = info.get('label')
        if tested and (label is None or not (info.get('filename') or info.get('frame_dir'))):
            raise InputError(
                f'{name}: sample {index} has no label, or no filename or frame_dir, '
                'by which results are tied to the samples tested on'
            )
        for each in label if isinstance(label, (list, tuple)) else (label,):
            if num_classes is None or not isinstance(each, Integral):
                continue
            if not 0 <= int(each) < num_classes:
                raise InputError(
                    f'{name}: label {each} of sample {index} is not among the '
                    f'{num_classes} classes of the model'
                )


def check_annotations(dataset: dict[str, Any], num_classes: int | None = None) -> None:
    """Check the list of one data set of :data:`FIELDS`; see :func:`check_datasets`.

    Where ``on_error='replace'`` says that training goes on without a video it cannot read, some
    may be missing, but not all. A label outside the classes is an error in any case: it means
    another list or another model.

    Args:
        dataset: its config.
        num_classes: outputs of the classifier; labels must lie below.
    """
    ann_file = osp.join(dataset.get('data_root') or '', dataset['ann_file'])
    if dataset.get('multi_class'):  # whose labels become vectors of the data set's own length
        own = dataset.get('num_classes')
        if own is None or own != (own if num_classes is None else num_classes):
            raise InputError(
                f'{ann_file}: multi_class needs the num_classes of the model, '
                f'{num_classes}, in the data set, got {own}'
            )
        num_classes = own
    entries = _read_annotations(ann_file, dataset, num_classes)
    prefix = next(iter((dataset.get('data_prefix') or {'': ''}).values()))
    prefix = osp.join(dataset.get('data_root') or '', prefix)
    missing = [name for name in entries if not osp.exists(osp.join(prefix, name))]
    replaces = dataset.get('on_error') == 'replace' and not dataset.get('test_mode')
    if missing and not (replaces and len(missing) < len(entries)):
        raise InputError(
            f'{ann_file}: {len(missing)} of {len(entries)} entries are not below '
            f'{prefix}, first: {", ".join(missing[:SHOWN])}'
        )
    if issubclass(_kind(dataset), RawframeDataset) and not replaces:
        _check_frame_names(dataset, ann_file, osp.join(prefix, entries[0]))


def _check_frame_names(dataset: dict[str, Any], ann_file: str, folder: str) -> None:
    """Make sure that frames are named as the data set looks for them, by one folder of them."""
    if dataset.get('modality', 'RGB') != 'RGB' or dataset.get('with_offset'):
        return  # two templates in one, or frames from anywhere on
    names = FrameNames(
        dataset.get('filename_tmpl', 'img_{:05}.jpg'), dataset.get('start_index', 1)
    )
    if issubclass(_kind(dataset), GuardedRawframeDataset):
        names = listed_names(ann_file, names)
    found: FrameNames | MixedNames | None
    try:
        files = os.listdir(folder)
        first = names.name(names.start_index)
        if first in files and (names.start_index != 1 or names.name(0) not in files):
            return
        found, _ = name_frames(files)
    except OSError as error:
        raise InputError(f'{folder}: {error.strerror}') from error
    except (LookupError, TypeError) as error:
        raise InputError(
            f'filename_tmpl {names.filename_tmpl!r} of {ann_file} makes no name of a '
            f'number: {error}'
        ) from error
    except MixedNames as error:
        found = error
    if found:
        raise InputError(
            f'{folder}: frames {names} are looked for, but there are {found}: run '
            'mmaction-ext prepare, beside whose lists GuardedRawframeDataset finds '
            'what frames are named, or set filename_tmpl and start_index'
        )


def _read_annotations(
    ann_file: str, dataset: dict[str, Any], num_classes: int | None
) -> list[str]:
    fields = (_fields(dataset) or 0) + bool(dataset.get('with_offset'))
    delimiter = dataset.get('delimiter', ' ')
    try:
        with open(ann_file, encoding='utf-8') as file:
            lines = [line.strip().split(delimiter) for line in file]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise InputError(f'annotation list {ann_file} cannot be read: {reason}') from error
    if not lines:
        raise InputError(f'annotation list {ann_file} is empty')
    if lines[0][0].startswith('\ufeff'):
        raise InputError(
            f'{ann_file}:1: begins with a byte order mark, which would count as part '
            'of the first name: save the file as UTF-8 without it'
        )
    several = bool(dataset.get('multi_class'))
    for number, line in enumerate(lines, 1):
        sound = len(line) >= fields if several else len(line) == fields
        if not sound or not all(part.isdecimal() for part in line[1:]):
            raise InputError(
                f'{ann_file}:{number}: expected {fields} fields'
                f'{" or more" * several}, name first, '
                f'numbers after, got {delimiter.join(line)!r}'
            )
        for label in line[fields - 1 :]:
            if num_classes is not None and int(label) >= num_classes:
                raise InputError(
                    f'{ann_file}:{number}: label {label} of {line[0]} is not below '
                    f'the {num_classes} classes of the model'
                )
    return [line[0] for line in lines]


def check_frames(
    cfg: Config, model: nn.Module, splits: Sequence[str] = ('train', 'val', 'test')
) -> None:
    """Make sure that pipelines give clips as long as those that the model was built for.

    What a pipeline gives is found out by its own step that chooses frames, on a long video.
    Several clips are sound where the step says so (``num_clips`` of ``clip_len`` frames,
    ``twice_sample``, places of ``DenseSampleFrames``). Of a 3-D model, which takes clips of any
    length, another one than ``input_shape`` has is told only.

    Args:
        cfg: the config.
        model: its model, on whatever device.
        splits: those whose loaders are looked at.

    Raises:
        InputError: naming the loader, what it gives, and what the model was built for.
    """
    lengths, is_2d = clips.built_for(model), isinstance(model, clips.Recognizer2D)
    for split in splits:
        for dataset in _listing(dataset_config(cfg, split)):
            sampled = _sampled(dataset.get('pipeline') or ())
            if sampled is None:
                continue
            where = f'{cfg.filename}: {split}_dataloader'
            for key, length in lengths.items():
                _check_clip(where, sampled, key, length, is_2d)
            stated = (cfg.get('input_shape') or (None, None))[1]
            if not lengths and not is_2d and stated not in (None, sampled.clip_len):
                print(
                    f'{where} gives clips of {sampled.clip_len} frames, input_shape has {stated}'
                )


class _Sampled(NamedTuple):
    """What a step chooses of a long video: all frames, and those of a clip, and by what keys."""

    frames: int
    clip_len: int
    num_clips: int
    step: str


def _sampled(pipeline: Sequence[dict[str, Any]]) -> _Sampled | None:
    """``None`` where no step says how many frames there are, or they become something else."""
    formats = [step for step in pipeline if step.get('input_format')]
    steps = [step for step in pipeline if 'clip_len' in step or 'num_segments' in step]
    if not steps or any(step['input_format'] not in ('NCHW', 'NCTHW') for step in formats):
        return None
    with DefaultScope.overwrite_default_scope('mmaction'):
        try:
            sample = TRANSFORMS.build(copy.deepcopy(steps[0]))
            found = sample(dict(total_frames=1000, start_index=0, modality='RGB'))
            return _Sampled(
                len(found['frame_inds']),
                found.get('clip_len', 1),
                found.get('num_clips', 1),
                type(sample).__name__,
            )
        except InputError:
            raise
        except Exception:  # a step of anyone's, which may want to know more of a video
            return None


def _check_clip(where: str, sampled: _Sampled, key: str, length: int, is_2d: bool) -> None:
    # mmaction2 writes a clip of segments for 2-D models as so many clips of one frame
    clip_len = sampled.clip_len if sampled.clip_len > 1 or not is_2d else sampled.num_clips
    given = sampled.frames if is_2d else clip_len
    if given != length and (clip_len != length or given % length):
        raise InputError(
            f'{where} gives {sampled.frames} frames a video, in clips of {clip_len} '
            f'({sampled.step}: num_segments, clip_len or num_clips), but the model '
            f'was built for {key}={length}'
        )


def check_model(cfg: Config) -> tuple[nn.Module, dict[str, Any]]:
    """Build the model on the meta device and run one clip of ``cfg.input_shape`` through it.

    Catches what a wrong stage, an unknown module or a clip too short for the module would
    break, before any data is read.

    Returns:
        The model on the meta device, for evaluation, and ``{'params': int, 'macs': int,
        'input_shape': list, 'network': str}`` (see :func:`network_hash`); no ``macs`` where the
        config states no ``input_shape`` (C, T, H, W).

    Raises:
        InputError: with the config's file name and what the model says.
    """
    shape, num_segments = cfg.get('input_shape'), cfg.model.backbone.get('num_segments')
    if shape and num_segments and shape[1] != num_segments:
        raise InputError(
            f'{cfg.filename}: num_segments is {num_segments}, but input_shape has '
            f'{shape[1]} frames'
        )
    try:
        view = check_shape(shape or ())
        model = build_model(cfg.model, 'meta', with_checkpointing=True)
        complexity = count_model(model, view)
    except ValueError as error:
        raise InputError(f'{cfg.filename}: {error}') from error
    return model, dict(
        params=complexity.params,
        macs=complexity.macs,
        input_shape=list(complexity.input_shape),
        network=network_hash([unscoped(cfg.to_dict())]),
    )
