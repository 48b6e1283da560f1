"""Turn a checkpoint of a paper's own code into one for this project.

    mmaction-ext convert tcm sthv1_8f_best.pth work_dirs/tcm.pth
    config=$(mmaction-ext convert mfnet IN OUT | tail -1)

  selfy     github.com/arunos728/SELFY
  tcm       github.com/yzfly/TCM
  mfnet     github.com/cypw/PyTorch-MFNet, what KPSEM starts from
  msnet     github.com/arunos728/MotionSqueeze
  tdn       github.com/MCG-NJU/TDN
  tea       github.com/Phoenix1327/tea-action-recognition
  tada2d    github.com/alibaba-mmai-research/TAdaConv
  ctnet     github.com/Andy1621/CT-Net
  smallbig  github.com/xhl-video/SmallBigNet
  rsa       github.com/KimManjin/RSA
  cgnl      github.com/KaiyuYue/cgnl-network.pytorch
  cgd       github.com/HolmesShuan/Compact-Global-Descriptor
  eco       github.com/mzolfaghari/ECO-pytorch
  mars      github.com/craston/MARS
  mobilenetv2, efficientnet_lite0: image weights that a backbone starts from, see below

Depth, classes, SELFY's offsets and the kernel of TCM's gate are read from the shapes. The last
line printed is the config that OUT loads into, strictly and with weights_only, for `mmaction-ext
test` and `mmaction-ext visualize`. Where no config of the package is exactly that network, a thin
one is written beside OUT, with its name and the suffix .py; it inherits from the nearest one, by
its absolute path.

Frames of a clip leave no trace in files of SELFY and MSNet and little in TCM's: what is assumed is
printed, and --num-segments overrides it. Files of CT-Net, TAda2D, TDN, TEA, SmallBigNet and RSANet
are refused without.

Of image weights OUT is what a backbone's own option takes; the last line printed is that option,
for --cfg-options of a config whose backbone is in a MotionBackbone, where the file takes the place
of what would be fetched. --backbone says for which: timm.mobilenetv2_100 (default) or mmaction2's
MobileNetV2, and timm.tf_efficientnet_lite0.

IN may come from anywhere: no code that it holds is run. Whatever does not fit, an unknown, missing
or misshapen tensor, is listed, and then nothing is written.
"""

import io
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmaction_ext.cli.common import PACKAGED_CONFIGS
from mmaction_ext.errors import InputError
from mmaction_ext.files.writing import write_outputs
from mmaction_ext.printable import clean

NAME = 'convert'
HELP = "turn a checkpoint of a paper's own code into one for this project"
EPILOG = 'exit codes: 0 written; 2 nothing was written, the reason is on standard error'
#: a module each, not imported for the sake of ``--help``
KINDS = Path(__file__).parents[1] / 'engine' / 'official_checkpoints' / 'kinds'
IMAGES = KINDS.with_name('images')


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        'kind',
        choices=sorted(
            file.stem for folder in (KINDS, IMAGES) for file in folder.glob('[a-z]*.py')
        ),
        help='whose file it is',
    )
    parser.add_argument('source', type=Path, metavar='IN', help='the checkpoint, never changed')
    parser.add_argument(
        'out', type=Path, metavar='OUT', help='checkpoint to write, in a folder that exists'
    )
    parser.add_argument(
        '--num-segments',
        type=int,
        metavar='T',
        help='frames of a clip the network was trained with, where the file does not tell',
    )
    parser.add_argument(
        '--backbone', metavar='TYPE', help='backbone that is to start from image weights'
    )
    parser.add_argument(
        '--force', action='store_true', help='overwrite OUT, and the config beside it'
    )


