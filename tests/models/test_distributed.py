"""Batch normalisation over processes equals batch normalisation over their joint batch."""

import warnings

import pytest
import torch
import torch.multiprocessing as mp
from torch import distributed as dist
from torch import nn

from mmaction_ext.errors import InputError
from mmaction_ext.models.distributed import synchronise_batch_norm

SHAPE = (7, 3, 2, 4)  # rank 0 takes 5 of the 7 samples, rank 1 the other 2


def make_net():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 2, 1),
        nn.BatchNorm2d(2, momentum=None),
    ).double()
    nn.init.uniform_(net[1].weight)
    return net


def make_batch():
    return torch.randn(SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def train_one(net, x):
    """Two steps forward, one backward; outputs, gradients and buffers."""
    net(x.detach() * 2 + 1)
    x = x.clone().requires_grad_()
    y = net(x)
    (y * torch.arange(y[0].numel()).view(y[0].shape)).square().sum().backward()
    return y.detach(), x.grad


def worker(rank, folder):
    warnings.simplefilter('error', FutureWarning)  # torch announces what it is to remove
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    net = synchronise_batch_norm(make_net())
    y, grad = train_one(net, make_batch()[slice(0, 5) if rank == 0 else slice(5, 7)])
    for parameter in net.parameters():
        dist.all_reduce(parameter.grad)
    torch.save(
        (y, grad, [p.grad for p in net.parameters()], list(net.buffers())), f'{folder}/{rank}.pt'
    )
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_with_uneven_batches_equal_one(tmp_path):
    mp.start_processes(worker, args=(str(tmp_path),), nprocs=2, start_method='fork')
    found = [torch.load(tmp_path / f'{rank}.pt') for rank in (0, 1)]
    net = make_net()
    y, grad = train_one(net, make_batch())
    close = torch.testing.assert_close
    close(torch.cat([part[0] for part in found]), y)
    close(torch.cat([part[1] for part in found]), grad)
    for part in found:
        for ours, theirs in zip(part[2], net.parameters(), strict=True):
            close(ours, theirs.grad)
        for ours, theirs in zip(part[3], net.buffers(), strict=True):
            close(ours, theirs)


def test_alone_and_in_evaluation_nothing_changes():
    plain, synced = make_net(), synchronise_batch_norm(make_net())
    assert list(plain.state_dict()) == list(synced.state_dict())
    for training in (True, False):
        plain.train(training), synced.train(training)
        torch.testing.assert_close(synced(make_batch()), plain(make_batch()))


def test_layer_that_does_more_than_normalise_is_refused():
    class NormAct(nn.BatchNorm2d):
        """As timm's BatchNormAct2d."""

    with pytest.raises(InputError, match='cannot handle 0, a NormAct'):
        synchronise_batch_norm(nn.Sequential(NormAct(3)))
