"""The plugin host: what it computes, what it keeps, what it refuses, what it runs under."""

import copy
import pickle

import pytest
import torch
import torch.multiprocessing
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModule
from mmengine.registry import DefaultScope
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

import mmaction_ext.register  # noqa: F401  (before mmaction2, in spawned processes too)
from mmaction_ext import compat
from mmaction_ext.models import MotionBackbone
from mmaction_ext.modules import MotionModule
from mmaction_ext.modules.base import Displacements
from mmaction_ext.networks import behind_convolution

THIN = dict(type='timm.resnet10t', channels=(4, 8, 8, 8), stem_width=8)
X3D = dict(type='X3D', gamma_w=0.25, gamma_d=0.5)
DCF = dict(type='DCF')
NAMES = {2: 'layer1', 3: 'layer2', 4: 'layer3'}


@pytest.fixture(autouse=True)
def same_weights_every_time():
    torch.manual_seed(0)


def frames(clips=2, segments=4, size=32):
    """Laid out as the host hands them on, so that the inner backbone gives the same bits."""
    x = torch.randn(clips * segments, 3, size, size)
    return x.contiguous(memory_format=torch.channels_last)


def clips(n=2, num_frames=4, size=32):
    return torch.randn(n, 3, num_frames, size, size)


def build_2d(module=DCF, stages=(2, 3, 4), num_segments=4, **more):
    return MotionBackbone(THIN, module, stages, num_segments, **more)


def build_3d(module=DCF, stages=(2, 3, 4), **more):
    return MotionBackbone(X3D, module, stages, **more)


def wake(host):
    """Give the module's last normalisations a weight, so that it changes what passes."""
    for block in host.module.blocks.values():
        nn.init.uniform_(block.bn2.weight, 0.5, 1)
    return host


BUILDS = [pytest.param(build_2d, frames, id='2d'), pytest.param(build_3d, clips, id='3d')]


def by_hand_2d(host, x):
    net, module, carried = host.backbone, host.module, ()
    x = net.maxpool(net.act1(net.bn1(net.conv1(x))))
    for stage, layer in enumerate((net.layer1, net.layer2, net.layer3, net.layer4), 2):
        x = layer(x)
        if stage in host.stages:
            n = len(x)
            y = torch.stack([x[i : i + 4].transpose(0, 1) for i in range(0, n, 4)])
            y, carried = module(y, stage, carried)
            x = torch.cat([clip.transpose(0, 1) for clip in y])
    return x


def by_hand_3d(host, x):
    net, carried = host.backbone, ()
    x = net.conv1_t(net.conv1_s(x))
    for stage, layer in enumerate((net.layer1, net.layer2, net.layer3, net.layer4), 2):
        x = layer(x)
        if stage in host.stages:
            x, carried = host.module(x, stage, carried)
    return net.conv5(x)


@pytest.mark.parametrize('stages', [(2, 3, 4), (3,), (2, 4), (4, 2)])
@pytest.mark.parametrize(
    'build, make, by_hand', [(build_2d, frames, by_hand_2d), (build_3d, clips, by_hand_3d)]
)
def test_equals_the_stages_run_by_hand(build, make, by_hand, stages):
    host = wake(build(stages=stages)).eval()
    x = make()
    torch.testing.assert_close(host(x), by_hand(host, x))


@pytest.mark.parametrize('build, make', BUILDS)
def test_starts_as_the_plain_backbone(build, make):
    host, x = build().eval(), make()
    plain = copy.deepcopy(host.backbone)
    for name in NAMES.values():
        plain.get_submodule(name)._forward_hooks.clear()
    plain.eval()
    assert torch.equal(host(x), plain(x))
    assert not torch.equal(wake(host)(x), plain(x))


def test_a_host_that_halves_the_frames_between_stages():
    """``pool2`` of ResNet3d; the volume of stage 2 reaches stage 3 with half its frames."""
    config = dict(type='ResNet3d', depth=18, base_channels=4, pretrained=None)
    host, x = wake(MotionBackbone(config, DCF, (2, 3))).eval(), clips(num_frames=8)
    net = host.backbone
    y, carried = host.module(net.layer1(net.maxpool(net.conv1(x))), 2, ())
    assert carried[0].shape[2] == 8
    y, _ = host.module(net.layer2(net.pool2(y)), 3, carried)
    assert y.shape[2] == 4
    torch.testing.assert_close(host(x), net.layer4(net.layer3(y)))


