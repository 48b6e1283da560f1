"""What the files of a run hold: one form for each, by which they are written and read.

A file whose values are of other kinds than its form says is refused, with the key. Keys that a
form does not name are kept: a later version of the same schema may write more. What an earlier one
did not write is ``None``.

Torch-free.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import Self  # typing has it from 3.11 on; pydantic brings this

from mmaction_ext.tracking.ledger.format import MOST_VALUES, decode_object, encode_object

Facts = dict[str, Any]
#: what is read as a number may have been a text: a run can be called "NaN"
Text = str | float
Number = int | float


class WrongForm(ValueError):
    """An object is not of the form that its file asks for; the message names the key."""


class Form(BaseModel):
    """An object of a file."""

    model_config = ConfigDict(extra='allow', strict=True, protected_namespaces=())

    @classmethod
    def of(cls, content: Facts) -> Self:
        """The form that plain data has.

        Raises:
            WrongForm: a value is of another kind.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            key = '.'.join(str(part) for part in first['loc'] if not _is_kind(part))
            raise WrongForm(f'{key}: {first["msg"].lower()}') from None

    @classmethod
    def parse(cls, data: bytes, most: int = MOST_VALUES) -> Self:
        """What a file holds, see :func:`mmaction_ext.tracking.ledger.format.decode_object`.

        Raises:
            NewerVersion: it is of a later version than this program knows.
            ValueError: it holds no JSON object, was altered, or has a value of another kind.
        """
        return cls.of(decode_object(data, most))

    def facts(self) -> Facts:
        """Plain data, as the file has it: what nobody said is not in it."""
        return self.model_dump(by_alias=True, exclude_unset=True)

    def text(self) -> str:
        """The file."""
        return encode_object(self.facts())


def _is_kind(part: int | str) -> bool:
    """Whether a part of the place of an error names one of the kinds that a value may be of."""
    return isinstance(part, str) and part in ('int', 'float', 'str')


class AttemptEntry(Form):
    """An attempt in ``run.json``.

    Attributes:
        number: from 1.
        host, boot_id, pid, process_start: the process, told so that it cannot be mistaken for
            another, see :mod:`mmaction_ext.tracking.ledger.process`.
        slurm_job: id of the Slurm job.
        start, end: seconds since the epoch.
        exit_code, signal, last_error: how it ended.
        world_size: number of processes.
        resumed_from_iter: iteration that it went on from, 0 where it began anew.
        commit: git commit that it ran on.
        wandb: its W&B log, relative to the run's folder, or the address of its page.
        wandb_closed, wandb_rows_missing: whether W&B closed that log in time, and how many rows it
            did not take.
        metrics_bytes: how long ``metrics.jsonl`` was when it ended.
    """

    number: int | None = None
    host: str | None = None
    boot_id: str | None = None
    pid: int | None = None
    process_start: Number | None = None
    slurm_job: str | None = None
    start: Number | None = None
    end: Number | None = None
    exit_code: int | None = None
    signal: str | None = None
    last_error: str | None = None
    world_size: int | None = None
    resumed_from_iter: int | None = None
    commit: str | None = None
    wandb: str | None = None
    wandb_closed: bool | None = None
    wandb_rows_missing: int | None = None
    metrics_bytes: int | None = None


class RunFile(Form):
    """``run.json``: who a run is, what it was made with, and its attempts.

    Attributes:
        version: version of the file; ``None`` before there were any.
        uid, config, seed, config_hash, fold: see
            :class:`mmaction_ext.tracking.identity.RunIdentity`.
        job_type: ``'train'`` or ``'test'``.
        overrides: settings changed on the command line.
        recipe: the resolved config.
        config_files: digests of the config and of all that it inherits from.
        complexity: parameters, multiply-adds and input shape of the model.
        env, git: library versions, state of the checkout.
        code: digests of the source files of this package and of the user's classes, those of
            several attempts with spaces between; ``sources`` in the file.
        data: annotation lists by split.
        initial_checkpoint, initial_weights: what training began from.
        attempts: oldest first.
    """

    version: Number | None = Field(default=None, alias='schema')
    uid: str | None = None
    config: str | None = None
    seed: int | None = None
    config_hash: str | None = None
    fold: str | None = None
    job_type: str | None = None
    overrides: Facts | None = None
    recipe: Facts | None = None
    config_files: Facts | None = None
    complexity: Facts | None = Field(default=None, alias='static')
    env: Facts | None = None
    git: Facts | None = None
    code: Facts | None = Field(default=None, alias='sources')
    data: dict[str, Facts] | None = None
    initial_checkpoint: Facts | None = None
    initial_weights: Any = None
    attempts: list[AttemptEntry] | None = None


class ResultFile(Form):
    """``results/<attempt>-<iter>.json``: what one evaluation on the test split measured.

    Attributes:
        version: version of the file.
        attempt: number of the attempt.
        uid, job_type: the run.
        iter, epoch: how far the weights had been trained.
        checkpoint, predictions: ``path`` relative to the run's folder and ``sha256``.
        protocol: how it was tested (``num_clips``, ...).
        metrics: ``test/...`` to value.
        num_samples: how many samples were tested.
        data_digest: digest of their names and labels.
        finished: whether it was written as a whole; always true.
        file: its name below the run's folder; it is not in the file.
    """

    version: Number | None = Field(default=None, alias='schema')
    attempt: int | None = None
    uid: str | None = None
    job_type: str | None = None
    iter: int | None = None
    epoch: int | None = None
    checkpoint: Facts | None = None
    protocol: Facts | None = None
    metrics: Facts | None = None
    num_samples: int | None = None
    data_digest: str | None = None
    predictions: Facts | None = None
    finished: bool | None = None
    file: str = Field(default='', exclude=True)


class HeartbeatFile(Form):
    """``heartbeat``: a sign of life of an attempt.

    Attributes:
        attempt: its number.
        pid, host, boot_id: its process.
        iter: training iterations completed.
        time: seconds since the epoch.
        beat: which one of the process it is, from 1.
    """

    attempt: int | None = None
    pid: int | None = None
    host: str | None = None
    boot_id: str | None = None
    iter: int | None = None
    time: Number | None = None
    beat: int | None = None


class Seen(Form):
    """What a source said of a run when it was copied.

    Attributes:
        updated: when it had last heard of the run, seconds since the epoch.
        rows: how many rows the history had.
        digest: of all else that it told.
    """

    updated: Number | None = None
    rows: int | None = None
    digest: str | None = None


class SnapshotFile(Form):
    """``.online/<place>/<run id>-<job type>.json``: a run of somewhere else, copied.

    Attributes:
        version: version of the file.
        url: its page on a W&B server.
        uid, job_type, name, group: the run.
        state: what the source called it.
        exit_code: ``None`` where nobody knows.
        host, commit, start_time: where, on what and when it ran.
        imported: whether it is of another project.
        config: its W&B config.
        tags, summary: the same, of a run that was copied as it is.
        seen: what the source said when it was copied.
        rows: its history.
    """

    version: Number | None = Field(default=None, alias='schema')
    url: str | None = None
    uid: str = Field(min_length=1)
    job_type: str | None = None
    name: Text | None = None
    group: Text | None = None
    state: str | None = None
    exit_code: int | None = None
    host: Text | None = None
    commit: str | None = None
    start_time: Number | None = None
    imported: bool | None = None
    config: Facts | None = None
    tags: list[str] | None = None
    summary: Facts | None = None
    seen: Seen | None = None
    rows: list[Facts]
