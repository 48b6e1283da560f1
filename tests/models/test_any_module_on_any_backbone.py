"""Every motion module after every stage of every kind of backbone: it builds and trains a step.

The grid is generated from the registered modules and the backbones below, to which a new kind adds
one entry.
"""

import os
import weakref

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from mmaction.registry import MODELS
from motion_modules import MOTION_MODULES, small_config, takes
from torch.nn.parallel import DistributedDataParallel

import mmaction_ext.register  # noqa: F401

NUM_SEGMENTS = 4
BACKBONES = {
    'x3d': dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=1),
    'r2plus1d': dict(type='R2Plus1D', depth=50, base_channels=8),
    'mfnet': dict(type='MFNet'),
    'r3d': dict(
        type='ResNet3d',
        depth=50,
        pretrained=None,
        base_channels=8,
        inflate=(0, 0, 0, 0),
        conv1_kernel=(1, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        with_pool2=False,
        norm_eval=False,
    ),
    'tsn': dict(type='ResNet', depth=18, norm_eval=False),
    'tsm': dict(type='ResNetTSM', depth=18, num_segments=NUM_SEGMENTS, norm_eval=False),
    'timm_resnet': dict(type='timm.resnet10t', channels=(8, 8, 16, 16), stem_width=8),
    'timm_convnext': dict(type='timm.convnext_atto', depths=(1, 1, 1, 1), dims=(8, 8, 16, 16)),
    'timm_vit': dict(
        type='timm.vit_tiny_patch16_224', img_size=64, embed_dim=16, depth=4, num_heads=2
    ),
    'timm_swin': dict(
        type='timm.swin_tiny_patch4_window7_224',
        img_size=64,
        window_size=2,
        embed_dim=8,
        depths=(1, 1, 1, 1),
        num_heads=(1, 1, 2, 2),
    ),
}
#: Hosts all of whose stages end in a ReLU.
RELU_HOSTS = ('x3d', 'r2plus1d', 'r3d', 'tsn', 'tsm', 'timm_resnet')
#: A timm ConvNeXt and Swin shrink the image four-fold at once: they have no map of stage 1.
STAGES = {
    name: (2, 3, 4, 5) if name in ('timm_convnext', 'timm_swin') else (1, 2, 3, 4, 5)
    for name in BACKBONES
}
#: Every module after all stages of every backbone, and each stage alone of a backbone with one of
#: them: what a stage demands (channels, size, layout) does not depend on the other stages.
GRID = [
    (backbone, stages, module)
    for number, backbone in enumerate(BACKBONES)
    for place, module in enumerate(MOTION_MODULES)
    for stages in (
        STAGES[backbone],
        *(
            (stage,)
            for stage in STAGES[backbone]
            if (number + place + stage) % len(MOTION_MODULES) == 0
        ),
    )
]


def is_3d(name):
    return name in ('x3d', 'r2plus1d', 'mfnet', 'r3d')


def build(backbone, module, stages, **arguments):
    """A host with random, not zero-initialised, normalisation, so that every path carries."""
    torch.manual_seed(0)
    segments = {} if is_3d(backbone) else dict(num_segments=NUM_SEGMENTS)
    host = MODELS.build(
        dict(
            type='MotionBackbone',
            backbone=dict(BACKBONES[backbone]),
            module=small_config(module, NUM_SEGMENTS),
            stages=stages,
            **segments,
            **arguments,
        )
    )
    for layer in host.module.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
    return host


def clips(backbone, num_clips=2):
    generator = torch.Generator().manual_seed(1)
    # MFNet halves the frames
    num_frames = 2 * NUM_SEGMENTS if backbone == 'mfnet' else NUM_SEGMENTS
    shape = (3, num_frames, 64, 64)
    x = torch.rand(num_clips, *shape, generator=generator)
    return x if is_3d(backbone) else x.transpose(1, 2).flatten(0, 1)


def loss_of(out):
    features, *vector = out if isinstance(out, tuple) else (out,)
    return features.square().mean() + sum(v.square().mean() for v in vector)


def gradients(host, x, run=None):
    """Of the loss by the parameters of a host that runs as it is or wrapped, as ``run``."""
    host.zero_grad()
    loss_of((host if run is None else run)(x)).backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in host.named_parameters()
        if parameter.grad is not None
    }


@pytest.mark.parametrize(
    'backbone, stages, module', GRID, ids=[f'{b}-{"".join(map(str, s))}-{m}' for b, s, m in GRID]
)
def test_builds_and_trains_a_step(backbone, stages, module):
    host, x = build(backbone, module, stages), clips(backbone)
    host.train()
    before = {name: parameter.clone() for name, parameter in host.module.named_parameters()}
    optimizer = torch.optim.SGD(host.parameters(), lr=0.1)
    loss = loss_of(host(x))
    loss.backward()
    optimizer.step()
    assert loss.isfinite()
    for name, parameter in host.module.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    assert any(
        not parameter.equal(before[name]) for name, parameter in host.module.named_parameters()
    )


@pytest.mark.parametrize('module', MOTION_MODULES)
@pytest.mark.parametrize('backbone', ['mfnet', 'tsm', 'timm_vit'])
def test_nothing_survives_a_forward_pass(backbone, module):
    host, x = build(backbone, module, STAGES[backbone]).eval(), clips(backbone)
    with torch.no_grad():
        first = loss_of(host(x))
        host(clips(backbone, 3) + 1)
        assert loss_of(host(x)).equal(first)
    y = x.clone().requires_grad_()
    out = host(y)
    alive = [weakref.ref(y), *(weakref.ref(t) for t in (out if type(out) is tuple else (out,)))]
    del out, y
    assert all(tensor() is None for tensor in alive)


