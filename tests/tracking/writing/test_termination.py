"""What happens on SIGTERM and SIGUSR1, in programs that really get them."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from mmaction_ext.tracking.writing import termination

HEAD = """
import os, signal, sys, time
from mmaction_ext.tracking.writing import termination
from mmaction_ext.tracking.writing.termination import at_preemption, at_termination, remove

def say(text):
    return lambda signum: os.write(1, f'{text} {signum}\\n'.encode())

"""
TAIL = "\nprint('going', flush=True)\ntime.sleep(60)\nprint('awake')\n"


def start(program):
    child = subprocess.Popen(
        [sys.executable, '-c', HEAD + program + TAIL],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout.readline() == 'going\n'
    return child


def terminate(program):
    """Exit code, lines of output and of errors of a program that gets SIGTERM."""
    child = start(program)
    child.terminate()
    output, errors = child.communicate(timeout=60)
    return child.returncode, output.split('\n')[:-1], errors.split('\n')[:-1]


def test_last_registered_is_called_first_and_the_process_dies_of_the_signal():
    assert terminate("at_termination(say('a'))\nat_termination(say('b'))") == (
        -signal.SIGTERM,
        ['b 15', 'a 15'],
        [],
    )


def test_failing_callback_is_named_and_keeps_no_other_from_running():
    code, output, errors = terminate("""
at_termination(say('a'))
def fail(signum):
    raise KeyboardInterrupt('on the way')
at_termination(fail)
""")
    assert (code, output) == (-signal.SIGTERM, ['a 15'])
    assert errors == ['KeyboardInterrupt while handling signal 15: on the way']


def test_removed_callback_is_not_called():
    code, output, _ = terminate("""
a, b = say('a'), say('b')
at_termination(a), at_termination(b)
remove(a)
""")
    assert (code, output) == (-signal.SIGTERM, ['b 15'])


def test_repeated_signal_does_not_break_off_what_the_first_began():
    code, output, _ = terminate("""
def slow(signum):
    os.kill(os.getpid(), signum)
    say('slow')(signum)
at_termination(slow)
""")
    assert (code, output) == (-signal.SIGTERM, ['slow 15'])


def test_callback_that_hangs_does_not_keep_the_process_alive():
    code, output, _ = terminate("""
termination.CALLBACK_SECONDS = 1
at_termination(lambda signum: time.sleep(600))
""")
    assert (code, output) == (-signal.SIGALRM, [])


DECIDE = """
at_termination(say('end'))
termination.at_postponement(say('later'))
def finish(signum):
    say('asked')(signum)
    threading.Timer(0.2, lambda: steps.append(1)).start()
    return True
import threading
steps = []
with termination.decide(finish):
    print('going', flush=True)
    while not steps:
        time.sleep(0.01)
    {then}
"""


def test_death_is_postponed_for_a_step():
    code, output, _ = terminate(
        DECIDE.format(then="print('saved', flush=True); termination.die()")
    )
    assert (code, output) == (-signal.SIGTERM, ['asked 15', 'later 15', 'saved', 'end 15'])


def test_step_that_takes_too_long_is_not_waited_for():
    limit = 'termination.CALLBACK_SECONDS = 1\n'
    code, output, _ = terminate(limit + DECIDE.format(then='time.sleep(60)'))
    assert (code, output) == (-signal.SIGALRM, ['asked 15', 'later 15'])


def test_decider_of_a_warning_may_end_the_program():
    child = start("""
at_preemption(say('warned'))
def stop(signum):
    raise SystemExit(75)
decision = termination.decide(stop)
decision.__enter__()
""")
    child.send_signal(signal.SIGUSR2)
    assert child.communicate(timeout=60)[0] == 'warned 12\n' and child.returncode == 75


FORK = """
at_termination(say('parent'))
at_preemption(say('parent'))
ready, tell = os.pipe()
child = os.fork()
if child == 0:
{in_child}
    os.write(tell, b'!')
    time.sleep(60)
    os._exit(0)
os.read(ready, 1)
os.kill(child, signal.SIGUSR1)
os.kill(child, signal.SIGTERM)
assert os.waitpid(child, 0)[1] == signal.SIGTERM
"""


def test_forked_process_runs_none_of_its_parents_callbacks():
    code, output, _ = terminate(FORK.format(in_child='    pass'))
    assert (code, output) == (-signal.SIGTERM, ['parent 15'])


def test_forked_process_has_callbacks_of_its_own(tmp_path):
    leave = f"    at_termination(lambda signum: open({str(tmp_path / 'left')!r}, 'w').close())"
    code, output, _ = terminate(FORK.format(in_child=leave))
    assert (code, output) == (-signal.SIGTERM, ['parent 15'])
    assert (tmp_path / 'left').exists()


def test_program_goes_on_after_a_warning_of_preemption():
    child = start("at_preemption(say('a'))\nat_preemption(say('b'))\nat_termination(say('end'))")
    for _ in range(2):
        child.send_signal(signal.SIGUSR1)
        assert [child.stdout.readline() for _ in 'ba'] == ['b 10\n', 'a 10\n']
    child.terminate()
    assert child.communicate(timeout=60)[0] == 'end 15\n'
    assert child.returncode == -signal.SIGTERM


@pytest.fixture
def handlers():
    """The handlers that a test must leave behind."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGUSR1)}
    yield before
    assert {signum: signal.getsignal(signum) for signum in before} == before


def test_without_callbacks_the_signal_does_what_it_did_before(handlers):
    seen = []
    signal.signal(signal.SIGUSR1, lambda signum, frame: seen.append('before'))
    first, second = (lambda signum: seen.append('first')), (lambda signum: seen.append('second'))
    termination.at_preemption(first), termination.at_preemption(second)
    for callback in (first, second, second):
        os.kill(os.getpid(), signal.SIGUSR1)
        termination.remove(callback)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert seen == ['second', 'first', 'second', 'before', 'before']
    signal.signal(signal.SIGUSR1, handlers[signal.SIGUSR1])


def test_outside_the_main_thread_nothing_is_handled_and_nothing_fails(handlers):
    def callback(signum):
        raise AssertionError

    def work():
        termination.at_termination(callback)
        termination.remove(callback)

    failed = []
    thread = threading.Thread(target=work)
    hook, threading.excepthook = threading.excepthook, lambda args: failed.append(args)
    thread.start(), thread.join()
    threading.excepthook = hook
    assert not failed


def test_callback_of_another_thread_is_called_once_the_main_thread_handles_the_signal():
    code, output, _ = terminate("""
import threading
thread = threading.Thread(target=at_termination, args=(say('thread'),))
thread.start(), thread.join()
at_termination(say('main'))
""")
    assert (code, output) == (-signal.SIGTERM, ['main 15', 'thread 15'])
