"""Small imitations of what publishers ship: their files, formats, names and quirks.

``imitate(name, root)`` lays out ``root/annotations`` and ``root/videos`` (or ``rawframes``) and
returns what the annotation files must hold. Videos are real, of a few small frames.
"""

import json
import shutil

import av
import numpy as np
from PIL import Image

from mmaction_ext.datasets.publishers import READERS, UNANNOTATED

CODECS = {
    '.mp4': ('libx264', 'yuv420p'),
    '.avi': ('mpeg4', 'yuv420p'),
    '.webm': ('libvpx', 'yuv420p'),
    '.mkv': ('libx264', 'yuv420p'),
}


def write_video(path, num_frames=4, options=None):
    """Encode a video of 32 x 32 pixels in the manner of the file's ending, 10 frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec, pix_fmt = CODECS[path.suffix]
    rng = np.random.RandomState(num_frames)
    with av.open(str(path), 'w', options=options or {}) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = pix_fmt
        for _ in range(num_frames):
            picture = rng.randint(0, 256, (32, 32, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode())


def numbered(number, height=64, width=128):
    """A picture that tells its number: eight blocks at the top are its bits."""
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[height // 2 :] += np.arange(width, dtype=np.uint8)[:, None] // 2 + number % 16
    for bit in range(8):
        block = slice(bit * width // 8, (bit + 1) * width // 8)
        picture[: height // 2, block] = 255 * (number >> bit & 1)
    return picture


def number_of(picture):
    """The number that a :func:`numbered` picture tells."""
    height, width = picture.shape[:2]
    blocks = picture[height // 8 : 3 * height // 8].reshape(height // 4, 8, width // 8, 3)
    return sum(int(level > 127) << bit for bit, level in enumerate(blocks.mean(axis=(0, 2, 3))))


def write_numbered(path, num_frames, codec, step=1, **options):
    """Encode :func:`numbered` pictures, one every ``step`` twelfths of a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=12, options=options)
        stream.height, stream.width, stream.pix_fmt = 64, 128, 'yuv420p'
        stream.thread_count = 1
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(numbered(number), 'rgb24')
            frame.pts = step * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_packed(path, num_frames):
    """An AVI with packed B-frames, as DivX 5 and XviD for Windows write them.

    A B-frame lies in the packet of the picture that it refers to, and an empty picture in the
    place where it would be.
    """
    plain = path.with_suffix('.plain.avi')
    write_numbered(
        plain,
        num_frames,
        'mpeg4',
        g='10',
        bf='1',
        sc_threshold='1000000000',
        qscale='4',
        flags='+qscale',
    )
    with av.open(str(plain)) as source, av.open(str(path), 'w') as target:
        (stream,) = source.streams.video
        copy = target.add_stream_from_template(stream)
        chunks = _pack([bytes(packet) for packet in source.demux(stream) if packet.size])
        for number, chunk in enumerate(chunks):
            packet = av.Packet(chunk)
            packet.stream, packet.time_base = copy, 1 / stream.average_rate
            packet.pts = packet.dts = number
            packet.is_keyframe = _picture_type(chunk) == 0
            target.mux(packet)
    plain.unlink()


def _picture_type(chunk):
    """0 of I, 1 of P, 2 of B (ISO 14496-2, vop_coding_type)."""
    return chunk[chunk.index(b'\0\0\1\xb6') + 4] >> 6


def _pack(chunks):
    mark = chunks[0].index(b'\0\0\1\xb6')
    chunks[0] = chunks[0][:mark] + b'\0\0\1\xb2DivX503b1393p' + chunks[0][mark:]
    packed, empty = [], b'\0\0\1\xb6\x50\0\x7f'
    while chunks:
        chunk = chunks.pop(0)
        if chunks and _picture_type(chunk) < 2 and _picture_type(chunks[0]) == 2:
            packed += [chunk + chunks.pop(0), empty]
        else:
            packed.append(chunk)
    return packed


