"""Image weights for backbones: the same features as the network that a file is of, or nothing."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader

import mmaction_ext.register  # noqa: F401
from mmaction_ext.cli.convert import convert_image
from mmaction_ext.engine.official_checkpoints import IMAGES
from mmaction_ext.errors import InputError
from mmaction_ext.models.host.building import build_backbone

#: of each row of blocks: expansion, channels, blocks, first stride and kernel, as in the papers
ROWS = {
    'mobilenetv2': [
        *[(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3)],
        *[(6, 96, 3, 1, 3), (6, 160, 3, 2, 3), (6, 320, 1, 1, 3)],
    ],
    'efficientnet_lite0': [
        *[(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)],
        *[(6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)],
    ],
}
BACKBONES = [(kind, backbone) for kind, image in IMAGES.items() for backbone in image.backbones]


def steps(kind):
    """Input and output channels, stride, kernel and groups of each convolution; None adds."""
    found, channels = [(3, 32, 2, 3, 1)], 32
    for expansion, width, count, first, kernel in ROWS[kind]:
        for place in range(count):
            inner, stride = channels * expansion, first if place == 0 else 1
            found += [(channels, inner, 1, 1, 1)] if expansion > 1 else []
            found += [(inner, inner, stride, kernel, inner), (inner, width, 1, 1, 1)]
            found += [None] if channels == width and stride == 1 else ['end']
            channels = width
    return [*found, (channels, 1280, 1, 1, 1)]


def weights_of(kind, seed=0):
    """A random file, of which batch norms have seen something."""
    made = torch.Generator().manual_seed(seed)
    layers, weights = iter(IMAGES[kind].layers), {}
    for step in steps(kind):
        if not isinstance(step, tuple):
            continue
        inputs, outputs, _, kernel, groups = step
        size = (outputs, inputs // groups, kernel, kernel)
        fan = size[1] * kernel * kernel
        weights[f'{next(layers)}.weight'] = torch.randn(size, generator=made) * (2 / fan) ** 0.5
        norm = next(layers)
        for leaf in ('weight', 'bias', 'running_mean', 'running_var'):
            weights[f'{norm}.{leaf}'] = torch.rand(outputs, generator=made) + (leaf != 'bias') / 2
        weights[f'{norm}.num_batches_tracked'] = torch.tensor(5)
    return weights


def features(kind, weights, x):
    """The network in plain functions, by the names of the file alone."""
    layers = iter(IMAGES[kind].layers)
    is_tensorflow = kind == 'efficientnet_lite0'
    start = x
    for step in steps(kind):
        if not isinstance(step, tuple):
            x = start = x + start if step is None else x
            continue
        _, _, stride, kernel, groups = step
        if is_tensorflow:
            total = max((-(-x.shape[-1] // stride) - 1) * stride + kernel - x.shape[-1], 0)
            x = F.pad(x, (total // 2, total - total // 2) * 2)
            padding = 0
        else:
            padding = kernel // 2
        x = F.conv2d(x, weights[f'{next(layers)}.weight'], None, stride, padding, 1, groups)
        norm = next(layers)
        scale, shift, mean, var = (
            weights[f'{norm}.{leaf}'][:, None, None]
            for leaf in ('weight', 'bias', 'running_mean', 'running_var')
        )
        x = (x - mean) / (var + (1e-3 if is_tensorflow else 1e-5)).sqrt() * scale + shift
        x = x if is_linear(kind, norm) else x.clamp(0, 6)
        if norm in ('features.0.1', '_bn0'):
            start = x
    return x


def is_linear(kind, norm):
    """The last batch norm of a block has no activation behind it."""
    if kind == 'efficientnet_lite0':
        return norm.startswith('_blocks.') and norm.endswith('_bn2')
    return norm == 'features.1.conv.4' or norm.endswith('conv.7')


def load(backbone, path):
    option = {'MobileNetV2': 'pretrained'}.get(backbone, 'checkpoint_path')
    with DefaultScope.overwrite_default_scope('mmaction'):
        network = build_backbone({'type': backbone, option: str(path)})
    network.init_weights()
    network.eval()  # of which mmaction2's network returns nothing
    return network


@pytest.mark.parametrize('kind, backbone', BACKBONES)
def test_a_backbone_has_the_features_of_the_network(tmp_path, kind, backbone):
    weights = weights_of(kind)
    torch.save(weights, tmp_path / 'in.pt')
    lines = convert_image(kind, tmp_path / 'in.pt', tmp_path / 'out.pth', backbone)
    option = {'MobileNetV2': 'pretrained'}.get(backbone, 'checkpoint_path')
    assert lines[-1] == f'model.backbone.backbone.{option}={tmp_path / "out.pth"}'
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        network, x = load(backbone, tmp_path / 'out.pth').double(), x.double()
        found = network.forward_features(x) if 'timm' in backbone else network(x)
    expected = features(kind, {name: each.double() for name, each in weights.items()}, x)
    assert expected.std() > 1e-2
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_a_file_takes_the_place_of_what_timm_would_fetch(tmp_path):
    torch.save(weights_of('mobilenetv2'), tmp_path / 'in.pt')
    convert_image('mobilenetv2', tmp_path / 'in.pt', tmp_path / 'out.pth')
    build_backbone(
        dict(
            type='timm.mobilenetv2_100', pretrained=True, checkpoint_path=str(tmp_path / 'out.pth')
        )
    )  # tests are offline


def test_a_classifier_is_kept_for_timm(tmp_path):
    weights = weights_of('efficientnet_lite0')
    weights |= {'_fc.weight': torch.ones(1000, 1280), '_fc.bias': torch.zeros(1000)}
    torch.save(weights, tmp_path / 'in.pt')
    convert_image('efficientnet_lite0', tmp_path / 'in.pt', tmp_path / 'out.pth')
    state = CheckpointLoader.load_checkpoint(str(tmp_path / 'out.pth'), 'cpu')['state_dict']
    import timm

    timm.create_model('tf_efficientnet_lite0').load_state_dict(state)
    load('timm.tf_efficientnet_lite0', tmp_path / 'out.pth')


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (lambda w: w.pop('features.4.conv.1.bias'), r'features\.4\.conv\.1\.bias is missing'),
        (lambda w: w.update(other=torch.ones(1)), 'other is unknown'),
        (
            lambda w: w.update({'features.0.0.weight': torch.ones(16, 3, 3, 3)}),
            r'features\.0\.0\.weight is \(16, 3, 3, 3\), not \(32, 3, 3, 3\)',
        ),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_written(tmp_path, change, reason):
    weights = weights_of('mobilenetv2')
    change(weights)
    torch.save(weights, tmp_path / 'in.pt')
    with pytest.raises(InputError, match=reason):
        convert_image('mobilenetv2', tmp_path / 'in.pt', tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_a_file_of_another_network_or_backbone_is_refused(tmp_path):
    torch.save(weights_of('mobilenetv2'), tmp_path / 'in.pt')
    with pytest.raises(InputError, match=r'features\.0\.0\.weight is unknown; .* more'):
        convert_image('efficientnet_lite0', tmp_path / 'in.pt', tmp_path / 'out.pth')
    with pytest.raises(InputError, match='--backbone ResNet: mobilenetv2 fits timm'):
        convert_image('mobilenetv2', tmp_path / 'in.pt', tmp_path / 'out.pth', 'ResNet')


def test_counters_that_a_file_lacks_are_zero(tmp_path):
    weights = {name: w for name, w in weights_of('mobilenetv2').items() if 'tracked' not in name}
    torch.save(weights, tmp_path / 'in.pt')
    convert_image('mobilenetv2', tmp_path / 'in.pt', tmp_path / 'out.pth')
    state = torch.load(tmp_path / 'out.pth', weights_only=True)['state_dict']
    assert all(value == 0 for name, value in state.items() if name.endswith('tracked'))
