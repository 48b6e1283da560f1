"""Whether configs can be trained and tested on this machine, found out before they are queued.

Each config is looked at in a process of its own, forked from one that has imported, once, what all
of them need. Whatever becomes of it, be it killed for its memory, is what is said of that config.
Nothing is written into the folder of a run, nothing claimed, and W&B is told nothing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import shutil
import signal
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmaction_ext.errors import InputError, last_line
from mmaction_ext.tracking.identity import config_name, training_length

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

#: what the processes are forked with
_PRELOAD = ['mmaction_ext.register', 'mmaction_ext.engine.run', 'mmaction_ext.engine.ensemble']
#: seconds that one config may take
TIMEOUT = 900
#: a first step that takes no longer, in seconds, is followed by others that are timed
_QUICK = 5.0
_OUTPUT = 'output.txt'


class Target(NamedTuple):
    """A config to look at.

    Attributes:
        config: its file.
        fold: one of its folds; empty for none.
    """

    config: Path
    fold: str = ''

    @property
    def name(self) -> str:
        """As its runs are named."""
        return config_name(self.config, self.fold)


@dataclass(frozen=True)
class Outcome:
    """What was found out about a config; ``None`` is what was not measured.

    Attributes:
        name: of the config, and its fold.
        problem: why it cannot be trained or tested, in a sentence; empty where it can.
        step: seconds of a training step with a batch of one process, without reading the data.
        iterations: steps of its training.
        memory: peak bytes of a training step and of a batch of the test, allocated on the GPU or,
            without one, of the whole process.
        device: where the step was made, ``'cpu'`` or the name of the GPU.
        disk: bytes that its checkpoints take at most.
    """

    name: str
    problem: str = ''
    step: float | None = None
    iterations: int | None = None
    memory: int | None = None
    device: str = ''
    disk: int | None = None

    @property
    def training(self) -> float | None:
        """Seconds of all of its training steps; ``None`` if unknown."""
        if self.step is None or self.iterations is None:
            return None
        return self.step * self.iterations


@dataclass(frozen=True)
class _Task:
    """What the process of a config is told."""

    target: Target
    options: dict[str, Any]
    processes: int
    makes_step: bool
    scratch: str
    folder: str
    environment: dict[str, str]


def preflight(
    targets: Iterable[Target],
    *,
    options: dict[str, Any] | None = None,
    processes: int = 1,
    makes_step: bool = True,
    timeout: float = TIMEOUT,
) -> Iterator[Outcome]:
    """Look at configs, one after the other.

    Config, model, hooks, metrics and loaders are built, lists read, the first and the last sample
    of each split put through its pipeline; the folder of the runs must take files, and its disk
    the checkpoints. Then a batch of one process is trained on, and one of the test evaluated. An
    ensemble is only seen to have members; a config with ``weights_of`` is not trained.

    Args:
        targets: the configs.
        options: ``--cfg-options``, dotted keys to values.
        processes: over how many a training is to be spread, so that the batch of one is known.
        makes_step: whether to train and evaluate a batch.
        timeout: seconds after which a config that is not done has failed.

    Yields:
        One outcome per target, in their order, as each is known.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(_PRELOAD)
    for target in targets:
        with tempfile.TemporaryDirectory(prefix='preflight-') as scratch:
            task = _Task(
                target,
                options or {},
                processes,
                makes_step,
                scratch,
                os.getcwd(),
                dict(os.environ),
            )
            yield _isolated(context, task, timeout)


def _isolated(context: ForkServerContext, task: _Task, timeout: float) -> Outcome:
    """The outcome that a process of its own finds, or what became of that process."""
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(task, sender))
    process.start()
    sender.close()
    try:
        if not receiver.poll(timeout):
            return Outcome(task.target.name, f'not done after {timeout:g} s')
        found: Outcome = receiver.recv()
        return found
    except EOFError:
        process.join()
        return Outcome(task.target.name, _how_it_died(process.exitcode or 0, task.scratch))
    finally:
        receiver.close()
        process.kill()
        assert process.pid
        with contextlib.suppress(OSError):  # what it started, which is of its session
            os.killpg(process.pid, signal.SIGKILL)
        process.join()


def _how_it_died(exit_code: int, scratch: str) -> str:
    if exit_code == -signal.SIGKILL:
        text = 'its process was killed, as the system does where memory does not suffice'
    elif exit_code < 0:
        text = f'its process crashed ({signal.Signals(-exit_code).name})'
    else:
        text = f'its process ended with exit code {exit_code}'
    try:
        words = Path(scratch, _OUTPUT).read_text(errors='replace').strip().splitlines()[-1:]
    except OSError:
        words = []
    return '; the last it said: '.join(
        [text, *(textwrap.shorten(line, 160, placeholder=' ...') for line in words)]
    )


