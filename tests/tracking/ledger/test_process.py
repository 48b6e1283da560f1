"""Processes and machines by names that are not used twice."""

import os
import subprocess
import sys

from mmaction_ext.tracking.ledger import process


def test_start_of_a_process_is_its_own_and_stays():
    own = process.process_start()
    assert own == process.process_start(os.getpid()) > 0
    child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
    try:
        assert process.process_start(child.pid) >= own
        assert process.process_start(child.pid) == process.process_start(child.pid)
    finally:
        child.communicate(b'\n')
    assert process.process_start(child.pid) is None


def test_start_of_a_process_whose_command_has_spaces_and_brackets(tmp_path):
    command = tmp_path / 'a) 1 2 (b'
    command.symlink_to('/bin/sleep')
    child = subprocess.Popen([str(command), '60'])
    try:
        later = process.process_start(child.pid)
        assert isinstance(later, int) and later >= process.process_start()
    finally:
        child.kill()
        child.wait()


def test_machine_has_a_name_and_a_boot():
    assert process.host() == os.uname().nodename
    assert len(process.boot_id()) == 36 and process.boot_id() == process.boot_id()
