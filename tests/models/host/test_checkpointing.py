"""Checkpointed stages: same gradients, same statistics, same names, less kept."""

import copy
import pickle

import pytest
import torch
import torch.multiprocessing
from torch import nn

import mmaction_ext.register  # noqa: F401  (before mmaction2, in spawned processes too)
from mmaction_ext.models import MotionBackbone
from mmaction_ext.models.host.checkpointing import (
    _with_siblings,
    checkpoint_submodules,
    run_checkpointed,
)

HOSTS = {
    'resnet': dict(
        backbone=dict(
            type='timm.resnet10t', channels=(4, 8, 8, 8), stem_width=8, drop_path_rate=0.5
        ),
        stages=(2, 3, 4),
        num_segments=4,
    ),
    'x3d': dict(backbone=dict(type='X3D', gamma_w=0.25, gamma_d=0.5), stages=(2, 3)),
    'r2plus1d': dict(backbone=dict(type='R2Plus1D', base_channels=4), stages=(3, 4)),
    'mfnet': dict(
        backbone=dict(
            type='MFNet', stem_channels=4, channels=(8, 8, 8, 8), groups=4, depths=(1, 2, 1, 1)
        ),
        stages=(2, 4),
    ),
    'vit': dict(
        backbone=dict(
            type='timm.vit_tiny_patch16_224',
            img_size=32,
            patch_size=8,
            embed_dim=8,
            depth=5,
            num_heads=2,
            drop_rate=0.3,
        ),
        stages=(2, 4),
        num_segments=4,
    ),
    'swin': dict(
        backbone=dict(
            type='timm.swin_tiny_patch4_window7_224',
            img_size=32,
            window_size=2,
            embed_dim=4,
            depths=(1, 1, 2, 1),
            num_heads=(1, 1, 1, 1),
        ),
        stages=(2, 3),
        num_segments=4,
    ),
    'mobilenet': dict(backbone=dict(type='MobileNetV2'), stages=(3,), num_segments=4),
    'plain': dict(backbone=dict(type='X3D', gamma_w=0.25, gamma_d=0.5), module=None),
}


def build(name, with_cp):
    torch.manual_seed(0)
    config = dict(dict(module=dict(type='DCF', window=3), with_cp=with_cp), **HOSTS[name])
    host = MotionBackbone(**config)
    for module in host.modules():  # no path is shut
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1)
    return host


def make(name):
    torch.manual_seed(1)
    shape = (8, 3, 32, 32) if 'num_segments' in HOSTS[name] else (2, 3, 8, 32, 32)
    return torch.randn(shape)


def train_step(host, x):
    """Gradients and statistics after a step with dropout from a known seed."""
    host.zero_grad()
    torch.manual_seed(2)
    host(x).square().mean().backward()
    return {name: p.grad for name, p in host.named_parameters()}, dict(host.named_buffers())


@pytest.mark.parametrize('name', HOSTS)
def test_a_step_is_the_same(name):
    x, plain, host = make(name), build(name, False), build(name, True)
    assert plain.state_dict().keys() == host.state_dict().keys()
    host.load_state_dict(plain.state_dict())
    for _ in range(2):  # the second step sees the statistics of the first
        torch.testing.assert_close(train_step(host, x), train_step(plain, x))
    assert torch.equal(host.eval()(x), plain.eval()(x))


@pytest.mark.parametrize('name', ['resnet', 'vit', 'mfnet'])
def test_dropout_is_alive_in_the_comparison(name):
    """Or the test above would not see a lost random state."""
    host, x = build(name, True), make(name)
    if name == 'mfnet':
        host.backbone.stage2.append(nn.Dropout(0.5))
    torch.manual_seed(2)
    first = host(x)
    torch.manual_seed(3)
    assert not torch.allclose(host(x), first)


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda host: pickle.loads(pickle.dumps(host))])
@pytest.mark.parametrize('name', ['resnet', 'vit', 'mfnet'])
def test_a_copy_is_checkpointed_and_independent(copied, name):
    host, x = build(name, True).eval(), make(name)
    expected = host(x)
    other = copied(host)
    for parameter in host.parameters():
        nn.init.constant_(parameter, 9)
    torch.testing.assert_close(other(x), expected)
    assert saved_bytes(other, x) == saved_bytes(host, x)


def saved_bytes(host, x):
    """What autograd keeps for the backward pass."""
    kept = {}

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        host(x)
    return sum(kept.values())


