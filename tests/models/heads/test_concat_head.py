"""The widened head against a concatenation by hand, and inside mmaction2's recognizers."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.errors import InputError
from mmaction_ext.models.heads import ConcatHead

CLIPS, FRAMES, WIDTH, BRANCH, CLASSES = 3, 4, 6, 5, 7
HEADS = {
    'tsn': dict(type='TSNHead', dropout_ratio=0),
    'tsm': dict(type='TSMHead', num_segments=FRAMES, dropout_ratio=0),
    'tsm_pooled': dict(
        type='TSMHead', num_segments=2 * FRAMES, temporal_pool=True, dropout_ratio=0
    ),
    'i3d': dict(type='I3DHead', dropout_ratio=0),
    'x3d': dict(type='X3DHead', dropout_ratio=0),
}
FRAMEWISE = ('tsn', 'tsm', 'tsm_pooled')


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def build(kind='i3d', branch=BRANCH, dropout='before', **arguments):
    head = {**HEADS.get(kind, {}), 'in_channels': WIDTH, 'num_classes': CLASSES, **arguments}
    return MODELS.build(
        dict(type='ConcatHead', head=head, branch_channels=branch, dropout=dropout)
    )


def inputs(kind='i3d'):
    shape = (CLIPS * FRAMES, WIDTH, 3, 3) if kind in FRAMEWISE else (CLIPS, WIDTH, FRAMES, 3, 3)
    return torch.randn(shape), torch.randn(CLIPS, BRANCH)


def concatenated(head, kind, features, vector):
    """Equation 1 by hand: the vector behind the classifier's input, for each frame if need be."""
    pooled = features.mean((-2, -1))
    if kind in FRAMEWISE:
        vector = vector.repeat_interleave(FRAMES, dim=0)
        if kind == 'tsn':
            pooled, vector = (y.unflatten(0, (CLIPS, FRAMES)).mean(1) for y in (pooled, vector))
    else:
        pooled = pooled.mean(-1)
    if kind == 'x3d':
        pooled = (pooled @ head.fc1.weight.T).relu()
    last = head.fc2 if kind == 'x3d' else head.fc_cls
    scores = torch.cat((pooled, vector), 1) @ last.weight.T + last.bias
    return scores.unflatten(0, (CLIPS, FRAMES)).mean(1) if kind.startswith('tsm') else scores


@pytest.mark.parametrize('kind', HEADS)
def test_equals_a_concatenation(kind):
    head = build(kind)
    features, vector = inputs(kind)
    scores = head((features, vector), num_segs=FRAMES)
    assert scores.shape == (CLIPS, CLASSES)
    torch.testing.assert_close(scores, concatenated(head.head, kind, features, vector))


@pytest.mark.parametrize('kind', HEADS)
def test_without_branch_weights_it_is_the_inner_head(kind):
    head = build(kind)
    plain = MODELS.build(dict(HEADS[kind], in_channels=WIDTH, num_classes=CLASSES))
    weights = head.head.state_dict()
    name = 'fc2.weight' if kind == 'x3d' else 'fc_cls.weight'
    assert weights[name].shape[1] == plain.state_dict()[name].shape[1] + BRANCH
    weights[name] = weights[name][:, :-BRANCH]
    plain.load_state_dict(weights)
    features, vector = inputs(kind)
    actual = head((features, 0 * vector), num_segs=FRAMES)
    torch.testing.assert_close(actual, plain(features, num_segs=FRAMES))


def test_names_and_sizes_of_mf_kpsem():
    head = ConcatHead(dict(type='I3DHead', in_channels=768, num_classes=200), 672)
    shapes = {name: tuple(p.shape) for name, p in head.named_parameters()}
    assert shapes == {'head.fc_cls.weight': (200, 1440), 'head.fc_cls.bias': (200,)}
    assert head.num_classes == 200


@pytest.mark.parametrize('kind', HEADS)
def test_init_weights_covers_the_widened_classifier(kind):
    head = build(kind, branch=4000, init_std=0.03)
    head.init_weights()
    classifier = head.head.fc2 if kind == 'x3d' else head.head.fc_cls
    assert classifier.weight[:, -4000:].std().item() == pytest.approx(0.03, rel=0.05)
    assert not classifier.bias.any()


@pytest.mark.parametrize('crops', [1, 2])
def test_averaged_crops_have_averaged_vectors(crops):
    """TSNHead averages all frames of all crops of a video before it classifies."""
    head = build('tsn')
    features = torch.randn(2 * crops * FRAMES, WIDTH, 3, 3)
    vector = torch.randn(2 * crops, BRANCH)
    scores = head((features, vector), num_segs=crops * FRAMES)
    pooled = features.mean((2, 3)).unflatten(0, (2, -1)).mean(1)
    joined = torch.cat((pooled, vector.unflatten(0, (2, -1)).mean(1)), 1)
    torch.testing.assert_close(scores, joined @ head.head.fc_cls.weight.T + head.head.fc_cls.bias)


