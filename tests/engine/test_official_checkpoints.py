"""Names, shapes and files of the papers' own code."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from official_networks import build_official, official_state

import mmaction_ext.register  # noqa: F401
from mmaction_ext.engine.official_checkpoints import (
    convert,
    identify,
    official_name,
    plain_names,
    read_weights,
    released_names,
)
from mmaction_ext.errors import InputError

CONFIGS = Path(__file__).parents[2] / 'configs'
OURS = {
    'selfy': 'selfy/table1_sthv1/selfy_tsm_r50_8f.py',
    'tcm': 'tcm/table_sthv1/tcm_r50_8f.py',
    'mfnet': 'kpsem/pretraining/mfnet_k400.py',
}


def build_ours(kind):
    """Model of this project at ResNet-18, or MFNet."""
    cfg = Config.fromfile(CONFIGS / OURS[kind])
    if kind != 'mfnet':
        cfg.merge_from_dict(
            {'model.backbone.backbone.depth': 18, 'model.cls_head.in_channels': 512}
        )
    with DefaultScope.overwrite_default_scope('mmaction'), torch.device('meta'):
        return MODELS.build(cfg.model).state_dict()


@pytest.fixture(scope='module')
def ours():
    return {kind: build_ours(kind) for kind in OURS}


@pytest.fixture(scope='module')
def theirs():
    return {
        kind: build_official(kind, classes=400 if kind == 'mfnet' else 174).state_dict()
        for kind in OURS
    }


@pytest.fixture
def plain(theirs):
    return {kind: plain_names(state) for kind, state in theirs.items()}


@pytest.mark.parametrize(
    'kind, name, expected',
    [
        ('selfy', 'backbone.backbone.conv1.bn.bias', 'bn1.bias'),
        ('selfy', 'backbone.backbone.layer3.5.conv1.conv.net.weight', 'layer3.5.conv1.weight'),
        (
            'selfy',
            'backbone.backbone.layer3.0.downsample.bn.weight',
            'layer3.0.downsample.1.weight',
        ),
        (
            'selfy',
            'backbone.module.blocks.3.0.transformation.conv.weight',
            'selfy.stss_transformation.downsample.0.weight',
        ),
        (
            'selfy',
            'backbone.module.blocks.3.0.extraction.layers.3.bn.running_var',
            'selfy.stss_extraction.conv3.1.running_var',
        ),
        (
            'selfy',
            'backbone.module.blocks.3.0.integration.fuse.conv.weight',
            'selfy.stss_integration.conv3_fuse.1.weight',
        ),
        (
            'selfy',
            'backbone.module.blocks.3.0.integration.bn.bias',
            'selfy.stss_integration.upsample.1.bias',
        ),
        ('tcm', 'backbone.module.blocks.3.mtdm.bn.bias', 'tcm_layer.mtdm.chnl_reduction.1.bias'),
        (
            'tcm',
            'backbone.module.blocks.3.tam.transformation.3.conv.weight',
            'tcm_layer.tam.conv1.9.weight',
        ),
        (
            'tcm',
            'backbone.module.blocks.3.tam.transformation.9.bn.weight',
            'tcm_layer.tam.conv4.4.weight',
        ),
        ('tcm', 'backbone.module.blocks.3.tam.gate.weight', 'tcm_layer.tam.ETA.conv.weight'),
        ('tcm', 'cls_head.fc_cls.bias', 'new_fc.bias'),
        ('mfnet', 'backbone.backbone.stage1.conv.weight', 'conv1.conv.weight'),
        (
            'mfnet',
            'backbone.backbone.stage4.5.multiplexer_in.bn.weight',
            'conv4.B06.conv_i1.bn.weight',
        ),
        (
            'mfnet',
            'backbone.backbone.stage2.0.shortcut.conv.weight',
            'conv2.B01.conv_w1.conv.weight',
        ),
        ('mfnet', 'cls_head.fc_cls.weight', 'classifier.weight'),
    ],
)
def test_official_name(kind, name, expected):
    assert official_name(kind, name) == expected


def test_name_that_the_released_code_lacks():
    with pytest.raises(ValueError, match=r'mfnet'):
        official_name('mfnet', 'backbone.backbone.conv1.conv.weight')


@pytest.mark.parametrize('kind', OURS)
def test_every_weight_here_has_one_of_its_own_there(kind, ours, plain):
    names = [official_name(kind, name) for name in ours[kind]]
    assert sorted(names) == sorted(plain[kind])


def test_plain_names_drop_prefixes_wherever_the_block_sits():
    one = torch.ones(1)
    assert list(
        plain_names(
            {
                'module.base_model.layer1.0.bn1.bias': one,
                'module.new_fc.bias': one,
                'module.base_model.layer2.selfy.stss_extraction.conv0.0.weight': one,
                'layer2.3.tcm_layer.tam.ETA.conv.weight': one,
                'classifier.bias': one,
            }
        )
    ) == [
        'layer1.0.bn1.bias',
        'new_fc.bias',
        'selfy.stss_extraction.conv0.0.weight',
        'tcm_layer.tam.ETA.conv.weight',
        'classifier.bias',
    ]
    assert list(plain_names({'fc1.weight': one, 'base_model.bn1.bias': one})) == [
        'new_fc.weight',
        'bn1.bias',
    ]


def test_plain_names_refuse_the_same_weight_twice():
    with pytest.raises(InputError, match=r'new_fc\.bias twice, once as module\.new_fc\.bias'):
        plain_names({'fc1.bias': torch.ones(1), 'module.new_fc.bias': torch.ones(1)})


@pytest.mark.parametrize('kind, block', [('selfy', 'selfy.'), ('tcm', 'tcm_layer.')])
def test_layers_of_other_names_are_taken_in_their_order(kind, block, plain):
    count = iter(range(1000))
    layers = {}
    for name in plain[kind]:
        layer = name.rpartition('.')[0]
        if name.startswith(block) and layer not in layers:
            layers[layer] = f'{block}{next(count)}'
    other = {
        layers.get(name.rpartition('.')[0], name.rpartition('.')[0])
        + '.'
        + name.rpartition('.')[2]: tensor
        for name, tensor in plain[kind].items()
    }
    assert len(layers) > 10 and set(other) != set(plain[kind])
    found, renamed = released_names(kind, other)
    assert renamed and found.keys() == plain[kind].keys()
    assert all(found[name] is tensor for name, tensor in plain[kind].items())


@pytest.mark.parametrize('change', ['rename one', 'drop one', 'add one'])
def test_layers_are_not_guessed_where_some_names_are_known(change, plain):
    weights = plain['tcm']
    tensor = weights['tcm_layer.tam.conv3.0.weight']
    if change != 'add one':
        del weights['tcm_layer.tam.conv3.0.weight']
    if change != 'drop one':
        weights['tcm_layer.tam.extra.weight'] = tensor
    assert released_names('tcm', weights) == (weights, False)


def test_released_names_are_kept(plain):
    for kind, weights in plain.items():
        assert released_names(kind, weights) == (weights, False)


@pytest.mark.parametrize('depth, channels', [(18, 512), (34, 512), (50, 2048), (101, 2048)])
def test_depth_is_identified(depth, channels):
    with torch.device('meta'):
        state = build_official('selfy', depth, classes=7).state_dict()
    settings = identify('selfy', plain_names(state)).settings
    assert settings['model.backbone.backbone.depth'] == depth
    assert settings['model.backbone.backbone.type'] == (
        'ResNetTSMEveryBlock' if depth == 101 else 'ResNetTSM'
    )
    assert settings['model.cls_head.in_channels'] == channels
    assert settings['model.cls_head.num_classes'] == 7


@pytest.mark.parametrize(
    'channels, num_segments, frames, reach',
    [
        (320, None, 8, 2),
        (576, None, 16, 4),
        (64, None, 8, 0),
        (448, None, 8, 3),
        (1088, None, 9, 8),
        (320, 16, 16, 2),
        (576, 8, 8, 4),
    ],
)
def test_offsets_of_selfy(channels, num_segments, frames, reach, plain):
    weights = plain['selfy']
    weights['selfy.stss_integration.conv3_fuse.1.weight'] = torch.empty(64, channels, 1, 3, 3)
    network = identify('selfy', weights, num_segments)
    assert network.settings['model.backbone.module.offsets'] == tuple(range(-reach, reach + 1))
    assert network.settings['input_shape'] == (3, frames, 224, 224)
    assert bool(network.remark) == (num_segments is None)
    assert ('recalled of the paper' in network.remark) == (frames == 16 and not num_segments)


@pytest.mark.parametrize(
    'kernel, num_segments, frames',
    [
        (3, None, 8),
        (5, None, 16),
        (7, None, 64),
        (1, None, 2),
        (3, 4, 4),
        (3, 15, 15),
        (5, 32, 32),
    ],
)
def test_gate_of_tcm(kernel, num_segments, frames, plain):
    weights = plain['tcm']
    weights['tcm_layer.tam.ETA.conv.weight'] = torch.empty(1, 1, kernel)
    network = identify('tcm', weights, num_segments)
    for key in (
        'backbone.num_segments',
        'backbone.backbone.num_segments',
        'backbone.module.num_segments',
        'cls_head.num_segments',
    ):
        assert network.settings[f'model.{key}'] == frames


def test_remark_states_the_lengths_a_gate_allows(plain):
    assert 'a gate of 3 is that of 4 to 15' in identify('tcm', plain['tcm']).remark


@pytest.mark.parametrize(
    'kind, name, shape, num_segments, message',
    [
        ('tcm', 'tcm_layer.tam.ETA.conv.weight', (1, 1, 3), 16, 'that of 4 to 15 frames'),
        ('tcm', 'tcm_layer.tam.ETA.conv.weight', (1, 1, 4), None, 'a kernel of 4'),
        (
            'selfy',
            'selfy.stss_integration.conv3_fuse.1.weight',
            (64, 256, 1, 3, 3),
            None,
            '256 channels',
        ),
        ('selfy', 'new_fc.bias', (174,), 2, '--num-segments 2 is too few'),
        ('mfnet', 'classifier.bias', (400,), 8, 'leave out --num-segments'),
    ],
)
def test_shapes_that_no_network_has(kind, name, shape, num_segments, message, plain):
    plain[kind][name] = torch.empty(shape)
    with pytest.raises(InputError, match=message):
        identify(kind, plain[kind], num_segments)


def test_file_of_another_kind(plain):
    with pytest.raises(InputError, match=r"none of selfy.* 'tcm_layer\.' of tcm"):
        identify('selfy', plain['tcm'])
    with pytest.raises(InputError, match='none of mfnet'):
        identify('mfnet', {'conv1.weight': torch.ones(1)})


@pytest.mark.parametrize('kind', OURS)
def test_converted_weights_are_those_of_the_file(kind, ours, plain):
    converted = convert(kind, plain[kind], ours[kind])
    assert list(converted) == list(ours[kind])
    for name, tensor in converted.items():
        original = plain[kind][official_name(kind, name)]
        assert tensor.shape == ours[kind][name].shape and tensor.dtype == ours[kind][name].dtype
        assert torch.equal(tensor.flatten(), original.flatten())
        assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


def test_kernels_of_the_extraction_keep_rows_and_columns_apart(ours, plain):
    kernel = torch.zeros(4, 1, 1, 3, 3)
    kernel[1, 0, 0, 2, 0] = 1  # last row, first column
    plain['selfy']['selfy.stss_extraction.conv0.0.weight'] = kernel
    name = 'backbone.module.blocks.3.0.extraction.layers.0.conv.weight'
    found = convert('selfy', plain['selfy'], ours['selfy'])[name]
    assert found.nonzero().tolist() == [[1, 0, 2, 0, 0]]


def test_counters_of_batches_may_be_missing(ours, plain):
    weights = {
        name: tensor
        for name, tensor in plain['mfnet'].items()
        if not name.endswith('num_batches_tracked')
    }
    real = {name: torch.empty_like(tensor, device='cpu') for name, tensor in ours['mfnet'].items()}
    converted = convert('mfnet', weights, real)
    counters = [name for name in converted if name.endswith('num_batches_tracked')]
    assert counters and all(converted[name] == 0 for name in counters)


def test_linear_classifier_is_taken_as_well(ours, plain):
    weights = plain['tcm']
    weights['new_fc.weight'] = weights['new_fc.weight'].squeeze(2)
    found = convert('tcm', weights, ours['tcm'])['cls_head.fc_cls.weight']
    assert torch.equal(found, weights['new_fc.weight'])


def test_all_that_does_not_fit_is_listed(ours, plain):
    weights = plain['selfy']
    weights['layer1.7.conv9.weight'] = torch.ones(1)
    del weights['bn1.bias'], weights['selfy.stss_extraction.conv2.1.weight']
    weights['conv1.weight'] = torch.ones(64, 3, 3, 3)
    weights['bn1.weight'] = torch.ones(65)
    with pytest.raises(InputError) as info:
        convert('selfy', weights, ours['selfy'])
    assert str(info.value) == (
        'its tensors do not fit (1 unknown, 2 missing, 2 misshapen): '
        'unknown layer1.7.conv9.weight; missing bn1.bias; '
        'missing selfy.stss_extraction.conv2.1.weight; '
        'misshapen conv1.weight: 64x3x3x3 in the file, 64x3x7x7 here; '
        'misshapen bn1.weight: 65 in the file, 64 here'
    )


def test_kernel_of_this_project_is_none_of_the_released_code(ours, plain):
    plain['selfy']['selfy.stss_extraction.conv1.0.weight'] = torch.ones(16, 4, 3, 3, 1)
    with pytest.raises(InputError, match=r'conv1\.0\.weight: 16x4x3x3x1 in .*, 16x4x1x3x3 here'):
        convert('selfy', plain['selfy'], ours['selfy'])


def test_long_lists_are_cut(ours, plain):
    weights = {name: tensor for name, tensor in plain['tcm'].items() if 'layer4' not in name}
    with pytest.raises(InputError, match=r'; \d+ more missing$') as info:
        convert('tcm', weights, ours['tcm'])
    assert str(info.value).count('; ') == 20


def test_training_state_is_read_past(tmp_path):
    path = tmp_path / 'full.pth.tar'
    weights = {'module.conv1.weight': torch.ones(2, 3)}
    torch.save(
        {
            'epoch': 40,
            'arch': 'TCM_resnet50',
            'best_prec1': np.float64(52.2),
            'count': np.int64(3),
            'optimizer': {'state': {0: {'momentum_buffer': None}}},
            'state_dict': weights,
        },
        path,
        _use_new_zipfile_serialization=False,
    )
    found, digest = read_weights(path)
    assert torch.equal(found['module.conv1.weight'], weights['module.conv1.weight'])
    assert len(digest) == 64


def test_bare_state_dict_is_read(tmp_path):
    torch.save({'conv1.weight': torch.ones(2)}, tmp_path / 'bare.pth')
    assert list(read_weights(tmp_path / 'bare.pth')[0]) == ['conv1.weight']


def test_restatement_has_the_names_of_the_released_code():
    """As read in the released code; the other tests build on it."""
    with torch.device('meta'):
        selfy = official_state(build_official('selfy'))
        tcm = official_state(build_official('tcm'))
        mfnet = official_state(build_official('mfnet'))
    for name in (
        'stss_transformation.downsample.1.running_var',
        'stss_extraction.conv3.0.weight',
        'stss_integration.conv0.1.bias',
        'stss_integration.conv3_fuse.2.weight',
        'stss_integration.upsample.0.weight',
    ):
        assert f'module.base_model.selfy.{name}' in selfy
    for name in (
        'mtdm.chnl_reduction.0.weight',
        'tam.conv1.10.running_mean',
        'tam.conv4.3.weight',
        'tam.ETA.conv.weight',
    ):
        assert f'module.base_model.tcm_layer.{name}' in tcm
    assert tuple(tcm['module.new_fc.weight'].shape) == (174, 512, 1)
    assert {
        'module.conv1.bn.weight',
        'module.conv5.B03.conv_m2.conv.weight',
        'module.conv3.B01.conv_w1.bn.bias',
        'module.tail.bn.weight',
        'module.classifier.bias',
    } <= set(mfnet)
