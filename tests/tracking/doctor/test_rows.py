import json

import pytest
from doctor_runs import history, only


def lines_of(folder) -> list:
    """Rows of a run as they lie in its file."""
    return (folder / 'metrics.jsonl').read_bytes().splitlines(keepends=True)


def write_lines(folder, lines) -> None:
    """Put others in their place."""
    (folder / 'metrics.jsonl').write_bytes(b''.join(lines))


def test_an_altered_log(runs):
    folder = runs.train()
    content = (folder / 'metrics.jsonl').read_bytes()
    (folder / 'metrics.jsonl').write_bytes(content.replace(b'2.0', b'9.0', 1))
    place, severity, text, _ = only(runs.find(), 'corrupt')
    assert (severity, place) == ('error', f'{folder}/metrics.jsonl')
    assert text == 'was altered after it was written; tables do not trust it'


@pytest.mark.parametrize('exit_code', [0, 1])
def test_rows_that_are_missing(runs, exit_code):
    folder = runs.train(exit_code=exit_code)
    assert not runs.problems()
    lines = lines_of(folder)
    for damage in (lambda: write_lines(folder, lines[:3]), (folder / 'metrics.jsonl').unlink):
        damage()
        found = runs.find()
        place, severity, text, _ = only(found, 'incomplete')
        assert (severity, place) == ('error', f'{folder}/metrics.jsonl')
        assert 'rows are missing' in text
        assert not {'corrupt', 'truncated'} & {check for check, _ in found}


@pytest.mark.parametrize('place', [0, 4, -1])
def test_a_row_that_was_taken_out_though_a_later_attempt_wrote_more(runs, place):
    folder = runs.train(exit_code=1)
    lines = lines_of(folder)
    del lines[place]
    write_lines(folder, lines)
    runs.append(folder, history(None, 6), number=2)
    runs.attempt(folder, [], exit_code=None)
    where, severity, text, _ = only(runs.find(), 'corrupt')
    assert (severity, where) == ('error', f'{folder}/metrics.jsonl')
    assert 'lacks rows of attempt 1 that were there when it ended' in text


@pytest.mark.parametrize('later', [0, 20])
def test_a_test_of_which_row_and_result_file_were_removed(runs, later):
    """Whether or not another attempt that was killed has made up for the bytes."""
    folder = runs.train()
    (folder / 'results/1-8.json').unlink()
    write_lines(folder, lines_of(folder)[:-1])
    if later:
        runs.attempt(folder, history(None, later), exit_code=None)
    problems = {check for check, place in runs.problems() if place == f'{folder}/metrics.jsonl'}
    assert problems == {'corrupt' if later else 'incomplete'}


def test_a_run_that_failed_before_its_first_row(runs):
    folder = runs.train(exit_code=2, metrics_bytes=None)
    (folder / 'metrics.jsonl').unlink()
    assert only(runs.find(), 'incomplete')[1] == 'note'
    [entry] = json.loads((folder / 'run.json').read_text())['attempts']
    runs.change(folder, attempts=[dict(entry, metrics_bytes=0)])
    assert 'incomplete' not in {check for check, _ in runs.find()}


def test_a_log_that_was_cut_by_a_kill(runs):
    folder = runs.train(exit_code=None)
    with open(folder / 'metrics.jsonl', 'r+b') as file:
        file.truncate((folder / 'metrics.jsonl').stat().st_size - 5)
    place, severity, *_ = only(runs.find(), 'truncated')
    assert (place, severity) == (f'{folder}/metrics.jsonl', 'note')


def test_a_result_file_that_is_gone(runs):
    folder = runs.train()
    (folder / 'results/1-8.json').rename(folder / 'results/1-80.json')
    runs.change(folder / 'results/1-80.json', finished=False)
    place, severity, *_ = only(runs.find(), 'result gone')
    assert (severity, place) == ('warning', f'{folder}/results/1-8.json')


def test_without_run_json_nothing_is_said_of_alterations(runs):
    folder = runs.train()
    runs.append(folder, history(None), number=2)
    (folder / 'run.json').unlink()
    found = runs.find()
    assert ('half-written', folder.as_posix()) in found
    assert not {'corrupt', 'attempts', 'incomplete'} & {check for check, _ in found}


def test_rows_of_an_attempt_that_run_json_does_not_know(runs):
    folder = runs.train()
    runs.change(folder, attempts=[])
    assert 'of which run.json does not tell' in only(runs.find(), 'corrupt')[2]
