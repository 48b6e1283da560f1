"""ResNet with CGD against torchvision's, its attention hooked in from outside."""

import pytest
import torch
import torchvision
from restated_networks import cgd
from torch import nn

from mmaction_ext import networks
from mmaction_ext.models import CGDResNet
from mmaction_ext.models.complexity import count


def test_is_torchvisions_network_with_attention_before_the_first_normalisations(tmp_path):
    torch.manual_seed(0)
    theirs = torchvision.models.resnet50(weights=None)
    torch.save(theirs.state_dict(), tmp_path / 'weights.pth')
    ours = CGDResNet(50, num_segments=2, pretrained=str(tmp_path / 'weights.pth'))
    ours.init_weights()
    names = set(ours.state_dict()) - set(theirs.state_dict())
    assert {name.rsplit('.', 2)[1] for name in names} == {'attention'} and len(names) == 16 * 6
    # normalisations of the batch, or the features of untrained weights grow without end
    ours, theirs = ours.double().train(), theirs.double().train()
    for name, parameter in ours.named_parameters():
        if '.attention.' in name:
            nn.init.normal_(parameter)
    for place, _ in ours.named_modules():
        if place.endswith('.attention'):
            conv = theirs.get_submodule(place.replace('attention', 'conv1'))
            conv.register_forward_hook(
                lambda _, __, y, place=place: cgd(y, dict(ours.named_parameters()), place)
            )
    theirs.fc = nn.Identity()
    frames = torch.randn(4, 3, 48, 64, dtype=torch.float64)
    expected = theirs(frames)
    torch.testing.assert_close(ours(frames).mean((2, 3)), expected, rtol=1e-10, atol=1e-10)


def test_over_clips_frames_see_each_other():
    torch.manual_seed(0)
    network = CGDResNet(14, num_segments=2, base_channels=4, over='clip').double().eval()
    frames = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    changed = torch.cat((frames[:1], torch.randn_like(frames[:1]), frames[2:]))
    same = [network(frames)[i].equal(network(changed)[i]) for i in range(4)]
    assert same == [False, False, True, True]


def test_sizes():
    """25.58 M with 1000 classes (KPSEM Table 1); 23.89 M, 4.09 G a frame on the released code."""
    with torch.device('meta'):
        assert round(count(networks.res50_cgd(1000, 8)).params / 1e6, 2) == 25.58
    found = count(networks.res50_cgd(174, 8), (3, 8, 224, 224))
    assert round(found.params / 1e6, 2) == 23.89
    assert found.macs / 8e9 == pytest.approx(4.09, abs=0.005)


def test_a_cgnl_block_before_the_last_unit_of_the_third_layer():
    """27.2 M with 1000 classes (KPSEM Table 1); the block is 1.28 G of four frames there."""
    plain, block = (
        count(network(1000), (3, 4, 224, 224))
        for network in (networks.r3d_r50, networks.res50_cgnl)
    )
    assert round(block.params / 1e6, 1) == 27.2
    assert round((block.macs - plain.macs) / 1e9, 2) == round(19.16 - 17.88, 2)
