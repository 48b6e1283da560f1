"""TAda2D's files and numbers: a restatement in the names of its released code."""

import pytest
import torch
import torch.nn.functional as F
from restated import Layers, batch_norm_names, converted, drawn_state, unfilled

import mmaction_ext.register  # noqa: F401
from mmaction_ext.cli.convert import nearest_config
from mmaction_ext.engine.official_checkpoints import identify, read_weights
from mmaction_ext.errors import InputError
from mmaction_ext.networks import tada2d_r50

FULL, SMALL = (3, 4, 6, 3), (2, 1, 1, 1)


def shapes(blocks, stem=64, classes=174):
    """Names and shapes of a file; of its convolutions, all have five dimensions but those of b."""
    found = {
        'backbone.conv1.a.weight': (stem, 3, 1, 7, 7),
        **batch_norm_names('backbone.conv1.a_bn', stem),
    }
    before = stem
    for stage, count in enumerate(blocks, start=2):
        c = stem * 2 ** (stage - 2)
        for number in range(1, count + 1):
            block = f'backbone.conv{stage}.res_{number}'
            if number == 1:
                found[f'{block}.short_cut.weight'] = (4 * c, before, 1, 1, 1)
                found |= batch_norm_names(f'{block}.short_cut_bn', 4 * c)
            branch = f'{block}.conv_branch'
            found |= {
                f'{branch}.a.weight': (c, before, 1, 1, 1),
                **batch_norm_names(f'{branch}.a_bn', c),
                f'{branch}.b.weight': (1, 1, c, c, 3, 3),
                f'{branch}.b_rf.g.weight': (c, c, 1, 1, 1),
                f'{branch}.b_rf.g.bias': (c,),
                f'{branch}.b_rf.a.weight': (c // 4, c, 3, 1, 1),
                f'{branch}.b_rf.a.bias': (c // 4,),
                **batch_norm_names(f'{branch}.b_rf.bn', c // 4),
                f'{branch}.b_rf.b.weight': (c, c // 4, 3, 1, 1),
                **batch_norm_names(f'{branch}.b_bn', c),
                **batch_norm_names(f'{branch}.b_avgpool_bn', c),
                f'{branch}.c.weight': (4 * c, c, 1, 1, 1),
                **batch_norm_names(f'{branch}.c_bn', 4 * c),
            }
            before = 4 * c
    return found | {'head.out.weight': (classes, before), 'head.out.bias': (classes,)}


def restated(weights, clips, blocks):
    """Probabilities of clips (N, 3, T, H, W), as the released network gives them in evaluation."""

    net = Layers(weights)
    conv, bn = net.conv, net.bn

    def alpha(x, name):
        local = F.adaptive_avg_pool3d(x, (x.shape[2], 1, 1))
        y = local + conv(F.adaptive_avg_pool3d(x, 1), f'{name}.g')
        y = F.relu(bn(conv(y, f'{name}.a', padding=(1, 0, 0)), f'{name}.bn'))
        return 1 + conv(y, f'{name}.b', padding=(1, 0, 0))

    def adaptive(x, name, stride):
        """Each frame of each clip under weights of its own."""
        scales, weight = alpha(x, f'{name}_rf'), weights[f'{name}.weight'][0, 0]
        clips = [
            torch.stack(
                [
                    F.conv2d(
                        x[n : n + 1, :, t],
                        weight * scales[n, :, t, 0][None, ..., None],
                        None,
                        stride,
                        1,
                    )[0]
                    for t in range(x.shape[2])
                ],
                1,
            )
            for n in range(len(x))
        ]
        return torch.stack(clips)

    x = conv(clips, 'backbone.conv1.a', 2, (0, 3, 3))
    x = F.relu(bn(x, 'backbone.conv1.a_bn'))
    for stage, count in enumerate(blocks, start=2):
        for number in range(1, count + 1):
            block, stride = f'backbone.conv{stage}.res_{number}', 2 if number == 1 else 1
            shortcut = x
            if number == 1:
                shortcut = bn(conv(x, f'{block}.short_cut', stride), f'{block}.short_cut_bn')
            branch = f'{block}.conv_branch'
            y = F.relu(bn(conv(x, f'{branch}.a'), f'{branch}.a_bn'))
            y = adaptive(y, f'{branch}.b', stride)
            pooled = F.avg_pool3d(y, (3, 1, 1), 1, (1, 0, 0))
            y = F.relu(bn(y, f'{branch}.b_bn') + bn(pooled, f'{branch}.b_avgpool_bn'))
            x = F.relu(shortcut + bn(conv(y, f'{branch}.c'), f'{branch}.c_bn'))
    x = x.mean((2, 3, 4)) @ weights['head.out.weight'].T + weights['head.out.bias']
    return x, x.softmax(1)


def small_config(frames):
    config = tada2d_r50(5, frames)
    config['backbone'].update(depth=26, base_channels=16, pretrained=None)
    config['cls_head']['in_channels'] = 512
    return config


def test_gives_the_released_numbers():
    blocks = (2, 2, 2, 2)
    state = drawn_state(shapes(blocks, stem=16, classes=5))
    model = converted('tada2d', small_config(frames=5), state).double()
    clips = torch.randn(2, 5, 3, 45, 64, dtype=torch.float64)
    state = {name: tensor.double() for name, tensor in state.items()}
    with torch.no_grad():
        found = model(clips, stage='head')
        expected, probabilities = restated(state, clips.transpose(1, 2), blocks)
    assert (expected[0] - expected[1]).abs().max() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    averaged = model.cls_head.average_clip(found, num_segs=1)
    torch.testing.assert_close(averaged, probabilities, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    'classes, frames, config',
    [
        (174, 8, 'rivals/sthv2/tada2d_8f.py'),
        (174, 16, 'rivals/sthv2/tada2d_16f.py'),
        (400, 16, 'dcf/table5_k400/tada2d.py'),
    ],
)
def test_a_file_of_the_released_size_is_known_and_fits(classes, frames, config):
    file = unfilled(shapes(FULL, classes=classes))
    converted('tada2d', tada2d_r50(classes, frames), file)
    path, differing = nearest_config('tada2d', identify('tada2d', file, frames).settings)
    assert path.as_posix().endswith(f'configs/{config}') and not differing


def test_frames_must_be_told():
    with pytest.raises(InputError, match='--num-segments 8 or 16'):
        identify('tada2d', unfilled(shapes(SMALL)))


def test_the_weights_stand_under_a_key_of_their_own(tmp_path):
    state = {name: torch.ones(shape) for name, shape in shapes(SMALL, stem=4).items()}
    torch.save({'epoch': 63, 'model_state': state, 'cfg': 'TRAIN:'}, tmp_path / 'file.pyth')
    assert read_weights(tmp_path / 'file.pyth')[0].keys() == state.keys()
