"""The W&B mirror of a run, as an mmengine visualisation backend.

Offline unless the user is logged in or says otherwise, one run id for all attempts at a run,
and never a reason for training to stop.
"""

import functools
import logging
import netrc
import os
import signal
import sys
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import VISBACKENDS
from mmengine.visualization import WandbVisBackend

PROJECT = 'mmaction_ext'
#: how long closing the log may take when the job is being ended
FINISH_SECONDS = 20
#: how long the server may take to answer before the run goes on offline
INIT_SECONDS = 30


def wandb_mode() -> str:
    """What the user set (``WANDB_MODE``, ``wandb offline``); else online with an API key.

    Reads the environment, W&B's settings files and the netrc file; no network call, no prompt.
    """
    if os.environ.get('WANDB_MODE'):
        return os.environ['WANDB_MODE']
    import wandb
    settings = wandb.Settings()
    settings.update_from_system_settings()
    if settings.mode != 'online':
        return settings.mode
    server = os.environ.get('WANDB_BASE_URL') or settings.base_url
    has_key = os.environ.get('WANDB_API_KEY') or _netrc_has_key(server)
    return 'online' if has_key else 'offline'


def _netrc_has_key(server: str) -> bool:
    """Whether ``wandb login`` left a key for a server."""
    try:
        hosts = netrc.netrc(os.environ.get('NETRC')).hosts
    except (OSError, netrc.NetrcParseError):
        return False
    return urlparse(server).hostname in hosts


def _never_raise(method):
    """Turn any failure of W&B into one warning; the run goes on without it."""

    @functools.wraps(method)
    def guarded(self, *args, **kwargs):
        if self._broken:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            self._broken = True
            print_log(f'W&B logging stopped: {type(error).__name__}: {error}',
                      logger='current', level=logging.WARNING)
            return None

    return guarded


@VISBACKENDS.register_module()
class RunWandbBackend(WandbVisBackend):
    """W&B backend that knows which run it logs.

    What differs from mmengine's: rows keep the ``iter`` and ``epoch`` they belong to; id,
    group and name come from the config's path and the seed; the log reaches the disk every
    second and is closed with the signal's code on SIGTERM; a W&B failure never reaches the
    training loop.

    Args:
        save_dir: folder that receives ``wandb/``.
        run: identity of the run: ``uid``, ``group``, ``name``.
        config: nested dict for the run's W&B config (``identity``, ``static``, ...).
        job_type: ``'train'`` or ``'test'``.
        tags: W&B tags.
        init_kwargs: further arguments of ``wandb.init``; they win over the above.
    """

    def __init__(self, save_dir: str, run: dict = None, config: dict = None,
                 job_type: str = 'train', tags: tuple = (), init_kwargs: dict = None):
        super().__init__(save_dir)
        self._run_identity = dict(run or {})
        self._run_config = dict(config or {})
        self._job_type = job_type
        self._tags = list(tags)
        self._extra = dict(init_kwargs or {})
        self._broken = False

    def _init_kwargs_for(self, mode: str) -> dict:
        identity = self._run_identity
        settings = dict(console='off', quiet=True, init_timeout=INIT_SECONDS)
        settings.update(_flush_every_second())
        kwargs = dict(
            project=PROJECT, dir=self._save_dir, mode=mode, job_type=self._job_type,
            id=identity.get('uid'), group=identity.get('group'), name=identity.get('name'),
            tags=self._tags, config=self._run_config, allow_val_change=True,
            settings=settings)
        if mode == 'online' and identity.get('uid'):
            kwargs['resume'] = 'allow'
        kwargs.update(self._extra)
        return kwargs

    def _init_env(self) -> None:
        os.makedirs(self._save_dir, exist_ok=True)
        mode = wandb_mode()
        if mode == 'offline':  # no error report leaves the machine either
            os.environ.setdefault('WANDB_ERROR_REPORTING', 'false')
        import wandb
        try:
            self._wandb_run = wandb.init(**self._init_kwargs_for(mode))
        except Exception as error:
            if mode != 'online':
                raise
            print_log(f'W&B is out of reach ({error}); logging offline instead',
                      logger='current', level=logging.WARNING)
            wandb.teardown()  # it still holds the run id of the failed attempt
            self._wandb_run = wandb.init(**self._init_kwargs_for('offline'))
        self._wandb_run.define_metric('*', step_metric='iter')
        self._wandb = wandb
        _finish_on_sigterm(self._wandb_run)

    @_never_raise
    def add_config(self, config: Config, **kwargs) -> None:
        """Open the run; the config itself was given at construction."""
        if not hasattr(self, '_wandb'):
            self._init_env()
        if not self._run_config:
            self._wandb_run.config.update(config.to_dict(), allow_val_change=True)

    @_never_raise
    def add_graph(self, *args, **kwargs) -> None:
        """Nothing: watching every gradient is not what the tables need."""

    @_never_raise
    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs) -> None:
        """Log one RGB picture of shape (H, W, 3) at iteration ``step``."""
        self.add_scalars({name: self.experiment.Image(image)}, step)

    @_never_raise
    def add_scalar(self, name: str, value, step: int = 0, **kwargs) -> None:
        """Log one value at iteration ``step``."""
        self.add_scalars({name: value}, step)

    @_never_raise
    def add_scalars(self, scalar_dict: dict, step: int = 0, file_path: str = None,
                    **kwargs) -> None:
        """Log one row; it carries ``iter`` (``step`` where the row does not say)."""
        if not hasattr(self, '_wandb'):
            self._init_env()
        row = {'iter': step}
        row.update((key, _plain(value)) for key, value in scalar_dict.items())
        self._wandb_run.log(row)

    @_never_raise
    def close(self) -> None:
        """Write the exit record; the code is 1 while an exception is on its way."""
        if hasattr(self, '_wandb_run'):
            self._wandb_run.finish(exit_code=int(sys.exc_info()[0] is not None))
            del self._wandb_run, self._wandb


def _plain(value):
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _flush_every_second() -> dict:
    """Setting that keeps a killed run's log whole (wandb 0.31 on; 15 s otherwise)."""
    import wandb
    name = 'x_transaction_log_flush_interval'
    return {name: 1.0} if name in wandb.Settings.model_fields else {}


def _finish_on_sigterm(run) -> None:
    """Close the log with exit code 143 when a scheduler ends the job."""
    owner = os.getpid()

    def finish(signum, frame):
        signal.signal(signum, signal.SIG_DFL)
        if os.getpid() == owner:  # loader processes inherit this handler
            # the signal may have come while W&B held a lock: do not wait for it for ever
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(FINISH_SECONDS)
            run.finish(exit_code=128 + signum)
            signal.alarm(0)
        os.kill(os.getpid(), signum)

    try:
        signal.signal(signal.SIGTERM, finish)
    except ValueError:  # not the main thread: whoever runs us handles signals
        pass