def write_cut(path, num_frames, first, **options):
    """A part of an MP4 without encoding it again, as trimming tools do: from ``first`` on."""
    whole = path.with_suffix('.whole.mp4')
    write_numbered(whole, num_frames, 'libx264', **options)
    with av.open(str(whole)) as source, av.open(str(path), 'w') as target:
        (stream,) = source.streams.video
        copy = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        shift = sorted(packet.pts for packet in packets)[first]
        begin = max(
            place
            for place, packet in enumerate(packets)
            if packet.is_keyframe and packet.pts <= shift
        )
        for packet in packets[begin:]:
            packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
            target.mux(packet)
    whole.unlink()


def write_joined(path, *parts, shown=lambda packet, time: packet.pts + time, lost=None):
    """Put packets of videos of one codec behind each other, as cutting programs do.

    Args:
        path: the file to write.
        parts: of each video its path and how many packets of it to leave out.
        shown: time at which a packet is shown, from the packet and when its part begins.
        lost: place of a packet of each part that is missing.
    """
    with av.open(str(path), 'w') as output:
        target, time = None, 0
        for part, left_out in parts:
            with av.open(str(part)) as source:
                stream = source.streams.video[0]
                target = target or output.add_stream_from_template(stream)
                packets = [packet for packet in source.demux(stream) if packet.size][left_out:]
                time -= packets[0].dts
                for place, packet in enumerate(packets):
                    packet.pts, packet.dts = shown(packet, time), packet.dts + time
                    packet.stream = target
                    end = packet.dts + packet.duration
                    if place != lost:
                        output.mux(packet)
                time = end


def write_frames(folder, num_frames=4):
    """Write JPEG files ``00001.jpg`` and on."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, num_frames + 1):
        picture = np.full((24, 32, 3), 9 * number % 256, np.uint8)
        Image.fromarray(picture).save(folder / f'{number:05}.jpg')


def write(path, text, newline='\n', encoding='utf-8'):
    """Write a text file with the line ends given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace('\n', newline).encode(encoding))


def imitate(name, root):
    """Lay out a data set; returns annotation file -> lines, and the class names."""
    return globals()[f'_imitate_{name}'](root, root / 'annotations')


def read(name, root):
    """The publication that is laid out in a folder."""
    return READERS[name](root / ('videos' if name in UNANNOTATED else 'annotations'))


SIDES = ('Pulling something from left to right', 'Pulling something from right to left')


def _imitate_sthv1(root, annotations):
    prefix = annotations / 'something-something-v1-'
    write(
        annotations / 'something-something-v1-labels.csv',
        f'Putting something, something and something on the table\n{SIDES[1]}\n{SIDES[0]}\n\n',
    )
    write(
        prefix.with_name(prefix.name + 'train.csv'),
        f'100218;{SIDES[0]}\n\n24413;Putting something, something and something on the table\n',
        newline='\r\n',
    )
    write(prefix.with_name(prefix.name + 'validation.csv'), f'7;{SIDES[1]}\n   \n')
    write(prefix.with_name(prefix.name + 'test.csv'), '99\n')
    for video, number in (('100218', 5), ('24413', 3), ('7', 4)):
        write_frames(root / 'rawframes' / video, number)
    return (
        {'train.txt': ['100218 5 0', '24413 3 2'], 'val.txt': ['7 4 1']},
        [*SIDES, 'Putting something, something and something on the table'],
    )


