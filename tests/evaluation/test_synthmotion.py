import csv

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import METRICS
from mmaction.structures import ActionDataSample

from mmaction_ext.datasets.synthmotion.scenes import CLASSES
from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.synthmotion import SynthMotionMetric, motion_accuracies

FIELDS = ('file', 'split', 'label', 'class', 'pair', 'direction', 'size', 'speed', 'base')


@pytest.fixture
def meta_file(tmp_path):
    """Six clips: labels 0 1 (small slow), 2 3 (small fast), 10 11 (large slow)."""
    rows = [
        ('test/000000_f.mp4', 0, 'small', 'slow'),
        ('test/000000_r.mp4', 1, 'small', 'slow'),
        ('test/000001_f.mp4', 2, 'small', 'fast'),
        ('test/000001_r.mp4', 3, 'small', 'fast'),
        ('test/000002_f.mp4', 10, 'large', 'slow'),
        ('test/000002_r.mp4', 11, 'large', 'slow'),
        ('val/000000_f.mp4', 6, 'medium', 'fast'),
    ]
    path = tmp_path / 'meta.csv'
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        writer.writerows(
            (name, name.split('/')[0], label, CLASSES[label], '', '', size, speed, '')
            for name, label, size, speed in rows
        )
    return str(path)


def scores(**by_label):
    values = torch.zeros(12)
    for label, value in by_label.items():
        values[int(label[1:])] = value
    return values


def sample(name, label, values):
    """What the evaluator hands on: the data sample of the recognizer as a dict."""
    sample = ActionDataSample().set_gt_label(label).set_pred_score(values)
    sample.set_metainfo(dict(filename=f'/some/where/videos/{name}', img_shape=(64, 64)))
    return sample.to_dict()


def evaluate(metric, samples):
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def test_hand_computed_case(meta_file):
    metric = METRICS.build(dict(type='SynthMotionMetric', meta_file=meta_file, per_class=True))
    result = evaluate(
        metric,
        [
            sample('test/000000_f.mp4', 0, scores(_0=3.0, _1=1.0)),  # all right
            sample('test/000000_r.mp4', 1, scores(_0=3.0, _1=1.0)),  # right pair, wrong way
            sample('test/000001_f.mp4', 2, scores(_7=3.0, _2=1.0)),  # wrong pair, right way
            sample('test/000001_r.mp4', 3, scores(_7=3.0)),  # wrong pair, a tie
            sample('test/000002_f.mp4', 10, scores(_10=2.0, _11=1.0)),  # all right
            sample('test/000002_r.mp4', 11, scores(_4=2.0, _10=1.0)),  # all wrong
        ],
    )
    assert result == {
        'motion/top1': pytest.approx(2 / 6),
        'motion/pair': pytest.approx(3 / 6),
        'motion/within_pair': pytest.approx(3.5 / 6),
        'motion/top1_small': pytest.approx(1 / 4),
        'motion/top1_large': pytest.approx(1 / 2),
        'motion/top1_slow': pytest.approx(2 / 4),
        'motion/top1_fast': 0.0,
        'motion/within_horizontal': 1 / 2,
        'motion/within_vertical': 1.5 / 2,
        'motion/within_cover': 1 / 2,
        'motion/top1_class00': 1.0,
        'motion/top1_class01': 0.0,
        'motion/top1_class02': 0.0,
        'motion/top1_class03': 0.0,
        'motion/top1_class10': 1.0,
        'motion/top1_class11': 0.0,
    }
    assert metric.class_accuracy == {
        CLASSES[0]: 1.0,
        CLASSES[1]: 0.0,
        CLASSES[2]: 0.0,
        CLASSES[3]: 0.0,
        CLASSES[10]: 1.0,
        CLASSES[11]: 0.0,
    }


def test_classes_are_logged_only_on_request(meta_file):
    result = evaluate(
        SynthMotionMetric(meta_file, prefix='m'), [sample('val/000000_f.mp4', 6, scores(_6=1.0))]
    )
    assert result == {
        'm/top1': 1.0,
        'm/pair': 1.0,
        'm/within_pair': 1.0,
        'm/top1_medium': 1.0,
        'm/top1_fast': 1.0,
        'm/within_turning': 1.0,
    }


