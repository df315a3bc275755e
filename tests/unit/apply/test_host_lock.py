# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock of a host between real processes, of which some are killed."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import host_lock
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError

# Says so when it has the lock, and keeps it until its input ends.
HOLD = """
import sys
sys.path[:0] = %r
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.host_lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""
# Reads a number, waits, and writes the next one: processes that do so at the same time lose some.
COUNT = """
import sys, time
sys.path[:0] = %r
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.host_lock import locked
for unused in range(20):
    with locked(sys.argv[1]):
        with open(sys.argv[2]) as stream:
            number = int(stream.read())
        time.sleep(0.001)
        with open(sys.argv[2], "w") as stream:
            stream.write(str(number + 1))
"""
PROCESSES = 4


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "lock")


@pytest.fixture
def holder(path):
    with subprocess.Popen([sys.executable, "-c", HOLD % sys.path, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_nothing_is_left_of_it(path):
    for unused in range(2):
        with host_lock.locked(path):
            assert int(pathlib.Path(path).read_text(encoding="utf-8")) == os.getpid()
        assert not os.path.exists(path)


def test_nothing_is_left_of_it_after_an_error(path):
    with pytest.raises(ValueError), host_lock.locked(path):
        raise ValueError
    assert not os.path.exists(path)


def test_who_waits_too_long_is_told_who_has_it(path, holder):
    with pytest.raises(GpuOpsError) as caught, host_lock.locked(path, patience=0.2):
        pytest.fail("two have the lock")
    assert caught.value.message.startswith("%s: %d: " % (path, holder.pid))
    assert "fix: wait until it has ended, or look at what it waits for (ps -fp %d)" % holder.pid in caught.value.message


def test_who_waits_gets_it_when_the_other_ends(path, holder):
    holder.stdin.close()
    with host_lock.locked(path):
        assert int(pathlib.Path(path).read_text(encoding="utf-8")) == os.getpid()


def test_who_is_killed_has_it_no_longer(path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    with host_lock.locked(path):
        pass
    assert not os.path.exists(path)


def test_only_one_at_a_time_has_it(path, tmp_path):
    number = tmp_path / "number"
    number.write_text("0", encoding="utf-8")
    command = [sys.executable, "-c", COUNT % sys.path, path, str(number)]
    processes = [subprocess.Popen(command) for unused in range(PROCESSES)]
    assert [process.wait(60) for process in processes] == [0] * PROCESSES
    assert number.read_text(encoding="utf-8") == str(20 * PROCESSES)


def test_who_may_not_is_told_to_become_root(path, monkeypatch):
    def refuse(*unused):
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(GpuOpsError, match=r"user: \d+: may not write .*; fix: become another one"), host_lock.locked(path):
        pytest.fail("it has the lock")
