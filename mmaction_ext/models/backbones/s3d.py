"""S3D, the separable 3-D Inception network, as torchvision has it.

Shape legend: N clips, C channels, T frames, H rows, W columns.
"""

from typing import Any

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor
from torchvision.models.video import s3d

from mmaction_ext.models.backbones.image_weights import load_image_weights

_FEATURES = 'features.'


@MODELS.register_module()
class S3D(BaseModule):
    """The features of torchvision's S3D: 1024 channels, 1/8 of the frames, 1/32 of the pixels.

    "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video
    Classification", without gates. Its names of weights are torchvision's.

    Args:
        pretrained: File or address of torchvision's weights; None to start at random.
        init_cfg: As of mmengine's ``BaseModule``.

    Raises:
        InputError: While initialising, if ``pretrained`` holds no weights, and
            RuntimeError if they are those of another network.
    """

    def __init__(
        self, pretrained: str | None = None, init_cfg: dict[str, Any] | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.pretrained = pretrained
        self.features = s3d(weights=None).features

    def init_weights(self) -> None:
        """Load ``pretrained``, of which the classifier is left out."""
        if not self.pretrained:
            super().init_weights()
            return
        weights = load_image_weights(self.pretrained)
        self.load_state_dict(
            {name: value for name, value in weights.items() if name.startswith(_FEATURES)}
        )
        self.is_init = True

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, 1024, T / 8, H / 32, W / 32) of clips (N, 3, T, H, W), rounded up."""
        return self.features(clips)
