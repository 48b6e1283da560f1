"""Tests of the same clips reversed and standing still."""

from types import SimpleNamespace

import pytest
import torch
from runner_stubs import make_runner

from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.temporal_controls import TemporalControlsHook


class Direction(torch.nn.Module):
    """Class 1 if the first frame of a clip is darker than the last, 0 if brighter, else 2."""

    def __init__(self, num_segments=None):
        super().__init__()
        self.backbone = SimpleNamespace(num_segments=num_segments)
        self.seen = []

    def test_step(self, data):
        for clip, sample in zip(data['inputs'], data['data_samples'], strict=True):
            frames = clip if self.backbone.num_segments else clip[0].transpose(0, 1)
            level = frames.float().mean((1, 2, 3))
            self.seen.append([int(value) for value in level])
            rise = (level[-1] - level[0]).sign().item()
            sample.pred_score = torch.eye(3)[{1: 1, -1: 0, 0: 2}[rise]]
        return data['data_samples']


def clip_of(levels, three_dimensional=False):
    frames = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2)
    return frames.transpose(0, 1)[None] if three_dimensional else frames


def run_test(model, batches, name):
    runner, _ = make_runner(name)
    runner.model = model
    runner.test_loop.fp16 = False
    hook = TemporalControlsHook()
    for _ in range(2):  # a second test replaces the first
        hook.before_test_epoch(runner)
        for index, (clips, labels) in enumerate(batches):
            samples = [SimpleNamespace(gt_label=torch.tensor([label])) for label in labels]
            batch = dict(inputs=clips, data_samples=samples)
            hook.after_test_iter(runner, index, batch, samples)
            assert not any(hasattr(sample, 'pred_score') for sample in samples)
        metrics = {'acc/top1': 1.0}
        hook.after_test_epoch(runner, metrics)
    return metrics


@pytest.mark.parametrize('three_dimensional', [False, True])
def test_accuracies_by_hand(three_dimensional):
    model = Direction(None if three_dimensional else 4)
    clips = [
        clip_of(levels, three_dimensional)
        for levels in ([1, 2, 3, 4], [4, 3, 2, 1], [1, 2, 3, 5], [7, 7, 7, 7])
    ]
    # reversed: 0, 1, 0, 2; still: 2 for all
    metrics = run_test(
        model, [(clips[:3], [1, 1, 0]), (clips[3:], [2])], f'controls{three_dimensional}'
    )
    assert metrics == {
        'acc/top1': 1.0,
        'controls/reversed_top1': 3 / 4,
        'controls/still_top1': 1 / 4,
    }
    # three clips reversed, then still, then the fourth
    assert model.seen[:6] == [
        [4, 3, 2, 1],
        [1, 2, 3, 4],
        [5, 3, 2, 1],
        [2, 2, 2, 2],
        [3, 3, 3, 3],
        [2, 2, 2, 2],
    ]


def test_each_of_several_clips_is_reversed_in_itself():
    class Keep(Direction):
        def test_step(self, data):
            self.seen.append(data['inputs'][0][:, 0, 0, 0].tolist())
            data['data_samples'][0].pred_score = torch.eye(3)[0]
            return data['data_samples']

    model = Keep(num_segments=3)
    run_test(model, [([clip_of([1, 2, 3, 11, 12, 13])], [0])], 'controls_views')
    assert model.seen[:2] == [[3, 2, 1, 13, 12, 11], [2, 2, 2, 12, 12, 12]]


def test_a_network_that_does_not_tell_its_frames_is_refused():
    with pytest.raises(InputError, match='num_segments'):
        run_test(Direction(), [([clip_of([1, 2])], [0])], 'controls_none')
