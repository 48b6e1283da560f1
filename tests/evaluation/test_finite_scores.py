"""mmaction2's accuracies count no sample as right whose scores are not finite."""

import numpy as np
import pytest
import torch
from mmaction.evaluation import AccMetric, mean_class_accuracy, top_k_accuracy
from mmaction.models.heads import TSNHead
from mmaction.structures import ActionDataSample

import mmaction_ext.register  # noqa: F401
from mmaction_ext.evaluation import finite_scores

NAN, INF = float('nan'), float('inf')


PRECISIONS = ('mean_average_precision', 'mmit_mean_average_precision')


def accuracies(scores, labels, **settings):
    metric = AccMetric(**settings)
    metric.process(
        {},
        [
            dict(pred_score=torch.tensor(row), gt_label=torch.tensor(label).reshape(-1))
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


@pytest.mark.parametrize('bad', [[NAN] * 4, [0.9, NAN, 0.1, 0.9], [INF, 0.0, 0.0, INF]], ids=str)
def test_samples_of_several_labels_without_finite_scores_are_found_for_none_of_them(bad):
    """All else is found, and class 3 is one that no sample but the bad one has."""
    right = [[0.1, 0.9, 0.2, 0.1], [0.9, 0.1, 0.9, 0.1]]
    labels = [[1, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0]]
    found = accuracies([bad, *right], labels, metric_list=PRECISIONS)
    assert found == {
        'acc/mean_average_precision': pytest.approx((1 / 2 + 1 + 1 + 0) / 4),
        'acc/mmit_mean_average_precision': pytest.approx(2 / 3),
    }
    none = accuracies([bad] * 3, labels, metric_list=PRECISIONS)
    assert none == {'acc/mean_average_precision': 0, 'acc/mmit_mean_average_precision': 0}


def test_classes_that_no_sample_has_count_in_no_precision():
    labels = [[1, 0], [0, 0]]
    found = accuracies([[0.9, 0.1], [NAN, NAN]], labels, metric_list=PRECISIONS[0])
    assert found == {'acc/mean_average_precision': 1}


def test_heads_count_no_sample_as_right_in_the_log_of_training():
    samples = [ActionDataSample().set_gt_label(label) for label in (1, 5)]
    scores = torch.tensor([[0.0, 9.0, 0.0, 0.0, 0.0, 0.0], [NAN] * 6])
    losses = TSNHead(6, 8).loss_by_feat(scores, samples)
    assert (losses['top1_acc'], losses['top5_acc']) == (0.5, 0.5)
