import pytest

from mmaction_ext.tracking.doctor.run_file import (
    attempt_numbers,
    attempts_in,
    is_whole,
    read_object,
)
from mmaction_ext.tracking.ledger.format import encode_object


@pytest.mark.parametrize(
    ('attempts', 'numbers'),
    [
        (None, set()),
        ('text', set()),
        ([], set()),
        ([1, None], set()),
        ([dict(number=3), dict(number=5)], {3, 5}),
        ([{}, dict(number='x'), dict(number=True)], {1, 2, 3}),
    ],
)
def test_attempts_and_their_numbers(attempts, numbers):
    content = dict(attempts=attempts)
    assert attempt_numbers(content) == numbers
    assert len(attempts_in(content)) == len(numbers)


def test_no_content_has_no_attempts():
    assert attempts_in(None) == attempts_in({}) == []


@pytest.mark.parametrize(
    ('value', 'whole'),
    [(0, True), (10**400, True), (True, False), (1.0, False), ('1', False), (None, False)],
)
def test_whole_numbers(value, whole):
    assert is_whole(value) == whole


def test_objects_in_files(tmp_path):
    path = tmp_path / 'run.json'
    assert read_object(path) is None
    path.write_text(encode_object(dict(seed=1)))
    assert read_object(path) == dict(seed=1)
    path.write_text(path.read_text().replace('1', '2', 1))
    assert read_object(path) is None
    path.write_text('[1]')
    assert read_object(path) is None and read_object(tmp_path) is None