def test_clips_of_a_batch_do_not_mix():
    host, x = wake(build_2d()).eval(), frames(clips=3)
    alone = torch.cat([host(x[i : i + 4]) for i in (0, 4, 8)])
    torch.testing.assert_close(host(x), alone)


def test_frames_of_a_clip_do_mix():
    host, x = wake(build_2d()).eval(), frames(clips=1)
    assert not torch.allclose(host(x.flip(0)), host(x).flip(0))


def test_without_module_it_is_the_backbone():
    host, x = build_2d(module=None, stages=(2, 3, 4), num_segments=None).eval(), frames()
    assert host.module is None
    assert torch.equal(host(x), host.backbone(x))
    assert all(name.startswith('backbone.') for name in host.state_dict())


def test_a_host_in_a_host_hands_on_what_its_own_module_made():
    hosts = behind_convolution(num_segments=4)
    inner = {key: value for key, value in hosts.pop('backbone').items() if key != '_delete_'}
    host = MotionBackbone(inner, DCF, (2, 3), num_segments=4, **hosts).eval()
    made, seen = [], []
    convolution, block = host.backbone.module.blocks['3'], host.module.blocks['3']
    convolution.register_forward_hook(lambda module, inputs, output: made.append(output))
    block.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    host(frames())
    assert torch.equal(made[0].transpose(1, 2), seen[0])  # (N, C, T, H, W)


def test_frames_of_a_convolutional_network_lie_channels_last():
    host, x = build_2d(module=None, stages=()).eval(), frames().contiguous()
    expected, given = host.backbone(x), []
    host.backbone.conv1.register_forward_pre_hook(lambda _, inputs: given.extend(inputs))
    torch.testing.assert_close(host(x), expected)
    assert [each.is_contiguous(memory_format=torch.channels_last) for each in given] == [True]


def test_stage_1_is_the_stem_with_its_pooling():
    host = build_2d(stages=(1, 3))
    assert host.module.in_channels == {1: 16, 3: 8}
    shapes = []
    host.backbone.maxpool.register_forward_hook(lambda *call: shapes.append(call[2].shape))
    host(frames())
    assert shapes == [(8, 16, 8, 8)]


@pytest.mark.parametrize(
    'config, segments, expected',
    [
        (dict(type='ResNet', depth=18), 4, {2: 64, 3: 128, 4: 256}),
        (dict(type='ResNetTSM', depth=18, num_segments=4), None, {2: 64, 3: 128, 4: 256}),
        (dict(type='ResNet3dSlowOnly', depth=18, pretrained=None), None, {2: 64, 3: 128, 4: 256}),
        (dict(type='timm.efficientnet_b0'), 4, {2: 24, 3: 40, 4: 112}),
        (dict(type='timm.convnext_atto'), 4, {2: 40, 3: 80, 4: 160}),
    ],
)
def test_channels_of_other_hosts_are_found(config, segments, expected):
    with torch.device('meta'):
        host = MotionBackbone(config, DCF, (2, 3, 4), segments)
    assert host.module.in_channels == expected


@MODELS.register_module()
class OwnNet(nn.Module):
    """A backbone nobody has heard of, for :func:`test_stage_names`."""

    def __init__(self):
        super().__init__()
        self.entry = nn.Sequential(nn.Conv3d(3, 4, 3, (1, 2, 2), 1), nn.ReLU())
        self.trunk = nn.Sequential(nn.Conv3d(4, 6, 3, (1, 2, 2), 1), nn.ReLU(), nn.Identity())
        self.unused = nn.Identity()

    def forward(self, x):
        return self.trunk(self.entry(x))


