import pytest

from mmaction_ext.tables.protocol import describe, fixed, mismatch


def test_describe():
    assert describe({}) == ''
    assert (
        describe(dict(other=1, num_crops=3, num_clips=10, clip_len=None, resolution=(256, 340)))
        == 'num_clips 10, num_crops 3, '
        'resolution 256×340, other 1'
    )


@pytest.mark.parametrize(
    'found, wanted, text',
    [
        ({}, dict(num_clips=10), ''),
        (dict(num_clips=None), dict(num_clips=10), ''),
        (dict(num_clips=10, clip_len=8), dict(num_clips=10), ''),
        (dict(resolution=[224, 224]), dict(resolution=(224, 224)), ''),
        (dict(num_clips=1), dict(num_clips='any'), ''),
        (
            dict(num_clips=1, num_crops=3),
            dict(num_clips=10, num_crops=1),
            'num_clips 1 instead of 10, num_crops 3 instead of 1',
        ),
    ],
)
def test_mismatch(found, wanted, text):
    assert mismatch(found, wanted) == text


def test_fixed():
    assert fixed(dict(num_clips=10, clip_len='any')) == dict(num_clips=10)