def run(args: Namespace) -> int:
    """Convert and say what into; returns the exit code."""
    from mmaction_ext import compat

    compat.apply()
    if (IMAGES / f'{args.kind}.py').exists():
        if args.num_segments is not None:
            raise InputError(f'--num-segments: {args.kind} sees images')
        lines = convert_image(args.kind, args.source, args.out, args.backbone, args.force)
    elif args.backbone:
        raise InputError(f'--backbone is of image weights, which those of {args.kind} are not')
    else:
        lines = convert_file(args.kind, args.source, args.out, args.num_segments, args.force)
    print('\n'.join(map(clean, lines)))
    return 0


def convert_file(
    kind: str, source: Path, out: Path, num_segments: int | None = None, force: bool = False
) -> list[str]:
    """Convert one checkpoint.

    Args:
        kind: The network that the file is of.
        source: Checkpoint of the paper's own code.
        out: File to write.
        num_segments: Frames of a clip, where they are known.
        force: Overwrite what is there.

    Returns:
        What to print; the last line is the path of the config.

    Raises:
        InputError: If ``source`` cannot be used, does not fit, or ``out`` cannot be written.
    """
    from mmaction_ext.engine.official_checkpoints import (
        identify,
        plain_names,
        read_weights,
        released_names,
    )

    check_out(source, out, force)
    weights, digest = read_weights(source)
    try:
        weights, renamed = released_names(kind, plain_names(weights))
        network = identify(kind, weights, num_segments)
        config, differing = nearest_config(kind, network.settings)
        state = fit(kind, weights, config, differing)
    except InputError as error:
        raise InputError(f'{source}: {error}') from error
    contents: dict[Path, str | bytes] = {out: checkpoint(state, kind, source, digest)}
    if differing:
        text = thin_config(config, differing, source, digest)
        config = out.with_suffix('.py')
        if config.exists() and not force:
            raise InputError(
                f'{config} exists: the config of {out} goes there, and --force overwrites it'
            )
        contents = {config: text, **contents}
    write_outputs(contents)
    notes = [network.remark] if network.remark else []
    if renamed:
        notes.append(
            'the block has other names than in the released code: its layers were taken '
            'in their order'
        )
    return [
        f'file: {source} (sha256 {digest})',
        f'network: {network.description}',
        *(f'note: {note}' for note in notes),
        f'weights: {out} ({len(state)} tensors)',
        f'config: {shown(config)}',
        shown(config),
    ]


def convert_image(
    kind: str, source: Path, out: Path, backbone: str | None = None, force: bool = False
) -> list[str]:
    """Convert weights of an image network for a backbone to start from.

    Args:
        kind: The network that the file is of.
        source: File of its weights.
        out: File to write.
        backbone: Type of the backbone; the usual one if None.
        force: Overwrite what is there.

    Returns:
        What to print; the last line is the option of a config that names the file.

    Raises:
        InputError: If ``source`` cannot be used, does not fit, or ``out`` cannot be written.
    """
    from mmengine.registry import DefaultScope

    from mmaction_ext.engine.official_checkpoints import IMAGES, read_weights
    from mmaction_ext.models.host.building import build_backbone

    network = IMAGES[kind]
    backbone = backbone or next(iter(network.backbones))
    if backbone not in network.backbones:
        raise InputError(f'--backbone {backbone}: {kind} fits {" and ".join(network.backbones)}')
    check_out(source, out, force)
    weights, digest = read_weights(source)
    with DefaultScope.overwrite_default_scope('mmaction'):
        target = build_backbone(dict(type=backbone)).state_dict()
    try:
        state = network.convert(weights, target)
    except InputError as error:
        raise InputError(f'{source}: {error}') from error
    write_outputs({out: checkpoint(state, kind, source, digest)})
    return [
        f'file: {source} (sha256 {digest})',
        f'weights: {out} ({len(state)} tensors), for {backbone}',
        f'model.backbone.backbone.{network.backbones[backbone]}={shown(out)}',
    ]


