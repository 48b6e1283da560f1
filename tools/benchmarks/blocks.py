"""Time a training step of each module's blocks with the operator under them exchanged.

    python tools/benchmarks/blocks.py
    python tools/benchmarks/blocks.py --hosts tsm_selfy tsm_tcm --implementations auto shift_loop

A step is the forward and the backward pass of all blocks of a module, features and parameters with
gradients. The features have the sizes and the layout that the host hands over: the networks of
``hosts.py``, each module on its paper's backbone and on SynthMotion's host, at ``clips`` clips.
``shift_loop`` puts plain loops in the operator's place, for KPSEM masks; other names are
implementations of the operator.

Outputs and gradients are first compared with those of the loops in float64, for all networks.
``error`` is the length of the difference over that of the truth, all tensors taken as one vector:
rounding can move a pixel altogether where TCM looks for a largest value, and a gradient where a
ReLU opens. Nothing is timed where it is above ``tolerance``. ``of_shift_loop`` is the ratio of
medians of the same rounds: how many times as long the shift loop takes.
"""

import copy
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import common
import hosts
import torch
from torch import Tensor, nn

COLUMNS = (
    'host',
    'config',
    'features',
    'clips',
    'implementation',
    'rounds',
    'step_ms',
    'step_spread',
    'of_shift_loop',
    'error',
    'tolerance',
    *common.ENVIRONMENT,
)
SHOWN = (*COLUMNS[:1], *COLUMNS[3:10])
TOLERANCE = 1e-2
#: random clips that are tried, see :func:`check`
MOST_SEEDS = 5
#: What a stage hands to a module: features (N, C, T, H, W).
Features = dict[int, Tensor]


def module_and_features(host: hosts.Host, clips: int, seed: int = 0) -> tuple[Any, Features]:
    """A host's module, and what its stages hand to it of random clips."""
    config = hosts.host_config(host)
    network = hosts.built(config.model)
    module: Any = network.backbone.module
    found: Features = {}

    def keep(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        x, stage = inputs[:2]
        found[stage] = x.detach()

    handle = module.register_forward_pre_hook(keep)
    views = hosts.views(network, tuple(config.input_shape), clips, seed)
    data = network.data_preprocessor(views, True)
    with torch.no_grad():
        network(**data, mode='loss')
    handle.remove()
    return module, found


def step(module: Any, features: Features) -> list[Tensor]:
    """Outputs of a module and, behind them, gradients of its features and parameters."""
    leaves = [x.detach().requires_grad_() for x in features.values()]
    outputs: list[Tensor] = []
    carried: tuple[Tensor, ...] = ()
    for x, stage in zip(leaves, features, strict=True):
        y, carried = module(x, stage, carried)
        if y is not x:
            outputs.append(y)
    vector = module.embed(carried)
    outputs += [] if vector is None else [vector]
    inputs = leaves + [each for each in module.parameters() if each.requires_grad]
    grads = torch.autograd.grad(
        outputs, inputs, [_gradient(y.shape, y.dtype) for y in outputs], allow_unused=True
    )
    return [y.detach() for y in outputs] + [
        torch.zeros_like(x) if grad is None else grad
        for x, grad in zip(inputs, grads, strict=True)
    ]


@functools.cache  # no part of the step
def _gradient(shape: torch.Size, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(shape, generator=generator).to(dtype)


def check(
    name: str, host: hosts.Host, clips: int, implementations: list[str]
) -> tuple[Any, Features, dict[str, float]]:
    """A module and features, and how far each implementation is from double precision there.

    Where two matches are as good as equal, TCM takes one or the other by the last bit, and with it
    go the statistics of all that follows. So other clips are tried where one is too far off: an
    implementation that is wrong is wrong on all of them.

    Raises:
        SystemExit: one is too far off on all of :data:`MOST_SEEDS` clips.
    """
    for seed in range(MOST_SEEDS):
        module, features = module_and_features(host, clips, seed)
        with hosts.swapped(hosts.SHIFT_LOOP):
            wide = {stage: x.double() for stage, x in features.items()}
            truth = step(copy.deepcopy(module).double(), wide)
        errors = {}
        for implementation in implementations:
            common.progress(f'checking {name} {implementation}')
            with hosts.swapped(implementation):
                found = step(copy.deepcopy(module), features)
            errors[implementation] = hosts.distance(found, truth)
        worst = max(errors, key=lambda each: errors[each])
        if errors[worst] <= TOLERANCE:
            return module, features, errors
    sys.exit(
        f'{name}: {worst} is wrong by {errors[worst]:.2g}, where {TOLERANCE:g} is allowed. '
        'Nothing was timed.'
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Check everything, time everything."""
    made = common.parser(__doc__, 'blocks')
    common.add_choice(made, 'hosts', hosts.HOSTS)
    made.add_argument(
        '--implementations',
        nargs='+',
        metavar='NAME',
        default=['native', 'portable', 'auto', hosts.SHIFT_LOOP],
        help=f'default: native portable auto {hosts.SHIFT_LOOP}',
    )
    args = common.parse(made, argv)
    ready = {}
    for name in args.hosts:
        host, clips = hosts.HOSTS[name], 1 if args.tiny else hosts.HOSTS[name].clips
        known = [each for each in args.implementations if hosts.has(host.module, each)]
        ready[name] = check(name, host, clips, known)
    table = common.Table(args.output, COLUMNS, SHOWN, common.environment(args))
    for name, (module, features, errors) in ready.items():
        common.progress(f'timing {name}')
        host = hosts.HOSTS[name]
        functions = {each: _swapped_step(each, module, features) for each in errors}
        seconds = common.in_turns(functions, args.rounds, args.seconds, common.clock(args.clock))
        loop = seconds.get(hosts.SHIFT_LOOP)
        for implementation, found in seconds.items():
            table.add(
                host=name,
                config=host.config,
                features=' '.join('x'.join(map(str, x.shape[1:])) for x in features.values()),
                clips=len(next(iter(features.values()))),
                implementation=implementation,
                rounds=len(found),
                step_ms=common.median(found),
                step_spread=common.spread(found),
                of_shift_loop=common.median(loop) / common.median(found) if loop else '',
                error=errors[implementation],
                tolerance=TOLERANCE,
            )


def _swapped_step(implementation: str, module: Any, features: Features) -> Callable[[], object]:
    def run() -> None:
        with hosts.swapped(implementation):
            step(module, features)

    return run


if __name__ == '__main__':
    common.keep_memory()
    main()
