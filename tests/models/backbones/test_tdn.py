"""TDN: its size, its start, its switches, and what of five frames it sees.

The whole network is held against a restatement with the names of the released code where those
are converted, see ``tests/engine/official_checkpoints``.
"""

import pytest
import torch
import torchvision
from mmaction.registry import MODELS

from mmaction_ext.errors import InputError
from mmaction_ext.models import TDN
from mmaction_ext.models.complexity import count
from mmaction_ext.networks import tdn

#: The released network's ``conv1_temp``, which never runs: (64, 3, 7, 7) and 64 biases.
UNUSED = 9472


@pytest.mark.parametrize(
    'depth, num_segments, params, gmacs',
    [(50, 8, 24.42, 35.64), (50, 16, 24.42, 71.28), (101, 8, 43.68, 65.84)],
)
def test_size_of_the_released_network(depth, num_segments, params, gmacs):
    found = count(tdn(174, num_segments, depth), (15, num_segments, 224, 224))
    assert round((found.params + UNUSED) / 1e6, 2) == params
    assert round(found.macs / 1e9, 2) == gmacs


@pytest.fixture(scope='module')
def started(tmp_path_factory):
    """torchvision's weights, and a network that started from them."""
    torch.manual_seed(0)
    theirs = torchvision.models.resnet50(weights=None).state_dict()
    path = tmp_path_factory.mktemp('weights') / 'resnet50.pth'
    torch.save(theirs, path)
    network = TDN(50, 2, pretrained=str(path))
    network.init_weights()
    return theirs, network


def test_it_starts_from_a_resnet(started):
    theirs, network = started
    state = network.state_dict()
    shared = state.keys() & theirs.keys()
    assert shared == {name for name in theirs if not name.startswith('fc.')}
    assert all(state[name].equal(theirs[name]) for name in shared)
    for name, value in network.short_term.layer1.state_dict().items():
        if name in network.layer1.state_dict() and f'layer1.{name}' in theirs:
            assert value.equal(theirs[f'layer1.{name}'])
    kernel = network.short_term.conv.weight
    assert kernel.shape == (64, 12, 7, 7)
    for channel in range(12):
        torch.testing.assert_close(kernel[:, channel], theirs['conv1.weight'].mean(1))


@pytest.mark.parametrize('bias_init', ['uniform', 'zero'])
def test_biases_start_as_torchs_or_at_zero(bias_init):
    network = TDN(14, 2, base_channels=16, bias_init=bias_init)
    network.init_weights()
    for name in ('conv1', 'layer1.0.conv2', 'layer3.0.downsample.0', 'short_term.layer1.0.conv3'):
        part = network.get_submodule(name)
        limit = part.weight[0].numel() ** -0.5
        if bias_init == 'zero':
            assert not part.bias.any()
        else:
            assert limit / 2 < part.bias.abs().max() <= limit
    assert not network.layer1[0].bn1.bias.any()


def small(**options):
    torch.manual_seed(0)
    return TDN(14, **dict(dict(num_segments=3, base_channels=16), **options)).eval()


@torch.no_grad()
def seen(network, segments):
    return network(segments.flatten(0, 1)).unflatten(0, segments.shape[:2]).mean(1)


def test_what_of_a_segment_is_seen():
    """Without S-TDM the third frame alone; with it neighbours, whose order counts."""
    segments = torch.randn(2, 3, 15, 64, 64)
    others = segments.clone()
    others[:, :, :6] += 1
    others[:, :, 9:] -= 1
    plain, whole = small(short_term=False), small()
    assert seen(plain, segments).equal(seen(plain, others))
    assert not seen(whole, segments).allclose(seen(whole, others), atol=1e-4)
    backwards = segments.unflatten(2, (5, 3)).flip(2).flatten(2, 3)
    assert not seen(whole, segments).allclose(seen(whole, backwards), atol=1e-4)


@pytest.mark.parametrize('num_segments, share', [(8, 0.5), (16, 0.25), (4, 0.25)])
def test_share_of_the_short_term(num_segments, share):
    assert small(num_segments=num_segments).short_term_share == share
    assert small(num_segments=num_segments, short_term_share=0.1).short_term_share == 0.1


def test_nothing_of_the_short_term_is_the_network_without():
    whole, plain = small(short_term_share=0.0), small(short_term=False)
    plain.load_state_dict(whole.state_dict(), strict=False)
    segments = torch.randn(1, 3, 15, 48, 40)
    assert seen(whole, segments).equal(seen(plain, segments))


def test_without_long_term_modules_the_convolutions_over_time_stay():
    parts = [
        set(dict(small(long_term=on).layer2[0].motion.named_children())) for on in (True, False)
    ]
    assert parts == [{'ltdm', 'conv'}, {'conv'}]


@pytest.mark.parametrize('stage', [1, 2, 3, 4, 5])
def test_hosts_a_module_after_every_stage(stage):
    host = MODELS.build(
        dict(
            type='MotionBackbone',
            backbone=dict(type='TDN', depth=14, num_segments=4, base_channels=16),
            module=dict(type='MotionExcitation'),
            stages=(stage,),
        )
    )
    assert host.module.in_channels == {stage: [16, 64, 128, 256, 512][stage - 1]}
    assert host(torch.randn(4, 15, 64, 64)).shape == (4, 512, 2, 2)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(bias_init='random'), 'bias_init'),
        (dict(short_term_share=1.5), 'short_term_share must be between 0 and 1, got 1.5'),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(InputError, match=message):
        small(**options)


def test_frames_of_one_picture_are_refused():
    with pytest.raises(InputError, match=r'15 channels of 5 frames, got \(3, 3, 64, 64\)'):
        small()(torch.zeros(3, 3, 64, 64))
