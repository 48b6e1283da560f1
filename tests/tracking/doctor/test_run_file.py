from mmaction_ext.tracking.doctor.run_file import (
    attempt_numbers,
    attempts_in,
    read_object,
    read_run,
)
from mmaction_ext.tracking.ledger.format import encode_object
from mmaction_ext.tracking.ledger.forms import RunFile


def test_attempts_and_their_numbers():
    """By their place, where they do not tell."""
    run = RunFile.of(dict(attempts=[dict(number=3), {}, dict(number=5)]))
    assert attempt_numbers(run) == {2, 3, 5} and len(attempts_in(run)) == 3
    assert attempts_in(None) == attempts_in(RunFile()) == []


def test_run_file_of_a_folder(tmp_path):
    assert read_run(tmp_path) is None
    path = tmp_path / 'run.json'
    path.write_text(encode_object(dict(seed=1)))
    assert read_run(tmp_path) == RunFile(seed=1)
    path.write_text(encode_object(dict(seed='1')))
    assert read_run(tmp_path) is None and read_object(path) == dict(seed='1')


def test_objects_in_files(tmp_path):
    path = tmp_path / 'run.json'
    assert read_object(path) is None
    path.write_text(encode_object(dict(seed=1)))
    assert read_object(path) == dict(seed=1)
    path.write_text(path.read_text().replace('1', '2', 1))
    assert read_object(path) is None
    path.write_text('[1]')
    assert read_object(path) is None and read_object(tmp_path) is None
