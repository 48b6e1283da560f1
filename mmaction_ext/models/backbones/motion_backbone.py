"""A backbone with motion modules after some of its stages.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Optional, Union

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmaction_ext.errors import InputError
from mmaction_ext.models.backbones.stages import check_stage_number, find_stages
from mmaction_ext.modules import MotionModule

_DRY_RUN_FRAMES = 64
_DRY_RUN_SIZE = 224


@dataclass
class _Pass:
    """What one forward pass knows while it runs."""

    num_clips: int
    carried: tuple[Tensor, ...] = ()
    visited: list[int] = field(default_factory=list)


@MODELS.register_module()
class MotionBackbone(BaseModule):
    """Any backbone, with a motion module after some of its stages.

    The module is attached by forward hooks: the inner backbone keeps its class, its own ways
    and, below ``backbone.``, the names of its weights. A checkpoint of a recognizer with the
    plain backbone is therefore loaded by ``init_cfg=dict(type='Pretrained', checkpoint=...)``.

    Stages have the numbers of the papers: 1 is the stem, 2 to 5 are the residual stages.
    Channels are found by a dry run on the meta device. Nothing outlives a forward pass.

    Args:
        backbone: Config of the inner backbone: a registered type of mmaction2, or
            ``'timm.<model>'`` with arguments for ``timm.create_model``; the latter returns its
            last feature map.
        module: Config of a registered :class:`MotionModule` without ``in_channels``. None
            gives the plain backbone.
        stages: Stages the module works after.
        num_segments: ``T``, frames of a clip. Needed where the inner backbone is 2-D and sees
            (N*T, C, H, W), and taken from it where it has the attribute.
        stage_names: Submodule whose output is a stage, for backbones :mod:`stages` does not
            know, e.g. ``{2: 'features.3'}``.
        init_cfg: As in mmengine's ``BaseModule``.

    Raises:
        InputError: If the config names an unknown type, an unknown stage, one the backbone
            lacks or does not run, no submodule, no ``num_segments`` for a 2-D backbone, or
            fewer frames than the module needs.
    """

    def __init__(self, backbone: dict, module: Optional[dict] = None,
                 stages: Sequence[int] = (), num_segments: Optional[int] = None,
                 stage_names: Optional[Mapping[int, str]] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.backbone = _build_backbone(backbone)
        self.num_segments = _agree_on_segments(self.backbone, num_segments)
        self.stages = _check_stages(stages)
        names = find_stages(self.backbone, stage_names)
        _check_present(self.stages, names, self.backbone)
        self.module: Optional[MotionModule] = None
        self._pass: Optional[_Pass] = None
        if module is not None:
            self._attach(module, {stage: names[stage] for stage in self.stages})

    def _attach(self, module: dict, names: dict[int, str]) -> None:
        if not names:
            raise InputError(f'module {module.get("type")!r} is given but stages is empty')
        if self.num_segments is None and _rank(self.backbone) == 2:
            raise InputError(f'num_segments is missing: {type(self.backbone).__name__} is a 2-D '
                             'backbone, which sees single frames')
        in_channels = _probe_channels(self.backbone, names, _dry_run_input(self))
        self.module = _build_module(module, in_channels)
        if self.num_segments is not None:
            self._check_frames(self.num_segments)
        for stage, name in names.items():
            self.backbone.get_submodule(name).register_forward_hook(
                partial(self._after_stage, stage))
        _meta_copy(self)(_dry_run_input(self))

    def forward(self, x: Tensor) -> Any:
        """Run the inner backbone, with the module after each of its stages.

        Args:
            x: (N, C, T, H, W) for 3-D backbones, (N*T, C, H, W) for 2-D ones.

        Returns:
            What the inner backbone returns.

        Raises:
            InputError: If the batch does not divide into clips of ``num_segments`` frames, or
                a stage has fewer frames than the module needs.
            RuntimeError: If the inner backbone did not run its stages in order.
        """
        if self.module is None:
            return self.backbone(x)
        running = self._pass = _Pass(self._count_clips(x))
        try:
            out = self.backbone(x)
        finally:
            self._pass = None
        if tuple(running.visited) != self.stages:
            raise RuntimeError(f'{type(self.backbone).__name__} ran stages {running.visited} '
                               f'where the module works after {list(self.stages)}')
        return out

    def _count_clips(self, x: Tensor) -> int:
        if x.dim() == 5:
            return x.shape[0]
        if x.shape[0] % self.num_segments:
            raise InputError(f'a batch of {x.shape[0]} frames does not divide into clips of '
                             f'num_segments={self.num_segments}')
        return x.shape[0] // self.num_segments

    def _check_frames(self, num_frames: int) -> None:
        if num_frames < self.module.min_frames:
            raise InputError(f'{type(self.module).__name__} needs clips of at least '
                             f'{self.module.min_frames} frames, got {num_frames}')

    def _after_stage(self, stage: int, submodule: nn.Module, inputs: tuple, y: Tensor) -> Tensor:
        """Forward hook: the module's output instead of the stage's."""
        running = self._pass
        if running is None:  # the inner backbone was called by itself
            return y
        running.visited.append(stage)
        # (N*T, C, H, W) -> (N, C, T, H, W)
        clips = y if y.dim() == 5 else y.unflatten(0, (running.num_clips, -1)).transpose(1, 2)
        self._check_frames(clips.shape[2])
        out, running.carried = self.module(clips, stage, running.carried)
        return out if y.dim() == 5 else out.transpose(1, 2).flatten(0, 1)


def _build_backbone(config: dict) -> nn.Module:
    kind = config.get('type')
    if isinstance(kind, str) and kind.startswith('timm.'):
        return _build_timm(kind[len('timm.'):], config)
    _find_class(kind, 'backbone')
    return MODELS.build(config)


def _find_class(kind: Union[str, type, None], role: str) -> type:
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if found is None:
        raise InputError(f'unknown {role} type {kind!r}')
    return found


def _build_timm(name: str, config: dict) -> nn.Module:
    import timm  # slow to import, and only some hosts need it

    if not timm.is_model(name):
        raise InputError(f'unknown timm model {name!r}')
    arguments = {key: value for key, value in config.items() if key != 'type'}
    try:
        backbone = timm.create_model(name, num_classes=0, global_pool='', **arguments)
    except TypeError as error:  # an argument the model does not have
        raise InputError(f'timm model {name!r}: {error}') from error
    layout = str(getattr(backbone, 'output_fmt', 'NCHW'))
    if not layout.endswith('NCHW'):
        raise InputError(f'timm model {name!r} gives features as {layout}, not as NCHW')
    backbone.is_init = True  # timm initialises, or loads weights, while building
    return backbone


def _build_module(config: dict, in_channels: dict[int, int]) -> MotionModule:
    found = _find_class(config.get('type'), 'module')
    if not issubclass(found, MotionModule):
        raise InputError(f'module type {config["type"]!r} is no MotionModule')
    try:
        return MODELS.build(dict(config, in_channels=in_channels))
    except TypeError as error:  # an argument it does not have
        raise InputError(f'module {config["type"]!r}: {error}') from error


def _agree_on_segments(backbone: nn.Module, num_segments: Optional[int]) -> Optional[int]:
    own = getattr(backbone, 'num_segments', None)
    if num_segments is not None and num_segments < 1:
        raise InputError(f'num_segments must be positive, got {num_segments}')
    if None not in (own, num_segments) and own != num_segments:
        raise InputError(f'num_segments={num_segments}, but {type(backbone).__name__} was built '
                         f'with num_segments={own}')
    return own if num_segments is None else num_segments


def _check_stages(stages: Iterable[int]) -> tuple[int, ...]:
    if isinstance(stages, int):
        raise InputError(f'stages must be a sequence such as (2, 3, 4), got {stages}')
    stages = tuple(stages)
    for stage in stages:
        check_stage_number(stage)
    if len(set(stages)) < len(stages):
        raise InputError(f'stages must differ, got {stages}')
    return tuple(sorted(stages))


def _check_present(stages: Iterable[int], names: Mapping[int, str], backbone: nn.Module) -> None:
    for stage in stages:
        if stage not in names:
            raise InputError(f'{type(backbone).__name__} has no stage {stage}: it has '
                             f'{list(names) or "none that is known"}; stage_names can name more')


def _first_convolution(backbone: nn.Module) -> nn.Module:
    kinds = (nn.Conv2d, nn.Conv3d)
    found = next((m for m in backbone.modules() if isinstance(m, kinds)), None)
    if found is None:
        raise InputError(f'{type(backbone).__name__} has no 2-D or 3-D convolution to tell its '
                         'input shape by')
    return found


def _rank(backbone: nn.Module) -> int:
    """2 for a backbone that sees frames, 3 for one that sees clips."""
    return len(_first_convolution(backbone).kernel_size)


def _dry_run_input(host: MotionBackbone) -> Tensor:
    channels = _first_convolution(host.backbone).in_channels
    size = (_DRY_RUN_SIZE, _DRY_RUN_SIZE)
    if _rank(host.backbone) == 2:
        return torch.empty(host.num_segments, channels, *size, device='meta')
    return torch.empty(1, channels, _DRY_RUN_FRAMES, *size, device='meta')


def _meta_copy(network: nn.Module) -> nn.Module:
    copied = copy.deepcopy(network).to('meta')
    copied.eval()  # not chained: train() of some of mmaction2's backbones returns None
    return copied


def _probe_channels(backbone: nn.Module, names: Mapping[int, str],
                    x: Tensor) -> dict[int, int]:
    """Channels of each stage, by a dry run of a copy on the meta device."""
    copied = _meta_copy(backbone)
    shapes: dict[int, Any] = {}
    for stage, name in names.items():
        copied.get_submodule(name).register_forward_hook(
            lambda _, __, y, stage=stage: shapes.update({stage: getattr(y, 'shape', type(y))}))
    copied(x)
    for stage, name in names.items():
        shape = shapes.get(stage)
        if not isinstance(shape, torch.Size) or len(shape) not in (4, 5):
            raise InputError(f'stage {stage} ({name}) of {type(backbone).__name__} gives no '
                             f'feature map: {"it is never run" if shape is None else shape}')
    return {stage: shapes[stage][1] for stage in names}