def _work(task: _Task, sender: Connection) -> None:
    """Find the outcome, in the process of the config."""
    os.setsid()
    os.environ.clear()
    os.environ.update(task.environment)
    os.chdir(task.folder)
    with contextlib.suppress(OSError):  # where memory does not suffice, it is this one's fault
        Path('/proc/self/oom_score_adj').write_text('1000')
    output = os.open(Path(task.scratch, _OUTPUT), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    try:
        found = _examine(task)
    except InputError as error:
        found = Outcome(task.target.name, error.sentence())
    except Exception as error:  # of anyone's model, data set or hook
        found = Outcome(task.target.name, f'{type(error).__name__}: {last_line(error)}')
    sender.send(found)


def _examine(task: _Task) -> Outcome:
    """What is known of a config in the end; raises what is wrong with it."""
    from mmaction_ext import compat

    compat.apply()
    from mmaction_ext.engine import checks, ensemble
    from mmaction_ext.engine.run import Run
    from mmaction_ext.engine.run_config import adapt_to_processes, drop_training
    from mmaction_ext.engine.work_dir import default_work_dir

    run = Run(str(task.target.config), 'train', task.options, task.target.fold)
    cfg, name = run.cfg, task.target.name
    run.identify(None)
    if 'ensemble' in cfg:
        ensemble.find_members(run.path, run.resolved, run.identity.seed, run.fold)
        checks.check_evaluators(cfg, ['test'])
        return Outcome(name)
    is_trained = not cfg.get('weights_of')
    if is_trained:
        checks.check_trainable(cfg)
        adapt_to_processes(cfg, task.processes)
    else:
        drop_training(cfg)
    home = default_work_dir(run.identity, run.overrides)
    cfg.randomness = dict(cfg.get('randomness', {}), seed=run.identity.seed)
    cfg.work_dir = task.scratch
    splits = [split for split in ('train', 'val', 'test') if cfg.get(f'{split}_dataloader')]
    run.check(splits)
    if is_trained:
        run.start_from(None)
    length = training_length(run.resolved) if is_trained else None
    disk = _checkpoint_bytes(run.model, cfg, length) if is_trained else 0
    _check_room(home, disk)
    runner = _runner(cfg)
    datasets = {split: _checked_samples(runner, cfg, split) for split in splits}
    if not task.makes_step:
        return Outcome(name, disk=disk)
    step = _train_step(runner, cfg, datasets['train']) if is_trained else None
    if 'test' in datasets:
        _test_step(runner, cfg, datasets['test'])
    memory, device = _peak_memory()
    return Outcome(name, '', step, _iterations(cfg, length, datasets), memory, device, disk)


def _check_room(home: str, wanted: int) -> None:
    """Make sure that the folder of a run can be made and its disk holds its checkpoints.

    Raises:
        InputError: it cannot, or does not.
    """
    from mmaction_ext.engine.checks import check_output_folder

    place = next(path for path in (Path(home), *Path(home).parents) if path.exists())
    check_output_folder(str(place))
    held = sum(file.stat().st_size for file in Path(home).glob('*.pth'))
    free = shutil.disk_usage(place).free + held
    if free < wanted:
        raise InputError(
            f'the disk of {place} has {free / 1e9:.2f} GB free, the checkpoints of a run take '
            f'{wanted / 1e9:.2f} GB'
        )


def _checkpoint_bytes(model: Any, cfg: Config, length: tuple[str, int] | None) -> int:
    """What the checkpoints that a run keeps take at most, the one that is being written counted.

    Args:
        model: on the meta device, where a step of the optimizer costs nothing.
        cfg: the config.
        length: of training.
    """
    import torch
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import DefaultScope

    weights = _tensor_bytes(model.state_dict())
    state = 0
    with contextlib.suppress(Exception), DefaultScope.overwrite_default_scope('mmaction'):
        # one that does more than step, or only on a GPU, is left out
        wrapper = build_optim_wrapper(model, dict(cfg.optim_wrapper, type='OptimWrapper'))
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        wrapper.optimizer.step()
        state = _tensor_bytes(wrapper.optimizer.state_dict())
    averages = any(hook.get('type') == 'EMAHook' for hook in cfg.get('custom_hooks') or ())
    return (weights * (1 + averages) + state) * _checkpoints_kept(cfg, length)


def _checkpoints_kept(cfg: Config, length: tuple[str, int] | None) -> int:
    """How many checkpoints there are at most at one time, with those between two epochs."""
    from mmaction_ext.engine.checkpoints import KEPT_BETWEEN

    hook = (cfg.get('default_hooks') or {}).get('checkpoint')
    if not hook:
        return 0
    best = hook.get('save_best') or ()
    kept = hook.get('max_keep_ckpts', -1)
    if kept < 1:
        kept = length[1] // max(hook.get('interval') or 1, 1) if length else 1
    return int(kept) + KEPT_BETWEEN + 1 + (1 if isinstance(best, str) else len(best))


def _tensor_bytes(content: Any) -> int:
    """Bytes of all tensors in what may be nested."""
    import torch

    if isinstance(content, torch.Tensor):
        return content.numel() * content.element_size()
    if isinstance(content, dict):
        content = content.values()
    elif not isinstance(content, (list, tuple)):
        return 0
    return sum(map(_tensor_bytes, content))


def _runner(cfg: Config) -> Runner:
    """mmengine's runner, all of its hooks built, that logs to no one but the scratch folder."""
    from mmengine.runner import Runner

    cfg.visualizer = dict(type='Visualizer')
    return Runner.from_cfg(cfg)


def _checked_samples(runner: Runner, cfg: Config, split: str) -> Any:
    """The data set of a split, of which the first and the last sample were read.

    Raises:
        InputError: one cannot be.
    """
    import copy

    from mmaction.registry import DATASETS
    from mmengine.registry import DefaultScope

    from mmaction_ext.datasets.seeding import EpochSeedHook, set_epoch

    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(copy.deepcopy(cfg[f'{split}_dataloader'].dataset))
    if split == 'train' and any(isinstance(hook, EpochSeedHook) for hook in runner.hooks):
        set_epoch(dataset, runner.seed, 0)
    for index in dict.fromkeys((0, len(dataset) - 1)):
        try:
            dataset[index]
        except InputError:
            raise
        except Exception as error:  # of any step of a pipeline
            raise InputError(
                f'{split}_dataloader of {cfg.filename}: sample {index} cannot be read: '
                f'{type(error).__name__}: {last_line(error)}'
            ) from error
    return dataset


def _batch(runner: Runner, cfg: Config, split: str, dataset: Any) -> Any:
    """The first batch of a split, read in this process."""
    from mmaction_ext.engine.checks import check_loaders

    loader = cfg[f'{split}_dataloader']
    loader.num_workers = 0
    check_loaders(cfg, [split])
    return next(iter(runner.build_dataloader(dict(loader, dataset=dataset), seed=0)))


def _train_step(runner: Runner, cfg: Config, dataset: Any) -> float:
    """Seconds of a step, the quickest of some unless the first is slow.

    Raises:
        InputError: its loss is not finite.
    """
    import torch

    batch = _batch(runner, cfg, 'train', dataset)
    runner._init_model_weights()
    runner.model.train()
    wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    first, losses = _timed(lambda: runner.model.train_step(batch, wrapper))
    if not torch.as_tensor(losses['loss']).isfinite().all():
        raise InputError(f'{cfg.filename}: the loss of the first step is {losses["loss"]}')
    if first > _QUICK:
        return first
    return min(_timed(lambda: runner.model.train_step(batch, wrapper))[0] for _ in range(2))


def _test_step(runner: Runner, cfg: Config, dataset: Any) -> None:
    """Evaluate a batch, whose views may need more memory than a step of training."""
    import torch

    batch = _batch(runner, cfg, 'test', dataset)
    runner.model.eval()
    with torch.no_grad():
        _timed(lambda: runner.model.test_step(batch))


def _timed(step: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of a call, until the GPU is done, and what it gives.

    Raises:
        InputError: the GPU's memory does not suffice.
    """
    import torch

    begin = time.perf_counter()
    try:
        found = step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    except torch.cuda.OutOfMemoryError as error:
        total = torch.cuda.get_device_properties(0).total_memory
        raise InputError(
            f'a batch of one process does not fit the {total / 1e9:.0f} GB of the GPU: use more '
            'processes (--gpus), with_cp or a smaller batch'
        ) from error
    return time.perf_counter() - begin, found


def _peak_memory() -> tuple[int, str]:
    """Peak bytes so far, and of what."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated(), torch.cuda.get_device_name()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, 'cpu'


def _iterations(
    cfg: Config, length: tuple[str, int] | None, datasets: dict[str, Any]
) -> int | None:
    """Steps of training, all processes together making one."""
    if length is None or length[0] == 'iter':
        return length and length[1]
    batch = cfg.get('global_batch_size') or cfg.train_dataloader.get('batch_size')
    return length[1] * -(-len(datasets['train']) // batch) if batch else None
