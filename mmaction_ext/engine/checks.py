"""Everything that can be known to be wrong before training time is spent."""

import os
import os.path as osp
import re
import tempfile

from mmengine.config import Config

from mmaction_ext.errors import InputError

#: how many missing videos an error names
SHOWN = 3
#: data sets whose annotation lists are checked, and the fields of a line
KINDS = {'VideoDataset': 2, 'GuardedVideoDataset': 2,
         'RepeatAugDataset': 2, 'RepeatedVideoDataset': 2,
         'RawframeDataset': 3, 'GuardedRawframeDataset': 3}


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
    missing = [key for key in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
               if not cfg.get(key)]
    if missing:
        raise InputError(f'{cfg.filename} cannot be trained: it has no {", ".join(missing)}')


def check_initial_weights(cfg: Config) -> None:
    """Make sure that the files a run starts from exist; addresses are not tried.

    They are ``load_from`` and, anywhere in the model, the ``checkpoint`` of an ``init_cfg`` of
    the type ``Pretrained`` and ``pretrained``.

    Raises:
        InputError: one does not; the message says what makes it.
    """
    for path in [cfg.get('load_from'), *_initial_weights(cfg.get('model'))]:
        if _is_local(path) and not osp.isfile(osp.expanduser(path)):
            raise InputError(f'{cfg.filename} starts from {path}, which does not exist; '
                             f'{_maker(path)}')


def _initial_weights(node) -> list:
    """What the parts of a model start from, as its config has it."""
    if isinstance(node, (list, tuple)):
        return [path for each in node for path in _initial_weights(each)]
    if not isinstance(node, dict):
        return []
    found = [node.get('pretrained')]
    if node.get('type') in ('Pretrained', 'PretrainedInit'):
        found.append(node.get('checkpoint'))
    return found + [path for each in node.values() for path in _initial_weights(each)]


def _is_local(path) -> bool:
    """Neither an address nor, as ``pretrained`` may be, a name of timm's or a switch."""
    return isinstance(path, str) and path != '' and '://' not in path and path[:5] != 'timm.'


def _maker(path: str) -> str:
    """What makes a checkpoint: the run in whose folder it lies, or the conversion of a file."""
    run = re.search(r'work_dirs/(.+)/seed(\d+)/[^/]+$', path)
    if run:
        return 'first run python tools/train.py configs/{}.py --seed {}'.format(*run.groups())
    return 'tools/convert_checkpoint.py makes such a file'


def check_datasets(cfg: Config, splits=('train', 'val', 'test')) -> None:
    """Make sure each split's annotation list is readable, not empty, and its videos exist.

    Data sets inside wrappers (``RepeatDataset``, ``ConcatDataset``) are checked too.

    Raises:
        InputError: naming the list, the line and the missing or malformed entry.
    """
    num_classes = _num_classes(cfg)
    for split in splits:
        dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset')
        for inner in _unwrapped(dataset or {}):
            check_annotations(inner, num_classes)


def _num_classes(cfg: Config):
    """Outputs of the classifier, also of one inside another head."""
    head = (cfg.get('model') or {}).get('cls_head') or {}
    while 'num_classes' not in head and isinstance(head.get('head'), dict):
        head = head['head']
    return head.get('num_classes')


def _unwrapped(dataset: dict) -> list:
    """Configs of the data sets with an annotation list, also of those in wrappers."""
    if dataset.get('type') in KINDS:
        return [dataset]
    inner = [*(dataset.get('datasets') or ()), dataset.get('dataset')]
    return [each for config in inner if isinstance(config, dict) for each in _unwrapped(config)]


def check_annotations(dataset: dict, num_classes: int = None) -> None:
    """Check the config of one data set in :data:`KINDS`; see :func:`check_datasets`.

    Where ``on_error='replace'`` says that training goes on without a video it cannot read, some
    may be missing, but not all. A label outside the classes is an error in any case: it means
    another list or another model.

    Args:
        dataset: its config.
        num_classes: outputs of the classifier; labels must lie below.
    """
    ann_file = osp.join(dataset.get('data_root') or '', dataset['ann_file'])
    entries = _read_annotations(ann_file, dataset, num_classes)
    prefix = next(iter((dataset.get('data_prefix') or {'': ''}).values()))
    prefix = osp.join(dataset.get('data_root') or '', prefix)
    missing = [name for name in entries if not osp.exists(osp.join(prefix, name))]
    replaces = dataset.get('on_error') == 'replace' and not dataset.get('test_mode')
    if missing and not (replaces and len(missing) < len(entries)):
        raise InputError(f'{ann_file}: {len(missing)} of {len(entries)} entries are not below '
                         f'{prefix}, first: {", ".join(missing[:SHOWN])}')


def _read_annotations(ann_file: str, dataset: dict, num_classes) -> list:
    fields = KINDS[dataset['type']]
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
        raise InputError(f'{ann_file}:1: begins with a byte order mark, which would count as part '
                         'of the first name: save the file as UTF-8 without it')
    if dataset.get('multi_class') or dataset.get('with_offset'):
        return [line[0] for line in lines]  # lines of another form, which mmaction2 checks
    for number, line in enumerate(lines, 1):
        if len(line) != fields or not all(part.isdecimal() for part in line[1:]):
            raise InputError(f'{ann_file}:{number}: expected {fields} fields, name first, '
                             f'numbers after, got {delimiter.join(line)!r}')
        if num_classes is not None and int(line[-1]) >= num_classes:
            raise InputError(f'{ann_file}:{number}: label {line[-1]} of {line[0]} is not below '
                             f'the {num_classes} classes of the model')
    return [line[0] for line in lines]


def check_model(cfg: Config) -> dict:
    """Build the model on the meta device and run one clip of ``cfg.input_shape`` through it.

    Catches what a wrong stage, an unknown module or a clip too short for the module would
    break, before any data is read.

    Returns:
        ``{'params': int, 'macs': int, 'input_shape': list}``; only ``params`` where the config
        states no ``input_shape`` (C, T, H, W).

    Raises:
        InputError: with the config's file name and what the model says.
    """
    from mmaction_ext.analysis.complexity import count
    shape, num_segments = cfg.get('input_shape'), cfg.model.backbone.get('num_segments')
    if shape and num_segments and shape[1] != num_segments:
        raise InputError(f'{cfg.filename}: num_segments is {num_segments}, but input_shape has '
                         f'{shape[1]} frames')
    try:
        complexity = count(cfg)
    except ValueError as error:
        raise InputError(f'{cfg.filename}: {error}') from error
    return dict(params=complexity.params, macs=complexity.macs,
                input_shape=list(complexity.input_shape))
