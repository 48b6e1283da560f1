"""The interface every motion module implements."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from mmaction_ext.errors import InputError, check_at_least


@dataclass(frozen=True)
class Displacements:
    """Where a correlation module sees every pixel go.

    Displacements are (dy, dx), down and right positive, in pixels of the stage's map: content at
    row ``i``, column ``j`` of a map's source frame is found at ``i + dy``, ``j + dx`` of its
    target frame. They are float32, also for features in half precision and under autocast, and
    float64 for features in float64.

    Attributes:
        names: Name of each of the M displacement maps, e.g. ``'t+1'`` or ``'slow'``.
        sources: Index of the source frame of each of the M maps at each of the T frames.
        displacement: (N, M, 2, T, H, W).
        confidence: (N, M, T, H, W), how well the best match matches.
    """

    names: tuple[str, ...]
    sources: tuple[tuple[int, ...], ...]
    displacement: Tensor
    confidence: Tensor


@dataclass(frozen=True)
class KeyPoints:
    """Where KPSEM sees its key points, and where they go.

    Coordinates are (row, column) in pixels of the stage's map; the first pixel is at 0. K counts
    regions by rows, up to down and left to right. All is float32, or float64 for features in
    float64; coordinates of hard key points are whole.

    Attributes:
        points: ``I``, coordinates, (N, G, K, C, T, 2).
        values: ``V``, feature values, (N, G, K, C, T).
        shifts: ``S``, shifts (dy, dx) to the next frame, (N, G, K, C, T-1, 2).
        weights: ``W_R``, weight of each region, (N, G, K, C, T-1).
        row_borders: Borders of the regions from top to bottom, (N, G, T, sqrt(K)+1).
        column_borders: Borders from left to right, (N, G, T, sqrt(K)+1).
    """

    points: Tensor
    values: Tensor
    shifts: Tensor
    weights: Tensor
    row_borders: Tensor
    column_borders: Tensor


class MotionModule(nn.Module, ABC):
    """A module that works on the features of one or more stages of a backbone.

    One object holds the parameters of all its stages. It keeps nothing between calls: what one
    stage has for the later ones is handed over by the caller, within one forward pass.

    A module enhances the features of its stages, or it is a branch that leaves them as they are
    and makes a vector for the classifier (:meth:`embed`), or both.

    A subclass takes ``in_channels`` first and its hyper-parameters after it by name, and adds
    one ``MODELS.register_module()`` line so that a config can name it. It keeps the block of each
    stage in ``blocks``, by ``str(stage)``, and gets it from :meth:`block` or, for given features,
    from :meth:`block_for`, which refuse what the module cannot work on.

    Tests find every module of this folder by itself and try it on every backbone, with the
    arguments and the tolerance that stand in its class.

    Args:
        in_channels: Channels at the output of each stage the module is for. Stages have the
            numbers of the papers: 1 is the stem, 2 to 5 are the residual stages.

    Raises:
        InputError: If ``in_channels`` names no stage, or one without channels.
    """

    blocks: nn.ModuleDict
    #: Arguments of a small one, for tests.
    small: ClassVar[Mapping[str, Any]] = {}
    #: Largest error under autocast to bfloat16, whose numbers have 8 bits, relative to what the
    #: module adds (both as root mean squares): what rounding in every layer comes to.
    bfloat16_error: ClassVar[float] = 0.03

    def __init__(self, in_channels: Mapping[int, int]) -> None:
        super().__init__()
        if not in_channels:
            raise InputError(f'{type(self).__name__} needs at least one stage, got none')
        for stage, channels in in_channels.items():
            check_at_least(f'channels of stage {stage}', channels, 1)
        self.in_channels = {stage: in_channels[stage] for stage in sorted(in_channels)}

    @property
    def stages(self) -> tuple[int, ...]:
        """Stages the module is for, in ascending order."""
        return tuple(self.in_channels)

    @property
    @abstractmethod
    def min_frames(self) -> int:
        """Fewest frames ``T`` in a clip that the module can use."""

    def block(self, stage: int) -> Any:
        """The block of a stage.

        Raises:
            InputError: If the module is not for this stage.
        """
        self._check_stage(stage)
        return self.blocks[str(stage)]

    def _check_stage(self, stage: int) -> None:
        if stage not in self.in_channels:
            raise InputError(
                f'{type(self).__name__} has no block of stage {stage!r}: it is for '
                f'{list(self.stages)}'
            )

    def block_for(self, x: Tensor, stage: int) -> Any:
        """The block of a stage, for features it can work on.

        Args:
            x: Features of shape (N, C, T, H, W) at the output of ``stage``.
            stage: Number of the stage.

        Raises:
            InputError: If the module is not for this stage, or the features have not five
                dimensions, not the channels of the stage, or fewer than ``min_frames`` frames.
        """
        block, name = self.block(stage), type(self).__name__
        if x.dim() != 5:
            raise InputError(
                f'{name} takes features (N, C, T, H, W), got {x.dim()} dimensions: '
                f'{tuple(x.shape)}'
            )
        if x.shape[1] != self.in_channels[stage]:
            raise InputError(
                f'{name} has {self.in_channels[stage]} channels at stage {stage}, '
                f'got features with {x.shape[1]}'
            )
        if x.shape[2] < self.min_frames:
            raise InputError(f'{name} needs at least {self.min_frames} frames, got {x.shape[2]}')
        return block

    def reach(self, stage: int) -> int:
        """Largest displacement, in pixels of the map of ``stage``, that is looked for.

        0 where nothing is looked for in a window.

        Raises:
            InputError: If the module is not for this stage.
        """
        self._check_stage(stage)
        return 0

    @abstractmethod
    def forward(
        self, x: Tensor, stage: int, carried: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Enhance the features of one stage.

        Args:
            x: Features of shape (N, C, T, H, W) at the output of ``stage``.
            stage: Number of the stage.
            carried: What the previous stage of the same forward pass returned; empty at first.

        Returns:
            The features, of the shape of ``x``, and the tensors for the next stage.
        """

    def embed(self, carried: tuple[Tensor, ...]) -> Tensor | None:
        """The branch's vector for the classifier, at the end of a forward pass.

        Args:
            carried: What the last stage returned.

        Returns:
            Tensor of shape (N, D), or None for a module that is no branch.
        """
        return None

    def motion(self, x: Tensor, stage: int) -> Displacements | KeyPoints | None:
        """The motion the module sees in the features of one stage, for pictures and tests.

        Args:
            x: Features of shape (N, C, T, H, W) at the output of ``stage``, as ``forward``
                gets them.
            stage: Number of the stage.

        Returns:
            None where the module cannot tell, as here: pictures then show how strong its features
            are, and what it changes in them.
        """
        self.block_for(x, stage)
        return None
