"""KPSEM against the equations of its paper, on known motion, and each of its switches."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.modules.kpsem import KPSEM

CHANNELS = {3: 8, 4: 12}


def build(channels=8, stage=4, dtype=torch.float64, **arguments):
    return KPSEM({stage: channels}, **arguments).to(dtype)


def features(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype).relu()


def vector(module, x, stage=4):
    y, carried = module(x, stage)
    assert y is x
    return module.embed(carried)


def set_bias(module, biases, stage=4):
    """Make the offset networks give one (dy, dx) per set, for all frames."""
    network = module.blocks[str(stage)].extractor.offset_network
    torch.nn.init.zeros_(network.weight)
    with torch.no_grad():
        network.bias.copy_(torch.tensor(biases).flatten())


# --- the equations, one value at a time ---------------------------------------------------------


def lines_oracle(size, side, bias):
    """Equations 4 and 5: the even grid, its inner lines moved as far as a pixel is left."""
    limit = size / side - 1
    bias = max(-limit, min(limit, bias))
    return [0, *(size * a / side + bias for a in range(1, side)), size]


def pixels_of(first, last, size):
    return [i for i in range(size) if first <= i + 0.5 < last]


def share(pixel, first, last):
    return max(0, min(pixel + 1, last) - max(pixel, first))


def regions_of(rows, columns):
    return [
        ((top, bottom), (left, right))
        for top, bottom in itertools.pairwise(rows)
        for left, right in itertools.pairwise(columns)
    ]


def key_point_oracle(frame, region):
    """Equations 6 and 7 for one channel, (H, W)."""
    best = None
    for i in pixels_of(*region[0], frame.shape[0]):
        for j in pixels_of(*region[1], frame.shape[1]):
            if best is None or frame[i, j] > best[1]:
                best = ((i, j), frame[i, j].item())
    return best


def mean_oracle(frame, region):
    """``P_R`` of equation 11 for one channel."""
    (top, bottom), (left, right) = region
    total = sum(
        share(i, top, bottom) * share(j, left, right) * frame[i, j].item()
        for i in range(frame.shape[0])
        for j in range(frame.shape[1])
    )
    return total / ((bottom - top) * (right - left))


def softmax(values):
    exponentials = [math.exp(v - max(values)) for v in values]
    return [e / sum(exponentials) for e in exponentials]


def rkps_oracle(here, there, regions_here, regions_there):
    """Equations 6 to 12 for one channel of two frames: K pairs (dy, dx)."""
    now = [key_point_oracle(here, region) for region in regions_here]
    following = [key_point_oracle(there, region) for region in regions_there]
    importance = softmax(
        [
            (mean_oracle(here, a) + mean_oracle(there, b)) / 2
            for a, b in zip(regions_here, regions_there, strict=True)
        ]
    )  # (11)
    out = []
    for region, (point, value) in enumerate(now):
        weights = softmax([1 / (abs(value - other) + 0.1) for _, other in following])  # (9)
        shift = [
            sum(
                w * (target[axis] - point[axis])  # (8), (10)
                for w, (target, _) in zip(weights, following, strict=True)
            )
            for axis in (0, 1)
        ]
        out.append([importance[region] * s for s in shift])  # (12)
    return out


def vector_oracle(block, x, side):
    """The whole block for one clip (C, T, H, W), up to the flattened vector."""
    channels, frames = x.shape[:2]
    extractor, embeddings = block.extractor, block.embeddings
    sets = len(embeddings)
    network = extractor.offset_network
    embedded = torch.zeros(channels, frames - 1, embeddings[0].out_features, dtype=x.dtype)
    for g in range(sets):
        regions = []
        for t in range(frames):
            bias = (
                (0, 0)
                if network is None
                else [
                    (
                        network.weight[2 * g + axis, :, 0] @ x[:, t].mean((1, 2))
                        + network.bias[2 * g + axis]
                    ).item()
                    for axis in (0, 1)
                ]
            )  # (4)
            regions.append(
                regions_of(
                    lines_oracle(x.shape[2], side, bias[0]),
                    lines_oracle(x.shape[3], side, bias[1]),
                )
            )
        for c in range(channels):
            for t in range(frames - 1):
                rkps = rkps_oracle(x[c, t], x[c, t + 1], regions[t], regions[t + 1])
                total = torch.tensor(rkps, dtype=x.dtype).sum(0)
                embedded[c, t] += embeddings[g].weight @ total + embeddings[g].bias  # (3)
    return reduction_oracle(embedded, *(m.weight for m in block.reduction)).mean(-1).flatten()


def reduction_oracle(y, *weights):
    """Kernel (1, 3), stride (1, 2), one zero on both sides: (C, T-1, d) -> (C', T-1, d')."""
    for weight in weights:
        padded = torch.nn.functional.pad(y, (1, 1))
        steps = range(0, padded.shape[-1] - 2, 2)
        y = torch.stack(
            [torch.einsum('ock,ctk->ot', weight[:, :, 0], padded[..., i : i + 3]) for i in steps],
            dim=-1,
        )
    return y


@pytest.mark.parametrize(
    'num_regions, sets, width, frames, size',
    [
        (1, 1, 4, 2, (3, 4)),
        (4, 3, 5, 3, (5, 6)),
        (4, 1, 24, 2, (2, 7)),
        (9, 2, 3, 2, (7, 3)),
        (16, 1, 1, 3, (5, 9)),
    ],
)
def test_equals_the_equations(num_regions, sets, width, frames, size):
    module = build(4, num_regions=num_regions, num_sets=sets, embedding_channels=width)
    x = features(2, 4, frames, *size)
    with torch.no_grad():
        expected = torch.stack(
            [vector_oracle(module.blocks['4'], clip, math.isqrt(num_regions)) for clip in x]
        )
    torch.testing.assert_close(vector(module, x), expected)


@settings(max_examples=25)
@given(
    clips=st.integers(0, 3),
    frames=st.integers(2, 4),
    side=st.integers(1, 4),
    more=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    sets=st.integers(1, 5),
    width=st.integers(1, 9),
    out=st.integers(1, 3),
    regions=st.sampled_from(['area', 'hard', 'soft']),
    seed=st.integers(0, 999),
)
def test_any_shape(clips, frames, side, more, sets, width, out, regions, seed):
    torch.manual_seed(seed)
    module = build(
        5,
        num_regions=side**2,
        num_sets=sets,
        embedding_channels=width,
        out_channels=out,
        regions=regions,
    )
    x = features(clips, 5, frames, side + more[0], side + more[1]).requires_grad_()
    y = vector(module, x)
    assert y.shape == (clips, out * (frames - 1))
    y.sum().backward()
    assert torch.isfinite(x.grad).all()


# --- known motion -------------------------------------------------------------------------------


def moving(dy, dx, start, frames=3, size=14, value=9.0):
    """One bright pixel per channel, each from its own place."""
    x = torch.zeros(1, len(start), frames, size, size, dtype=torch.float64)
    for c, (i, j) in enumerate(start):
        for t in range(frames):
            x[0, c, t, i + t * dy, j + t * dx] = value
    return x


@pytest.mark.parametrize('regions', ['area', 'hard'])
@pytest.mark.parametrize('num_regions', [1, 4, 9, 16])
@pytest.mark.parametrize('dy, dx', [(0, 0), (2, 0), (-2, 0), (0, 3), (0, -3), (1, -3), (-3, 2)])
def test_a_moved_point_is_shifted_by_its_motion(dy, dx, num_regions, regions):
    """(dy, dx), down and right positive, also from one region to another."""
    module = build(3, num_regions=num_regions, num_sets=2, regions=regions, out_channels=1)
    start = [(6, 6), (7, 7), (6, 7)]  # the middle of the map: most motions cross a line
    found = module.motion(moving(dy, dx, start), 4)
    bright = found.values[..., :-1] > 1  # the one region per channel and frame that has it
    assert torch.all(bright.sum(2) == 1)
    shifts = found.shifts[bright]
    assert shifts.shape == (2 * 3 * 2, 2)
    motion = torch.tensor([dy, dx], dtype=torch.float64).expand_as(shifts)
    # equation 9 leaves other regions e**-9.9
    torch.testing.assert_close(shifts, motion, rtol=0, atol=0.02)


@pytest.mark.parametrize('regions', ['area', 'hard'])
@pytest.mark.parametrize('size', [14, 28])
@pytest.mark.parametrize('dy, dx', [(1, 2), (-2, 0), (0, 3), (-1, -3)])
def test_a_moved_texture_is_shifted_by_its_motion(dy, dx, size, regions):
    """Wherever the largest value of a channel stays in view."""
    frames, margin = 3, 6
    texture = torch.rand(32, size + 2 * margin, size + 2 * margin, dtype=torch.float64)
    seen = texture[:, margin : margin + size, margin : margin + size].flatten(1).argmax(1)
    places = torch.stack((seen // size, seen % size), dim=1)
    last = places + (frames - 1) * torch.tensor([dy, dx])
    # what enters the map later is set lower than what was there
    entering = torch.ones(size + 2 * margin, size + 2 * margin, dtype=torch.bool)
    entering[margin : margin + size, margin : margin + size] = False
    texture[:, entering] *= 0.5
    x = torch.stack(
        [texture[:, margin - t * dy :, margin - t * dx :][:, :size, :size] for t in range(frames)],
        dim=1,
    )[None]
    stays = ((last >= 0) & (last < size)).all(1)
    assert stays.sum() >= 8
    found = build(32, num_regions=1, num_sets=1, regions=regions).motion(x, 4)
    shifts = found.shifts[0, 0, 0][stays]
    expected = torch.tensor([dy, dx], dtype=torch.float64).expand_as(shifts)
    assert torch.equal(shifts, expected)


def test_points_are_rows_and_columns_of_the_map():
    module = build(2, num_sets=1, out_channels=1)
    found = module.motion(moving(1, 2, [(3, 5), (9, 1)]), 4)
    bright = found.values[0, 0] > 1
    points = [
        found.points[0, 0, bright[:, c, t].nonzero().item(), c, t].tolist()
        for c in range(2)
        for t in range(3)
    ]
    assert points == [[3, 5], [4, 7], [5, 9], [9, 1], [10, 3], [11, 5]]


def test_every_region_follows_its_own_point():
    """Four points of different brightness, each with its own motion."""
    x = torch.zeros(1, 1, 2, 14, 14, dtype=torch.float64)
    moves = [((2, 3), (2, 1)), ((3, 10), (-1, -6)), ((9, 2), (0, 9)), ((11, 11), (-7, -1))]
    for k, ((i, j), (dy, dx)) in enumerate(moves):
        x[0, 0, 0, i, j] = x[0, 0, 1, i + dy, j + dx] = 10 * (k + 1)
    module = build(1, num_sets=1, regions='hard', out_channels=1)
    found = module.motion(x, 4)
    # the second point enters the first region and loses to no brighter one: 20 over 10
    assert found.values[0, 0, :, 0, 1].tolist() == [20, 40, 0, 30]
    torch.testing.assert_close(
        found.shifts[0, 0, 1:, 0, 0],
        torch.tensor([move for _, move in moves[1:]]).double(),
        rtol=0,
        atol=0.01,
    )


def test_the_vector_tells_directions_apart():
    module = build(3, num_sets=2, out_channels=3)
    start = [(6, 6), (7, 7), (6, 7)]
    right, left, down = (
        vector(module, moving(dy, dx, start)) for dy, dx in ((0, 2), (0, -2), (2, 0))
    )
    assert min((right - left).norm(), (right - down).norm(), (left - down).norm()) > 1e-3


# --- splits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'num_regions, grid, bias, expected',
    [
        (4, 'shift', 1.5, [0, 7.5, 12]),
        (4, 'stretch', 1.5, [0, 7.5, 12]),
        (4, 'shift', 99, [0, 11, 12]),
        (4, 'stretch', -99, [0, 1, 12]),
        (9, 'shift', 1.5, [0, 5.5, 9.5, 12]),
        (9, 'stretch', 1.5, [0, 5, 9, 12]),
        (9, 'shift', 99, [0, 7, 11, 12]),
        (9, 'stretch', -99, [0, 1, 5, 12]),
        (16, 'shift', -1, [0, 2, 5, 8, 12]),
        (16, 'stretch', -1, [0, 2.5, 5, 8.5, 12]),
        (16, 'shift', -99, [0, 1, 4, 7, 12]),
        (16, 'stretch', 99, [0, 5, 10, 11, 12]),
        (1, 'shift', None, [0, 12]),
        (1, 'stretch', None, [0, 12]),
    ],
)
def test_lines(num_regions, grid, bias, expected):
    module = build(num_regions=num_regions, num_sets=2, grid=grid)
    if bias is not None:
        set_bias(module, [[bias, -bias], [0, 0]])
    found = module.motion(features(1, 8, 2, 12, 12), 4)
    mirrored = [12 - line for line in reversed(expected)]
    for borders, wanted in ((found.row_borders, expected), (found.column_borders, mirrored)):
        torch.testing.assert_close(borders[0, 0, 1], torch.tensor(wanted, dtype=torch.float64))
    side = math.isqrt(num_regions)
    even = torch.arange(side + 1, dtype=torch.float64) * 12 / side
    torch.testing.assert_close(found.row_borders[0, 1, 0], even)


@pytest.mark.parametrize('size', [0.5, 1, 3])
def test_lines_start_around_the_grid_in_proportion_to_the_features(size):
    """Standard deviation r / sqrt(3), r being the root mean square of the frames' means."""
    torch.manual_seed(0)
    x = size * (features(1, 384, 2, 40, 40) + torch.rand(384, 1, 1, 1, dtype=torch.float64))
    found = build(384, num_sets=400).motion(x, 4)
    expected = x.mean(dim=(3, 4)).square().mean().sqrt() / 3**0.5
    for borders in (found.row_borders, found.column_borders):
        centre = borders[..., 1] - 20
        assert centre.std().item() == pytest.approx(expected.item(), rel=0.1)
        assert abs(centre.mean()) < 0.2 * expected
        # elsewhere in each set, nearly alike in frames with nearly the same means
        assert centre.diff(dim=2).std() < 0.2 * centre.std()


