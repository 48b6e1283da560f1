import time

import ledger_runs
import pytest
from doctor_runs import history, only

from mmaction_ext.errors import Diverged


def test_a_run_whose_process_is_dead_is_found_and_a_living_one_is_not(runs, hold):
    folder = runs.train(exit_code=None, last=5)
    lock = hold(folder)
    assert not runs.problems()
    lock.close()
    runs.change(folder, attempts=[ledger_runs.attempt(exit_code=None)])
    place, severity, text, advice = only(runs.find(), 'killed')
    assert (severity, place) == ('warning', folder.as_posix())
    assert text == 'its process died at iteration 5 without a word' and '--resume' in advice


def test_a_process_without_a_sign_of_life(runs, hold):
    folder = runs.train(exit_code=None, last=5)
    hold(folder)
    ledger_runs.beat(folder, 60, time.time())
    assert not runs.problems()
    ledger_runs.beat(folder, 3600, time.time())
    assert only(runs.find(), 'silent')[1:3] == (
        'warning',
        'its process lives, but gives no sign of life',
    )


def test_a_run_that_was_ended_by_a_signal(runs):
    folder = runs.train(exit_code=143, signal='SIGTERM', last=5)
    place, severity, text, advice = only(runs.find(), 'ended')
    assert (severity, place) == ('warning', folder.as_posix())
    assert text == 'was ended by SIGTERM at iteration 5' and '--resume' in advice


def test_a_run_that_failed_by_itself_is_no_finding(runs):
    runs.train(exit_code=1, last_error='ValueError: no')
    assert not runs.problems()


def test_a_run_that_diverged_is_not_to_be_tested_again(runs):
    folder = runs.train(exit_code=3, last_error=str(Diverged('no loss')), last=5)
    place, severity, text, advice = only(runs.find(), 'diverged')
    assert (place, severity) == (folder.as_posix(), 'warning') and 'at iteration 5' in text
    assert advice.startswith('change its recipe')


def test_attempts_are_told_where_run_json_knows_them(runs):
    folder = runs.train(exit_code=None, last=5)
    assert 'attempts' not in {check for check, _ in runs.find()}
    runs.attempt(folder, history(None), exit_code=0)
    place, severity, text, _ = only(runs.find(), 'attempts')
    assert (place, severity, text) == (folder.as_posix(), 'note', 'was made in 2 attempts')
    (folder / 'run.json').unlink()
    assert 'attempts' not in {check for check, _ in runs.find()}


def test_only_a_ledger_tells_of_a_run(runs):
    folder = runs.train()
    assert only(runs.find(), 'no W&B log')[:2] == (folder.as_posix(), 'note')


@pytest.mark.parametrize(
    'facts, text',
    [
        (dict(wandb_rows_missing=3, wandb_closed=True), 'W&B did not take 3 of its rows'),
        (
            dict(wandb_rows_missing=0, wandb_closed=False),
            'W&B did not close its log in time, which may lack rows',
        ),
    ],
)
def test_what_is_lacking_at_wandb(runs, facts, text):
    folder = runs.train(wandb='vis_data/wandb/run-1.wandb', **facts)
    assert only(runs.find(), 'W&B behind')[:3] == (folder.as_posix(), 'note', text)
    assert not runs.problems()


@pytest.mark.parametrize(
    'facts', [dict(wandb_rows_missing=0, wandb_closed=True), dict(wandb_closed=False), dict()]
)
def test_a_mirror_that_has_all_or_was_off_is_no_finding(runs, facts):
    runs.train(**facts)
    assert 'W&B behind' not in {check for check, _ in runs.find()}


@pytest.mark.parametrize('number', [7, 9])
def test_sources_that_disagree(runs, number):
    """A row and the result file of the same test."""
    folder = runs.train(top1=number / 10)
    runs.change(folder / 'results/1-8.json', metrics={'test/acc/top1': 0.8})
    place, severity, text, _ = only(runs.find(), 'conflict')
    assert (place, severity) == (folder.as_posix(), 'error') and f'{number / 10}' in text