@pytest.mark.parametrize('name', ['r2plus1d', 'vit', 'plain'])
def test_less_is_kept(name):
    x = make(name)
    kept = [saved_bytes(build(name, with_cp), x) for with_cp in (False, True)]
    assert kept[1] < 0.5 * kept[0]


def test_the_module_s_hooks_run_once_per_step():
    host, x = build('resnet', True), make('resnet')
    calls = []
    host.backbone.layer1.register_forward_hook(lambda *_: calls.append(1))
    host(x).sum().backward()
    assert calls == [1]


def test_stages_are_run_twice_and_nothing_without_gradients():
    host, x = build('resnet', True), make('resnet')
    calls = []
    host.backbone.layer1[0].register_forward_pre_hook(lambda *_: calls.append('block'))
    host.module.blocks['2'].register_forward_pre_hook(lambda *_: calls.append('module'))
    host(x).sum().backward()
    assert sorted(calls) == ['block'] * 2 + ['module'] * 2
    calls.clear()
    with torch.no_grad():
        host(x)
    assert calls == ['block', 'module']


def test_siblings_are_checkpointed_too():
    network = nn.Module()
    for name in ('layer1', 'layer2', 'layer10', 'layers', 'conv1_t', 'conv2_t'):
        network.add_module(name, nn.Sequential(nn.ReLU()))
    network.blocks = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.ReLU()])
    assert _with_siblings(network, ['layer2']) == ['layer1', 'layer2', 'layer10']
    assert _with_siblings(network, ['conv1_t']) == ['conv1_t']
    assert _with_siblings(network, ['blocks.1']) == ['blocks.0', 'blocks.1', 'blocks.2']
    assert _with_siblings(network, ['layer2', 'layer2.0']) == ['layer1', 'layer2', 'layer10']


def test_a_failed_second_pass_leaves_the_statistics():
    network = nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3)))
    checkpoint_submodules(network, ['0'])
    statistics = network[0][1].running_mean
    out = network(torch.randn(4, 3))
    network[0][2].forward = lambda x: 1 / 0
    with pytest.raises(ZeroDivisionError):
        out.sum().backward()
    assert network[0][1].num_batches_tracked == 1
    assert network[0][1].running_mean is statistics


def test_named_inputs_and_several_outputs():
    class Pair(nn.Module):
        def forward(self, x, scale):
            return x * scale, (x.exp(), scale)

    x, module = torch.randn(3, requires_grad=True), Pair()
    y, (z, scale) = run_checkpointed(module, x, scale=2.0)
    assert scale == 2
    (y.sum() + z.sum()).backward()
    torch.testing.assert_close(x.grad, 2 + x.detach().exp())


def test_meta_device():
    host = build('resnet', True).to('meta')
    assert host(make('resnet').to('meta')).device.type == 'meta'


@pytest.mark.parametrize('name', ['resnet', 'mfnet'])
def test_bfloat16_autocast(name):
    host, plain, x = build(name, True), build(name, False), make(name)
    steps = []
    for network in (host, plain):
        with torch.autocast('cpu', torch.bfloat16):
            torch.manual_seed(2)
            loss = network(x).float().square().mean()
        loss.backward()
        steps.append([p.grad for p in network.parameters()])
    torch.testing.assert_close(*steps)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['x3d', 'vit'])
def test_compiles(name):
    host, x = build(name, True).eval(), make(name)
    compiled = torch.compile(host, backend='aot_eager')
    parameters = [p for p in host.parameters() if p.requires_grad]
    grads = [
        torch.autograd.grad(model(x).square().mean(), parameters, allow_unused=True)
        for model in (host, compiled)
    ]
    torch.testing.assert_close(grads[1], grads[0], rtol=1e-2, atol=1e-3)


def two_processes(rank, path, x):
    """One of two processes: its half of the batch, gradients averaged by DDP."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{path}/store', rank=rank, world_size=2
    )
    host = build('x3d', True).eval()
    model = nn.parallel.DistributedDataParallel(host)
    for _ in range(2):
        model.zero_grad()
        model(x.chunk(2)[rank]).square().mean().backward()
    torch.save([p.grad for p in host.parameters()], f'{path}/{rank}.pt')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one(tmp_path):
    x = make('x3d')
    torch.multiprocessing.start_processes(
        two_processes, (str(tmp_path), x), nprocs=2, start_method='forkserver'
    )
    host = build('x3d', False).eval()
    host(x).square().mean().backward()
    for rank in (0, 1):
        torch.testing.assert_close(
            torch.load(tmp_path / f'{rank}.pt'), [p.grad for p in host.parameters()]
        )
