# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes of a testbed: started detached, remembered by pid and start time, ended only by that record."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from .errors import TestbedError

# Each process carries its instance's directory in its environment: one that was started and then not recorded,
# because this program was killed in between, is found by it.
MARK = "GPUOPS_TESTBED_DIRECTORY"
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")


def start_time(pid):
    """Return the kernel's start time of a living process in clock ticks since boot, else None."""
    try:
        fields = Path("/proc/%d/stat" % pid).read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    # What follows the command name starts with field 3 (state); field 20 is the number of threads, field 22 the start time.
    # A process whose first thread has ended looks like a zombie, but holds its ports until the last one has.
    gone = fields[0] == "X" or fields[0] == "Z" and int(fields[17]) <= 1
    return None if gone else int(fields[19])


def start(name, command, directory, environment=None):
    """Start a program in a session of its own, its output appended to logs/NAME.log; return its record."""
    log = directory / "logs" / (name + ".log")
    env = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    env.update(environment or {})
    env[MARK] = str(directory)
    with open(str(log), "ab") as output:
        try:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=str(directory),
                env=env,
            )
        except OSError as error:
            raise TestbedError("%s cannot be started: %s: %s" % (name, command[0], error)) from error
    # This object is not waited for: the process is to outlive us.
    process.returncode = 0
    return {"name": name, "pid": process.pid, "start_time": start_time(process.pid)}


def alive(record):
    """Tell whether the recorded process runs; a newer process with the same pid is not it."""
    _reap(record["pid"])
    return record["start_time"] is not None and start_time(record["pid"]) == record["start_time"]


def _reap(pid):
    """Collect the process if it is an ended child of ours, which would stay a zombie otherwise."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except OSError:
        pass  # not our child: whoever is its parent collects it


def stop(records, grace=3.0):
    """End the recorded processes together: ask them, wait that many seconds, then kill; return when all are gone."""
    _signal(records, signal.SIGTERM)
    if _gone(records, grace):
        return
    _signal(records, signal.SIGKILL)
    if not _gone(records, 30.0):
        left = ", ".join("%s (pid %d)" % (each["name"], each["pid"]) for each in records if alive(each))
        raise TestbedError("these processes did not end although they were killed: %s" % left)


def _signal(records, number):
    for record in records:
        if alive(record):
            try:
                os.kill(record["pid"], number)
            except ProcessLookupError:
                pass


def _gone(records, seconds):
    deadline = time.monotonic() + seconds
    while any(alive(record) for record in records):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def marked(directory):
    """Return records of all processes that were started for this instance, recorded or not."""
    mark = ("%s=%s" % (MARK, directory)).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        began = start_time(int(entry.name))
        if began is not None and mark in environment.split(b"\0"):
            found.append({"name": _command(entry), "pid": int(entry.name), "start_time": began})
    return found


def _command(entry):
    try:
        return (entry / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "?"


def log_size(directory, name):
    """Return how long the log is now, to read later only what came after."""
    path = directory / "logs" / (name + ".log")
    return path.stat().st_size if path.exists() else 0


def log_tail(directory, name, since=0, lines=8):
    """Return the last lines of a log."""
    path = directory / "logs" / (name + ".log")
    if not path.exists():
        return ""
    with open(str(path), "rb") as file:
        file.seek(max(since, path.stat().st_size - 20000))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
