"""R(2+1)D: published size, a functional second implementation, ImageNet weights."""

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from mmaction_ext.models import R2Plus1D
from mmaction_ext.models.backbones.r2plus1d import R2Plus1DBottleneck
from mmaction_ext.models.complexity import count


def recognizer(num_classes=174, **arguments):
    backbone = dict(type='R2Plus1D', **arguments)
    return dict(
        type='Recognizer3D',
        backbone=backbone,
        cls_head=dict(type='I3DHead', num_classes=num_classes, in_channels=2048),
    )


@pytest.mark.parametrize(
    'arguments, params, macs',
    [
        (dict(), 23_883_438, 32_743_206_912),
        (dict(temporal_norm='bn'), 23_883_438, 32_743_206_912),
        (dict(temporal_norm='none'), 23_875_886, 32_743_206_912),
        (dict(order='spatial_first'), 23_883_438, 32_730_562_560),
    ],
)
def test_size_of_depth_50(arguments, params, macs):
    """Table 3 prints 23.9M and 32.7 G for 8 frames, which all readings do."""
    found = count(recognizer(**arguments), (3, 8, 224, 224))
    assert (found.params, found.macs) == (params, macs)
    assert (round(found.params / 1e6, 1), round(found.macs / 1e9, 1)) == (23.9, 32.7)


def with_dcf(**arguments):
    """DCF as in the paper, around another depth."""
    config = recognizer(**arguments)
    config['backbone'] = dict(
        type='MotionBackbone',
        backbone=config['backbone'],
        module=dict(type='DCF', reduction=4),
        stages=(2, 3, 4),
    )
    return config


@pytest.mark.parametrize(
    'depth, num_frames, params, gmacs', [(50, 8, 24.6, 35.9), (101, 16, 43.6, 131.3)]
)
def test_size_with_dcf(depth, num_frames, params, gmacs):
    """Tables 3 and 4 print 24.6M and 35.9 G at depth 50, and 131.3 G at depth 101."""
    found = count(with_dcf(depth=depth), (3, num_frames, 224, 224))
    assert (round(found.params / 1e6, 1), round(found.macs / 1e9, 1)) == (params, gmacs)


