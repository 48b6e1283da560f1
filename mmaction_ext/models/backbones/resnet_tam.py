"""TANet that initialises when training starts, not while it is built."""

from typing import Any

from mmaction.models.backbones import ResNet
from mmaction.models.backbones.tanet import TANet
from mmaction.registry import MODELS
from torch import nn

from mmaction_ext.errors import check_at_least


@MODELS.register_module()
class ResNetTAM(TANet):
    """mmaction2's ``TANet``, the same network with the same names of weights.

    ``TANet`` itself fetches its image weights in its constructor: a test, or a count of its
    parameters, would do so as well, and it cannot be built on the meta device.

    Args:
        depth: As of ``TANet``: 50, 101 or 152.
        num_segments: Frames of a clip, at least 3.
        tam_cfg: Arguments of the temporal adaptive module.
        kwargs: As of mmaction2's ``ResNet``.

    Raises:
        InputError: If there are fewer than 3 segments.
    """

    def __init__(
        self, depth: int, num_segments: int, tam_cfg: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        check_at_least('num_segments', num_segments, 3)
        ResNet.__init__(self, depth, **kwargs)
        self.num_segments = num_segments
        self.tam_cfg = dict(tam_cfg or {})
        self.make_tam_modeling()

    def init_weights(self) -> None:
        """Initialise, or load the image weights of ``pretrained``, which know no modules."""
        stages = {name: getattr(self, name) for name in self.res_layers}
        for name, stage in stages.items():
            setattr(self, name, nn.Sequential(*(wrapped.block for wrapped in stage)))
        try:
            ResNet.init_weights(self)
        finally:
            for name, stage in stages.items():
                setattr(self, name, stage)
