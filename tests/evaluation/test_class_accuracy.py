"""Accuracies of classes, by hand."""

import pytest
import torch

from mmaction_ext.evaluation.class_accuracy import ClassAccuracyMetric


def sample(label, scores):
    return dict(gt_label=torch.tensor([label]), pred_score=torch.tensor(scores))


def test_each_class_has_its_own_accuracy():
    metric = ClassAccuracyMetric()
    metric.process({}, [sample(0, [0.9, 0.1, 0.0]), sample(2, [0.2, 0.1, 0.7])])
    metric.process({}, [sample(0, [0.2, 0.8, 0.0]), sample(0, [0.5, 0.3, 0.2])])
    found = metric.evaluate(4)
    assert found == {'class/top1_0': pytest.approx(2 / 3), 'class/top1_2': 1.0}


def test_ids_sort_as_text():
    metric = ClassAccuracyMetric()
    metric.process({}, [sample(label, [0.0] * 10 + [1.0]) for label in (10, 2)])
    assert list(metric.evaluate(2).items()) == [('class/top1_02', 0.0), ('class/top1_10', 1.0)]


@pytest.mark.parametrize(
    'num_classes, digits', [(9, 1), (10, 1), (11, 2), (99, 2), (100, 2), (101, 3), (1000, 3)]
)
def test_ids_have_the_digits_of_the_last_one(num_classes, digits):
    metric = ClassAccuracyMetric()
    metric.process({}, [sample(3, [0.0] * num_classes)])
    assert list(metric.evaluate(1)) == [f'class/top1_{"3".zfill(digits)}']


def test_scores_that_are_no_numbers_are_wrong():
    metric = ClassAccuracyMetric()
    metric.process({}, [sample(0, [float('nan'), 0.1]), sample(0, [0.1, float('nan')])])
    assert metric.evaluate(2) == {'class/top1_0': 0.0}
