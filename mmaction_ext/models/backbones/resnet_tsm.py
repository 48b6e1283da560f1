"""TSM-ResNet as the released code of SELFY and TCM has it: a shift in every block."""

from mmaction.models.backbones.resnet_tsm import ResNetTSM, TemporalShift
from mmaction.registry import MODELS

from mmaction_ext.errors import InputError


@MODELS.register_module()
class ResNetTSMEveryBlock(ResNetTSM):
    """mmaction2's ``ResNetTSM`` with a temporal shift before the first convolution of every block.

    ``ResNetTSM`` itself leaves out every other block at depth 101, as TSM's own code does. The
    released code of SELFY (github.com/arunos728/SELFY) and of TCM (github.com/yzfly/TCM) does
    not. At other depths the two classes are the same network, with the same names of weights.

    Args:
        As of ``ResNetTSM``, but ``shift_place`` is ``'blockres'`` and ``temporal_pool`` False.

    Raises:
        InputError: If ``shift_place`` or ``temporal_pool`` is set to something else.
    """

    def make_temporal_shift(self) -> None:
        """Put a shift before the first convolution of every block."""
        if self.shift_place != 'blockres' or self.temporal_pool:
            raise InputError('ResNetTSMEveryBlock shifts before the first convolution of a block: '
                             f'it has no shift_place={self.shift_place!r}, '
                             f'temporal_pool={self.temporal_pool}')
        for name in self.res_layers:
            for block in getattr(self, name):
                block.conv1.conv = TemporalShift(block.conv1.conv, self.num_segments,
                                                 self.shift_div)
