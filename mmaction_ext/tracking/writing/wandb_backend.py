"""The W&B mirror of a run, as an mmengine visualisation backend.

Offline unless the user is logged in or says otherwise, one run id for all attempts at a run,
and never a reason for training to stop, to fail or to wait longer than it says here. W&B itself
waits without end where its service stands still, and has no setting against that: all it is given
while a run goes on passes through the queue of a :class:`~.wandb_writer.Writer`.
"""

import contextlib
import functools
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.registry import VISBACKENDS
from mmengine.visualization import WandbVisBackend

from mmaction_ext.printable import clean
from mmaction_ext.tracking.ledger.forms import AttemptEntry
from mmaction_ext.tracking.reading.rows import about_attempt
from mmaction_ext.tracking.reading.wandb_online import has_api_key, server_url
from mmaction_ext.tracking.writing.attempts import outcome
from mmaction_ext.tracking.writing.masking import mask
from mmaction_ext.tracking.writing.termination import at_preemption, at_termination, remove
from mmaction_ext.tracking.writing.wandb_artifact import log_checkpoint, staging_in, within
from mmaction_ext.tracking.writing.wandb_media import MediaOptions
from mmaction_ext.tracking.writing.wandb_writer import Writer

PROJECT = 'mmaction_ext'
#: how long the server may take to answer before the run goes on offline
INIT_SECONDS = 30
#: how long opening a log may take with all that: W&B waits for its service, then for the server
OPEN_SECONDS = 4 * INIT_SECONDS
#: most rows that wait until W&B takes them; it lacks what comes then
QUEUE_ROWS = 10_000
#: how long training waits for room in a full queue, all rows of a run together
PATIENCE_SECONDS = 5
#: how long closing a log waits until W&B has taken the rows
DRAIN_SECONDS = 30
#: the same where tables and clips are among them, with the uploads that W&B does at once
MEDIA_SECONDS = 60
#: how much longer than agreed W&B may take for closing a log
GRACE_SECONDS = 5
#: how long the rows may take when the job is being ended, and closing the log after that
TERMINATION_SECONDS = 5, 10


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
    return 'online' if has_api_key(server_url()) else 'offline'


def _never_raise(method: Callable[..., None]) -> Callable[..., None]:
    """Turn any failure of W&B into one warning; the run goes on without it.

    On other processes than the first, nothing is called at all.
    """

    @functools.wraps(method)
    def guarded(self: 'RunWandbBackend', *args: Any, **kwargs: Any) -> None:
        if not is_main_process():
            return
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self._broken = True
            _warn('W&B logging stopped', error)

    return guarded


