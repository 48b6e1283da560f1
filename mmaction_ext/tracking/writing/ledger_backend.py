"""The ledger's rows, as an mmengine visualisation backend."""

from typing import Any

from mmengine.config import Config
from mmengine.registry import VISBACKENDS
from mmengine.visualization import BaseVisBackend

from mmaction_ext.tracking.writing.metrics_file import MetricsFile


@VISBACKENDS.register_module()
class RunLedgerBackend(BaseVisBackend):
    """Writes each row of metrics into the run's ledger.

    Metrics are named ``<phase>/<metric>``; a row with metrics of two phases becomes two lines, and
    what belongs to no phase is left out, as in the tables.

    Args:
        save_dir: mmengine's folder of logs; not used.
        folder: the run's folder.
        attempt: number of the attempt, see :mod:`mmaction_ext.tracking.writing.attempts`.
    """

    def __init__(self, save_dir: str, folder: str, attempt: int) -> None:
        super().__init__(save_dir)
        self._folder, self._attempt = folder, attempt
        self._file: MetricsFile | None = None

    def _init_env(self) -> MetricsFile:
        self._file = MetricsFile(self._folder, self._attempt)
        return self._file

    @property
    def experiment(self) -> MetricsFile:
        """The file, which is opened when it is first needed."""
        return self._file or self._init_env()

    def add_config(self, config: Config, **kwargs: Any) -> None:
        """Nothing: ``run.json`` holds the config."""

    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Write one value at iteration ``step``."""
        self.add_scalars({name: value}, step)

    def add_scalars(
        self,
        scalar_dict: dict[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Write one row; it is of iteration ``step`` where it has no ``iter``.

        Raises:
            OSError: it cannot be written.
        """
        iteration, epoch = int(scalar_dict.get('iter', step)), scalar_dict.get('epoch')
        phases: dict[str, dict[str, Any]] = {}
        for name, value in scalar_dict.items():
            phase, slash, _ = name.partition('/')
            if slash:
                phases.setdefault(phase, {})[name] = value
        for phase, metrics in phases.items():
            self.experiment.append(
                phase, iteration, None if epoch is None else int(epoch), metrics
            )

    def close(self) -> None:
        """Bring the rows to the disk; a later row opens the file again."""
        if self._file is not None:
            self._file.close()
            self._file = None
