"""Checkpoint files: what is read, and what is refused with which words."""

import os
import pickle
from argparse import Namespace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmaction_ext.checkpoint_file import DamagedFile, check_whole, find_weights, load_plain
from mmaction_ext.errors import InputError


class Exploit:
    """What a pickle from the internet can hold."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('new_format', [True, False])
def test_code_in_a_file_is_not_run(tmp_path, new_format):
    path = tmp_path / 'evil.pth'
    torch.save(
        {'state_dict': {'conv1.weight': torch.ones(2)}, 'x': Exploit(tmp_path / 'ran')},
        path,
        _use_new_zipfile_serialization=new_format,
    )
    with pytest.raises(InputError, match=r'evil\.pth is refused: it asks for posix\.mkdir'):
        load_plain(path)
    assert not (tmp_path / 'ran').exists()


def test_code_in_a_plain_pickle_is_not_run(tmp_path):
    path = tmp_path / 'evil.pkl'
    path.write_bytes(pickle.dumps(Exploit(tmp_path / 'ran'), protocol=2))
    with pytest.raises(InputError, match=r'evil\.pkl'):
        load_plain(path)
    assert not (tmp_path / 'ran').exists()


def test_other_objects_are_named(tmp_path):
    torch.save({'state_dict': {'a': torch.ones(1)}, 'args': Namespace(lr=1)}, tmp_path / 'a.pth')
    with pytest.raises(InputError, match=r'asks for argparse\.Namespace'):
        load_plain(tmp_path / 'a.pth')


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True))
def test_no_flipped_bit_changes_what_is_loaded(tmp_path, place):
    """Every bit of the file: most are noticed, the others are of no account (times, padding)."""
    path, content = tmp_path / 'flipped.pth', dict(a=torch.arange(500.0), b=[7, 'text'])
    torch.save(content, path)
    check_whole(path)
    whole = bytearray(path.read_bytes())
    bit = int(place * 8 * len(whole))
    whole[bit // 8] ^= 1 << bit % 8
    path.write_bytes(whole)
    try:
        check_whole(path)
        found = load_plain(path)
    except DamagedFile:
        return
    assert torch.equal(found.pop('a'), content['a']) and found == dict(b=[7, 'text'])


def test_flipped_weight_is_noticed_by_the_checksum_alone(tmp_path):
    path = tmp_path / 'flipped.pth'
    torch.save(dict(a=torch.full((1000,), 1.5)), path)
    whole = bytearray(path.read_bytes())
    whole[whole.index(torch.tensor(1.5).numpy().tobytes()) + 2] ^= 1
    path.write_bytes(whole)
    assert load_plain(path)['a'][0] != 1.5
    with pytest.raises(DamagedFile, match=r'flipped.pth is damaged \(.*data/0\)'):
        check_whole(path)


def test_file_of_old_has_no_checksums_and_passes(tmp_path):
    path = tmp_path / 'old.pth'
    torch.save(dict(a=torch.ones(3)), path, _use_new_zipfile_serialization=False)
    check_whole(path)
    with pytest.raises(InputError, match='cannot be read: No such file'):
        check_whole(tmp_path / 'gone.pth')


@pytest.mark.parametrize('damage', ['truncated', 'truncated_old', 'empty', 'page'])
def test_damaged_file(tmp_path, damage):
    path = tmp_path / 'damaged.pth'
    torch.save(
        {'state_dict': {'a': torch.ones(1000)}},
        path,
        _use_new_zipfile_serialization=damage != 'truncated_old',
    )
    whole = path.read_bytes()
    path.write_bytes({'empty': b'', 'page': b'<!DOCTYPE html>\n'}.get(damage, whole[:-500]))
    with pytest.raises(DamagedFile, match=r'damaged\.pth is damaged, or no checkpoint of torch'):
        load_plain(path)


@pytest.mark.parametrize(
    'content, message',
    [
        ([torch.ones(1)], 'other.pth has no state_dict: it holds a list'),
        ({}, 'has no state_dict'),
        ({'state_dict': {}}, 'has no state_dict'),
        ({'state_dict': {'a': torch.ones(1), 'epoch': 3}}, 'of tensors alone: it holds epoch'),
        ({'epoch': 3}, 'of tensors alone: it holds epoch'),
    ],
)
def test_content_without_weights(content, message):
    with pytest.raises(InputError, match=message):
        find_weights(content, 'other.pth')


def test_weights_keep_their_order():
    weights = {'b': torch.ones(1), 'a': torch.zeros(2)}
    for content in (weights, {'state_dict': weights, 'epoch': 3}):
        assert list(find_weights(content, 'x').items()) == list(weights.items())


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r'gone\.pth cannot be read: No such file'):
        load_plain(tmp_path / 'gone.pth')
    with pytest.raises(InputError, match='cannot be read: Is a directory'):
        load_plain(tmp_path)
