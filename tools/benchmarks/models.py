"""Time whole training steps of networks with and without their module.

    python tools/benchmarks/models.py
    python tools/benchmarks/models.py --hosts synthmotion_dcf tsm_tcm

The networks are those of ``hosts.py``: each module on its paper's backbone and on SynthMotion's
host. A step takes ``clips`` clips of random pixels through preprocessing, both passes and the
optimizer (SGD). Both networks take turns, round by round.

``overhead`` is what the module adds to the step, as a share of the step without it; ``predicted``
what it adds to the multiply-adds that ``mmaction-ext complexity`` counts; ``over`` the former over
the latter. ``kept_mb`` is what the forward pass keeps for the backward pass beside the weights, in
MiB: most of the memory of a training step, and the same on any machine. First the loss of the
network is compared with that of the same network on the shift loop: nothing is timed where they
differ by more than ``tolerance``, relatively.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import common
import hosts
import torch
from mmengine.optim import OptimWrapper

from mmaction_ext.models.complexity import count

COLUMNS = (
    'host',
    'config',
    'clips',
    'rounds',
    'base_ms',
    'base_spread',
    'module_ms',
    'module_spread',
    'base_kept_mb',
    'module_kept_mb',
    'base_macs',
    'module_macs',
    'overhead',
    'predicted',
    'over',
    'error',
    'tolerance',
    *common.ENVIRONMENT,
)
SHOWN = (*COLUMNS[:1], *COLUMNS[2:15])
TOLERANCE = 1e-4


def training_step(network: Any, data: dict[str, Any]) -> Callable[[], object]:
    """A step of a network; its learning rate changes next to nothing."""
    wrapper = OptimWrapper(torch.optim.SGD(network.parameters(), lr=1e-9, momentum=0.9))

    def step() -> dict[str, torch.Tensor]:
        return network.train_step(data, wrapper)

    return step


def loss(network: Any, data: dict[str, Any]) -> float:
    """The loss of a network; dropout drops the same whenever it is asked."""
    torch.manual_seed(0)
    with torch.no_grad():
        losses = network(**network.data_preprocessor(data, True), mode='loss')
    return network.parse_losses(losses)[0].item()


def kept_mb(network: Any, data: dict[str, Any]) -> float:
    """MiB that the forward pass of a step keeps for the backward pass, without the weights."""
    weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}  # held, so that no address is used twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(**network.data_preprocessor(data, True), mode='loss')
    return sum(storage.nbytes() for storage in kept.values()) / 2**20


def check(name: str, network: Any, data: dict[str, Any]) -> float:
    """How far the loss of a network is from that on the shift loop, relatively.

    Raises:
        SystemExit: too far.
    """
    common.progress(f'checking {name}')
    found = loss(network, data)
    with hosts.swapped(hosts.SHIFT_LOOP):
        known = loss(network, data)
    error = abs(found - known) / abs(known)
    if not error <= TOLERANCE:
        sys.exit(
            f'{name}: its loss is {found:g}, and {known:g} on the shift loop. Nothing was timed.'
        )
    return error


def main(argv: Sequence[str] | None = None) -> None:
    """Check everything, time everything."""
    made = common.parser(__doc__, 'models')
    common.add_choice(made, 'hosts', hosts.HOSTS)
    args = common.parse(made, argv)
    ready = {}
    for name in args.hosts:
        host, config = hosts.HOSTS[name], hosts.host_config(hosts.HOSTS[name])
        shape, clips = tuple(config.input_shape), 1 if args.tiny else host.clips
        models = dict(base=hosts.without_module(config.model), module=config.model)
        networks = {kind: hosts.built(model) for kind, model in models.items()}
        data = hosts.views(networks['module'], shape, clips)
        error = check(name, networks['module'], data)
        macs = {kind: count(model, shape).macs or 0 for kind, model in models.items()}
        ready[name] = networks, data, error, macs, clips
    table = common.Table(args.output, COLUMNS, SHOWN, common.environment(args))
    for name, (networks, data, error, macs, clips) in ready.items():
        common.progress(f'timing {name}')
        steps = {kind: training_step(network, data) for kind, network in networks.items()}
        seconds = common.in_turns(steps, args.rounds, args.seconds, common.clock(args.clock))
        base, module = (common.median(seconds[kind]) for kind in ('base', 'module'))
        kept = {kind: kept_mb(network, data) for kind, network in networks.items()}
        overhead, predicted = module / base - 1, macs['module'] / macs['base'] - 1
        table.add(
            host=name,
            config=hosts.HOSTS[name].config,
            clips=clips,
            rounds=len(seconds['module']),
            base_ms=base,
            base_spread=common.spread(seconds['base']),
            module_ms=module,
            module_spread=common.spread(seconds['module']),
            base_kept_mb=kept['base'],
            module_kept_mb=kept['module'],
            base_macs=macs['base'],
            module_macs=macs['module'],
            overhead=overhead,
            predicted=predicted,
            over=overhead / predicted,
            error=error,
            tolerance=TOLERANCE,
        )


if __name__ == '__main__':
    common.keep_memory()
    main()