def slow_accuracies(values, label):
    """One clip, straight from the definition."""
    partner = label + 1 if label % 2 == 0 else label - 1
    best = min(range(12), key=lambda k: (-values[k], k))
    within = 1.0 if values[label] > values[partner] else 0.5 * (values[label] == values[partner])
    return {
        'top1': float(best == label),
        'pair': float(best in (label, partner)),
        'within_pair': within,
    }


clips = st.lists(
    st.tuples(st.lists(st.integers(-3, 3), min_size=12, max_size=12), st.integers(0, 11)),
    min_size=1,
    max_size=8,
)


@given(clips)
@settings(max_examples=100, deadline=None)
def test_agrees_with_the_definition(clips):
    values, labels = (np.array(part) for part in zip(*clips, strict=True))
    result = motion_accuracies(values, labels)
    for index, (row, label) in enumerate(clips):
        assert {key: value[index] for key, value in result.items()} == slow_accuracies(row, label)
    assert (result['top1'] <= result['pair']).all()


@given(clips)
@settings(max_examples=50, deadline=None)
def test_equal_scores_for_both_directions_give_exactly_one_half(clips):
    values, labels = (np.array(part) for part in zip(*clips, strict=True))
    both = np.stack((labels, labels ^ 1), axis=1).ravel()
    result = motion_accuracies(values.repeat(2, axis=0), both)
    assert result['within_pair'].mean() == 0.5 and result['top1'].mean() <= 0.5


def test_scores_that_are_no_numbers_are_wrong():
    values = np.zeros((2, 12))
    values[0], values[1, 5] = np.nan, np.nan
    result = motion_accuracies(values, np.array([0, 0]))
    assert all((value == 0).all() for value in result.values())


def test_half_precision_scores_are_taken(meta_file):
    values = scores(_6=1.0).to(torch.bfloat16)
    result = evaluate(SynthMotionMetric(meta_file), [sample('val/000000_f.mp4', 6, values)])
    assert result['motion/top1'] == 1.0


def test_evaluating_twice_starts_anew(meta_file):
    metric = SynthMotionMetric(meta_file)
    right = [sample('val/000000_f.mp4', 6, scores(_6=1.0))]
    wrong = [sample('val/000000_f.mp4', 6, scores(_7=1.0))]
    assert evaluate(metric, right)['motion/top1'] == 1.0
    assert evaluate(metric, wrong)['motion/top1'] == 0.0


@pytest.mark.parametrize(
    'name, label, values, word',
    [
        ('test/000009_f.mp4', 0, scores(), '000009_f.mp4'),
        ('test/000000_f.mp4', 1, scores(), 'label 1 but 0'),
        ('test/000000_f.mp4', 0, torch.zeros(174), '174'),
    ],
)
def test_clip_that_does_not_fit_is_named(meta_file, name, label, values, word):
    with pytest.raises(InputError, match=word):
        SynthMotionMetric(meta_file).process(None, [sample(name, label, values)])


def test_a_data_set_of_the_harder_preset_wants_sixteen_scores(meta_file):
    with open(meta_file, 'a') as file:
        file.write('train/000007_r.mp4,train,15,,,,small,slow,\n')
    scores = torch.zeros(16)
    scores[10] = 1.0
    metric = SynthMotionMetric(meta_file)
    result = evaluate(metric, [sample('test/000002_f.mp4', 10, scores)])
    assert result['motion/top1'] == 1.0
    with pytest.raises(InputError, match=r'has 16 classes, .* \(12,\)'):
        metric.process(None, [sample('test/000002_f.mp4', 10, scores[:12])])


def test_sample_without_file_says_what_to_configure(meta_file):
    bad = sample('val/000000_f.mp4', 6, scores())
    del bad['filename']
    with pytest.raises(InputError, match='meta_keys'):
        SynthMotionMetric(meta_file).process(None, [bad])


@pytest.mark.parametrize(
    'text',
    [
        None,
        'a,b\n1,2\n',
        'file,label,size,speed\nx,seven,a,b\n',
        'file,label,size,speed\nx,16,a,b\n',
        '',
    ],
)
def test_table_that_cannot_be_used_is_named_at_build_time(tmp_path, text):
    path = tmp_path / 'meta.csv'
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r'meta.csv'):
        SynthMotionMetric(str(path))