def _imitate_sthv2(root, annotations):
    prefix = 'something-something-v2-'
    similar = 'Putting something similar to other things that are already on the table'
    write(
        annotations / f'{prefix}labels.json',
        json.dumps({SIDES[0]: '0', SIDES[1]: '1', similar: '2'}),
    )
    entries = [
        dict(
            id='78687',
            label='pulling a box, from left to right',
            template='Pulling [something] from left to right',
            placeholders=['a box'],
        ),
        dict(
            id='42326',
            label='putting a pen similar to other pens on the table',
            template='Putting [something similar to other things that are already on the table]',
            placeholders=['a pen'],
        ),
    ]
    write(annotations / f'{prefix}train.json', json.dumps(entries))
    write(
        annotations / f'{prefix}validation.json',
        json.dumps(
            [
                dict(
                    id='74225',
                    label='',
                    template='Pulling [something] from right to left',
                    placeholders=['something'],
                )
            ]
        ),
    )
    write(annotations / f'{prefix}test.json', json.dumps([dict(id='1420')]))
    for video in ('78687', '42326', '74225'):
        write_video(root / 'videos/20bn-something-something-v2' / f'{video}.webm')
    folder = '20bn-something-something-v2'
    return (
        {
            'train.txt': [f'{folder}/78687.webm\t0', f'{folder}/42326.webm\t2'],
            'val.txt': [f'{folder}/74225.webm\t1'],
        },
        [*SIDES, similar],
    )


HEADER = 'label,youtube_id,time_start,time_end,split,is_cc\n'
KINETICS_TRAIN = (
    HEADER + '"massaging person\'s head",-0Id_of_11-a,5,15,train,0\n'
    'arm wrestling,a0000000001,0,10,train,1\n\n'
    'petting animal (not cat),A0000000001,120,130,train,0\n'
    'arm wrestling,b0000000001,7,17,train,0\n'
)
KINETICS_VAL = HEADER + 'petting animal (not cat),c0000000001,30.0,40.0,val,0\n'


def _write_kinetics(root, annotations):
    write(annotations / 'train.csv', KINETICS_TRAIN)
    write(annotations / 'kinetics_val.csv', KINETICS_VAL)
    write_video(root / "videos/train/massaging person's head/-0Id_of_11-a_000005_000015.mp4")
    write_video(root / 'videos/train/arm wrestling/a0000000001.mkv')
    write_video(root / 'videos/train/A0000000001_000120_000130.mp4')
    write_video(root / 'videos/train/arm_wrestling/b0000000001_000007_000017.mp4')
    write_video(root / 'videos/val/petting_animal_(not_cat)/c0000000001_000030_000040.mp4')


def _imitate_kinetics400(root, annotations):
    _write_kinetics(root, annotations)
    return (
        {
            'train.txt': [
                "train/massaging person's head/-0Id_of_11-a_000005_000015.mp4\t1",
                'train/arm wrestling/a0000000001.mkv\t0',
                'train/A0000000001_000120_000130.mp4\t2',
                'train/arm_wrestling/b0000000001_000007_000017.mp4\t0',
            ],
            'val.txt': ['val/petting_animal_(not_cat)/c0000000001_000030_000040.mp4\t2'],
        },
        ['arm wrestling', "massaging person's head", 'petting animal (not cat)'],
    )


def _imitate_minikinetics200(root, annotations):
    _write_kinetics(root, annotations)
    write(annotations / 'train_ytid_list.txt', 'b0000000001\n\nA0000000001\n', newline='\r\n')
    write(annotations / 'val_ytid_list.txt', 'c0000000001\n')
    return (
        {
            'train.txt': [
                'train/arm_wrestling/b0000000001_000007_000017.mp4\t0',
                'train/A0000000001_000120_000130.mp4\t1',
            ],
            'val.txt': ['val/petting_animal_(not_cat)/c0000000001_000030_000040.mp4\t1'],
        },
        ['arm wrestling', 'petting animal (not cat)'],
    )


