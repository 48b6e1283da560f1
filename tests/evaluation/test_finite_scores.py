"""mmaction2's accuracies count no sample as right whose scores are not finite."""

import numpy as np
import pytest
import torch
from mmaction.evaluation import AccMetric, mean_class_accuracy, top_k_accuracy

import mmaction_ext.register  # noqa: F401
from mmaction_ext.evaluation import finite_scores

NAN, INF = float('nan'), float('inf')


def accuracies(scores, labels):
    metric = AccMetric()
    metric.process(
        {},
        [
            dict(pred_score=torch.tensor(row), gt_label=torch.tensor([label]))
            for row, label in zip(scores, labels, strict=True)
        ],
    )
    return metric.evaluate(len(labels))


@pytest.mark.parametrize(
    'bad',
    [
        [NAN] * 6,
        [NAN, 9.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 9.0, 0.0, 0.0, 0.0, NAN],
        [0.0, INF, 0.0, 0.0, 0.0, 0.0],
        [-INF, 9.0, 0.0, 0.0, 0.0, 0.0],
    ],
    ids=str,
)
def test_samples_without_finite_scores_are_wrong_by_every_accuracy(bad):
    """Of two samples each of classes 1 and 5, one of class 1 has no finite scores."""
    five = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    found = accuracies([bad, [0.0, 9.0, 0.0, 0.0, 0.0, 0.0], five, five], [1, 1, 5, 5])
    assert found == {'acc/top1': 0.75, 'acc/top5': 0.75, 'acc/mean1': 0.75}
    assert accuracies([bad] * 2, [1, 5]) == {'acc/top1': 0, 'acc/top5': 0, 'acc/mean1': 0}


def test_finite_scores_count_as_mmaction2_counts_them():
    rng = np.random.default_rng(0)
    scores, labels = list(rng.random((40, 6))), list(rng.integers(6, size=40))
    finite_scores.apply()  # a second time
    found = accuracies(np.array(scores), labels)
    one, five = top_k_accuracy(scores, labels, (1, 5))
    assert found == {
        'acc/top1': one,
        'acc/top5': five,
        'acc/mean1': mean_class_accuracy(scores, labels),
    }


def test_the_mean_over_classes_includes_those_that_are_predicted_alone_as_mmaction2_does():
    scores = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    expected = mean_class_accuracy(list(map(np.array, scores)), [0, 0, 1])
    assert accuracies([*scores, [NAN] * 3], [0, 0, 1, 1])['acc/mean1'] == pytest.approx(expected)
