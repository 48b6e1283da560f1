import numpy as np
import pytest

from mmaction_ext.datasets.synthmotion.scenes import CLASSES
from mmaction_ext.tables.class_accuracies import class_names_of, top1_by_class


def test_top1_by_class():
    scores = np.array([[2, 1, 0], [0, 1, 0], [0, 3, 0], [1, 0, 0]])
    assert top1_by_class(scores, np.array([0, 0, 1, 2])) == {0: 0.5, 1: 1.0, 2: 0.0}


def test_a_score_that_is_no_number_is_wrong():
    scores = np.array([[np.nan, 1, 0], [2, 1, 0]])
    assert top1_by_class(scores, np.array([0, 0])) == {0: 0.5}


def test_names_of_synthmotion_are_known(make):
    names = class_names_of(make.record('synthmotion/dcf/table1/a'))
    assert tuple(names.values()) == CLASSES and list(names) == list(range(len(CLASSES)))


def test_names_of_other_data_stand_beside_the_samples(make, tmp_path):
    recipe = dict(test_dataloader=dict(dataset=dict(ann_file=str(tmp_path / 'test.txt'))))
    record = make.record(recipe=recipe)
    assert class_names_of(record) == {} == class_names_of(make.record())
    (tmp_path / 'classes.txt').write_text('jump\nrun\n')
    assert class_names_of(record) == {0: 'jump', 1: 'run'}
    (tmp_path / 'classes.txt').write_text('jump\njump\n')  # would be one bar for two classes
    assert class_names_of(record) == {}


@pytest.mark.parametrize(
    'recipe',
    [
        dict(test_dataloader='x'),
        dict(test_dataloader=dict(dataset=[1])),
        dict(test_evaluator=[3]),
        dict(test_dataloader=dict(dataset=dict(ann_file=7))),
        dict(test_dataloader=dict(dataset=dict(ann_file='a\0b'))),
    ],
)
def test_a_run_may_record_anything_as_its_config(make, recipe):
    assert class_names_of(make.record(recipe=recipe)) == {}
