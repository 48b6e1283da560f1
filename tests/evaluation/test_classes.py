import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction.evaluation import functional
from mmengine.config import Config

from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.classes import (
    NO_PREDICTION,
    class_names,
    confusion,
    counts_by_class,
    hits,
    mean_class_accuracy,
    predicted_classes,
)


def test_predicted_classes():
    scores = np.array([[2.0, 1.0, 0.0], [0.0, np.nan, 9.0], [0.0, 1.0, 1.0]])
    assert predicted_classes(scores).tolist() == [0, NO_PREDICTION, 1]


def test_counts_by_class():
    labels, predicted = np.array([5, 0, 5, 5, 2]), np.array([5, 1, 5, NO_PREDICTION, 2])
    assert counts_by_class(labels, predicted) == {0: (1, 0), 2: (1, 1), 5: (3, 2)}
    assert list(counts_by_class(labels, predicted)) == [0, 2, 5]


def test_names_of_classes(tmp_path):
    (tmp_path / 'labels.txt').write_text('waving\nsitting still\n')
    table = tmp_path / 'meta.csv'
    table.write_text('file,label,class\na.mp4,1,up\nb.mp4,0,down\nc.mp4,1,up\n')
    stated = Config(dict(test_dataloader=dict(dataset=dict(metainfo=dict(classes=['a', 'b'])))))
    by_metric = Config(
        dict(test_evaluator=[dict(type='AccMetric'), dict(type='Other', meta_file=str(table))])
    )
    assert class_names(stated, tmp_path / 'labels.txt') == {0: 'waving', 1: 'sitting still'}
    assert class_names(stated) == {0: 'a', 1: 'b'}
    assert class_names(by_metric) == {0: 'down', 1: 'up'}
    gone = Config(dict(test_evaluator=dict(type='Other', meta_file='/nowhere/meta.csv')))
    assert class_names(gone) == {} == class_names({})
    with pytest.raises(InputError, match=r'/nowhere/labels.txt'):
        class_names(stated, '/nowhere/labels.txt')


def test_names_stand_beside_the_samples(tmp_path):
    lists = dict(data_root=str(tmp_path), ann_file='test.txt')
    cfg = dict(test_dataloader=dict(dataset=dict(type='RepeatDataset', dataset=lists)))
    assert class_names(cfg) == {}
    (tmp_path / 'classes.txt').write_text('jump\nrun\n')
    assert class_names(cfg) == {0: 'jump', 1: 'run'}
    (tmp_path / 'classes.txt').write_text('jump\n\n')  # an empty name is damage
    assert class_names(cfg) == {}


@given(
    st.integers(1, 12).flatmap(
        lambda count: st.tuples(
            st.lists(
                st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=count, max_size=count
            ),
            st.lists(st.integers(0, 4), min_size=count, max_size=count),
        )
    ),
    st.integers(1, 5),
)
def test_hits_and_confusion_are_those_of_mmaction2(scores_and_labels, k):
    """Of equal scores, too."""
    scores, labels = map(np.array, scores_and_labels)
    scores = scores.astype(np.float32)
    assert hits(scores, labels, k).mean() == pytest.approx(
        functional.top_k_accuracy(scores, labels, (k,))[0]
    )
    predicted = predicted_classes(scores)
    counts = confusion(labels, predicted, 5)
    seen = np.unique([*labels, *predicted])
    assert (counts[np.ix_(seen, seen)] == functional.confusion_matrix(predicted, labels)).all()
    assert counts.sum() == len(labels) and not counts[:, 5].any()
    if set(labels) == set(seen):
        expected = functional.mean_class_accuracy(scores, labels)
        assert mean_class_accuracy(labels, predicted) == pytest.approx(expected)


def test_scores_that_are_not_finite_are_right_for_no_k():
    scores, labels = np.array([[0.1, np.nan], [0.1, 0.9]]), np.array([1, 1])
    assert hits(scores, labels, 2).tolist() == [False, True]
    counts = confusion(labels, predicted_classes(scores), 2)
    assert counts.tolist() == [[0, 0, 0], [0, 1, 1]]
    assert mean_class_accuracy(labels, predicted_classes(scores)) == 0.5
