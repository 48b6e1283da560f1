"""TSM's head in all but the first weights."""

import torch
from mmaction.models.heads import TSMHead
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

from mmaction_ext.models.heads import XavierTSMHead


def test_only_the_first_weights_differ_from_tsm():
    kwargs = dict(num_classes=7, in_channels=32, num_segments=4, dropout_ratio=0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        head, plain = (
            MODELS.build(dict(type=name, **kwargs)) for name in ('XavierTSMHead', 'TSMHead')
        )
    assert isinstance(head, XavierTSMHead) and isinstance(head, TSMHead)
    head.init_weights()
    weight = head.fc_cls.weight.detach()
    limit = (6 / (7 + 32)) ** 0.5
    assert limit / 2 < weight.abs().max() <= limit and not head.fc_cls.bias.any()
    plain.load_state_dict(head.state_dict())
    x = torch.randn(8, 32, 3, 3)
    assert torch.equal(head(x, num_segs=4), plain(x, num_segs=4))