def test_stage_names():
    host = MotionBackbone(dict(type='OwnNet'), DCF, (2, 3), stage_names={2: 'entry', 3: 'trunk.1'})
    assert host.module.in_channels == {2: 4, 3: 6}
    assert host(clips()).shape == (2, 6, 4, 8, 8)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(stages=(2, 6)), '6'),
        (dict(stages=(0,)), '0'),
        (dict(stages=(2, 2)), r'\(2, 2\)'),
        (dict(stages=(True,)), 'unknown stage True'),
        (dict(stages=(2.0,)), r'unknown stage 2\.0'),
        (dict(stages=True), 'sequence.*True'),
        (dict(stages=(2,), stage_names={True: 'layer1'}), 'unknown stage True'),
        (
            dict(backbone=dict(type='timm.volo_d1_224'), stages=(3,)),
            r'VOLO does not end in a feature map.*197',
        ),
        (
            dict(backbone=dict(type='OwnNet'), module=None, stages=(), with_cp=True),
            'with_cp.*OwnNet',
        ),
        (dict(stages=()), "'DCF'.*empty"),
        (
            dict(backbone=dict(type='X3D', num_stages=2, spatial_strides=(2, 2)), stages=(2, 4)),
            r'X3D has no stage 4.*\[1, 2, 3\]',
        ),
        (
            dict(backbone=dict(type='timm.convnext_atto'), stages=(1,)),
            r'no stage 1.*\[2, 3, 4, 5\]',
        ),
        (dict(backbone=dict(type='OwnNet'), stages=(2,)), 'OwnNet has no stage 2'),
        (
            dict(backbone=dict(type='OwnNet'), stages=(2,), stage_names={2: 'nope'}),
            "'nope'.*entry, trunk",
        ),
        (
            dict(backbone=dict(type='OwnNet'), stages=(2,), stage_names={2: 'unused'}),
            'stage 2.*unused.*never run',
        ),
        (dict(num_segments=None), 'num_segments is missing.*ResNet'),
        (dict(num_segments=0), '0'),
        (dict(num_segments=2), 'at least 3 frames, got 2'),
        (dict(backbone=dict(type='ResNetTSM', depth=18, num_segments=8)), '4.*ResNetTSM.*8'),
        (
            dict(
                backbone=dict(
                    type='ResNet3d', depth=18, pretrained=None, temporal_strides=(1, 3, 1, 1)
                ),
                num_segments=None,
            ),
            r'\(64, 56, 56\).*\(11, 28, 28\)',
        ),
        (dict(module=dict(type='DCF', window=4)), '4'),
    ],
)
def test_what_cannot_be_built_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message), torch.device('meta'):
        MotionBackbone(
            **{
                'backbone': THIN,
                'module': DCF,
                'stages': (2, 3, 4),
                'num_segments': 4,
                **arguments,
            }
        )


def test_a_3d_backbone_takes_clips_of_the_length_that_it_is_told():
    net = MotionBackbone(
        dict(type='ResNet3d', depth=18, pretrained=None, base_channels=8),
        DCF,
        stages=(2,),
        num_segments=4,
    )
    net.init_weights()
    assert len(net(torch.ones(1, 3, 4, 32, 32))) == 1
    with pytest.raises(ValueError, match=r'clips of 8 frames .* num_segments=4'):
        net(torch.ones(1, 3, 8, 32, 32))


@MODELS.register_module()
class Branch(MotionModule):
    """Doubles features; its vector is the mean over stages of each stage's sums."""

    min_frames = 1

    def __init__(self, in_channels, *, window=1, vector=True):
        super().__init__(in_channels)
        self.window, self.vector = window, vector

    def reach(self, stage):
        return self.window

    def forward(self, x, stage, carried=()):
        return 2 * x, (*carried, x.sum((1, 2, 3, 4)))

    def embed(self, carried):
        return torch.stack(carried, dim=1) if self.vector else None

    def motion(self, x, stage):
        return Displacements(
            (), (), x.new_zeros(len(x), 0, 2, *x.shape[2:]), x.new_zeros(len(x), 0, *x.shape[2:])
        )


@pytest.mark.parametrize('build, make', BUILDS)
def test_a_branch_returns_its_vector_beside_the_features(build, make):
    host, x = build(module=dict(type='Branch'), stages=(2, 4)).eval(), make()
    host.backbone.layer1.register_forward_hook(lambda _, __, y: sums.append(y))
    sums = []
    features, vector = host(x)
    assert vector.shape == (2, 2)
    # the hook above sees what the module has doubled
    torch.testing.assert_close(vector[:, 0], sums[0].unflatten(0, (2, -1)).flatten(1).sum(1) / 2)
    alone = build(module=dict(type='Branch', vector=False), stages=(2, 4)).eval()
    alone.load_state_dict(host.state_dict())
    assert torch.equal(alone(x), features)


