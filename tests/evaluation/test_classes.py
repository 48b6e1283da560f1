import numpy as np
import pytest
from mmengine.config import Config

from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.classes import (
    NO_PREDICTION,
    class_names,
    counts_by_class,
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
