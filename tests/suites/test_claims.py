"""Claims on shared folders: one holder at a time, the dead make room."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.suites.claims import Claim
from mmaction_ext.tracking.ledger import process

TAKER = """
import sys, time
from pathlib import Path
from mmaction_ext.suites.claims import Claim
from mmaction_ext.errors import InputError
folder, number = Path(sys.argv[1]), sys.argv[2]
while not (folder / 'go').exists():
    time.sleep(0.001)
try:
    with Claim(folder / 'launch').held(f'suite {number}'):
        (folder / f'won.{number}').touch()
        while not (folder / 'end').exists():
            time.sleep(0.005)
except InputError as error:
    (folder / f'lost.{number}').write_text(str(error))
"""


def started(tmp_path, number):
    return subprocess.Popen([sys.executable, '-c', TAKER, str(tmp_path), str(number)])


def waited_for(tmp_path, pattern, count):
    until = time.monotonic() + 60
    while len(list(tmp_path.glob(pattern))) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_of_many_at_once_one_wins_and_the_others_name_it(tmp_path):
    takers = [started(tmp_path, number) for number in range(8)]
    (tmp_path / 'go').touch()
    waited_for(tmp_path, '[wl]o*.*', 8)
    assert len(list(tmp_path.glob('won.*'))) == 1
    [winner] = [int(path.suffix[1:]) for path in tmp_path.glob('won.*')]
    for path in tmp_path.glob('lost.*'):
        assert f'process {takers[winner].pid} on {process.host()}' in path.read_text()
    (tmp_path / 'end').touch()
    assert [taker.wait() for taker in takers] == [0] * 8
    assert not list(tmp_path.glob('*.tmp'))
    with Claim(tmp_path / 'launch').held('the next'):
        pass


def test_claim_of_a_killed_process_is_free(tmp_path):
    (tmp_path / 'go').touch()
    taker = started(tmp_path, 0)
    waited_for(tmp_path, 'won.0', 1)
    claim = Claim(tmp_path / 'launch')
    assert claim.holder().pid == taker.pid
    with pytest.raises(InputError, match=f'held by process {taker.pid}'), claim.held('me'):
        pass
    taker.kill()
    taker.wait()
    assert claim.holder() is None
    with claim.held('me'):
        assert claim.holder().pid == os.getpid()
    assert claim.holder() is None
    assert len(list(tmp_path.glob('launch.*'))) == 1


def test_holder_in_another_container_of_this_machine_is_alive(tmp_path):
    """Its number is that of another process here, or of none."""
    container = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
    if not shutil.which('unshare') or subprocess.run([*container, 'true']).returncode:
        pytest.skip('this user may not make a container')
    (tmp_path / 'go').touch()
    holder = subprocess.Popen([*container, sys.executable, '-c', TAKER, str(tmp_path), '0'])
    try:
        waited_for(tmp_path, 'won.*', 1)
        with pytest.raises(InputError, match='suite 0'), Claim(tmp_path / 'launch').held('me'):
            pass
    finally:
        holder.kill()
        holder.wait()


def foreign(tmp_path, age):
    """A claim of another machine that gave its last sign of life some seconds ago."""
    claim = Claim(tmp_path / 'launch', stale=1.0)
    holder = dict(
        host='elsewhere', boot_id='b', pid=1, process_start=1, purpose='suite x', nonce='n'
    )
    file = tmp_path / 'launch.3'
    file.write_text(json.dumps(holder))
    os.utime(file, (time.time() - age,) * 2)
    return claim, file


@pytest.mark.parametrize('age', [0, 3600, -3600])
def test_holder_elsewhere_that_beats_is_alive_whatever_the_clocks_say(tmp_path, age):
    claim, file = foreign(tmp_path, age)
    stop = threading.Event()

    def beat():
        number = 0
        while not stop.wait(0.1):
            number += 1
            os.utime(file, (time.time() - age + number,) * 2)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        assert claim.holder().host == 'elsewhere'
        with pytest.raises(InputError, match='process 1 on elsewhere'), claim.held('me'):
            pass
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize('age', [3600, -3600])
def test_holder_elsewhere_without_a_sign_of_life_is_dead(tmp_path, age):
    claim, file = foreign(tmp_path, age)
    assert claim.holder() is None
    with claim.held('me'):
        assert not file.exists()
        assert claim.holder().purpose == 'me'


def test_late_stealer_does_not_win_over_a_new_holder(tmp_path):
    """One that saw number 1 dead before 2 was made, and makes 2 when 3 is there and 2 is gone."""
    claim, late = Claim(tmp_path / 'launch'), Claim(tmp_path / 'launch')
    highest, seen = late._highest, [(1, None)]
    late._highest = lambda: seen.pop() if seen else highest()
    for _ in range(2):
        with claim.held('before'):
            pass
    with claim.held('new'):
        with pytest.raises(InputError, match='is held by'):
            late._take('late')
        assert claim.holder().purpose == 'new'


def test_folder_that_cannot_be_written(tmp_path):
    with (
        pytest.raises(InputError, match='cannot be written'),
        Claim(tmp_path / 'gone' / 'x').held(''),
    ):
        pass
