"""Left and right in the names of classes."""

import pytest

from mmaction_ext.datasets.flips import (
    SOMETHING_FLIP_LABELS,
    SOMETHING_SIDES,
    flip_label_map,
    mirrored_name,
    read_labels,
    sided_classes,
)
from mmaction_ext.errors import InputError

#: neighbours in the alphabet, and names that only seem to name a side
LABELS = sorted(
    [
        *SOMETHING_SIDES,
        'Putting something upright on the table',
        'Holding something',
        'Laying something on the table on its side, not upright',
        'Turning the camera upwards while filming something',
    ]
)


@pytest.mark.parametrize(
    'name, expected',
    [
        ('Pushing something from left to right', 'Pushing something from right to left'),
        ('Left turn', 'Right turn'),
        ('Putting something upright on the table',) * 2,
        ('Something leftover, brightly lit',) * 2,
    ],
)
def test_mirrored_names(name, expected):
    assert mirrored_name(name) == expected
    assert mirrored_name(expected) == name


def test_map_pairs_the_mirror_images_and_nothing_else():
    pairs = {LABELS[one]: LABELS[other] for one, other in flip_label_map(LABELS).items()}
    assert pairs.keys() == set(SOMETHING_SIDES)
    assert all(mirrored_name(name) == other for name, other in pairs.items())
    assert pairs['Turning the camera left while filming something'] == SOMETHING_SIDES[5]
    assert sided_classes(LABELS) == flip_label_map(LABELS).keys()


def test_map_is_its_own_inverse_and_follows_the_order():
    for labels in (LABELS, LABELS[::-1]):
        mapping = flip_label_map(labels)
        assert all(mapping[mapping[number]] == number != mapping[number] for number in mapping)


def test_names_of_the_full_list_lie_where_the_constant_says():
    """The constant's ids, from the number of names of the 174 that come before each of the six."""
    labels = [f'{chr(0)}{number:03}' for number in range(86)] + list(SOMETHING_SIDES[:2])
    labels += [f'Pullz {number}' for number in range(5)] + list(SOMETHING_SIDES[2:4])
    labels += [f'Putting {number:03}' for number in range(71)] + list(SOMETHING_SIDES[4:])
    assert labels == sorted(labels) and flip_label_map(labels) == SOMETHING_FLIP_LABELS


def test_class_without_a_mirror_image_can_only_be_skipped():
    labels = ['waving the left hand', 'waving']
    assert sided_classes(labels) == {0}
    with pytest.raises(InputError, match="class 0, 'waving the left hand', has no mirror image"):
        flip_label_map(labels)


def test_data_sets_without_sides_have_nothing_to_swap():
    assert flip_label_map(['brush_hair', 'bright', 'upright']) == {}


def test_class_list_is_read(tmp_path):
    (tmp_path / 'classes.txt').write_text('a b\nc\n')
    assert read_labels(tmp_path / 'classes.txt') == ['a b', 'c']
    (tmp_path / 'classes.txt').write_text('a\n\nc\n')
    with pytest.raises(InputError, match=r'classes.txt:2: a class has no name'):
        read_labels(tmp_path / 'classes.txt')
    with pytest.raises(InputError, match=r'gone.txt cannot be read: No such file'):
        read_labels(tmp_path / 'gone.txt')