@VISBACKENDS.register_module()
class RunWandbBackend(WandbVisBackend):
    """W&B backend that knows which run it logs.

    What differs from mmengine's: rows keep the ``iter`` and ``epoch`` they belong to; id,
    group and name come from the config's path and the seed; the log reaches the disk every
    second and is closed with the signal's code on SIGTERM, while SIGUSR1 marks the run as
    about to be preempted; only the first process logs; a W&B failure never reaches the
    training loop, and neither does a W&B that stands still: rows wait in a queue, and those that
    no longer find room there are counted. With
    :class:`~mmaction_ext.tracking.writing.wandb_hooks.WandbResultsHook` beside it, it also gets
    what a test predicted, and the final checkpoint if it is asked for.

    Args:
        save_dir: folder that receives ``wandb/``.
        run: identity of the run: ``uid``, ``group``, ``name``.
        config: nested dict for the run's W&B config (``identity``, ``static``, ...).
        job_type: ``'train'`` or ``'test'``.
        tags: W&B tags.
        init_kwargs: further arguments of ``wandb.init``; they win over the above. Its
            ``settings``, a plain dict, are added to those of the backend.
        media: options of the tables and clips that a test logs, see
            :class:`~mmaction_ext.tracking.writing.wandb_media.MediaOptions`.
        log_artifact: log the checkpoint that a run ends with as an artifact. Online it is
            uploaded. Offline W&B writes down its path and MD5 and copies nothing, and
            ``wandb sync`` uploads the file from that path if it is still there.
        finish_seconds: how long closing the log may take, i.e. uploading what the server does
            not have yet; what is left then can be uploaded with ``wandb sync``. Where W&B itself
            does not keep to it, :data:`GRACE_SECONDS` later the run ends without it.
        artifact_seconds: how long the upload of the checkpoint may take before that.

    Attributes:
        entry: the attempt in the ledger. Each row names it by its start, and the first and the
            last one tell more of it: logs that are uploaded one by one become one history, in
            whatever order they come.
        when_closed: called at the end with ``wandb_closed``, whether the log was closed in time,
            and ``wandb_rows_missing``, how many rows W&B did not take; of those that it took, one
            that did not close its log may lack more.

    Raises:
        InputError: ``media`` holds something that is no option.
    """

    _writer: Writer

    def __init__(
        self,
        save_dir: str,
        run: dict[str, str] | None = None,
        config: dict[str, Any] | None = None,
        job_type: str = 'train',
        tags: Sequence[str] = (),
        init_kwargs: dict[str, Any] | None = None,
        media: dict[str, Any] | None = None,
        log_artifact: bool = False,
        finish_seconds: float = 60,
        artifact_seconds: float = 600,
    ) -> None:
        super().__init__(save_dir)
        self.media = MediaOptions.from_dict(media or {})
        self.log_artifact = log_artifact
        self._run_identity = dict(run or {})
        self._run_config = dict(config or {})
        self._job_type = job_type
        self._tags = [str(tag)[:64] for tag in tags]  # W&B refuses longer ones
        self._extra = dict(init_kwargs or {})
        self._finish_seconds, self._artifact_seconds = finish_seconds, artifact_seconds
        self._wandb: Any = None
        self._wandb_run: Any = None
        self._location: str | None = None
        self._checkpoint: tuple[str, dict[str, Any]] | None = None
        self._drain_seconds: float = DRAIN_SECONDS
        self._offered = self._taken = 0
        self._told = False
        self._broken = self._lags = self._closed = False
        self.when_closed: Callable[..., None] = lambda **facts: None
        self.entry: AttemptEntry | None = None

    def _init_kwargs_for(self, mode: str) -> dict[str, Any]:
        identity, extra = self._run_identity, dict(self._extra)
        settings = dict(
            console='off',
            quiet=True,
            init_timeout=INIT_SECONDS,
            **_settings_known_to_wandb(
                finish_timeout=float(self._finish_seconds), x_transaction_log_flush_interval=1.0
            ),
        )
        settings.update(extra.pop('settings', None) or {})
        kwargs = dict(
            project=PROJECT,
            dir=self._save_dir,
            mode=mode,
            job_type=self._job_type,
            id=self._run_id(mode),
            group=identity.get('group'),
            name=identity.get('name'),
            tags=self._tags,
            config=self._run_config,
            allow_val_change=True,
            settings=settings,
        )
        if mode == 'online' and identity.get('uid'):
            kwargs['resume'] = 'allow'
        return dict(kwargs, **extra)

    def _run_id(self, mode: str) -> str | None:
        """The run's uid; online, a test apart from training must not go on in that one's run."""
        uid = self._run_identity.get('uid')
        is_apart = uid and mode == 'online' and self._job_type != 'train'
        return f'{uid}-{self._job_type}' if is_apart else uid

    def _init_env(self) -> None:
        os.makedirs(self._save_dir, exist_ok=True)
        mode = self._extra.get('mode') or wandb_mode()
        if mode == 'offline':  # no error report leaves the machine either
            os.environ.setdefault('WANDB_ERROR_REPORTING', 'false')
        import wandb

        try:
            run = within(OPEN_SECONDS, self._open_run, wandb, mode)
        except TimeoutError:
            _let_process_end(wandb)
            raise
        self._writer, self._closed = Writer(QUEUE_ROWS, PATIENCE_SECONDS), False
        self._wandb, self._wandb_run = wandb, run
        self._put(run.define_metric, '*', step_metric='iter')
        with self.attempt('the place of the W&B log is unknown'):
            self._location = _location(run)
        at_termination(self._on_termination)
        at_preemption(self._on_preemption)

    def _open_run(self, wandb: Any, mode: str) -> Any:
        try:
            return wandb.init(**self._init_kwargs_for(mode))
        except Exception as error:
            if mode != 'online':
                raise
            _warn('W&B is out of reach; logging offline instead', error)
            wandb.teardown()  # it still holds the run id of the failed attempt
            return wandb.init(**dict(self._init_kwargs_for('offline'), mode='offline'))

    def _open(self) -> bool:
        """Open the run unless it is open or W&B has failed; returns whether it takes rows."""
        if self._wandb_run is None and not self._broken:
            self._init_env()
        return not self._broken

    @property
    def experiment(self) -> Any:
        """The ``wandb`` module, once the run is open; ``None`` before, and if that failed."""
        return self._wandb

    @property
    def is_logging(self) -> bool:
        """Whether there is a run to log to: open, not failed, and not disabled by the user."""
        return self._wandb_run is not None and not self._broken and self._location is not None

    @_never_raise
    def add_config(self, config: Config, **kwargs: Any) -> None:
        """Open the run; the config itself was given at construction."""
        if self._open() and not self._run_config:
            self._put(self._wandb_run.config.update, mask(config.to_dict()), allow_val_change=True)

    @_never_raise
    def add_graph(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: watching every gradient is not what the tables need."""

    @_never_raise
    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs: Any) -> None:
        """Log one RGB picture of shape (H, W, 3) at iteration ``step``."""
        self._offered += 1
        if self._open():
            self._put(self._log, {'iter': step, name: self._wandb.Image(image)})

    @_never_raise
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Log one value at iteration ``step``."""
        self.add_scalars({name: value}, step)

    @_never_raise
    def add_scalars(
        self,
        scalar_dict: dict[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Log one row; it carries ``iter`` (``step`` where the row does not say)."""
        self._offered += 1
        if self._open():
            row = {'iter': step}
            row.update((key, _plain(value)) for key, value in scalar_dict.items())
            self._put(self._log, row)

    def _put(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Have a function called once W&B has taken what came before."""
        if not self._writer.put(self._call, function, *args, **kwargs) and not self._lags:
            self._lags = True
            print_log(
                f'{QUEUE_ROWS} rows wait for W&B; it will lack what it does not take in '
                'time. The ledger has all of them',
                logger='current',
                level=logging.WARNING,
            )

    @_never_raise
    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        if not self._broken:
            function(*args, **kwargs)

    def _log(self, row: dict[str, Any]) -> None:
        if self.entry and not self._told:
            self._told = True
            self._wandb_run.log(about_attempt(self.entry, self._job_type))
        self._wandb_run.log({**row, **about_attempt(self.entry)})
        self._taken += 1

    @contextlib.contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Context in which a failure is a warning that begins with ``what``.

        Unlike in the methods that log numbers, the mirror goes on after it.
        """
        try:
            yield
        except Exception as error:
            _warn(what, error)

    def add_media(self, values: dict[str, Any], iteration: int, epoch: int) -> None:
        """Log one row of W&B tables, pictures or videos; what fails is a warning.

        Args:
            values: W&B objects by name.
            iteration, epoch: where they belong.
        """
        if self.is_logging:
            self._offered += 1
            self._drain_seconds = MEDIA_SECONDS
            self._put(self._log_media, dict(values, iter=iteration, epoch=epoch))

    def _log_media(self, row: dict[str, Any]) -> None:
        with self.attempt('tables and clips are not logged'), staging_in(self._staging):
            self._log(row)

    def add_checkpoint(self, path: str, **metadata: Any) -> None:
        """Name the checkpoint that the run ends with, as far as is known.

        The last one named is logged by :meth:`close` if the run succeeds, where
        ``log_artifact`` is set.

        Args:
            path: the file; it is to stay where it is.
            metadata: plain data about it; ``iter`` becomes an alias.
        """
        self._checkpoint = os.path.abspath(path), metadata

    def log_location(self) -> str | None:
        """Where the log of this attempt is.

        Returns:
            Online, the URL of the run. Offline, the path of the ``.wandb`` file relative to the
            run folder, which is two levels above ``save_dir`` as mmengine lays it out
            (``<run folder>/<time>/vis_data``). ``None`` if nothing is logged.
        """
        if self._location is None or '://' in self._location:
            return self._location
        save_dir = os.path.abspath(self._save_dir)
        is_usual = os.path.basename(save_dir) == 'vis_data'
        folder = os.path.dirname(os.path.dirname(save_dir)) if is_usual else save_dir
        return os.path.relpath(self._location, folder).replace(os.sep, '/')

    def close(self) -> None:
        """Hand over what waits, log the checkpoint if asked to, and write the exit record.

        Its code is the ledger's: 0, or what the exception on its way will make of the process.
        """
        code = outcome(sys.exc_info()[1])['exit_code']
        if self._wandb_run is not None:
            self._close_log(code)
            remove(self._on_termination)
            remove(self._on_preemption)
            self._wandb = self._wandb_run = None
        with self.attempt('the ledger does not say what W&B lacks'):
            self._tell()

    def _close_log(self, code: int) -> None:
        drained = self._writer.drain(self._drain_seconds)
        if self._checkpoint and self.log_artifact and self.is_logging and not code:
            with self.attempt('the checkpoint is no artifact'):
                self._log_checkpoint_if(drained, *self._checkpoint)
        with self.attempt('the W&B log is not closed'):
            self._finish(code, GRACE_SECONDS + (self._finish_seconds if drained else 0))
        if not self._closed:
            _let_process_end(self._wandb)

    def _finish(self, code: int, seconds: float) -> None:
        self._writer.end_with(functools.partial(self._end, code), seconds)
        self._closed = True

    def _end(self, code: int) -> None:
        if self.entry:
            with self.attempt('the W&B log does not say how the attempt ended'):
                self._wandb_run.log(about_attempt(self.entry, self._job_type, exit_code=code))
        self._wandb_run.finish(exit_code=code)

    def _tell(self) -> None:
        self.when_closed(wandb_closed=self._closed, wandb_rows_missing=self._offered - self._taken)

    def _on_termination(self, signum: int) -> None:
        """Close the log with 143 when a scheduler ends the job."""
        for_rows, for_finish = TERMINATION_SECONDS
        self._writer.drain(for_rows)
        try:
            self._finish(128 + signum, for_finish)
        finally:
            self._tell()

    def _on_preemption(self, signum: int) -> None:
        self._writer.put(self._call, self._wandb_run.mark_preempting)

    def _log_checkpoint_if(self, drained: bool, path: str, metadata: dict[str, Any]) -> None:
        if not drained:
            raise TimeoutError(f'W&B has not taken all rows in {self._drain_seconds} s')
        within(self._artifact_seconds, self._log_checkpoint, path, metadata)

    def _log_checkpoint(self, path: str, metadata: dict[str, Any]) -> None:
        identity = self._run_config.get('identity') or {}
        facts = dict(
            metadata, uid=self._run_identity.get('uid'), config_hash=identity.get('config_hash')
        )
        with staging_in(self._staging):
            log_checkpoint(self._wandb_run, path, identity, facts, self._artifact_seconds)

    @property
    def _staging(self) -> str:
        return os.path.join(self._save_dir, 'wandb')


def _plain(value: Any) -> Any:
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _settings_known_to_wandb(**settings: Any) -> dict[str, Any]:
    """Those that this version has: 0.31 flushes every second, older ones every 15 s."""
    import wandb

    known = wandb.Settings.model_fields
    return {name: value for name, value in settings.items() if name in known}


def _location(run: Any) -> str | None:
    """URL of an online run, path of the log of an offline one."""
    if run.disabled:
        return None
    return os.path.abspath(run.settings.sync_file) if run.offline else run.url


def _let_process_end(wandb: Any) -> None:
    """Give up a service that stands still; W&B would wait for it when the process ends."""
    with contextlib.suppress(Exception, SystemExit):
        within(GRACE_SECONDS, wandb.teardown)


def _warn(what: str, error: Exception) -> None:
    print_log(
        clean(f'{what}: {type(error).__name__}: {error}'), logger='current', level=logging.WARNING
    )