def test_splits_follow_the_frame():
    found = build(num_sets=1).motion(features(1, 8, 4, 8, 8) * torch.arange(1, 5).view(4, 1, 1), 4)
    assert len(found.row_borders[0, 0, :, 1].unique()) == 4


def test_fixed_splits_are_drawn_once_by_their_seed():
    """Whatever else was drawn before, as it is in the processes of a run."""
    first, second = (build(adaptive=False, split_seed=seed) for seed in (0, 1))
    torch.manual_seed(5)
    again = build(adaptive=False, split_seed=0)
    x = features(2, 8, 3, 14, 14)
    found, other, repeated = (m.motion(x, 4) for m in (first, second, again))
    assert torch.equal(found.row_borders, repeated.row_borders)
    assert not torch.equal(found.row_borders, other.row_borders)
    assert torch.equal(found.row_borders, found.row_borders[:1, :, :1].expand(2, 8, 3, 3))
    assert len(found.row_borders[0, :, 0, 1].unique()) == 8
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.motion(x, 4).row_borders, found.row_borders)


def test_fixed_splits_follow_the_seed_of_the_run_unless_they_have_their_own():
    """Not what was drawn since; that of a run is given to torch before the model is built."""
    drawn = {}
    for name, seed, numbers in (('first', 0, 0), ('again', 0, 7), ('second', 1, 0)):
        torch.manual_seed(seed)
        torch.rand(numbers)
        before = torch.get_rng_state()
        drawn[name] = KPSEM({3: 8}, adaptive=False, split_seed=None).blocks['3'].extractor.splits
        fixed = KPSEM({3: 8}, adaptive=False, split_seed=4).blocks['3'].extractor.splits
        assert torch.equal(drawn.setdefault('fixed', fixed), fixed)
        torch.set_rng_state(before)
        weights = torch.rand(16)  # what the first weights are made of
        assert not torch.isin(((drawn[name] + 1) / 2).flatten(), weights).any()
    assert torch.equal(drawn['first'], drawn['again'])
    assert not torch.equal(drawn['first'], drawn['second'])


