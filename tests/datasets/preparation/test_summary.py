"""The report in a few lines."""

from mmaction_ext.datasets.preparation import summarise
from mmaction_ext.datasets.preparation.inspection import FAULTS
from mmaction_ext.datasets.preparation.summary import SHOWN


def counts(**values):
    kinds = dict.fromkeys([kind.replace(' ', '_') for kind in (*FAULTS, 'duplicate')], 0)
    return dict(kinds, **{'listed': 9, 'usable': 9, 'annotation_file': 'train.txt', **values})


def report(faults=(), **facts):
    return {
        **dict(
            dataset='ucf101',
            classes=101,
            check='full',
            notes=['a note'],
            root='data/u',
            splits=dict(train=counts()),
            faults=list(faults),
            written=True,
            broken=0,
            kept=[],
            skip_broken=False,
            delimiter='\t',
            media='data/u/videos',
        ),
        **facts,
    }


def fault(number, kind='missing'):
    return dict(kind=kind, name=f'v{number}', reason='not there', source='list.txt:1')


def test_sound_data():
    lines = summarise(report()).splitlines()
    assert lines[:4] == [
        'ucf101: 101 classes, check: full',
        '  train: 9 listed, 9 usable',
        'note: a note',
        'data/u: train.txt written',
    ]
    assert lines[4].startswith("for the config: type='GuardedVideoDataset'")
    assert "dict(video='data/u/videos')" in lines[4] and "delimiter='\\t'" in lines[4]
    frames = summarise(report(delimiter=' ', media='data/u/rawframes', frames={})).splitlines()[-1]
    assert "type='GuardedRawframeDataset', data_prefix=dict(img='data/u/rawframes')" in frames


def test_first_faults_are_named_and_the_others_counted():
    text = summarise(
        report(
            [fault(number) for number in range(SHOWN + 3)] + [fault(99, 'duplicate')],
            broken=SHOWN + 3,
            splits=dict(test=counts(usable=1, missing=7, frame_count=2, duplicate=1)),
        )
    )
    assert '  test: 9 listed, 1 usable, 7 missing, 2 frame count, 1 duplicate' in text
    named = [line for line in text.splitlines() if line.startswith('missing: ')]
    assert named == [f'missing: v{number} (not there; list.txt:1)' for number in range(SHOWN)]
    assert '... and 3 more, see data/u/report.json' in text and 'v99' not in text
    assert f'written without {SHOWN + 3} broken items' in text


def test_nothing_written():
    lines = summarise(report([fault(0)], written=False, broken=1)).splitlines()
    assert lines[-1] == (
        'data/u: no annotation file written, 1 items are broken; mend them and '
        'run again, or leave them out with --skip-broken'
    )
    kept = summarise(report([fault(0)], written=False, broken=1, kept=['train.txt', 'val.txt']))
    assert kept.endswith('; of an earlier run there are still train.txt, val.txt')


def test_names_move_no_cursor():
    odd = 'a\x1b[2Jb\r\nc\u202e'
    text = summarise(
        report(
            [dict(kind='missing', name=odd, reason=odd, source=odd)],
            notes=[odd],
            written=False,
            broken=1,
            kept=[odd],
        )
    )
    assert text.splitlines()[2:4] == ['note: ab c', 'missing: ab c (ab c; ab c)']
    assert text.splitlines()[4].endswith('there are still ab c') and '\x1b' not in text
