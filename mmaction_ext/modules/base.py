"""The interface every motion module implements."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from mmaction_ext.errors import InputError


class MotionModule(nn.Module, ABC):
    """A module that works on the features of one or more stages of a backbone.

    One object holds the parameters of all its stages. It keeps nothing between calls: what one
    stage has for the later ones is handed over by the caller, within one forward pass.

    A subclass takes ``in_channels`` first and its hyper-parameters after it by name, and adds
    one ``MODELS.register_module()`` line so that a config can name it.

    Args:
        in_channels: Channels at the output of each stage the module is for. Stages have the
            numbers of the papers: 1 is the stem, 2 to 5 are the residual stages.

    Raises:
        InputError: If ``in_channels`` names no stage.
    """

    def __init__(self, in_channels: Mapping[int, int]) -> None:
        super().__init__()
        if not in_channels:
            raise InputError(f'{type(self).__name__} needs at least one stage, got none')
        self.in_channels = {stage: in_channels[stage] for stage in sorted(in_channels)}

    @property
    def stages(self) -> tuple[int, ...]:
        """Stages the module is for, in ascending order."""
        return tuple(self.in_channels)

    @property
    @abstractmethod
    def min_frames(self) -> int:
        """Fewest frames ``T`` in a clip that the module can use."""

    @abstractmethod
    def forward(self, x: Tensor, stage: int,
                carried: tuple[Tensor, ...] = ()) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Enhance the features of one stage.

        Args:
            x: Features of shape (N, C, T, H, W) at the output of ``stage``.
            stage: Number of the stage.
            carried: What the previous stage of the same forward pass returned; empty at first.

        Returns:
            The features, of the shape of ``x``, and the tensors for the next stage.
        """