@pytest.mark.parametrize(
    'stages, window, message',
    [
        ((2, 5), 11, r'Branch.*window larger than allowed.*stage 5.*11 pixels.*7x7.*224x224'),
        ((3,), 42, r'stage 3.*42 pixels.*28x28'),
    ],
)
def test_a_window_wider_than_three_maps_is_refused(stages, window, message):
    with pytest.raises(ValueError, match=message):
        build_2d(dict(type='Branch', window=window), stages)
    build_2d(dict(type='Branch', window=window - 1), stages)


@pytest.mark.parametrize('size', [(64, 32), (32, 64)])
def test_the_shorter_side_of_a_map_limits_the_window(size):
    """Of 4x2 and of 2x4 patches: three times two pixels hold a reach of two, not of three."""
    config = dict(
        type='timm.vit_tiny_patch16_224', img_size=size, depth=4, embed_dim=8, num_heads=2
    )
    MotionBackbone(config, dict(type='Branch', window=2), (2,), 2)
    with pytest.raises(ValueError, match=f'{size[0]}x{size[1]}'):
        MotionBackbone(config, dict(type='Branch', window=3), (2,), 2)


@pytest.mark.parametrize(
    'build, shape, message',
    [
        (build_3d, (8, 3, 64, 64), r'\(N, C, T, H, W\), got \(8, 3, 64, 64\)'),
        (build_2d, (3, 64, 64), r'\(N\*4, C, H, W\), got \(3, 64, 64\)'),
        (build_2d, (0, 3, 64, 64), r'got \(0, 3, 64, 64\)'),
    ],
)
def test_input_of_another_rank_is_refused(build, shape, message):
    with pytest.raises(ValueError, match=message):
        build()(torch.rand(shape))


@pytest.mark.parametrize('module', ['DCF', dict(type='DCF', in_channels={2: 8})])
def test_module_that_is_no_config_or_knows_its_channels_is_refused(module):
    with pytest.raises(ValueError, match='DCF'):
        build_2d(module)


def test_a_batch_of_broken_clips_is_refused():
    with pytest.raises(ValueError, match=r'7 frames.*num_segments=4'):
        build_2d()(frames()[:7])


def test_a_clip_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match='at least 3 frames, got 2'):
        build_3d()(clips(num_frames=2))


@pytest.mark.parametrize('build, make', BUILDS)
def test_no_state_survives_a_forward(build, make):
    host = build().eval()
    before = {name: set(vars(m)) for name, m in host.named_modules()}
    host(make())
    assert host._pass is None
    assert {name: set(vars(m)) for name, m in host.named_modules()} == before


def test_no_state_survives_an_exception():
    host, x = wake(build_2d()).eval(), frames()
    expected = host(x)

    def fail(*_):
        raise KeyboardInterrupt

    handle = host.backbone.layer3.register_forward_pre_hook(fail)
    with pytest.raises(KeyboardInterrupt):
        host(x)
    assert host._pass is None
    handle.remove()
    assert torch.equal(host(x), expected)


def test_inner_backbone_alone_runs_without_the_module():
    host, x = wake(build_2d()).eval(), frames()
    assert not torch.equal(host.backbone(x), host(x))


def test_stages_that_the_backbone_skips_are_noticed():
    """timm's own checkpointing runs the blocks of a stage without the stage."""
    host = build_2d()
    host.backbone.set_grad_checkpointing()
    with pytest.raises(RuntimeError, match=r'ran stages \[\].*\[2, 3, 4\]'):
        host(frames())


@MODELS.register_module()
class Wayward(nn.Module):
    """Runs its stages in whatever order it is told."""

    def __init__(self):
        super().__init__()
        self.stem, self.order = nn.Conv3d(3, 4, 1, (1, 4, 4)), (2, 3, 4)
        self.two, self.three, self.four = nn.Identity(), nn.Identity(), nn.Identity()

    def forward(self, x):
        x, stages = self.stem(x), {2: self.two, 3: self.three, 4: self.four}
        for stage in self.order:
            x = stages[stage](x)
        return x