def _imitate_ucf101(root, annotations):
    folder = annotations / 'ucfTrainTestlist'
    write(folder / 'classInd.txt', '1 ApplyEyeMakeup\n2 HandstandPushups\n', newline='\r\n')
    names = [
        'ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi',
        'HandstandPushups/v_HandStandPushups_g01_c01.avi',
    ]
    lines = {}
    for split in (1, 2, 3):
        train, test = names if split != 2 else names[::-1]
        ids = (1, 2) if split != 2 else (2, 1)
        write(folder / f'trainlist0{split}.txt', f'{train} {ids[0]}\n', newline='\r\n')
        write(folder / f'testlist0{split}.txt', f'{test}\n\n', newline='\r\n')
        lines[f'train_split{split}.txt'] = [f'UCF-101/{train}\t{ids[0] - 1}']
        lines[f'test_split{split}.txt'] = [f'UCF-101/{test}\t{ids[1] - 1}']
    for name in names:
        write_video(root / 'videos/UCF-101' / name)
    return lines, ['ApplyEyeMakeup', 'HandstandPushups']


def _imitate_hmdb51(root, annotations):
    folder = annotations / 'testTrainMulti_7030_splits'
    names = {
        'brush_hair': [
            'April_09_brush_hair_u_nm_np1_ba_goo_0.avi',
            '#20_Rhythm_brush [a&b] (c)_u_nm_np1_fr_med_1.avi',
            'atheismisdead; brush_h_cm_np1_le_goo_2.avi',
        ],
        'wave': [
            'winKen_wave_u_cm_np1_ri_bad_0.avi',
            'winKen_wave_u_cm_np1_ri_bad_1.avi',
            'winKen_wave_u_cm_np1_ri_bad_2.avi',
        ],
    }
    lines = {f'{kind}_split{split}.txt': [] for split in (1, 2, 3) for kind in ('train', 'test')}
    for label, (name, videos) in enumerate(names.items()):
        for split in (1, 2, 3):
            flags = [(place + split) % 3 for place in range(3)]
            write(
                folder / f'{name}_test_split{split}.txt',
                ''.join(f'{video} {flag} \n' for video, flag in zip(videos, flags, strict=True))
                + '\n',
            )
            for video, flag in zip(videos, flags, strict=True):
                if flag:
                    kind = {1: 'train', 2: 'test'}[flag]
                    lines[f'{kind}_split{split}.txt'].append(f'{name}/{video}\t{label}')
        for video in videos:
            write_video(root / 'videos' / name / video)
    return lines, list(names)


def _imitate_diving48(root, annotations):
    write(
        annotations / 'Diving48_vocab.json',
        json.dumps([['Back', '15som', '05Twis', 'FREE'], ['Reverse', 'Dive', 'NoTwis', 'TUCK']]),
    )
    write(
        annotations / 'Diving48_V2_train.json',
        json.dumps([dict(vid_name='-mmq0PT-u8k_00155', label=0, start_frame=0, end_frame=8)]),
    )
    write(
        annotations / 'Diving48_V2_test.json',
        json.dumps([dict(vid_name='_8Vy3dlHg2w_00000', label=1, start_frame=0, end_frame=4)]),
    )
    write_video(root / 'videos/rgb/-mmq0PT-u8k_00155.mp4', 8)
    write_video(root / 'videos/_8Vy3dlHg2w_00000.mp4', 4)
    return (
        {'train.txt': ['rgb/-mmq0PT-u8k_00155.mp4\t0'], 'test.txt': ['_8Vy3dlHg2w_00000.mp4\t1']},
        ['Back 15som 05Twis FREE', 'Reverse Dive NoTwis TUCK'],
    )