def test_stages_have_splits_of_their_own():
    blocks = KPSEM(CHANNELS, adaptive=False).blocks
    assert not torch.equal(blocks['3'].extractor.splits, blocks['4'].extractor.splits)


def test_fixed_splits_on_the_meta_device():
    with torch.device('meta'):
        assert KPSEM(CHANNELS, adaptive=False).blocks['3'].extractor.splits.is_meta


def test_fixed_splits_lie_anywhere_that_leaves_a_pixel():
    module = build(1, num_sets=4000, adaptive=False, out_channels=1)
    found = module.motion(features(1, 1, 2, 10, 6), 4)
    for borders, size in ((found.row_borders, 10), (found.column_borders, 6)):
        centre = borders[0, :, 0, 1]
        assert 1 <= centre.min() < 1.1 and size - 1.1 < centre.max() <= size - 1
        assert abs(centre.mean() - size / 2) < 0.2


def test_offset_networks_of_the_sets_are_separate():
    module = build(num_sets=2, offset_hidden_channels=3)
    network = module.blocks['4'].extractor.offset_network
    assert sum(p.numel() for p in network.parameters()) == 2 * (8 * 3 + 3 + 3 * 2 + 2)
    x = features(1, 8, 2, 9, 9)
    before = module.motion(x, 4)
    with torch.no_grad():
        network[0].weight[:3] *= -1.5  # the hidden layer of the first set
        network[2].weight[:2] += 1
    after = module.motion(x, 4)
    assert not torch.equal(after.row_borders[:, 0], before.row_borders[:, 0])
    assert torch.equal(after.row_borders[:, 1], before.row_borders[:, 1])