@pytest.mark.parametrize('order', [(2, 3), (2, 4), (3, 4), (2, 4, 3), (3, 2, 4), (2, 3, 3, 4)])
def test_stages_that_run_otherwise_than_in_order_are_noticed(order):
    """Skipped, exchanged or twice: what a stage hands on would be of another one."""
    host = MotionBackbone(
        dict(type='Wayward'),
        dict(type='Branch'),
        (2, 3, 4),
        stage_names={2: 'two', 3: 'three', 4: 'four'},
    )
    host(clips())
    host.backbone.order = order
    with pytest.raises(
        RuntimeError,
        match=rf'Wayward ran stages \[{", ".join(map(str, order))}\] '
        r'where the module works after \[2, 3, 4\]',
    ):
        host(clips())


def test_names_in_another_order_are_noticed_when_the_host_is_built():
    with pytest.raises(RuntimeError, match=r'ran stages \[3, 2\]'):
        MotionBackbone(
            dict(type='Wayward'), dict(type='Branch'), (2, 3), stage_names={2: 'three', 3: 'two'}
        )


def test_a_copy_is_independent():
    """Hooks of a copy must not lead back to the original (mmengine's EMA hook copies)."""
    host, x = wake(build_2d()).eval(), frames()
    expected = host(x)
    for other in (copy.deepcopy(host), pickle.loads(pickle.dumps(host))):
        nn.init.constant_(host.module.blocks['2'].bn2.weight, 9)
        torch.testing.assert_close(other(x), expected)
        assert not torch.allclose(host(x), expected)


class TestWeights:
    """Names, initialisation and loading."""

    def test_names(self):
        host = build_2d()
        names = {name.partition('.')[0] for name in host.state_dict()}
        assert names == {'backbone', 'module'}
        plain = build_2d(module=None)
        assert set(plain.state_dict()) == {
            name for name in host.state_dict() if name.startswith('backbone.')
        }

    @pytest.mark.parametrize('build', [build_2d, build_3d])
    def test_initialisation_leaves_the_module_an_identity(self, build):
        host = build()
        host.init_weights()
        assert all(not block.bn2.weight.any() for block in host.module.blocks.values())

    def test_the_backbone_is_initialised_by_its_own_rule(self):
        host = build_3d()
        with torch.no_grad():
            for parameter in host.backbone.parameters():
                parameter.fill_(7)
        host.init_weights()
        assert not host.backbone.layer1[0].conv3.bn.weight.any()  # X3D's zero_init_residual
        assert host.backbone.conv1_s.conv.weight.std() > 0

    def test_what_timm_loaded_is_kept(self):
        host = build_2d()
        before = copy.deepcopy(host.state_dict())
        host.init_weights()
        assert all(torch.equal(before[name], value) for name, value in host.state_dict().items())

    def test_checkpoint_of_a_plain_recognizer(self, tmp_path):
        with DefaultScope.overwrite_default_scope('mmaction'):
            plain = MODELS.build(dict(type='Recognizer3D', backbone=X3D))
        path = str(tmp_path / 'plain.pth')
        torch.save(dict(state_dict=plain.state_dict()), path)
        host = build_3d(init_cfg=dict(type='Pretrained', checkpoint=path))
        host.init_weights()
        for name, value in plain.backbone.state_dict().items():
            assert torch.equal(host.backbone.state_dict()[name], value)

    def test_is_a_base_module(self):
        assert isinstance(build_2d(), BaseModule)


def recognizer(host, head):
    return dict(
        type=host,
        cls_head=dict(num_classes=5, average_clips='prob', **head),
        data_preprocessor=dict(type='ActionDataPreprocessor'),
    )


RECOGNIZERS = [
    pytest.param(
        dict(
            **recognizer('Recognizer2D', dict(type='TSNHead', in_channels=8)),
            backbone=dict(
                type='MotionBackbone', backbone=THIN, module=DCF, stages=(2, 3, 4), num_segments=4
            ),
        ),
        (2, 4, 3, 32, 32),
        id='2d',
    ),
    pytest.param(
        dict(
            **recognizer('Recognizer3D', dict(type='X3DHead', in_channels=144)),
            backbone=dict(
                type='MotionBackbone',
                backbone=dict(X3D, gamma_b=2.25),
                module=DCF,
                stages=(2, 3, 4),
            ),
        ),
        (2, 1, 3, 4, 32, 32),
        id='3d',
    ),
]


def build_recognizer(config):
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(copy.deepcopy(config))


