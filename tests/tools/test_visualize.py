"""The command line of tools/visualize.py, on thin networks with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from motion_modules import MOTION_MODULES, small_config
from PIL import Image
from tool_runs import main_of

import mmaction_ext.register  # noqa: F401
from mmaction_ext.analysis.displacement_figure import wheel
from mmaction_ext.datasets.pipelines import synthmotion_test
from mmaction_ext.datasets.video_reader import VideoReader
from mmaction_ext.modules.base import Displacements, MotionModule
from mmaction_ext.video import write_mp4

FRAMES, SIDE = 8, 64
NAMES = ['waving $x_{', 'sitting', 'running']


@MODELS.register_module()
class MovesRight(MotionModule):
    """Sees all of the upper half of a map move two pixels right."""

    min_frames = 2

    def forward(self, x, stage, carried=()):
        return x, carried

    def motion(self, x, stage):
        n, _, t, h, w = x.shape
        displacement = torch.zeros(n, 1, 2, t, h, w)
        displacement[:, :, 1, :, : h // 2] = 2.0
        return Displacements(('t+1',), (tuple(range(t)),), displacement, torch.ones(n, 1, t, h, w))


@MODELS.register_module()
class BrightensLeft(MotionModule):
    """Adds to the left half of a map, and has no ``motion``."""

    min_frames = 2

    def __init__(self, in_channels):
        super().__init__(in_channels)
        self.blocks = torch.nn.ModuleDict({str(s): torch.nn.Identity() for s in in_channels})

    def forward(self, x, stage, carried=()):
        left = torch.zeros_like(x)
        left[..., : x.shape[-1] // 2] = 5.0
        return x + left, carried


def recognizer(module, stages=(3, 4), head=None, **kwargs):
    head = head or dict(type='TSNHead', in_channels=16, num_classes=3, dropout_ratio=0.0)
    return dict(
        type='Recognizer2D',
        backbone=dict(
            type='MotionBackbone',
            num_segments=FRAMES,
            module=module,
            stages=stages if module else (),
            backbone=dict(type='timm.resnet10t', channels=(8, 8, 16, 16), stem_width=8),
        ),
        cls_head=dict(head, average_clips='prob'),
        data_preprocessor=dict(
            type='ActionDataPreprocessor', mean=[127.5] * 3, std=[64.0] * 3, format_shape='NCHW'
        ),
    )


def plain_3d():
    return dict(
        type='Recognizer3D',
        backbone=dict(
            type='ResNet3d',
            depth=18,
            pretrained=None,
            base_channels=8,
            conv1_stride_t=1,
            pool1_stride_t=1,
        ),
        cls_head=dict(type='I3DHead', in_channels=64, num_classes=3, average_clips='prob'),
        data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCTHW'),
    )


def save(folder, name, model, **settings):
    """A config file and a checkpoint of random weights; returns their names."""
    layout = 'NCTHW' if model['type'] == 'Recognizer3D' else 'NCHW'
    settings.setdefault(
        'test_dataloader',
        dict(
            dataset=dict(
                metainfo=dict(classes=NAMES), pipeline=synthmotion_test(FRAMES, layout, crop=SIDE)
            )
        ),
    )
    Config(dict(model=model, input_shape=(3, FRAMES, SIDE, SIDE), **settings)).dump(
        folder / f'{name}.py'
    )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        built = MODELS.build(Config(model)._cfg_dict)
    torch.save(dict(state_dict=built.state_dict(), meta={}), folder / f'{name}.pth')
    return str(folder / f'{name}.py'), str(folder / f'{name}.pth')


@pytest.fixture(scope='module')
def main():
    return main_of('visualize')


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    return tmp_path_factory.mktemp('visualize')


@pytest.fixture(scope='module')
def movie(place):
    """A bright square that moves right."""
    frames = np.full((16, 72, 80, 3), 40, np.uint8)
    for index, frame in enumerate(frames):
        frame[20:36, 4 + 3 * index : 20 + 3 * index] = (250, 200, 60)
    write_mp4(frames, place / 'movie.mp4')
    return str(place / 'movie.mp4')


@pytest.fixture(scope='module')
def moves_right(place):
    return save(place, 'moves_right', recognizer(dict(type='MovesRight')))


def check_pictures(files, kind='motion', moving='gif'):
    """The sheet can be read, and the moving picture has a frame for each of the clip's."""
    assert [Path(file).name for file in files] == [f'{kind}.png', f'{kind}.{moving}']
    with Image.open(files[0]) as sheet:
        assert sheet.format == 'PNG'
    if moving == 'mp4':
        assert len(VideoReader(files[1]).read()) == FRAMES
    else:
        with Image.open(files[1]) as moving:
            assert moving.n_frames == FRAMES