def test_shapes_of_the_stages():
    """Table 6: frames are never reduced."""
    network, x = R2Plus1D().to('meta'), torch.empty(1, 3, 8, 224, 224, device='meta')
    shapes = []
    for name in ('stage1', 'stage2', 'stage3', 'stage4', 'stage5'):
        x = network.get_submodule(name)(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [
        (64, 8, 56, 56),
        (256, 8, 56, 56),
        (512, 8, 28, 28),
        (1024, 8, 14, 14),
        (2048, 8, 7, 7),
    ]


def randomised(network):
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            for values in (module.weight, module.bias, module.running_mean):
                nn.init.normal_(values)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network.double().eval()


def block_by_hand(x, block, order, temporal_norm):
    """Spatial convolutions per frame, the temporal one per channel as a sum of shifts."""

    def norm(y, bn):
        shape = (1, -1, 1, 1, 1)
        y = (y - bn.running_mean.view(shape)) / (bn.running_var.view(shape) + bn.eps).sqrt()
        return y * bn.weight.view(shape) + bn.bias.view(shape)

    def per_frame(y, conv, stride=1, padding=0):
        kernel = conv.weight[:, :, 0]
        return torch.stack(
            [
                F.conv2d(y[:, :, t], kernel, stride=stride, padding=padding)
                for t in range(y.shape[2])
            ],
            dim=2,
        )

    def temporal(y):
        padded, taps = F.pad(y, (0, 0, 0, 0, 1, 1)), block.temporal.weight.view(-1, 3)
        y = sum(
            padded[:, :, k : k + y.shape[2]] * taps[:, k].view(1, -1, 1, 1, 1) for k in range(3)
        )
        y = y if temporal_norm == 'none' else norm(y, block.temporal_bn)
        return y.clamp(min=0) if temporal_norm == 'bn_relu' else y

    def spatial(y):
        return norm(per_frame(y, block.conv2, stride=2, padding=1), block.bn2).clamp(min=0)

    y = norm(per_frame(x, block.conv1), block.bn1).clamp(min=0)
    y = spatial(temporal(y)) if order == 'temporal_first' else temporal(spatial(y))
    y = norm(per_frame(y, block.conv3), block.bn3)
    shortcut = norm(per_frame(x, block.downsample[0], stride=2), block.downsample[1])
    return (y + shortcut).clamp(min=0)


@pytest.mark.parametrize('order', ['temporal_first', 'spatial_first'])
@pytest.mark.parametrize('temporal_norm', ['bn_relu', 'bn', 'none'])
def test_block_equals_one_by_hand(order, temporal_norm):
    block = randomised(R2Plus1DBottleneck(6, 4, 2, order, temporal_norm))
    x = torch.randn(2, 6, 5, 7, 9, dtype=torch.double)
    torch.testing.assert_close(block(x), block_by_hand(x, block, order, temporal_norm))


def test_temporal_kernels_start_as_identity():
    torch.manual_seed(0)
    network = R2Plus1D(base_channels=2)
    network.init_weights()
    kernels = [
        module.temporal.weight
        for module in network.modules()
        if isinstance(module, R2Plus1DBottleneck)
    ]
    assert len(kernels) == 16
    for kernel in kernels:
        assert torch.equal(kernel.flatten(1), torch.tensor([[0.0, 1, 0]]).expand(len(kernel), 3))


def test_initialising_twice_changes_nothing(tmp_path):
    """mmengine initialises once; what was trained since, or loaded, stays."""
    network = R2Plus1D(base_channels=2, zero_init_residual=True, pretrained=None)
    network.init_weights()
    trained = {name: torch.full_like(value, 7) for name, value in network.state_dict().items()}
    network.load_state_dict(trained)
    network.pretrained = str(tmp_path / 'gone since.pth')
    network.init_weights()
    assert all(value.eq(7).all() for value in network.state_dict().values())


def test_other_initialisations():
    torch.manual_seed(0)
    network = R2Plus1D(base_channels=2, temporal_init='random', zero_init_residual=True)
    network.init_weights()
    block = network.stage3[1]
    assert block.temporal.weight[:, 0, 0].ne(0).all()
    assert block.bn3.weight.eq(0).all() and block.bn2.weight.eq(1).all()


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(depth=34), '34'),
        (dict(order='both'), "order.*'both'"),
        (dict(temporal_norm='gn'), "temporal_norm.*'gn'"),
        (dict(temporal_init='zero'), "temporal_init.*'zero'"),
        (
            dict(pretrained='a.pth', init_cfg=dict(type='Pretrained', checkpoint='b.pth')),
            'give one',
        ),
    ],
)
def test_what_cannot_be_built_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        R2Plus1D(base_channels=2, **arguments)


def test_names_in_an_image_network():
    """Every name of torchvision's and timm's ResNet-50 has its place, and only those."""
    for image in (torchvision.models.resnet50(), timm.create_model('resnet50')):
        expected = {name for name in image.state_dict() if not name.startswith('fc.')}
        network = R2Plus1D(base_channels=2)
        found = [network.image_name(name) for name in network.state_dict()]
        assert set(found) - {None} == expected
        assert sum(name is None for name in found) == 16 * 6


def image_network():
    """An image ResNet-50 with other statistics everywhere."""
    torch.manual_seed(1)
    network = timm.create_model('resnet50')
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def test_image_weights_make_every_frame_an_image(tmp_path):
    """Without a normalisation behind the identity kernel the network is the image network."""
    image, path = image_network(), str(tmp_path / 'image.pth')
    torch.save(image.state_dict(), path)
    network = R2Plus1D(temporal_norm='none', pretrained=path)
    network.init_weights()
    image.double()
    clip = torch.randn(1, 3, 3, 64, 64, dtype=torch.double)
    expected = torch.stack([image.forward_features(clip[:, :, t]) for t in range(3)], dim=2)
    assert expected.std() > 0.01
    torch.testing.assert_close(network.double().eval()(clip), expected)


def test_image_weights_that_do_not_fit_are_refused(tmp_path):
    state, path = image_network().state_dict(), str(tmp_path / 'image.pth')
    del state['layer2.0.conv1.weight']
    torch.save(state, path)
    network = R2Plus1D(pretrained=path)
    with pytest.raises(ValueError, match=r'image\.pth.*missing: layer2\.0\.conv1\.weight$'):
        network.init_weights()


def test_a_checkpoint_of_its_own_by_init_cfg(tmp_path):
    other, path = R2Plus1D(base_channels=2), str(tmp_path / 'own.pth')
    torch.save(other.state_dict(), path)
    network = R2Plus1D(base_channels=2, init_cfg=dict(type='Pretrained', checkpoint=path))
    network.init_weights()
    for name, value in other.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)
