"""Weizmann: nine persons, each tested by what the others train."""

import pytest

from mmaction_ext.datasets.publishers.weizmann import CLASSES, PERSONS, read_weizmann
from mmaction_ext.errors import InputError


def lay_out(root, *extra, single=True):
    """Empty files: the reader looks at names alone."""
    takes = {} if single else dict.fromkeys(('lena_run', 'lena_skip', 'lena_walk'), '12')
    stems = [f'{person}_{name}' for person in PERSONS for name in CLASSES]
    names = [f'{stem}{take}.avi' for stem in stems for take in takes.get(stem, ('',))]
    for name in (*names, *extra):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def files(publication, split):
    return [item.stems[0] for item in publication.splits[split]]


@pytest.mark.parametrize('single, number', [(True, 90), (False, 93)])
def test_no_person_is_on_both_sides_and_every_clip_is_tested_once(tmp_path, single, number):
    found = read_weizmann(lay_out(tmp_path, single=single))
    tested = [file for person in PERSONS for file in files(found, f'test_{person}')]
    assert len(tested) == len(set(tested)) == number
    for person in PERSONS:
        parts = {
            part: files(found, f'{part}_{person}')
            for part in ('train', 'test', 'inner_train', 'inner_val')
        }
        people = {part: {file.split('_')[0] for file in each} for part, each in parts.items()}
        assert people['test'] == {person} and person not in people['train']
        assert sorted(parts['inner_train'] + parts['inner_val']) == sorted(parts['train'])
        assert not people['inner_train'] & people['inner_val'] and len(people['inner_val']) == 2
        for part in parts:
            assert {item.label for item in found.splits[f'{part}_{person}']} == set(range(10))
    validated = [file for person in PERSONS for file in files(found, f'inner_val_{person}')]
    assert all(validated.count(file) == 2 for file in tested)


def test_what_is_not_there_is_missed_by_its_name(tmp_path):
    root = lay_out(tmp_path, single=False)
    (root / 'lena_walk2.avi').unlink()
    (root / 'ido_wave2.avi').unlink()
    found = read_weizmann(root)
    assert 'lena_walk2.avi' in files(found, 'test_lena')
    assert 'ido_wave2.avi' in files(found, 'test_ido')


@pytest.mark.parametrize(
    ('extra', 'reason'),
    [
        ('anna_bend.avi', 'anna_bend.avi: expected <person>_<class>'),
        ('daria_wave.avi', 'daria_wave.avi: expected'),
        ('daria_bend2.avi', 'daria_bend2.avi: expected'),
        ('jack/daria_bend.avi', 'of bend by its name, of jack by its folder'),
        ('bend/daria_bend.avi', '/daria_bend.avi and .*bend/daria_bend.avi are the same clip'),
        ('lena_run1.avi', 'lena_run1.avi and .*/lena_run.avi are the same clip'),
        ('daria_bend.mp4', 'daria_bend.mp4 and .*/daria_bend.avi are the same clip'),
    ],
)
def test_what_contradicts_is_named(tmp_path, extra, reason):
    with pytest.raises(InputError, match=reason):
        read_weizmann(lay_out(tmp_path, extra))


@pytest.mark.parametrize('name', ['gone', '.'])
def test_no_videos_are_named(tmp_path, name):
    with pytest.raises(InputError, match=r'holds no videos, as daria_bend\.avi'):
        read_weizmann(tmp_path / name)