def test_vector_is_joined_after_the_dropout():
    head = build(dropout_ratio=0.99).train()
    features, vector = inputs()
    expected = vector @ head.head.fc_cls.weight[:, WIDTH:].T + head.head.fc_cls.bias
    torch.testing.assert_close(head((0 * features, vector)), expected)


@pytest.mark.parametrize(
    'given, named',
    [
        (torch.zeros(2, WIDTH, 1, 3, 3), r'vector.*tensor of shape \(2, 6, 1, 3, 3\)'),
        ((torch.zeros(2, WIDTH, 1, 3, 3),), 'tuple of'),
        ((torch.zeros(2, WIDTH, 1, 3, 3), torch.zeros(2, WIDTH, 1, 3, 3)), 'tuple of'),
        ((torch.zeros(2, WIDTH, 1, 3, 3), None), 'NoneType'),
        ((torch.zeros(2, WIDTH, 1, 3, 3), torch.zeros(2, 8)), 'branch_channels=5.* 8 '),
        ((torch.zeros(2, WIDTH, 1, 3, 3), torch.zeros(3, BRANCH)), '3 clips.*2 rows'),
    ],
)
def test_what_is_no_pair_is_named(given, named):
    with pytest.raises(ValueError, match=named):
        build()(given)


@MODELS.register_module()
class ConsensusOfItsOwn(nn.Module):
    """A head whose last layer is a classifier, but whose scores are mixed otherwise."""

    def __init__(self, num_classes, outputs, consensus, bias=True):
        super().__init__()
        self.num_classes = num_classes
        self.fc = nn.Linear(3, outputs, bias) if outputs else nn.Identity()
        self.consensus = nn.Softmax(1) if consensus else None


@pytest.mark.parametrize(
    'head, named',
    [
        (dict(type='NoSuchHead'), "'NoSuchHead'"),
        (dict(), 'None'),
        (dict(type='ConsensusOfItsOwn', num_classes=5, outputs=0, consensus=False), 'no linear'),
        (
            dict(type='ConsensusOfItsOwn', num_classes=5, outputs=4, consensus=False),
            'fc, gives 4 .* 5 classes',
        ),
        (dict(type='ConsensusOfItsOwn', num_classes=5, outputs=5, consensus=True), 'Softmax'),
    ],
)
def test_heads_that_cannot_be_widened_are_named(head, named):
    with pytest.raises(ValueError, match=named):
        ConcatHead(head, 3)


def test_a_classifier_without_bias_stays_without():
    head = dict(type='ConsensusOfItsOwn', num_classes=5, outputs=5, consensus=False, bias=False)
    assert [name for name, _ in ConcatHead(head, 3).named_parameters()] == ['head.fc.weight']


@pytest.mark.parametrize('branch', [0, -2])
def test_branch_channels_must_be_positive(branch):
    with pytest.raises(ValueError, match=str(branch)):
        build(branch=branch)


def test_nothing_is_kept_between_calls():
    head = build()
    attributes = [set(vars(m)) for m in head.modules()]
    given = inputs()
    first = head(given)
    head(inputs())
    assert torch.equal(head(given), first)
    assert [set(vars(m)) for m in head.modules()] == attributes


def test_gradients_reach_both_inputs():
    head = build()
    features, vector = (y.requires_grad_() for y in inputs())
    head((features, vector)).square().sum().backward()
    for leaf in (features, vector, head.head.fc_cls.weight):
        assert leaf.grad.abs().max(dim=-1).values.min() > 0


def test_multiply_adds_are_those_of_the_wide_classifier():
    with FlopCounterMode(display=False) as counter:
        build()(inputs())
    assert counter.get_total_flops() == 2 * CLIPS * (WIDTH + BRANCH) * CLASSES


def test_compiles_without_a_graph_break():
    """By the tracer and the differentiation of traces; inductor is tested on each operator."""
    head = build('tsm')
    given = inputs('tsm')
    compiled = torch.compile(head, fullgraph=True, backend='aot_eager')
    torch.testing.assert_close(compiled(given, num_segs=FRAMES), head(given, num_segs=FRAMES))


@MODELS.register_module()
class BranchedPool(nn.Module):
    """A backbone of means: features at half the size, and the mean colour beside them."""

    def __init__(self, num_segments=None):
        super().__init__()
        self.num_segments = num_segments
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        colour = x if x.dim() == 5 else x.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
        return self.scale * nn.functional.avg_pool2d(x.flatten(0, -4), 2).unflatten(
            0, x.shape[:-3]
        ), self.scale * colour.mean((2, 3, 4))


