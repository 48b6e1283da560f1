"""Files of MSNet's released code: their names and shapes, and the logits of what they become."""

from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from official_networks import build_official, official_state

import mmaction_ext.register  # noqa: F401
from mmaction_ext.engine.official_checkpoints import KINDS, convert, identify, plain_names
from mmaction_ext.errors import InputError

CONFIGS = Path(__file__).parents[3] / 'configs'
#: Depth to the channels that the block reads and the blocks of each stage.
RESNETS = {18: (128, (2, 2, 2, 2)), 50: (512, (3, 4, 6, 3)), 101: (512, (3, 4, 23, 3))}


def normalisation(name, channels):
    return {
        **{f'{name}.{leaf}': (channels,) for leaf in ('weight', 'bias', 'running_mean')},
        f'{name}.running_var': (channels,),
        f'{name}.num_batches_tracked': (),
    }


def listed(depth, classes):
    """The weights of a file as its description lists them: plain name to shape."""
    channels, stages = RESNETS[depth]
    base = {'conv1.weight': (64, 3, 7, 7), **normalisation('bn1', 64), **normalisation('bn2', 128)}
    widths = (3, 16, 32, 64, channels)
    for i, kernel in enumerate((7, 3, 3, 3)):
        narrow, wide, name = widths[i], widths[i + 1], f'flow_refinement.conv{i + 1}'
        base[f'{name}.0.weight'] = (narrow, 1, kernel, kernel)
        base |= normalisation(f'{name}.1', narrow)
        base[f'{name}.3.weight'] = (wide, narrow, 1, 1)
        base |= normalisation(f'{name}.4', wide)
    base['chnl_reduction.0.weight'] = (64, channels, 1, 1)
    base |= normalisation('chnl_reduction.1', 64)
    before, expansion = 64, 1 if depth == 18 else 4
    for i, count in enumerate(stages):
        width, out = 64 * 2**i, 64 * 2**i * expansion
        for j in range(count):
            name = f'layer{i + 1}.{j}'
            shapes = (
                [(width, before, 3, 3), (width, width, 3, 3)]
                if depth == 18
                else [(width, before, 1, 1), (width, width, 3, 3), (out, width, 1, 1)]
            )
            for k, shape in enumerate(shapes, 1):
                base[f'{name}.conv{k}.weight'] = shape
                base |= normalisation(f'{name}.bn{k}', shape[0])
            if j == 0 and (i or depth > 18):
                base[f'{name}.downsample.0.weight'] = (out, before, 1, 1)
                base |= normalisation(f'{name}.downsample.1', out)
            before = out
    return base | {'new_fc.weight': (classes, before, 1), 'new_fc.bias': (classes,)}


def config_of(network):
    cfg = Config.fromfile(CONFIGS / KINDS['msnet'].configs[0])
    cfg.merge_from_dict(dict(network.settings, **{'model.backbone.backbone.pretrained': None}))
    return cfg


def build_ours(network):
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(config_of(network).model).eval()


@pytest.mark.parametrize('depth, classes', [(18, 174), (50, 174), (101, 400)])
def test_every_weight_of_a_file_has_its_place(depth, classes):
    """But those of a normalisation that the released network builds and does not use."""
    with torch.device('meta'):
        weights = {name: torch.empty(shape) for name, shape in listed(depth, classes).items()}
        network = identify('msnet', weights)
        target = build_ours(network).state_dict()
    assert network.settings['model.backbone.backbone.depth'] == depth
    assert network.settings['model.cls_head.num_classes'] == classes
    assert network.settings['input_shape'] == (3, 8, 224, 224)
    assert '8 frames are assumed' in network.remark
    assert identify('msnet', weights, 16).remark == ''
    found = convert('msnet', weights, target)
    assert {name: tensor.shape for name, tensor in found.items()} == {
        name: tensor.shape for name, tensor in target.items()
    }
    assert len(found) == len(weights) - 5
    del weights['flow_refinement.conv2.3.weight']
    with pytest.raises(InputError, match=r'missing flow_refinement\.conv2\.3\.weight'):
        convert('msnet', weights, target)


@pytest.mark.parametrize('depth, frames', [(18, 8), (50, 4)])
def test_logits_are_those_of_the_restatement(depth, frames):
    """In float64, by the official names alone; with a file as its trainer saves it."""
    restated = build_official('msnet', depth, frames, classes=5).double()
    weights = plain_names(official_state(restated))
    assert {name: tuple(w.shape) for name, w in weights.items()} == listed(depth, 5)
    model = build_ours(identify('msnet', weights, frames)).double()
    model.load_state_dict(convert('msnet', weights, model.state_dict()), strict=True)
    clips = torch.randn(
        2, 3, frames, 64, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    with torch.no_grad():
        expected = restated(clips)
        found = model.extract_feat(clips.transpose(1, 2).contiguous(), stage='head')[0]
    assert (expected[0] - expected[1]).abs().max() > 0.1  # the clips can be told apart
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
