"""Calls in another thread: in order, none lost but those refused, no endless wait."""

import signal
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.tracking.writing.wandb_writer import Writer

#: longer than any test waits for what does happen
SECONDS = 60


@pytest.fixture
def gate():
    """Event at which calls wait, so that others pile up behind them."""
    event = threading.Event()
    yield event
    event.set()


def stuck(capacity, gate, patience=0.0):
    """A writer that is at a call which waits for the gate."""
    writer, begun = Writer(capacity, patience), threading.Event()
    writer.put(lambda: begun.set() or gate.wait())
    assert begun.wait(SECONDS)
    return writer


@given(st.lists(st.integers(), max_size=50))
def test_calls_are_made_in_their_order(values):
    writer, made = Writer(capacity=100, patience=0), []
    assert all(writer.put(made.append, value) for value in values)
    assert writer.drain(SECONDS) and made == values
    writer.end_with(lambda: None, SECONDS)


def test_calls_beyond_the_capacity_are_refused_and_the_others_made(gate):
    writer, made = stuck(3, gate, patience=0.05), []
    assert [writer.put(made.append, number) for number in range(5)] == [True] * 3 + [False] * 2
    assert not writer.drain(0.01) and made == []
    gate.set()
    assert writer.drain(SECONDS) and made == [0, 1, 2]
    assert writer.put(made.append, 'later') and writer.drain(SECONDS) and made[-1] == 'later'
    writer.end_with(lambda: None, SECONDS)


def test_room_is_waited_for(gate):
    writer, made = stuck(1, gate, patience=SECONDS), []
    timer = threading.Timer(0.05, gate.set)
    timer.start()
    assert all(writer.put(made.append, number) for number in range(20))
    assert writer.drain(SECONDS) and made == list(range(20))
    writer.end_with(lambda: None, SECONDS)


def test_calls_that_wait_when_it_ends_are_not_made(gate):
    writer, made = stuck(5, gate), []
    writer.put(made.append, 1)
    with pytest.raises(TimeoutError, match=r'0.01 s'):
        writer.end_with(lambda: made.append('last'), 0.01)
    gate.set()
    [thread] = [each for each in threading.enumerate() if each.name == 'W&B writer']
    thread.join(SECONDS)
    assert made == ['last'] and not thread.is_alive()


def test_signal_handler_may_use_it_while_the_program_waits_for_room(gate):
    writer, made, drained = stuck(1, gate, patience=SECONDS), [], []

    def handle(signum, frame):
        gate.set()
        drained.append(writer.put(made.append, 'handler') and writer.drain(SECONDS))

    writer.put(made.append, 0)
    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        assert writer.put(made.append, 1) and writer.drain(SECONDS)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert (made, drained) == ([0, 'handler', 1], [True])
    writer.end_with(lambda: None, SECONDS)


def test_failure_of_the_last_call_is_raised():
    with pytest.raises(ZeroDivisionError):
        Writer(capacity=1, patience=0).end_with(lambda: 1 / 0, SECONDS)


def test_second_end_waits_for_the_first(gate):
    writer, made = stuck(1, gate), []
    with pytest.raises(TimeoutError):
        writer.end_with(lambda: made.append('first'), 0.01)
    gate.set()
    writer.end_with(lambda: made.append('second'), SECONDS)
    assert made == ['first']
