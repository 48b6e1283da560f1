"""Training whose loss stays non-finite stops; tests count scores that are not finite."""

import math
from types import SimpleNamespace

import pytest
import torch

from mmaction_ext.engine.divergence import DivergenceHook
from mmaction_ext.errors import Diverged
from mmaction_ext.tracking.writing.attempts import outcome


def train(losses, **arguments):
    """Number of iterations that a training makes."""
    hook = DivergenceHook(**arguments)
    for number, loss in enumerate(losses):
        hook.after_train_iter(
            SimpleNamespace(iter=number), number, outputs=dict(loss=torch.tensor(loss))
        )
    return len(losses)


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_training_stops_on_a_loss_that_stays_non_finite_and_on_no_other(bad):
    assert train(([bad] * 19 + [1.0]) * 3) == 60  # as when the loss scale is sought
    assert train([bad] * 50, patience=0) == 50
    with pytest.raises(Diverged, match='in 20 iterations in a row, up to iteration 25;') as found:
        train([1.0] * 5 + [bad] * 21)
    assert outcome(found.value)['exit_code'] == 3
    assert outcome(found.value)['last_error'].startswith('training diverged: ')


def test_a_test_counts_the_samples_whose_scores_are_not_finite():
    said = []
    runner = SimpleNamespace(logger=SimpleNamespace(warning=said.append))
    hook, sound, some = DivergenceHook(), dict(top1=0.5), dict(top1=0.5)
    for metrics, rows in ((some, [[0, 1], [0, math.nan], [math.inf, 0]]), (sound, [[0, 1]] * 3)):
        hook.before_test_epoch(runner)
        for index, row in enumerate(rows):
            sample = SimpleNamespace(pred_score=torch.tensor(row, dtype=torch.float))
            hook.after_test_iter(runner, index, outputs=[sample])
        hook.after_test_epoch(runner, metrics)
    assert some == dict(top1=0.5, nonfinite_samples=2) and sound == dict(top1=0.5)
    assert len(said) == 1 and '2 test samples' in said[0]
