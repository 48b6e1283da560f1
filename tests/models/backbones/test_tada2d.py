"""TAda2D's size, what it starts as, and its switches; its numbers are those of the code in
``tests/engine/official_checkpoints/test_tada2d.py``.
"""

import pytest
import torch
import torch.nn.functional as F
import torchvision

from mmaction_ext.models import TAda2D
from mmaction_ext.models.backbones.tada2d import TAda2DBottleneck
from mmaction_ext.models.complexity import count
from mmaction_ext.networks import tada2d_r50


@pytest.mark.parametrize(
    'frames, side, gmacs', [(8, 224, 33.02), (8, 256, 43.13), (16, 256, 86.25)]
)
def test_size(frames, side, gmacs):
    """As counted from the released code by hooks."""
    found = count(tada2d_r50(174, frames), (3, frames, side, side))
    assert round(found.params / 1e6, 2) == 27.02
    assert round(found.macs / 1e9, 2) == gmacs


def test_size_for_kinetics():
    assert round(count(tada2d_r50(400, 8)).params / 1e6, 2) == 27.49


def test_starts_as_a_resnet_with_a_stride_in_layer_1_for_its_max_pooling(tmp_path):
    torch.manual_seed(0)
    image = torchvision.models.resnet50(weights=None)
    torch.save(image.state_dict(), tmp_path / 'weights.pth')
    network = TAda2D(50, 2, pretrained=str(tmp_path / 'weights.pth'))
    network.init_weights()
    image.maxpool, image.fc = torch.nn.Identity(), torch.nn.Identity()
    image.layer1[0].conv2.stride = image.layer1[0].downsample[0].stride = (2, 2)
    frames = torch.randn(4, 3, 64, 64)
    with torch.no_grad():  # in training: its normalisations tell, too
        torch.testing.assert_close(network(frames).mean((2, 3)), image(frames))


def test_new_branches_of_a_network_without_image_weights_are_zero():
    network = TAda2D(14, 2, base_channels=4)
    network.init_weights()
    blocks = [block for block in network.modules() if isinstance(block, TAda2DBottleneck)]
    assert len(blocks) == 4
    for block in blocks:
        assert not block.pooled_bn.weight.any() and not block.pooled_bn.bias.any()
        assert not block.conv2.route.b.weight.any()
        assert block.bn2.weight.eq(1).all() and block.conv2.weight.std() > 0


def test_switches():
    """A network without either is one whose parts for it do nothing."""
    torch.manual_seed(0)
    frames, full = torch.randn(6, 3, 32, 32), TAda2D(14, 3, base_channels=8).eval()
    for block in full.modules():
        if isinstance(block, TAda2DBottleneck):
            torch.nn.init.normal_(block.pooled_bn.weight)
            torch.nn.init.normal_(block.conv2.route.b.weight)
    weights, before = full.state_dict(), full(frames)
    for switch, part in (('global_context', '.route.g.'), ('pooled_branch', '.pooled_bn.')):
        lacking = TAda2D(14, 3, base_channels=8, **{switch: False}).eval()
        kept = {name: value for name, value in weights.items() if part not in name}
        assert len(kept) < len(weights)
        lacking.load_state_dict(kept, strict=True)
        idle = {
            name: torch.zeros_like(value) if part in name and value.is_floating_point() else value
            for name, value in weights.items()
        }
        full.load_state_dict(idle)
        torch.testing.assert_close(lacking(frames), full(frames))
        assert not torch.allclose(lacking(frames), before)


def test_pooling_over_time_counts_what_lies_beyond_the_ends():
    from mmaction_ext.models.backbones.tada2d import _pooled_over_time

    frames = torch.randn(2, 5, 3, 4, 6, dtype=torch.double)
    padded = F.pad(frames, (0, 0, 0, 0, 0, 0, 1, 1))
    expected = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3
    torch.testing.assert_close(_pooled_over_time(frames), expected)