def _imitate_gym99(root, annotations, name='gym99', version='_v1.1'):
    write(
        annotations / f'{name}_categories.txt',
        'Clabel: 0; set: 1; Glabel: 1; (VT) round-off, flic-flac on, salto: stretched; 1 twist\n'
        'Clabel: 1; set: 21; Glabel: 36; (FX) switch leap with 0.5 turn\n'
        'Clabel: 2; set: 31; Glabel: 120; (FX) switch leap with 0.5 turn\n',
    )
    videos = ['A0xAXXysHUo_E_002184_002237_A_0035_0036', '-LtLS9wROrk_E_000147_000152_A_0000_0005']
    write(annotations / f'{name}_train_element{version}.txt', f'{videos[0]} 2\n')
    write(annotations / f'{name}_val_element.txt', f'{videos[1]} 0\n\n')
    write_video(root / f'videos/subactions/{videos[0]}.mp4')
    write_video(root / f'videos/{videos[1]}.mp4')
    return (
        {'train.txt': [f'subactions/{videos[0]}.mp4\t2'], 'val.txt': [f'{videos[1]}.mp4\t0']},
        [
            '(VT) round-off, flic-flac on, salto: stretched; 1 twist',
            '(FX) switch leap with 0.5 turn',
            '(FX) switch leap with 0.5 turn',
        ],
    )


def _imitate_gym288(root, annotations):
    return _imitate_gym99(root, annotations, 'gym288', '_v1.0')


def _copy_video(root, names):
    """One video by many names: what it shows does not matter."""
    write_video(root / 'one.avi')
    for name in names:
        path = root / 'videos' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / 'one.avi', path)


def _imitate_weizmann(root, annotations):
    """One of the two clips of lena skipping is renamed and the other dropped, as in copies."""
    takes = {'lena_run': '12', 'lena_walk': '12'}
    clips = {
        person: [
            f'{"" if action == "jack" else action + "/"}{person}_{action}{take}.avi\t{label}'
            for label, action in enumerate(ACTIONS)
            for take in takes.get(f'{person}_{action}', ('',))
        ]
        for person in PERSONS
    }
    _copy_video(root, [line.split('\t')[0] for lines in clips.values() for line in lines])
    return _held_out(clips, {person: [person] for person in PERSONS}), ACTIONS


def _imitate_ut_interaction(root, annotations):
    """Set 1 below the publisher's folders, set 2 in one folder by names that tell the set."""
    clips, sequence = {}, 0
    for number, sequences in enumerate(UT_INTERACTION, 1):
        index = 0
        folder = ('ut-interaction_segmented_set1/segmented_set1/', 'set2_')[number - 1]
        for labels in sequences.split():
            sequence += 1
            clips[f'seq{sequence}'] = [
                f'{folder}{index + place}_{sequence}_{label}.avi\t{label}'
                for place, label in enumerate(labels)
            ]
            index += len(labels)
    _copy_video(root, [line.split('\t')[0] for lines in clips.values() for line in lines])
    names = list(clips)
    lines = {}
    for part in (names[:10], names[10:]):
        lines |= _held_out({name: clips[name] for name in part}, {name: [name] for name in part})
    across = {'set1_to_set2': names[10:], 'set2_to_set1': names[:10]}
    return lines | _held_out(clips, across), ['handshake', 'hug', 'kick', 'point', 'punch', 'push']


ACTIONS = ['bend', 'jack', 'jump', 'pjump', 'run', 'side', 'skip', 'walk', 'wave1', 'wave2']
PERSONS = ['daria', 'denis', 'eli', 'ido', 'ira', 'lena', 'lyova', 'moshe', 'shahar']
#: classes of the clips of each sequence, set 1 and set 2
UT_INTERACTION = (
    '421305 450213 421350 412035 042135 25130 054231 0244531 352401 045312',
    '425031 035142 421350 015342 104235 301425 103542 241350 014352 105342',
)


def _held_out(clips, folds):
    """Lines of the lists of folds; in the parts that train two groups validate."""
    names, lines = list(clips), {}
    for fold, tested in folds.items():
        rest = [name for name in names if name not in tested]
        later = sorted(rest, key=lambda name: names.index(name) < names.index(tested[-1]))
        parts = dict(train=rest, test=tested, inner_train=later[2:], inner_val=later[:2])
        for part, members in parts.items():
            lines[f'{part}_{fold}.txt'] = [
                line for name in names if name in members for line in clips[name]
            ]
    return lines
