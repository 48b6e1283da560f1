"""SmallBigNet: its size, its start as a ResNet, and that no clip differs from its reverse.

The whole network is held against a restatement with the names of the released code where those
are converted, see ``tests/engine/official_checkpoints``.
"""

import pytest
import torch
import torchvision
from restated import trained

from mmaction_ext.models import SmallBigNet
from mmaction_ext.models.complexity import count
from mmaction_ext.networks import smallbig

both = pytest.mark.parametrize('extra', [False, True])


@pytest.mark.parametrize('extra, params, gmacs', [(False, 23.91, 51.97), (True, 31.83, 62.66)])
def test_size_of_the_released_network(extra, params, gmacs):
    found = count(smallbig(174, 8, extra=extra), (3, 8, 224, 224))
    assert round(found.params / 1e6, 2) == params
    assert found.macs / 1e9 == pytest.approx(gmacs, abs=0.006)


@both
@pytest.mark.parametrize('depth', [50, 101])
def test_at_the_start_it_is_the_resnet_whose_weights_it_loads(depth, extra, tmp_path):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, f'resnet{depth}')(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / 'weights.pth')
    ours = SmallBigNet(depth, 2, extra, pretrained=str(tmp_path / 'weights.pth')).eval()
    ours.init_weights()
    theirs.fc = torch.nn.Identity()
    frames = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(frames).mean((2, 3)), theirs(frames))


@both
def test_a_clip_played_backwards_has_the_same_maps_backwards(extra):
    """To the last bit, also in training, but for sums over the batch."""
    network = trained(SmallBigNet(26, 5, extra, base_channels=8))
    clips = torch.randn(2, 5, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        forwards = network(clips.flatten(0, 1)).unflatten(0, (2, 5))
        backwards = network(clips.flip(1).flatten(0, 1)).unflatten(0, (2, 5))
        assert backwards.equal(forwards.flip(1))
        network.train()
        forwards = network(clips.flatten(0, 1)).unflatten(0, (2, 5))
        backwards = network(clips.flip(1).flatten(0, 1)).unflatten(0, (2, 5))
    torch.testing.assert_close(backwards, forwards.flip(1), rtol=1e-9, atol=1e-9)


@both
def test_frames_of_a_clip_are_mixed_and_no_others(extra):
    network = trained(SmallBigNet(14, 4, extra, base_channels=8))
    clips = torch.randn(2, 4, 3, 32, 32, dtype=torch.float64)
    other = clips.clone()
    other[1, 3] += 1
    with torch.no_grad():
        once = network(clips.flatten(0, 1)).unflatten(0, (2, 4))
        again = network(other.flatten(0, 1)).unflatten(0, (2, 4))
    assert once[0].equal(again[0])
    assert all(not once[1, frame].equal(again[1, frame]) for frame in range(4))


@both
def test_gradients_reach_every_weight(extra):
    network = trained(SmallBigNet(14, 3, extra, base_channels=8)).train()
    network(torch.randn(6, 3, 32, 32, dtype=torch.float64)).square().mean().backward()
    assert all(weight.grad.abs().max() > 0 for weight in network.parameters())