@pytest.mark.parametrize('config, shape', RECOGNIZERS)
def test_in_a_recognizer(config, shape):
    torch.manual_seed(0)
    model = build_recognizer(config)
    model.init_weights()
    inputs = torch.randn(shape)
    samples = [ActionDataSample().set_gt_label(label) for label in (1, 3)]
    for _ in range(2):
        loss = model(inputs, samples, mode='loss')['loss_cls']
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.01 * parameter.grad
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.backbone.module.parameters())
    model.eval()
    scores = [sample.pred_score for sample in model(inputs, samples, mode='predict')]
    assert all(score.sum().item() == pytest.approx(1, abs=1e-5) for score in scores)


@pytest.mark.parametrize('build, make', BUILDS)
def test_bfloat16_autocast(build, make):
    torch.manual_seed(0)
    host, x = wake(build()).eval(), make()
    expected = host(x)
    with torch.autocast('cpu', torch.bfloat16):
        y = host(x)
        host.train()(x).float().sum().backward()
    assert (y - expected).norm() < 0.05 * expected.norm()
    assert all(torch.isfinite(p.grad).all() for p in host.module.parameters())


@pytest.mark.parametrize('build, make', BUILDS)
@pytest.mark.parametrize('reentrant', [True, False])
def test_checkpointing_the_whole_backbone(build, make, reentrant):
    host, x = wake(build()).eval(), make().requires_grad_()
    expected = torch.autograd.grad(host(x).square().sum(), [x, *host.module.parameters()])
    checkpoint(host, x, use_reentrant=reentrant).square().sum().backward()
    assert host._pass is None
    actual = [x.grad, *(parameter.grad for parameter in host.module.parameters())]
    torch.testing.assert_close(actual, list(expected))


@pytest.mark.parametrize('build, make', BUILDS)
def test_meta_device_and_flops(build, make):
    """The counter sees what the backbone costs, and what the module costs on top."""
    x = make(clips=1) if make is frames else make(1)
    host, plain = build(), build(module=None)
    counts = []
    for model in (plain, host):
        model.to('meta').eval()
        with FlopCounterMode(display=False) as counter:
            assert model(x.to('meta')).device.type == 'meta'
        counts.append(counter.get_total_flops())
    expected = 0
    for stage in (2, 3, 4):
        block, pixels = host.module.blocks[str(stage)], 4 * (32 // 2**stage) ** 2
        weights = block.conv1.weight.numel() + block.conv2.weight.numel()
        products = block.conv1.out_channels * 25 * (2 if stage == 4 else 4)
        expected += 2 * pixels * (weights + products)
    assert counts[1] - counts[0] == expected


@pytest.mark.slow
@pytest.mark.parametrize('build, make', BUILDS)
def test_compiles(build, make):
    torch.manual_seed(0)
    host, x = wake(build()).eval(), make()
    compiled = torch.compile(host, backend='aot_eager')
    for _ in range(2):
        torch.testing.assert_close(compiled(x), host(x), rtol=1e-3, atol=1e-3)
    grads = [
        torch.autograd.grad(model(x).square().mean(), list(host.module.parameters()))
        for model in (host, compiled)
    ]
    torch.testing.assert_close(grads[1], grads[0], rtol=1e-2, atol=1e-3)
    assert host._pass is None


def ddp_worker(rank, path, build, x):
    """One of two processes: its half of the batch, gradients averaged by DDP."""
    compat.apply()  # as conftest does in the parent
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{path}/store', rank=rank, world_size=2
    )
    torch.manual_seed(0)
    host = wake(build()).eval()  # normalisation over its own statistics would differ by half
    model = DistributedDataParallel(host)
    for _ in range(2):
        model.zero_grad()
        model(x.chunk(2)[rank]).square().mean().backward()
    torch.save([p.grad for p in host.parameters()], f'{path}/{rank}.pt')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize('build, make', BUILDS)
def test_two_processes_give_the_gradients_of_one(build, make, tmp_path):
    x = make()
    torch.multiprocessing.start_processes(
        ddp_worker, (str(tmp_path), build, x), nprocs=2, start_method='forkserver'
    )
    torch.manual_seed(0)
    host = wake(build()).eval()
    host(x).square().mean().backward()
    for rank in (0, 1):
        torch.testing.assert_close(
            torch.load(tmp_path / f'{rank}.pt'), [p.grad for p in host.parameters()]
        )