# --- gradients ----------------------------------------------------------------------------------


def offset_gradients(module, x, of):
    """Gradient of the offset networks from one part of what is found; None where no path is."""
    extractor = module.blocks['4'].extractor
    found = getattr(module.motion(x, 4), of)
    if not found.requires_grad:
        return None
    weight = extractor.offset_network.weight
    return torch.autograd.grad((found * torch.randn_like(found)).sum(), weight, allow_unused=True)[
        0
    ]


@pytest.mark.parametrize(
    'regions, reached',
    [('hard', set()), ('area', {'weights'}), ('soft', {'points', 'values', 'shifts', 'weights'})],
)
def test_paths_of_the_gradient_to_the_splits(regions, reached):
    """As printed there is none: not through equations 6 to 10, nor through 11."""
    module = build(regions=regions).requires_grad_()
    x = features(2, 8, 3, 7, 7)
    for part in ('points', 'values', 'shifts', 'weights'):
        gradient = offset_gradients(module, x, part)
        assert (gradient is not None and gradient.abs().min() > 0) == (part in reached), part


@pytest.mark.parametrize(
    'arguments',
    [
        dict(regions='hard'),
        dict(regions='area'),
        dict(regions='soft'),
        dict(num_regions=1),
        dict(adaptive=False),
        dict(num_regions=9, grid='stretch', offset_hidden_channels=2),
        dict(reduction_norm=True, sum_regions=False),
    ],
)
def test_everything_trainable_gets_a_gradient(arguments):
    """Also the splits where they are trained: distributed training finds nothing unused."""
    module = build(num_sets=3, **arguments)
    x = features(2, 8, 3, 7, 8).requires_grad_()
    vector(module, x).square().sum().backward()
    # the coordinates of one hard key point do not change with the features
    assert (x.grad.abs().max() > 0) == (arguments.get('num_regions') != 1)
    trainable = {name: p for name, p in module.named_parameters() if p.requires_grad}
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in trainable.values())
    splits = any('offset_network' in name for name in trainable)
    frozen = {'regions': 'hard'}.items() <= arguments.items()
    assert splits == (
        not frozen and 'adaptive' not in arguments and arguments.get('num_regions') != 1
    )