def recognizer(rank, **test_cfg):
    head = dict(type='I3DHead') if rank == 3 else dict(type='TSNHead')
    head.update(in_channels=3, num_classes=CLASSES, dropout_ratio=0, average_clips='prob')
    backbone = dict(type='BranchedPool', num_segments=None if rank == 3 else FRAMES)
    return MODELS.build(
        dict(
            type=f'Recognizer{rank}D',
            backbone=backbone,
            test_cfg=test_cfg or None,
            cls_head=dict(type='ConcatHead', head=head, branch_channels=3),
        )
    )


def videos(rank, views, videos_=2):
    """A batch as the data preprocessor gives it: (videos, views, ...)."""
    if rank == 3:
        return torch.rand(videos_, views, 3, FRAMES, 4, 4)
    return torch.rand(videos_, views * FRAMES, 3, 4, 4)


def samples(count=2):
    return [ActionDataSample().set_gt_label(i) for i in range(count)]


@pytest.mark.parametrize('rank', [2, 3])
def test_recognizers_train(rank):
    model = recognizer(rank)
    losses = model(videos(rank, 1), samples(), mode='loss')
    losses['loss_cls'].backward()
    assert set(losses) == {'loss_cls', 'top1_acc', 'top5_acc'}
    weight = model.cls_head.head.fc_cls.weight
    assert weight.grad[:, 3:].abs().min() > 0 and model.backbone.scale.grad.abs() > 0


@pytest.mark.parametrize('views', [1, 3])
@pytest.mark.parametrize('rank', [2, 3])
def test_recognizers_predict_from_several_views(rank, views):
    model = recognizer(rank).eval()
    torch.nn.init.normal_(model.cls_head.head.fc_cls.weight)
    batch = videos(rank, views)
    found = torch.stack([s.pred_score for s in model(batch, samples(), mode='predict')])
    # (2, views, 3, T, 4, 4)
    clips = batch if rank == 3 else batch.unflatten(1, (views, FRAMES)).transpose(2, 3)
    colour = clips.mean((3, 4, 5)).repeat(1, 1, 2)
    classifier = model.cls_head.head.fc_cls
    if rank == 2:  # TSNHead averages before the classifier, and has no clips left to average
        colour = colour.mean(1, keepdim=True)
    expected = (colour @ classifier.weight.T + classifier.bias).softmax(-1).mean(1)
    torch.testing.assert_close(found, expected)


def test_views_that_are_tested_one_after_the_other():
    """``max_testing_views`` of Recognizer3D joins tuples of features; Recognizer2D's is broken."""
    whole, parts = recognizer(3).eval(), recognizer(3, max_testing_views=2).eval()
    parts.load_state_dict(whole.state_dict())
    batch = videos(3, 3, videos_=1)
    scores = [model(batch, samples(1), mode='predict')[0].pred_score for model in (whole, parts)]
    torch.testing.assert_close(*scores)


@pytest.mark.parametrize('kind', ['i3d', 'tsn', 'x3d'])
@pytest.mark.parametrize('dropout', ['before', 'after'])
def test_dropout_takes_half_of_what_it_is_on(kind, dropout):
    """A classifier that passes its input on shows what was dropped of each half."""
    width = 2048 if kind == 'x3d' else WIDTH
    head = build(kind, branch=500, dropout=dropout, dropout_ratio=0.25, num_classes=width + 500)
    classifier = head.head.fc2 if kind == 'x3d' else head.head.fc_cls
    torch.nn.init.eye_(classifier.weight)
    torch.nn.init.zeros_(classifier.bias)
    features, vector = inputs(kind)[0].abs() + 1, torch.rand(CLIPS, 500) + 1
    vector_out = head((features, vector), num_segs=FRAMES).detach()[:, width:]
    kept = vector_out != 0
    assert 0.70 < kept.float().mean() < 0.80 if dropout == 'after' else kept.all()
    scale = 1 / 0.75 if dropout == 'after' else 1
    torch.testing.assert_close(vector_out[kept], scale * vector[kept])
    head.eval()
    scores = head((features, vector), num_segs=FRAMES)
    torch.testing.assert_close(scores[:, width:], vector)


def test_dropout_is_one_of_two_and_needs_a_ratio():
    with pytest.raises(InputError, match=r"dropout must be .*'before'.*'after'.*'both'"):
        build(dropout='both')

    @MODELS.register_module(force=True)
    class RatioLessHead(nn.Module):
        num_classes = 3

        def __init__(self):
            super().__init__()
            self.fc_cls = nn.Linear(2, 3)

    plain = dict(type='ConcatHead', head=dict(type='RatioLessHead'), branch_channels=1)
    with pytest.raises(InputError, match="dropout='after' needs a head with a dropout_ratio"):
        MODELS.build(dict(plain, dropout='after'))
    MODELS.build(plain)