def test_everything_by_default(main, moves_right, movie, tmp_path, capsys):
    assert main([*moves_right, movie, '-o', str(tmp_path / 'new' / 'out')]) == 0
    files = capsys.readouterr().out.splitlines()[-4:]
    check_pictures(files[:2])
    check_pictures(files[2:], 'cam')
    assert {str(path) for path in (tmp_path / 'new' / 'out').iterdir()} == set(files)


def test_motion_to_the_right_is_drawn_in_the_wheels_right_colour(
    main, moves_right, movie, tmp_path
):
    """And the wheel is in the figure."""
    assert (
        main(
            [
                *moves_right,
                movie,
                '-o',
                str(tmp_path),
                '--kinds',
                'motion',
                '--stages',
                '4',
                '--opacity',
                'match',
                '--columns',
                '2',
            ]
        )
        == 0
    )
    pixels = np.asarray(Image.open(tmp_path / 'motion.png').convert('RGB')).astype(int)
    right = wheel()[75, 150]
    rows, columns = np.nonzero((abs(pixels - right) <= 2).all(axis=-1))
    left_part = columns < 0.6 * pixels.shape[1]
    tile = round(1.15 * 150)
    assert left_part.sum() == pytest.approx(2 * tile * tile / 2, rel=0.05)  # half of two tiles
    assert np.ptp(rows[left_part]) == pytest.approx(tile / 2, abs=3)
    assert (~left_part).sum() > 5, 'no wheel'
    cyan = (abs(pixels - wheel()[75, 0]) <= 12).all(axis=-1)
    assert cyan[:, int(0.6 * pixels.shape[1]) :].sum() > 5
    assert not cyan[:, : int(0.6 * pixels.shape[1])].any()


def test_mp4(main, moves_right, movie, tmp_path, capsys):
    assert (
        main([*moves_right, movie, '-o', str(tmp_path), '--format', 'mp4', '--kinds', 'motion'])
        == 0
    )
    check_pictures(capsys.readouterr().out.splitlines()[-2:], moving='mp4')


