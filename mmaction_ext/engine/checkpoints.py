"""Which checkpoints of a training are written and which are kept."""

import re
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook

from mmaction_ext.engine.training_state import KEY, gather_state
from mmaction_ext.errors import InputError
from mmaction_ext.files.writing import remove_unfinished, write_atomically

#: how many checkpoints of between two epochs are kept, of which one may prove damaged
KEPT_BETWEEN = 2


class ResumableCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, whose checkpoints can be gone on from to the bit.

    Beside those that the config asks for, ``epoch_<N>.pth`` or ``iter_<N>.pth``, others can be
    saved between any two steps (:meth:`save_between`), as ``iter_<N>.pth``. An old file is removed
    once the new one is whole on the disk: of those that the config asks for all but the last
    ``max_keep_ckpts``, of the others all but the last :data:`KEPT_BETWEEN`, and all that are older
    than one that the config asks for. The best one by a metric (``save_best``) stays beside them.

    A checkpoint of the end of an epoch is written before its validation, and once more after it,
    so that going on from it neither repeats the validation nor leaves it out.
    """

    #: what the last checkpoint holds: iterations, and its name
    _last: tuple[int, str] = (-1, '')
    _state: dict[str, Any] | None = None
    last_ckpt: str | None

    def before_train(self, runner: Any) -> None:
        """Take away what a kill left of files, and know the checkpoint that is gone on from."""
        super().before_train(runner)
        if is_main_process() and Path(self.out_dir).is_dir():
            remove_unfinished(self.out_dir)
        for name, path in self._best().items():
            if path:  # of wherever the folder lay when it was saved
                self._set_best(name, str(Path(self.out_dir, Path(path).name)))
        source = runner._load_from if runner._resume else None
        if source and Path(source).resolve().parent == Path(self.out_dir).resolve():
            self._last = runner.iter, Path(source).name
            self.last_ckpt = str(Path(self.out_dir, self._last[1]))
            self._prune_after(runner, runner.epoch if self.by_epoch else runner.iter, runner.iter)

    def save_between(self, runner: Any) -> str:
        """Save a checkpoint between two steps, where there is none yet; each process calls it.

        Returns:
            Its name.
        """
        if self._last[0] != runner.iter:
            name = f'iter_{runner.iter}.pth'
            runner.logger.info(f'Saving checkpoint at {runner.iter} iterations')
            self._save(runner, name, dict(epoch=runner.epoch, iter=runner.iter))
            self._prune_after(runner, -1, runner.iter)
        return self._last[1]

    def after_validation(self, runner: Any) -> None:
        """Have the last checkpoint know of the validation, if it is of the same iteration."""
        if self._last[0] == runner.iter:
            self._save(runner, self._last[1], dict(epoch=runner.epoch, iter=runner.iter))

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the state of the training to what can be gone on from."""
        if self._state and 'optimizer' in checkpoint:
            checkpoint[KEY] = self._state

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        self._save(runner, self.filename_tmpl.format(step), meta)
        self._prune_after(runner, step, meta['iter'])

    def _save(self, runner: Any, name: str, meta: dict[str, Any]) -> None:
        self._state = gather_state(runner, meta['iter'])
        self.last_ckpt = str(Path(self.out_dir, name))
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=dict(meta),
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self._state, self._last = None, (meta['iter'], name)
        if is_main_process():
            write_atomically(Path(runner.work_dir, 'last_checkpoint'), self.last_ckpt)

    def _regular(self, runner: Any) -> dict[int, Path]:
        """The checkpoints in the folder that the config asks for, by their numbers."""
        between = {} if self.by_epoch else self._between(runner)
        found = _numbered(self.out_dir, self.filename_tmpl)
        return {number: path for number, path in found.items() if path not in between.values()}

    def _between(self, runner: Any) -> dict[int, Path]:
        """The others."""
        found = _numbered(self.out_dir, 'iter_{}.pth')
        if self.by_epoch:
            return found
        return {
            number: path
            for number, path in found.items()
            if number < self.save_begin
            or self.interval < 1
            or ((number - self.save_begin) % self.interval and number != runner.max_iters)
        }

    def _prune_after(self, runner: Any, step: int, iteration: int) -> None:
        """Remove what the last checkpoint makes superfluous.

        Args:
            runner: the runner of the training.
            step: number of the last checkpoint, where it is one that the config asks for.
            iteration: number of iterations that are done.
        """
        between, last = self._between(runner), Path(self.out_dir, self._last[1])
        is_regular = last not in between.values()
        if is_regular and self.max_keep_ckpts > 0:
            self._prune(self._regular(runner), self.max_keep_ckpts, step)
        self._prune(between, 0 if is_regular else KEPT_BETWEEN, iteration)

    def _prune(self, files: dict[int, Path], kept: int, reached: int) -> None:
        """Remove all but the last files up to what is reached."""
        if is_main_process():
            for number in sorted(each for each in files if each <= reached)[: -kept or None]:
                files[number].unlink(missing_ok=True)

    def _save_best_checkpoint(self, runner: Any, metrics: dict[str, Any]) -> None:
        """Save the best one; the one before it is removed when it is there."""
        if not self.save_best:
            return
        for name in self.key_indicators:
            if name != 'auto' and name not in metrics:
                raise InputError(
                    f'the best checkpoint by {name} cannot be kept: validation measures '
                    f'{", ".join(metrics)}'
                )
        before, last = self._best(), self.last_ckpt
        for name in before:
            self._set_best(name, None)
        self.last_ckpt = None  # or mmengine would save it once more, before validation is over
        super()._save_best_checkpoint(runner, metrics)
        self.last_ckpt = last
        for name, path in before.items():
            new = self._best().get(name)
            if new is None:
                self._set_best(name, path)
            elif path and path != new and is_main_process():
                Path(path).unlink(missing_ok=True)

    def _best(self) -> dict[str, str | None]:
        """Files of the best checkpoints, by metric, or by '' where there is one metric."""
        if not self.save_best:
            return {}
        if len(self.key_indicators) == 1:
            return {'': self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best(self, name: str, path: str | None) -> None:
        if name:
            self.best_ckpt_path_dict[name] = path
        else:
            self.best_ckpt_path = path


def _numbered(folder: str, template: str) -> dict[int, Path]:
    """Files of a folder by the numbers in their names, if the template has a place for one."""
    pattern = re.compile(r'(\d+)'.join(map(re.escape, re.split(r'\{.*?\}', template, maxsplit=1))))
    matches = {path: pattern.fullmatch(path.name) for path in Path(folder).glob('*')}
    return {int(match[1]): path for path, match in matches.items() if match and match.groups()}
