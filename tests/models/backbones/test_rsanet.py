"""RSANet: its size, what it starts from, and its stochastic depth.

The whole network is held against a restatement with the names of the released code where those
are converted, see ``tests/engine/official_checkpoints``; the attention in ``test_rsa.py``.
"""

import pytest
import torch
import torchvision
from restated import trained

from mmaction_ext.errors import InputError
from mmaction_ext.models import FrameResNet, RSANet
from mmaction_ext.models.backbones.rsanet import PLACES
from mmaction_ext.models.complexity import count
from mmaction_ext.networks import rsanet

THIN = dict(base_channels=16, num_queries=4)
SECOND_BLOCKS = ((1, 1), (2, 1), (3, 1), (4, 1))


def test_size_of_the_released_network():
    found = count(rsanet(174, 16), (3, 16, 224, 224))
    assert round(found.params / 1e6, 2) == 22.03
    assert round(found.macs / 1e9, 2) == 71.77
    assert round(found.macs_by_kind['bmm'] / 1e9, 2) == 1.00


def test_seven_blocks_start_anew_and_the_others_from_image_weights(tmp_path):
    torch.manual_seed(0)
    theirs = torchvision.models.resnet50(weights=None)
    for norm in theirs.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(norm.weight)
    torch.save(theirs.state_dict(), tmp_path / 'weights.pth')
    ours = RSANet(50, 2, pretrained=str(tmp_path / 'weights.pth'))
    ours.init_weights()
    anew = tuple(f'layer{place}.' for place in ('1.2', '2.1', '2.3', '3.1', '3.3', '3.5', '4.1'))
    ours, theirs = ours.state_dict(), theirs.state_dict()
    for name, value in ours.items():
        if not name.startswith(anew):
            assert value.equal(theirs[name]), name
        elif name.endswith('bn3.weight'):
            assert value.eq(0).all(), name
        elif 'conv2' not in name and name.endswith('weight'):
            assert not value.equal(theirs[name]), name
    spread = ours['layer3.1.conv3.weight'].std().item()
    assert spread == pytest.approx((2 / 1024) ** 0.5, rel=0.05)


def test_without_image_weights_all_residual_branches_start_at_zero():
    network = RSANet(26, 2, SECOND_BLOCKS, **THIN)
    network.init_weights()
    block = network.layer3[1]
    frames = torch.randn(2, 256, 4, 4).relu()
    assert block.eval()(frames).equal(frames)
    assert network.layer4[0].bn3.weight.eq(0).all()


def test_without_the_attention_it_is_a_resnet_on_frames():
    network = trained(RSANet(26, 2, places=(), base_channels=8))
    plain = FrameResNet(26, 2, base_channels=8).double().eval()
    plain.load_state_dict(network.state_dict())
    frames = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    assert network(frames).equal(plain(frames))


def test_survival_falls_linearly_over_the_blocks():
    network = RSANet(50, 2)
    blocks = [
        block for number in (1, 2, 3, 4) for block in network.get_submodule(f'layer{number}')
    ]
    survivals = [block.survival for block in blocks]
    assert survivals == pytest.approx(torch.linspace(1, 0.8, 16).tolist())
    places = [
        (number, index)
        for number in (1, 2, 3, 4)
        for index, block in enumerate(network.get_submodule(f'layer{number}'))
        if block.attends
    ]
    assert places == list(PLACES)


def test_a_clip_goes_through_a_residual_branch_with_all_its_frames_or_with_none():
    torch.manual_seed(0)
    network = RSANet(14, 3, places=(), survival=0.6, base_channels=4)
    block = network.layer4[0]  # the last one
    x = torch.randn(300 * 3, 64, 2, 2)
    shortcut = block.downsample(x)  # in training: by the statistics of these frames
    branch = block.bn3(
        block.conv3(block.bn2(block.conv2(block.bn1(block.conv1(x)).relu())).relu())
    )
    out = block(x).unflatten(0, (300, 3)).flatten(1)
    left_out = shortcut.relu().unflatten(0, (300, 3)).flatten(1)
    kept = (branch / 0.6 + shortcut).relu().unflatten(0, (300, 3)).flatten(1)
    is_kept = (out - kept).abs().amax(1) < 1e-4
    assert ((out - left_out).abs().amax(1) < 1e-4).equal(~is_kept)
    assert 0.5 < is_kept.float().mean() < 0.7
    block.eval()
    branch = block.bn3(
        block.conv3(block.bn2(block.conv2(block.bn1(block.conv1(x)).relu())).relu())
    )
    torch.testing.assert_close(block(x), (branch + block.downsample(x)).relu())


def test_frames_of_a_clip_are_mixed_and_no_others():
    network = trained(RSANet(26, 3, SECOND_BLOCKS, **THIN))
    clips = torch.randn(2, 3, 3, 32, 32, dtype=torch.float64)
    other = torch.cat((clips[:1], clips[1:] + 1))
    with torch.no_grad():
        once = network(clips.flatten(0, 1)).unflatten(0, (2, 3))
        again = network(other.flatten(0, 1)).unflatten(0, (2, 3))
        backwards = network(clips.flip(1).flatten(0, 1)).unflatten(0, (2, 3))
    assert once[0].equal(again[0]) and not once[1].equal(again[1])
    assert (once.mean(1) - backwards.mean(1)).abs().max() > 1e-3


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(depth=18), 'depth'),
        (dict(survival=0), 'survival'),
        (dict(survival=1.1), 'survival'),
        (dict(places=((1, 0),)), r'places.*\(1, 0\)'),
        (dict(places=((1, 3),)), r'places.*\(1, 3\)'),
        (dict(places=((5, 1),)), r'places.*\(5, 1\)'),
        (dict(num_queries=7), 'num_queries=7 must divide the 64 channels'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        RSANet(**{'depth': 50, 'num_segments': 2, **arguments})