@pytest.mark.parametrize('start', [3.5, 30.0, -30.0])
@pytest.mark.parametrize('bound', ['straight_through', 'tanh'])
def test_a_split_comes_back_from_its_bound(bound, start):
    """The map is 8 pixels wide, so the limit is 3; a clamp would leave the lines there."""
    if bound == 'tanh' and abs(start) > 10:
        start /= 5
    module = build(1, num_sets=1, out_channels=1, offset_bound=bound)
    set_bias(module, [[start, start]])
    x = torch.rand(1, 1, 2, 8, 8, dtype=torch.float64)
    optimizer = torch.optim.Adam([module.blocks['4'].extractor.offset_network.bias], 0.5)
    for _ in range(150):
        optimizer.zero_grad()
        found = module.motion(x, 4)
        (found.row_borders[..., 1] - 4).square().mean().backward()
        optimizer.step()
    assert (module.motion(x, 4).row_borders[..., 1] - 4).abs().max() < 1


@pytest.mark.parametrize(
    'bias, direction, passes',
    [(5, 1, True), (5, -1, False), (-5, 1, False), (-5, -1, True), (2, 1, True), (2, -1, True)],
)
def test_gradients_lead_back_and_no_further(bias, direction, passes):
    """The limit is 3; a step goes against the gradient."""
    module = build(1, num_sets=1, out_channels=1)
    set_bias(module, [[float(bias), 0.0]])
    rows = module.motion(features(1, 1, 2, 8, 8), 4).row_borders
    offset = module.blocks['4'].extractor.offset_network.bias
    (gradient, _) = torch.autograd.grad(direction * rows[..., 1].sum(), offset)[0]
    assert gradient == (2 * direction if passes else 0)


