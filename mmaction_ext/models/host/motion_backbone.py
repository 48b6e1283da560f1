"""A backbone with motion modules after some of its stages.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmaction_ext.errors import InputError, check_at_least
from mmaction_ext.models.host.building import build_backbone, build_module, is_timm
from mmaction_ext.models.host.checkpointing import checkpoint_submodules, run_checkpointed
from mmaction_ext.models.host.layouts import (
    find_layout,
    from_clips,
    is_channels_last,
    to_clips,
    token_grid,
)
from mmaction_ext.models.host.shape_inference import (
    StageOutput,
    example_input,
    infer_shapes,
    map_size,
    meta_copy,
    sees_frames,
)
from mmaction_ext.models.host.stages import check_stage_number, find_stages
from mmaction_ext.modules import MotionModule


@dataclass
class _Pass:
    """What one forward pass knows while it runs."""

    num_clips: int
    size: tuple[int, int]
    carried: tuple[Tensor, ...] = ()
    visited: list[int] = field(default_factory=list)


@MODELS.register_module()
class MotionBackbone(BaseModule):
    """Any backbone, with a motion module after some of its stages.

    The module is attached by forward hooks: the inner backbone keeps its class, its own ways
    and, below ``backbone.``, the names of its weights. A checkpoint of a recognizer with the
    plain backbone is therefore loaded by ``init_cfg=dict(type='Pretrained', checkpoint=...)``.

    Stages have the numbers of the papers: 1 is the stem, 2 to 5 are the residual stages; see
    :func:`find_stages`. Channels and the layout of features (:mod:`layouts`) are found by a dry
    run on the meta device. Nothing outlives a forward pass.

    Args:
        backbone: Config of the inner backbone: a registered type of mmaction2, or
            ``'timm.<model>'`` with arguments for ``timm.create_model``; the latter returns its
            last feature map (N*T, C, H, W), also where it works on tokens.
        module: Config of a registered :class:`MotionModule` without ``in_channels``. None
            gives the plain backbone.
        stages: Stages the module works after.
        num_segments: ``T``, frames of a clip. Needed where the inner backbone is 2-D and sees
            (N*T, C, H, W), and taken from it where it has the attribute.
        stage_names: Submodule whose output is a stage, for backbones :mod:`stages` does not
            know, e.g. ``{2: 'features.3'}``.
        with_cp: Checkpoint the inner backbone's stages and the module: less memory for one
            more forward pass; gradients and running statistics stay the same.
        init_cfg: As in mmengine's ``BaseModule``.

    Raises:
        InputError: If the config names an unknown type, an unknown stage, one the backbone
            lacks or does not run, no submodule, no ``num_segments`` for a 2-D backbone, fewer
            frames than the module needs, or a window larger than the map it searches.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        module: dict[str, Any] | None = None,
        stages: Sequence[int] = (),
        num_segments: int | None = None,
        stage_names: Mapping[int, str] | None = None,
        with_cp: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.backbone = build_backbone(backbone)
        self.num_segments = _agree_on_segments(self.backbone, num_segments)
        self.stages = _check_stages(stages)
        self.with_cp = with_cp
        self._returns_map = is_timm(backbone)
        # such networks take a fifth less time on a CPU where the channels of frames come last;
        # mmaction2's shift of channels cannot have it
        self._convolves_frames = self._returns_map and any(
            isinstance(layer, nn.BatchNorm2d) for layer in self.backbone.modules()
        )
        self._channels_last: dict[int, bool] = {}
        names = find_stages(self.backbone, stage_names)
        _check_present(self.stages, names, self.backbone)
        if with_cp:
            _check_known(names, self.backbone)
            checkpoint_submodules(self.backbone, names.values())
        self.module: MotionModule | None = None
        self._pass: _Pass | None = None
        if module is not None:
            self._attach(module, {stage: names[stage] for stage in self.stages})

    def _attach(self, module: dict[str, Any], names: dict[int, str]) -> None:
        if not isinstance(module, Mapping) or 'in_channels' in module:
            raise InputError(
                'module must be a dict with a type and without in_channels, which '
                f'the backbone tells, got {module!r}'
            )
        if not names:
            raise InputError(f'module {module.get("type")!r} is given but stages is empty')
        if self.num_segments is None and sees_frames(self.backbone):
            raise InputError(
                f'num_segments is missing: {type(self.backbone).__name__} is a 2-D '
                'backbone, which sees single frames'
            )
        x = example_input(self.backbone, self.num_segments)
        trial = meta_copy(self)
        outputs = infer_shapes(trial.backbone, names, x)
        built = build_module(module, {stage: out.channels for stage, out in outputs.items()})
        _check_reach(built, outputs, map_size(x))
        for host, own in ((trial, meta_copy(built)), (self, built)):
            host.module = own
            host._channels_last = {stage: out.channels_last for stage, out in outputs.items()}
            for stage, name in names.items():
                host.backbone.get_submodule(name).register_forward_hook(
                    partial(host._after_stage, stage)
                )
        if self.num_segments is not None:
            self._check_frames(self.num_segments)
            _agree_on_segments(built, self.num_segments)
        trial(x)

    def forward(self, x: Tensor) -> Any:
        """Run the inner backbone, with the module after each of its stages.

        Args:
            x: (N, C, T, H, W) for 3-D backbones, (N*T, C, H, W) for 2-D ones.

        Returns:
            What the inner backbone returns; where the module is a branch, a pair of this and
            the branch's vector, (N, D).

        Raises:
            InputError: If the input has another rank or no clip, the batch does not divide into
                clips of ``num_segments`` frames, or a stage has fewer frames than the module
                needs.
            RuntimeError: If the inner backbone did not run its stages in order.
        """
        size = map_size(x)
        if self._convolves_frames and x.dim() == 4 and x.device.type == 'cpu':
            x = x.contiguous(memory_format=torch.channels_last)
        if self.module is None:
            return self._final_map(self.backbone(x), size)
        running = self._pass = _Pass(self._count_clips(x), size)
        try:
            out = self._final_map(self.backbone(x), size)
        finally:
            self._pass = None
        if tuple(running.visited) != self.stages:
            raise RuntimeError(
                f'{type(self.backbone).__name__} ran stages {running.visited} '
                f'where the module works after {list(self.stages)}'
            )
        vector = self.module.embed(running.carried)
        return out if vector is None else (out, vector)

    def _count_clips(self, x: Tensor) -> int:
        if x.dim() == 5:
            if self.num_segments not in (None, x.shape[2]):
                raise InputError(
                    f'clips of {x.shape[2]} frames for a backbone that was built for '
                    f'num_segments={self.num_segments}'
                )
            return x.shape[0]
        if x.dim() != 4 or self.num_segments is None or not len(x):
            shape = (
                '(N, C, T, H, W)'
                if self.num_segments is None
                else f'(N*{self.num_segments}, C, H, W)'
            )
            raise InputError(
                f'{type(self.backbone).__name__} takes input of shape {shape}, '
                f'got {tuple(x.shape)}'
            )
        if x.shape[0] % self.num_segments:
            raise InputError(
                f'a batch of {x.shape[0]} frames does not divide into clips of '
                f'num_segments={self.num_segments}'
            )
        return x.shape[0] // self.num_segments

    def _check_frames(self, num_frames: int) -> None:
        assert self.module is not None
        if num_frames < self.module.min_frames:
            raise InputError(
                f'{type(self.module).__name__} needs clips of at least '
                f'{self.module.min_frames} frames, got {num_frames}'
            )

    def _after_stage(
        self, stage: int, submodule: nn.Module, inputs: tuple[Any, ...], y: Any
    ) -> Any:
        """Forward hook: the module's output instead of the stage's."""
        running = self._pass
        if running is None:  # the inner backbone was called by itself
            return y
        running.visited.append(stage)
        layout = self._layout(y, self._channels_last.get(stage, False), running.size)
        maps = layout.take(y)
        clips = to_clips(maps, running.num_clips)
        self._check_frames(clips.shape[2])
        out, running.carried = self._run_module(clips, stage, running.carried)
        return layout.put(from_clips(out, maps), y)

    def _run_module(self, *inputs: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        assert self.module is not None
        return run_checkpointed(self.module, *inputs) if self.with_cp else self.module(*inputs)

    def _layout(self, features: Any, channels_last: bool, size: tuple[int, int]) -> Any:
        return find_layout(
            features,
            channels_last,
            token_grid(self.backbone, size),
            getattr(self.backbone, 'num_prefix_tokens', 0),
        )

    def _final_map(self, out: Any, size: tuple[int, int]) -> Any:
        """timm's output as a feature map; mmaction2's heads know their own backbones'."""
        if not self._returns_map or not isinstance(out, Tensor) or out.dim() not in (3, 4):
            return out
        try:
            return self._layout(out, is_channels_last(self.backbone, '', out), size).take(out)
        except InputError as error:
            raise InputError(
                f'{type(self.backbone).__name__} does not end in a feature map: {error}'
            ) from error


def _agree_on_segments(part: nn.Module, num_segments: int | None) -> int | None:
    own = getattr(part, 'num_segments', None)
    if num_segments is not None:
        check_at_least('num_segments', num_segments, 1)
    if None not in (own, num_segments) and own != num_segments:
        raise InputError(
            f'num_segments={num_segments}, but {type(part).__name__} was built '
            f'with num_segments={own}'
        )
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
            raise InputError(
                f'{type(backbone).__name__} has no stage {stage}: it has '
                f'{list(names) or "none that is known"}; stage_names can name more'
            )


def _check_known(names: Mapping[int, str], backbone: nn.Module) -> None:
    if not names:
        raise InputError(
            f'with_cp=True, but no stage of {type(backbone).__name__} is known: '
            'stage_names can name them'
        )


def _check_reach(
    module: MotionModule, outputs: Mapping[int, StageOutput], size: tuple[int, int]
) -> None:
    for stage, out in outputs.items():
        reach = module.reach(stage)
        # A displacement as long as the map leaves it from every pixel: two maps side by side
        # would do. Three leave slack for SELFY, which searches a halved map: its 9 pixels there
        # are 17 here, and it is to be tried after stage 5 of frames of 224 (7x7), too.
        if 2 * reach + 1 > 3 * min(out.size):
            raise InputError(
                f'{type(module).__name__} has a window larger than allowed: at '
                f'stage {stage} it reaches {reach} pixels on a map of '
                f'{out.size[0]}x{out.size[1]} (frames of {size[0]}x{size[1]})'
            )