def test_a_module_without_motion_is_drawn_by_its_features(main, place, movie, tmp_path, capsys):
    still = save(place, 'still', recognizer(dict(type='BrightensLeft'), stages=(3,)))
    assert main([*still, movie, '-o', str(tmp_path), '--columns', '1']) == 0
    said, *files = capsys.readouterr().out.splitlines()[-5:]
    assert said == 'BrightensLeft has no motion(): drawn is how strong its features are instead'
    check_pictures(files[:2])
    check_pictures(files[2:], 'cam')
    pixels = np.asarray(Image.open(tmp_path / 'motion.png').convert('RGB')).astype(int)
    tile, gap, top = round(1.15 * 150), round((1.15 + 0.06 + 0.17) * 150), round(0.59 * 150)
    changed = pixels[top + 2 * gap + 26 :][:tile, 22 : 22 + tile].sum(-1)  # the third row
    assert changed[:, : tile // 3].mean() > 1.5 * changed[:, -tile // 3 :].mean()


def test_plain_backbone_has_cam_only(main, place, movie, tmp_path, capsys):
    plain = save(place, 'plain', recognizer(None))
    assert main([*plain, movie, '-o', str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert 'plain.py has no motion module: no motion pictures are drawn' in out
    check_pictures(out.splitlines()[-2:], 'cam')
    assert not (tmp_path / 'motion.png').exists()


def test_baseline_of_another_kind_stands_above(main, place, moves_right, movie, tmp_path):
    """A 3-D network without MotionBackbone."""
    baseline = save(place, 'baseline', plain_3d())
    assert (
        main(
            [
                *moves_right,
                movie,
                '-o',
                str(tmp_path / 'with'),
                '--kinds',
                'cam',
                '--baseline',
                *baseline,
            ]
        )
        == 0
    )
    assert main([*moves_right, movie, '-o', str(tmp_path / 'without'), '--kinds', 'cam']) == 0
    with Image.open(tmp_path / 'with' / 'cam.png') as high:
        with Image.open(tmp_path / 'without' / 'cam.png') as low:
            assert high.width == low.width and high.height > 1.25 * low.height


def test_figures_8_and_9_of_kpsem(main, moves_right, movie, tmp_path, monkeypatch):
    from mmaction_ext.analysis import pictures

    drawn = []
    real = pictures.write_sheet
    monkeypatch.setattr(
        pictures,
        'write_sheet',
        lambda picture, *args: drawn.append(picture) or real(picture, *args),
    )
    for top in ('1', '3'):
        assert (
            main(
                [
                    *moves_right,
                    movie,
                    '-o',
                    str(tmp_path / top),
                    '--kinds',
                    'cam',
                    '--top',
                    top,
                    '--layer',
                    'last_conv',
                    '--baseline',
                    *moves_right,
                ]
            )
            == 0
        )
    one, three = ([row.title for row in picture.rows[1:]] for picture in drawn)
    assert all(title.count('%)') == 1 for title in one)
    assert all(
        title.count('%)') == 3 and title.startswith(shorter)
        for title, shorter in zip(three, one, strict=True)
    )


def test_folder_of_frames(main, moves_right, movie, tmp_path):
    for index, frame in enumerate(VideoReader(movie).read()):
        Image.fromarray(frame).save(tmp_path / f'{index}.png')
    for video, out in ((movie, 'a'), (tmp_path, 'b')):
        assert main([*moves_right, str(video), '-o', str(tmp_path / out), '--kinds', 'cam']) == 0
    files = [tmp_path / out / 'cam.gif' for out in ('a', 'b')]
    arrays = [np.asarray(Image.open(file).convert('RGB')).astype(int) for file in files]
    tiles = slice(60, None)  # below the title, which names the video
    assert arrays[0].shape == arrays[1].shape
    assert abs(arrays[0][tiles] - arrays[1][tiles]).mean() < 1


@pytest.mark.slow
@pytest.mark.parametrize('name', MOTION_MODULES)
def test_every_module_can_be_drawn(main, place, movie, tmp_path, capsys, name):
    model = recognizer(small_config(name, FRAMES), (3,))
    module = MODELS.build(small_config(name, FRAMES, in_channels={3: 8}))
    _, carried = module(torch.zeros(1, 8, FRAMES, 8, 8), 3)
    vector = module.embed(carried)
    if vector is not None:
        model['cls_head'] = dict(
            type='ConcatHead',
            branch_channels=vector.shape[1],
            head=model['cls_head'],
        )
    row = save(place, name, model)
    assert main([*row, movie, '-o', str(tmp_path)]) == 0
    files = capsys.readouterr().out.splitlines()[-4:]
    check_pictures(files[:2])
    check_pictures(files[2:], 'cam')


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(video='/nowhere/none.mp4'), '/nowhere/none.mp4 does not exist'),
        (dict(config='/nowhere/none.py'), '/nowhere/none.py'),
        (dict(checkpoint='/nowhere/none.pth'), '/nowhere/none.pth'),
        (dict(extra=['--stages', '5']), 'MovesRight does not work after stage 5, but after 3, 4'),
        (dict(extra=['--labels', '/nowhere/names.txt']), '/nowhere/names.txt'),
        (dict(extra=['--device', 'mainframe']), "device 'mainframe' cannot be used"),
        (dict(extra=['--kinds', 'cam', '--layer', 'nothing']), "'nothing' is no submodule"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    main, moves_right, movie, tmp_path, capsys, change, message
):
    config, checkpoint = moves_right
    args = [
        change.get('config', config),
        change.get('checkpoint', checkpoint),
        change.get('video', movie),
        '-o',
        str(tmp_path),
        *change.get('extra', []),
    ]
    assert main(args) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('error: ') and message in error
    assert not list(tmp_path.iterdir())


def test_unreadable_video_is_named(main, moves_right, tmp_path, capsys):
    (tmp_path / 'broken.mp4').write_bytes(b'no video')
    assert main([*moves_right, str(tmp_path / 'broken.mp4'), '-o', str(tmp_path)]) == 2
    assert 'broken.mp4: the video cannot be decoded' in capsys.readouterr().err


def test_checkpoint_of_another_model_is_named(main, place, moves_right, movie, tmp_path, capsys):
    _, other = save(place, 'other', plain_3d())
    assert main([moves_right[0], other, movie, '-o', str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert f'checkpoint {other} does not fit' in error and error.count('\n') == 1


def test_config_without_model(main, moves_right, movie, tmp_path, capsys):
    (tmp_path / 'none.py').write_text('input_shape = (3, 8, 64, 64)\n')
    assert main([str(tmp_path / 'none.py'), moves_right[1], movie, '-o', str(tmp_path)]) == 2
    assert 'none.py has no model' in capsys.readouterr().err


def test_only_motion_of_a_plain_backbone_is_an_error(main, place, movie, tmp_path, capsys):
    plain = save(place, 'plain', recognizer(None))
    assert main([*plain, movie, '-o', str(tmp_path), '--kinds', 'motion']) == 2
    assert 'nothing to draw' in capsys.readouterr().err