def check_out(source: Path, out: Path, force: bool) -> None:
    """Find out before any work whether the result may be written.

    Raises:
        InputError: If not.
    """
    if not out.parent.is_dir():
        raise InputError(f'folder {out.parent} of {out} does not exist')
    if out.is_dir():
        raise InputError(f'{out} is a folder')
    if out.suffix == '.py':
        raise InputError(
            f'{out} is the name of a config: OUT is a checkpoint, such as '
            f'{out.with_suffix(".pth")}'
        )
    if out.exists() and source.exists() and out.samefile(source):
        raise InputError(f'{out} is the file to convert')
    if out.exists() and not force:
        raise InputError(f'{out} exists: --force overwrites it')


def nearest_config(kind: str, settings: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The repository's config that differs least from a network.

    Args:
        kind: The network that the file is of.
        settings: Dotted keys to values.

    Returns:
        Its path, and those of the settings that it does not have. Where these are of clips of
        another length, there are also settings for the data.
    """
    from mmaction_ext.engine.official_checkpoints import KINDS
    from mmaction_ext.engine.run_config import read_config

    found = []
    for name in KINDS[kind].configs:
        cfg = read_config(PACKAGED_CONFIGS / name)
        differing = {
            key: value
            for key, value in settings.items()
            if _plain(_value(cfg, key)) != _plain(value)
        }
        found.append((PACKAGED_CONFIGS / name, cfg, differing))
    path, cfg, differing = min(found, key=lambda each: len(each[2]))
    if 'input_shape' in differing:
        differing.update(_resampled(cfg, differing['input_shape'][1]))
    return path, differing


def _resampled(cfg: Mapping[str, Any], frames: int) -> dict[str, Any]:
    """Settings by which the data of a config come in clips of another length."""
    settings: dict[str, Any] = {'num_segments': frames}
    for split in ('train', 'val', 'test'):
        steps = cfg[f'{split}_dataloader']['dataset']['pipeline']
        settings[f'{split}_dataloader.dataset.pipeline'] = [
            dict(step, num_segments=frames) if 'num_segments' in step else dict(step)
            for step in steps
        ]
    return settings


def _value(cfg: Any, key: str) -> Any:
    """The value below a dotted key; None where the config leaves it to a default."""
    for part in key.split('.'):
        cfg = None if cfg is None else cfg.get(part)
    return cfg


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def fit(
    kind: str, weights: Mapping[str, Any], config: Path, differing: Mapping[str, Any]
) -> dict[str, Any]:
    """Convert weights for a config, build its model and load them into it strictly.

    Args:
        kind: The network that the file is of.
        weights: With the names of the released code.
        config: Config file.
        differing: Settings that override the config's, by dotted key.

    Returns:
        The state dict.

    Raises:
        InputError: If the weights do not fit.
    """
    from mmaction_ext.engine.official_checkpoints import convert
    from mmaction_ext.engine.run_config import read_config
    from mmaction_ext.models.building import build_model

    model = build_model(read_config(config, dict(differing)).model)
    state = convert(kind, weights, model.state_dict())
    model.load_state_dict(state, strict=True)
    return state


def thin_config(base: Path, differing: Mapping[str, Any], source: Path, digest: str) -> str:
    """Text of a config that changes only what differs from its base."""
    from mmengine.config import Config

    nested: dict[str, Any] = {}
    for key, value in differing.items():
        *parents, last = key.split('.')
        node = nested
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = value
    return (
        f'# Written by mmaction-ext convert for {source.name!r},\n# sha256 {digest}.\n'
        f'_base_ = {str(base)!r}\n{Config(nested).pretty_text.rstrip()}\n'
    )


def checkpoint(state: dict[str, Any], kind: str, source: Path, digest: str) -> bytes:
    """Content of the checkpoint, which says where its weights are from."""
    import torch

    meta = {'kind': kind, 'source': source.name, 'source_sha256': digest}
    file = io.BytesIO()
    torch.save({'state_dict': state, 'meta': meta}, file)
    return file.getvalue()


def shown(path: Path) -> str:
    """A path as short as the reader's folder allows."""
    here = Path.cwd()
    path = Path(os.path.abspath(path))
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
