r"""Draw what a trained motion module sees in a video, and where the class evidence lies.

    mmaction-ext visualize CONFIG CHECKPOINT clip.mp4 -o pictures
    mmaction-ext visualize CONFIG CHECKPOINT clip.mp4 -o pictures --kinds cam \\
        --baseline BASELINE_CONFIG BASELINE_CHECKPOINT

Kinds of pictures, each as a sheet over time (PNG) and moving (GIF or MP4):

  motion   the displacement of every pixel as colour, for each stage and map,
           with the colour wheel. KPSEM: key points as crosses, shifts as arrows, regions dotted.
  cam      Grad-CAM of the predicted class, under that of the baseline if one is given. Figures 8
           and 9 of KPSEM: --top 3 --layer last_conv --baseline ...

VIDEO is a video file or a folder of frames (jpg, png). One clip is taken from it the way the
config's test pipeline samples and crops; a config without one gets uniform frames of its
input_shape. Checkpoints are loaded safely: weights and plain data only.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _ArgumentGroup
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmaction_ext.errors import InputError, check_at_least
from mmaction_ext.printable import clean

if TYPE_CHECKING:
    from mmaction_ext.analysis.pictures import Picture
    from mmaction_ext.analysis.recognition import Recognition

NAME = 'visualize'
HELP = 'draw what a trained motion module sees in a video, and Grad-CAM'
KINDS = ('motion', 'cam')
LAST_CONVOLUTION = 'last_conv'


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('config', metavar='CONFIG', help='config file')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='checkpoint file')
    parser.add_argument('video', metavar='VIDEO', help='video file or folder of frames')
    parser.add_argument(
        '-o',
        '--out',
        required=True,
        metavar='OUT',
        type=Path,
        help='folder for the pictures (motion.png, motion.gif, cam.png, '
        'cam.gif); it is made if it is not there',
    )
    parser.add_argument(
        '--kinds', nargs='+', choices=KINDS, default=KINDS, help='which pictures (default: all)'
    )
    parser.add_argument('--device', default='cpu', help='cpu (default), cuda, cuda:1, ...')
    _add_layout_options(parser)
    _add_motion_options(parser.add_argument_group('motion'))
    _add_cam_options(parser.add_argument_group('cam'))


def _add_layout_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        '--format',
        choices=('gif', 'mp4'),
        default='gif',
        help='of the moving pictures (default: gif)',
    )
    parser.add_argument('--fps', type=int, default=4, help='moments per second (default: 4)')
    parser.add_argument(
        '--columns', type=int, default=8, help='most moments on a sheet (default: 8)'
    )
    parser.add_argument(
        '--labels',
        metavar='FILE',
        help='class names, one per line (default: those the config knows)',
    )
    parser.add_argument(
        '--top',
        type=int,
        default=1,
        metavar='K',
        help='name the K likeliest classes with their probabilities (default: 1)',
    )


def _add_motion_options(group: _ArgumentGroup) -> None:
    group.add_argument(
        '--stages',
        nargs='+',
        type=int,
        metavar='STAGE',
        help='stages to draw (default: all that the module works after)',
    )
    group.add_argument(
        '--opacity',
        choices=('strength', 'match'),
        default='strength',
        help='modules that see displacements: show what matches well and stands out of its '
        'frame (strength, default), or all that matches well, plain background '
        'included (match)',
    )
    group.add_argument(
        '--channels',
        type=int,
        default=3,
        help='KPSEM: how many channels to draw, strongest first (default: 3)',
    )
    group.add_argument(
        '--set',
        type=int,
        default=0,
        dest='which_set',
        help='KPSEM: which set of regions, from 0 (default: 0)',
    )


def _add_cam_options(group: _ArgumentGroup) -> None:
    group.add_argument(
        '--baseline',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='draw this model above for comparison',
    )
    group.add_argument(
        '--layer',
        metavar='NAME',
        help='submodule whose output is weighed, e.g. backbone.backbone.layer3 '
        '(default: the end of the last stage, or of the backbone); last_conv: the last '
        'convolution of the backbone',
    )


def run(args: Namespace) -> int:
    """Draw everything that was asked for and name the files; returns the exit code."""
    from mmaction_ext import compat

    for name in ('fps', 'columns', 'channels', 'top'):
        check_at_least(f'--{name}', getattr(args, name), 1)
    compat.apply()
    for file in draw(args):
        print(clean(file))
    return 0


def motion_picture(
    shown: Recognition, names: Mapping[int, str], args: Namespace
) -> Picture | None:
    """The picture of what the module sees; None, with a sentence, for a plain backbone."""
    from mmaction_ext.analysis.displacement_figure import displacement_legend, displacement_rows
    from mmaction_ext.analysis.energy_figure import energy_legend, energy_rows
    from mmaction_ext.analysis.key_point_figure import key_point_legend, key_point_rows
    from mmaction_ext.analysis.motion_record import find_motion_module, watch_motion
    from mmaction_ext.analysis.pictures import Picture, Row
    from mmaction_ext.modules.base import Displacements

    module = find_motion_module(shown.model)
    if module is None:
        print(clean(f'{args.config} has no motion module: no motion pictures are drawn'))
        return None
    frames = shown.clip.frames
    seen = watch_motion(shown.model, shown.clip.data, args.stages)
    first = next(iter(seen.values())).motion
    if first is None:
        name = type(module).__name__
        print(clean(f'{name} has no motion(): drawn is how strong its features are instead'))
        rows, legend = energy_rows(seen, frames), energy_legend()
    elif isinstance(first, Displacements):
        rows = displacement_rows(seen, frames, args.opacity == 'strength')
        legend = displacement_legend()
    else:
        rows = key_point_rows(seen, frames, args.channels, args.which_set)
        legend = key_point_legend(first.points.shape[2])
    title = f'{type(module).__name__}, {Path(args.video).name}: {shown.verdict(names, args.top)}'
    return Picture(title, [Row('what the model sees', frames), *rows], legend)


def cam_picture(
    shown: Recognition,
    baseline: Recognition | None,
    names: Mapping[int, str],
    args: Namespace,
) -> Picture:
    """The picture of Grad-CAM: frames, baseline if there is one, module."""
    from mmaction_ext.analysis.grad_cam import (
        choose_layer,
        draw_grad_cam,
        grad_cam_legend,
        last_convolution,
    )
    from mmaction_ext.analysis.pictures import Picture, Row

    rows = [Row('what the model sees', shown.clip.frames)]
    for role, one in (('baseline', baseline), (Path(args.config).stem, shown)):
        if one is not None:
            layer = args.layer or choose_layer(
                one.model, one.clip.data, one.cfg.model.backbone.get('stage_names')
            )
            if layer == LAST_CONVOLUTION:
                layer = last_convolution(one.model, one.clip.data)
            tiles = draw_grad_cam(one.model, one.clip.data, layer)
            rows.append(Row(f'{role}: {one.verdict(names, args.top)}', tiles))
    return Picture(f'Grad-CAM, {Path(args.video).name}', rows, grad_cam_legend())


def write(picture: Picture, kind: str, args: Namespace) -> list[Path]:
    """Write one kind of picture; returns the files."""
    from mmaction_ext.analysis.pictures import write_animation, write_sheet

    files = [args.out / f'{kind}.png', args.out / f'{kind}.{args.format}']
    write_sheet(picture, files[0], args.columns)
    write_animation(picture, files[1], args.fps)
    return files


def draw(args: Namespace) -> list[Path]:
    """Draw everything that was asked for; returns the files.

    Raises:
        InputError: An argument cannot be used; the message names it.
    """
    from mmaction_ext.analysis.recognition import recognize
    from mmaction_ext.engine.checks import check_output_folder
    from mmaction_ext.evaluation.classes import class_names

    check_output_folder(args.out)
    shown = recognize(args.config, args.checkpoint, args.video, args.device)
    names = class_names(shown.cfg, args.labels)
    drawn = {}
    if 'motion' in args.kinds:
        drawn['motion'] = motion_picture(shown, names, args)
    if 'cam' in args.kinds:
        baseline = None
        if args.baseline:
            config, checkpoint = args.baseline
            baseline = recognize(config, checkpoint, args.video, args.device)
        drawn['cam'] = cam_picture(shown, baseline, names, args)
    pictures = {kind: picture for kind, picture in drawn.items() if picture is not None}
    if not pictures:
        raise InputError(f'nothing to draw of {args.config} but Grad-CAM (--kinds cam)')
    return [file for kind, picture in pictures.items() for file in write(picture, kind, args)]