def test_tanh_bound():
    module = build(1, num_sets=1, out_channels=1, offset_bound='tanh')
    set_bias(module, [[1.5, -60.0]])
    found = module.motion(features(1, 1, 2, 8, 8), 4)
    assert found.row_borders[0, 0, 0, 1].item() == pytest.approx(4 + 3 * math.tanh(0.5))
    assert found.column_borders[0, 0, 0, 1].item() == pytest.approx(1)


@pytest.mark.parametrize('bound', ['straight_through', 'tanh'])
def test_no_room_for_a_bias(bound):
    """Four pixels, one for each region: gradients are zero and no NaN."""
    module = build(2, num_sets=1, out_channels=1, offset_bound=bound)
    x = torch.rand(1, 2, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert module.motion(x, 4).row_borders[0, 0, 0].tolist() == [0, 1, 2]
    vector(module, x).sum().backward()
    network = module.blocks['4'].extractor.offset_network
    assert not network.weight.grad.any() and not network.bias.grad.any()
    assert torch.isfinite(x.grad).all()


def test_splits_learn_to_separate():
    """A split that starts in the middle goes where the loss wants a region's weight."""
    module = build(1, num_sets=1, out_channels=1)
    set_bias(module, [[0.3, 0.3]])
    x = torch.zeros(1, 1, 2, 8, 8, dtype=torch.float64)
    x[..., 6:, 6:] = 4
    optimizer = torch.optim.SGD(module.parameters(), 1)
    for _ in range(60):
        optimizer.zero_grad()
        (-module.motion(x, 4).weights[0, 0, 3].mean()).backward()
        optimizer.step()
    found = module.motion(x, 4)
    for borders in (found.row_borders, found.column_borders):
        assert 5.5 < borders[0, 0, 0, 1] <= 7  # the last region is the bright corner alone


@pytest.mark.parametrize('bound', ['straight_through', 'tanh'])
@pytest.mark.parametrize('regions', ['hard', 'area', 'soft'])
def test_gradcheck(regions, bound):
    module = build(
        2, num_sets=2, embedding_channels=3, out_channels=1, regions=regions, offset_bound=bound
    )
    set_bias(module, [[0.2, -0.3], [0.4, 0.1]])
    with torch.no_grad():
        module.blocks['4'].extractor.offset_network.weight.fill_(0.01)
    x = torch.randn(1, 2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    parameters = [p for p in module.parameters() if p.requires_grad]
    torch.autograd.gradcheck(lambda y, *_: vector(module, y), (x, *parameters))


# --- the module and its switches ----------------------------------------------------------------


def test_parts_table():
    """What section 4.2 names, for 384 channels, 8 sets and 24 dimensions."""
    block = KPSEM({4: 384}).blocks['4']
    parts = [
        sum(p.numel() for p in part.parameters())
        for part in (block.reduction[0], block.reduction[1], block.embeddings, block.extractor)
    ]
    assert parts == [110_592, 27_648, 576, 6_160]
    assert sum(p.numel() for p in block.parameters()) == 144_976


def test_size_and_cost_of_section_4_2():
    module = KPSEM({4: 384}).to('meta')
    x = torch.empty(1, 384, 8, 14, 14, device='meta')
    with FlopCounterMode(display=False) as counter:
        assert vector(module, x).shape == (1, 672)
    reduction = 7 * (12 * 384 * 96 + 6 * 96 * 96) * 3
    assert counter.get_total_flops() == 2 * (reduction + 7 * 384 * 8 * 2 * 24 + 8 * 384 * 16)


@pytest.mark.parametrize('out_channels, expected', [(None, 2), (5, 5)])
def test_out_channels(out_channels, expected):
    y = vector(build(out_channels=out_channels), features(1, 8, 4, 6, 6))
    assert y.shape == (1, 3 * expected)


def test_values_of_a_frame_pair_stand_in_their_place():
    """The vector counts channels first, then pairs of frames."""
    module = build(num_sets=2)
    x = features(1, 8, 4, 6, 6)
    whole = vector(module, x).view(2, 3)
    for t in range(3):
        torch.testing.assert_close(vector(module, x[:, :, t : t + 2])[0], whole[:, t])


def test_regions_kept_to_the_end_are_their_sum_but_for_scale():
    """Everything behind equation 12 is linear, so both readings are one function."""
    module, kept = build(), build(sum_regions=False)
    kept.load_state_dict(module.state_dict())
    x = features(2, 8, 3, 8, 8)
    still = x[:, :, :1].expand_as(x)  # no motion: what the biases make
    rest = vector(build_still(module), still)[:1]
    torch.testing.assert_close(4 * (vector(kept, x) - rest), vector(module, x) - rest)


def build_still(module):
    """The same module with a single region, where frames that do not change give no shift."""
    still = build(num_regions=1)
    still.load_state_dict(
        {name: value for name, value in module.state_dict().items() if 'offset' not in name}
    )
    return still


def test_relative_coordinates():
    module, relative = build(num_regions=1), build(num_regions=1, relative_coordinates=True)
    relative.load_state_dict(module.state_dict())
    x = features(1, 8, 2, 5, 9)
    with torch.no_grad():
        for linear in relative.blocks['4'].embeddings:
            linear.weight *= torch.tensor([5, 9])
    torch.testing.assert_close(vector(relative, x), vector(module, x))


def test_reduction_norm():
    plain, normed = (
        sum(p.numel() for p in build(reduction_norm=flag).parameters()) for flag in (False, True)
    )
    assert normed == plain + 2 * 2
    vector(build(reduction_norm=True), features(2, 8, 3, 6, 6))


def test_several_stages():
    module = KPSEM(CHANNELS, num_sets=2).double()
    xs = {3: features(2, 8, 5, 9, 8), 4: features(2, 12, 3, 5, 4)}
    carried = ()
    for stage, x in xs.items():
        y, carried = module(x, stage, carried)
        assert y is x
    assert [tuple(part.shape) for part in carried] == [(2, 2 * 4), (2, 3 * 2)]
    expected = torch.cat([module.blocks[str(stage)](x) for stage, x in xs.items()], dim=1)
    assert torch.equal(module.embed(carried), expected)


def test_min_frames():
    module = build()
    assert module.min_frames == 2
    assert vector(module, features(1, 8, 2, 6, 6)).shape == (1, 2)


@pytest.mark.parametrize(
    'num_regions, size, named',
    [(4, (1, 8), '1x8 pixels.*2x2'), (9, (7, 2), '7x2 pixels.*3x3'), (16, (3, 3), '3x3.*4x4')],
)
@pytest.mark.parametrize('regions', ['area', 'soft'])
def test_a_map_that_is_too_small_is_named(num_regions, size, named, regions):
    module = build(num_regions=num_regions, regions=regions)
    with pytest.raises(ValueError, match=named):
        module(features(1, 8, 2, *size), 4)


@pytest.mark.parametrize(
    'arguments, named',
    [
        (dict(num_regions=0), '0'),
        (dict(num_regions=5), '5'),
        (dict(num_regions=-4), '-4'),
        (dict(num_regions=4.0), 'num_regions must be a whole number, got 4.0'),
        (dict(num_sets=0), 'num_sets.*0'),
        (dict(embedding_channels=0), 'embedding_channels.*0'),
        (dict(out_channels=0), 'out_channels.*0'),
        (dict(regions='fuzzy'), "'fuzzy'"),
        (dict(offset_hidden_channels=-1), 'offset_hidden_channels.*-1'),
        (dict(grid='hexagonal'), "'hexagonal'"),
        (dict(offset_bound='clamp'), "'clamp'"),
        (dict(temperature=0.0), r'0\.0'),
        (dict(channels=3), r'out_channels.*\[3\]'),
    ],
)
def test_errors_name_the_value(arguments, named):
    with pytest.raises(ValueError, match=named):
        build(**arguments)


@pytest.mark.parametrize(
    'arrange',
    [
        lambda x: x.to(memory_format=torch.channels_last_3d),
        lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
        lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
    ],
)
def test_any_strides(arrange):
    module = build()
    x = features(2, 8, 3, 6, 7)
    torch.testing.assert_close(vector(module, arrange(x)), vector(module, x))


@pytest.mark.parametrize('regions', ['area', 'hard', 'soft'])
def test_autocast(regions):
    """Coordinates, borders and weights stay exact; the layers run in half precision."""
    torch.manual_seed(0)
    num_regions = 4 if regions == 'area' else 1
    module = build(32, dtype=torch.float32, regions=regions, num_regions=num_regions)
    x = features(2, 32, 4, 14, 14, dtype=torch.float32).bfloat16()
    expected = vector(module, x.float())
    with torch.autocast('cpu', torch.bfloat16):
        y = vector(module, x)
        found = module.motion(x, 4)
    assert {getattr(found, name).dtype for name in vars(found)} == {torch.float32}
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(
        y.float(), expected, rtol=0.05, atol=0.05 * expected.abs().max().item()
    )
    y.sum().backward()
    trained = [p for p in module.parameters() if p.requires_grad]
    assert all(torch.isfinite(p.grad).all() for p in trained)


def test_nothing_is_kept_between_calls():
    module = build()
    attributes = [set(vars(m)) for m in module.modules()]
    x = features(1, 8, 3, 6, 6)
    first = vector(module, x)
    vector(module, features(2, 8, 4, 7, 7))
    assert torch.equal(vector(module, x), first)
    assert [set(vars(m)) for m in module.modules()] == attributes


def test_meta_device():
    module = build(num_regions=9, dtype=torch.float32).to('meta')
    found = module.motion(torch.empty(2, 8, 5, 7, 6, device='meta'), 4)
    shapes = {name: tuple(value.shape) for name, value in vars(found).items()}
    assert shapes == dict(
        points=(2, 8, 9, 8, 5, 2),
        values=(2, 8, 9, 8, 5),
        shifts=(2, 8, 9, 8, 4, 2),
        weights=(2, 8, 9, 8, 4),
        row_borders=(2, 8, 5, 4),
        column_borders=(2, 8, 5, 4),
    )


def test_compiles_without_a_graph_break():
    """By the tracer and the differentiation of traces; inductor is tested on each operator."""
    module = build(dtype=torch.float32, num_sets=2)
    x = features(2, 8, 3, 7, 7, dtype=torch.float32).requires_grad_()

    def loss(y):
        features_, carried = module(y * 2, 4)
        return module.embed(carried).square().sum() + features_.sum()

    expected = torch.autograd.grad(loss(x), (x, *module.parameters()))
    compiled = torch.compile(loss, fullgraph=True, backend='aot_eager')
    actual = torch.autograd.grad(compiled(x), (x, *module.parameters()))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