@pytest.mark.parametrize('module', MOTION_MODULES)
@pytest.mark.parametrize('backbone', ['x3d', 'tsm', 'timm_convnext', 'timm_vit'])
def test_gradient_checkpointing_gives_the_same_gradients(backbone, module):
    plain = build(backbone, module, (2, 3, 4)).eval()
    checkpointed = build(backbone, module, (2, 3, 4), with_cp=True).eval()
    checkpointed.load_state_dict(plain.state_dict())
    expected, found = (gradients(host, clips(backbone)) for host in (plain, checkpointed))
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, msg=lambda text, n=name: f'{n}: {text}')


@torch.no_grad()
def unchanged(backbone, module, relu):
    """For each stage: whether a new module passes on what it gets, bit by bit, in training."""
    host = MODELS.build(
        dict(
            type='MotionBackbone',
            backbone=dict(BACKBONES[backbone]),
            module=small_config(module, NUM_SEGMENTS, relu=relu),
            stages=STAGES[backbone],
            num_segments=None if is_3d(backbone) else NUM_SEGMENTS,
        )
    )
    same = []
    host.module.register_forward_hook(
        lambda _, inputs, outputs: same.append(outputs[0].equal(inputs[0]))
    )
    host.train()
    host(clips(backbone))
    assert len(same) == len(STAGES[backbone])
    return same


@pytest.mark.parametrize(
    'module', [name for name in MOTION_MODULES if takes(name, 'zero_init', 'relu')]
)
@pytest.mark.parametrize('backbone', BACKBONES)
def test_a_zero_initialised_block_is_the_identity(backbone, module):
    assert all(unchanged(backbone, module, 'none'))
    # the published ReLU cuts off what hosts without one have below zero
    assert all(unchanged(backbone, module, 'after_sum')) == (backbone in RELU_HOSTS)


def own_part(module, x):
    """What a module adds to features, or makes of them beside."""
    y, carried = module(x, 3)
    vector = module.embed(carried)
    return (y.float() - x.float() if vector is None else vector).float()


@pytest.mark.parametrize('name', MOTION_MODULES)
def test_bfloat16_autocast_trains_and_stays_near_float32(name):
    torch.manual_seed(0)
    options = dict(relu='none') if takes(name, 'relu') else {}
    module = MODELS.build(small_config(name, NUM_SEGMENTS, in_channels={3: 16}, **options)).eval()
    for layer in module.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.ones_(layer.weight)  # a part that is zero has no relative error
    x = torch.randn(2, 16, NUM_SEGMENTS, 12, 12).relu()
    exact = own_part(module, x).detach()
    with torch.autocast('cpu', torch.bfloat16):
        rounded = own_part(module, x)
    error = (rounded.detach() - exact).norm() / exact.norm()
    assert 0 < error < module.bfloat16_error
    rounded.square().mean().backward()
    for parameter_name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name


@pytest.mark.parametrize('module', MOTION_MODULES)
@pytest.mark.parametrize('backbone', ['r2plus1d', 'timm_convnext'])
def test_a_host_trains_under_bfloat16_autocast(backbone, module):
    host = build(backbone, module, (3,)).train()
    with torch.autocast('cpu', torch.bfloat16):
        out = host(clips(backbone))
    loss_of(tuple(y.float() for y in out) if type(out) is tuple else out.float()).backward()
    for name, parameter in host.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name


@pytest.mark.slow
def test_compiled_host_gives_the_same_gradients(module='KPSEM'):
    """Of one with a branch; one without is compiled in its own tests, and so is each module."""
    # inductor is tested on each operator; in float64, since TCM's mask follows an argmax, which
    # rounding may turn where two matches tie
    torch._dynamo.reset()  # what the process compiled before would be tried first, for minutes
    host = build('timm_resnet', module, (3,)).double().eval()
    x = clips('timm_resnet').double()
    expected = gradients(host, x)
    found = gradients(host, x, torch.compile(host, backend='aot_eager'))
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(
            found[name], gradient, rtol=1e-6, atol=1e-8, msg=lambda text, n=name: f'{n}: {text}'
        )


def _train_on_one_of_two(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2
    )
    found = {}
    for module in MOTION_MODULES:
        host = DistributedDataParallel(build('timm_resnet', module, (2, 3)).eval().double())
        x = clips('timm_resnet', 4).double().chunk(2)[rank]
        found[module] = gradients(host.module, x, host)
    torch.save(found, os.path.join(folder, f'{rank}.pth'))
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_have_the_gradient_of_the_whole_batch(tmp_path):
    multiprocessing.start_processes(
        _train_on_one_of_two, (str(tmp_path),), nprocs=2, start_method='forkserver'
    )
    found = [torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1)]
    for module in MOTION_MODULES:
        # normalisation is in eval mode: the batch is the mean of its halves; in float32, rounding
        # switches a ReLU where convolutions of other batches go another way
        host = build('timm_resnet', module, (2, 3)).eval().double()
        expected = gradients(host, clips('timm_resnet', 4).double())
        assert expected.keys() == found[0][module].keys()
        for name, gradient in expected.items():
            torch.testing.assert_close(
                found[0][module][name],
                gradient,
                rtol=1e-9,
                atol=1e-12,
                msg=lambda text, n=(module, name): f'{n}: {text}',
            )
            assert found[0][module][name].equal(found[1][module][name])
