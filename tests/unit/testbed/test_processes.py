# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes are known by pid and start time, and only those are ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import processes
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.errors import TestbedError

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
]


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "logs").mkdir()
    yield tmp_path
    processes.stop(processes.marked(tmp_path), grace=0.0)


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_started_process_runs_detached_and_is_ended_by_its_record(directory):
    record = processes.start("sleeper", SLEEP, directory)
    assert processes.alive(record)
    assert os.getsid(record["pid"]) == record["pid"] != os.getsid(0)
    processes.stop([record])
    assert not processes.alive(record)


def test_a_newer_process_with_the_same_pid_is_neither_alive_nor_ended(directory):
    record = processes.start("sleeper", SLEEP, directory)
    reused = dict(record, start_time=record["start_time"] - 1)
    assert not processes.alive(reused)
    processes.stop([reused], grace=0.0)
    assert processes.alive(record)


def test_one_that_does_not_listen_is_killed(directory):
    record = processes.start("stubborn", STUBBORN, directory)
    until(lambda: "deaf" in processes.log_tail(directory, "stubborn"))
    processes.stop([record], grace=0.2)
    assert not processes.alive(record)


def test_a_process_that_ended_by_itself_is_not_alive(directory):
    record = processes.start("short", [sys.executable, "-c", "pass"], directory)
    until(lambda: not processes.alive(record))


def test_a_process_nobody_recorded_is_found_by_its_instance(directory, tmp_path_factory):
    record = processes.start("sleeper", SLEEP, directory)
    other = tmp_path_factory.mktemp("other")
    until(lambda: [each["pid"] for each in processes.marked(directory)] == [record["pid"]])
    assert processes.marked(other) == []


def test_output_is_appended_and_only_the_new_part_shown(directory):
    until_over = []
    for word in ("first", "second"):
        since = processes.log_size(directory, "speaker")
        until_over.append(processes.start("speaker", [sys.executable, "-c", "print('%s')" % word], directory))
        until(lambda: not processes.alive(until_over[-1]))
    assert processes.log_tail(directory, "speaker") == "first\nsecond"
    assert processes.log_tail(directory, "speaker", since) == "second"


def test_the_users_cluster_is_not_handed_on(directory, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/somewhere")
    record = processes.start("speaker", [sys.executable, "-c", "import os; print(sorted(os.environ))"], directory, {"GIVEN": "1"})
    until(lambda: not processes.alive(record))
    said = processes.log_tail(directory, "speaker")
    assert "GIVEN" in said and "KUBECONFIG" not in said


def test_a_program_that_is_not_there_is_named(directory):
    with pytest.raises(TestbedError, match="ghost cannot be started: /nowhere/ghost"):
        processes.start("ghost", ["/nowhere/ghost"], directory)


def test_a_process_whose_first_thread_ended_is_alive_until_its_last_one_has(directory):
    # As servers are for a moment after a kill; here the first thread leaves on purpose.
    code = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(600,)).start(); ctypes.CDLL(None).pthread_exit(None)"
    record = processes.start("headless", [sys.executable, "-c", code], directory)
    stat = "/proc/%d/stat" % record["pid"]
    until(lambda: open(stat, encoding="utf-8").read().rpartition(")")[2].split()[0] == "Z")
    assert processes.alive(record)
    subprocess.run(["kill", "-KILL", str(record["pid"])], check=True)
    until(lambda: not processes.alive(record))
