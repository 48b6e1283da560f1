"""Ensembles: the averaged predictions of runs that were trained and tested one by one."""

import copy
import hashlib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope

from mmaction_ext.datasets.configs import dataset_config, evaluation_protocol
from mmaction_ext.engine.run_config import identify, identify_weights
from mmaction_ext.engine.work_dir import newest_checkpoint
from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.predictions import FILE_NAME, Predictions, average, read_predictions
from mmaction_ext.models.complexity import count, total
from mmaction_ext.tracking.identity import (
    RunIdentity,
    ensemble_members,
    load_config,
    network_hash,
    shared_fold,
    training_length,
)


class Member(NamedTuple):
    """A config whose predictions are averaged.

    Attributes:
        path: its file.
        config: what that resolves to, see :func:`mmaction_ext.tracking.identity.load_config`.
        run: who its run is.
    """

    path: Path
    config: dict[str, Any]
    run: RunIdentity


def find_members(
    path: str | os.PathLike[str], config: dict[str, Any], seed: int, fold: str = ''
) -> list[Member]:
    """The members of an ensemble.

    Args:
        path: config file of the ensemble.
        config: what it resolves to, see :func:`mmaction_ext.tracking.identity.load_config`.
        seed: the seed of all members.
        fold: the fold of all of them that have folds.

    Raises:
        InputError: the config is no ensemble, or a member cannot be used.
    """
    folds = {member: shared_fold(member, fold) for member in ensemble_members(path, config)}
    if not folds:
        raise InputError(f'config {path} is no ensemble: it has no ensemble=dict(members=[...])')
    contents = {member: load_config(member, *own) for member, own in folds.items()}
    return [
        Member(member, contents[member], identify(member, contents[member], seed, None, *own)[0])
        for member, own in folds.items()
    ]


def complexity(members: Sequence[Member]) -> dict[str, Any]:
    """Parameters and multiply-adds of all members together.

    Raises:
        InputError: the model of one cannot be built or run.
    """
    counts = []
    for member in members:
        try:
            counts.append(count(member.config))
        except ValueError as error:
            raise InputError(f'{member.path}: {error}') from error
    whole = total(counts)
    network = network_hash([member.config for member in members])
    return dict(params=whole.params, macs=whole.macs, network=network)


def member_predictions(member: Member) -> tuple[Path, Predictions]:
    """The newest sound predictions of a member, from its run or from a later test of it.

    Args:
        member: the member.

    Returns:
        The file and what it holds.

    Raises:
        InputError: there are none, or they belong to another version of the config, or to a
            checkpoint from before the end of training; the message says how to make them.
    """
    identity = member.run
    home = Path(identity.work_dir())
    files = [file for file in (home / FILE_NAME, home / 'test' / FILE_NAME) if file.is_file()]
    files.sort(key=lambda file: file.stat().st_mtime_ns, reverse=True)
    problems = []
    for file in files:
        predictions = read_predictions(file)
        problem = _problem(predictions.meta, identity, training_length(member.config))
        if not problem:
            return file, predictions
        problems.append(f'{file} {problem}')
    reason = '; '.join(problems) or f'there is no {home / FILE_NAME}'
    raise InputError(
        f'no predictions of member {identity.config} under seed {identity.seed}: '
        f'{reason}. Make them with: {_remedy(member)}'
    )


def _problem(meta: dict[str, Any], identity: RunIdentity, schedule: tuple[Any, ...] | None) -> str:
    """Why predictions are not those of a run at its end; empty if they are."""
    if not identity.named_as_in(meta):
        config, seed, digest = map(meta.get, ('config', 'seed', 'config_hash'))
        same_run = (config, seed) == (identity.config, identity.seed)
        version = 'another version of the config' if same_run else 'another run'
        return f'is of {version} ({config}, seed {seed}, hash {digest})'
    if meta.get('overrides'):
        return f'was made with overridden {", ".join(sorted(map(str, meta["overrides"])))}'
    if schedule:
        unit, length = schedule
        reached = meta.get(unit)
        if not isinstance(reached, int) or reached < length:
            return f'was made after {unit} {reached} of {length}'
    return ''


def _remedy(member: Member) -> str:
    """The command that makes a member's predictions: a test where it is trained."""
    seed, fold = member.run.seed, member.run.fold
    source, trained = identify_weights(member.path, member.config, seed, fold)
    home = Path(trained.work_dir())
    newest = newest_checkpoint(home) if home.is_dir() else None
    words = ['test', member.path, newest] if newest else ['train', source]
    words += ['--fold', named] if (named := fold if newest else trained.fold) else []
    resume = [] if newest else ['--resume']
    return shlex.join(['mmaction-ext', *map(str, words), '--seed', str(seed), *resume])


def evaluate(cfg: Config, members: list[tuple[Path, Predictions]]) -> dict[str, Any]:
    """Average the members' probabilities and evaluate them as a test would.

    Args:
        cfg: config of the ensemble, whose ``test_evaluator`` is used.
        members: files and predictions.

    Returns:
        The row that a test logs: ``iter`` and ``epoch`` of the member trained longest and
        ``test/...`` metrics, with the digests of the data and of all members' checkpoints.

    Raises:
        InputError: the predictions cannot be averaged.
    """
    files, predictions = zip(*members, strict=True)
    scores = torch.from_numpy(average(predictions, [str(file) for file in files]))
    first = predictions[0]
    samples = [
        dict(pred_score=score, gt_label=torch.tensor([label]), filename=str(name))
        for score, label, name in zip(scores, first.labels.tolist(), first.names, strict=True)
    ]
    with DefaultScope.overwrite_default_scope('mmaction'):
        metrics = Evaluator(copy.deepcopy(cfg.test_evaluator)).offline_evaluate(iter(samples))
    row = {f'test/{name}': value for name, value in metrics.items()}
    checkpoints = [str(each.meta.get('checkpoint_sha256')) for each in predictions]
    row.update(
        {
            'test/num_samples': len(samples),
            'test/data_digest': first.meta.get('data_digest'),
            'test/checkpoint_sha256': hashlib.sha256(' '.join(checkpoints).encode()).hexdigest(),
        }
    )
    for key in ('iter', 'epoch'):
        row[key] = max(each.meta.get(key) or 0 for each in predictions)
    return row


def result(cfg: Config, run: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of an ensemble's evaluation; it has no checkpoint file of its own.

    Args:
        cfg: config of the ensemble.
        run: its ``uid`` and ``job_type``.
        row: as returned by :func:`evaluate`.

    Returns:
        As :func:`mmaction_ext.tracking.writing.results.write_result` takes it.
    """
    facts = ('num_samples', 'data_digest', 'checkpoint_sha256')
    metrics = {
        name: value
        for name, value in row.items()
        if name.startswith('test/') and name.removeprefix('test/') not in facts
    }
    num_samples, data_digest, checkpoint = (row[f'test/{name}'] for name in facts)
    dataset = dataset_config(cfg, 'test')
    return dict(
        **run,
        iter=row['iter'],
        epoch=row['epoch'],
        checkpoint=dict(path=None, sha256=checkpoint),
        protocol=evaluation_protocol(dataset),
        metrics=metrics,
        num_samples=num_samples,
        data_digest=data_digest,
        predictions=None,
    )
