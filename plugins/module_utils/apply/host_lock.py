# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""One process at a time on a host: what a killed run has started goes on beside the next run, and two runs at once would mix what they write."""

from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.wait import wait_for
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError, Problem

PATH = "/run/gpuops-kube-node.lock"
# What the lock is held for takes seconds: files are moved, and services are not waited for.
PATIENCE = 120.0


@contextlib.contextmanager
def locked(path: str = PATH, patience: float = PATIENCE) -> t.Iterator[None]:
    """Keep other processes out while entered; wait up to C(patience) seconds for the one that is in.

    Raises: GpuOpsError naming that process.
    """
    met, handle = wait_for(lambda: take(path), lambda found: found is not None, timeout=patience, sleep=0.1)
    if not met:
        raise GpuOpsError(busy(path).text())
    try:
        yield
    finally:
        os.unlink(path)
        os.close(t.cast(int, handle))


def take(path: str) -> t.Optional[int]:
    """Return the open file that is the lock, or None when another process has it. The kernel gives it back when its process ends, however it ends."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except PermissionError:
        raise GpuOpsError(Problem("user", os.geteuid(), "may not write %s" % path, "become another one, such as root (become: true)").text()) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it may have removed the file meanwhile, and then the lock is another file.
        if os.path.samestat(os.fstat(handle), os.stat(path)):
            os.ftruncate(handle, 0)
            os.write(handle, b"%d\n" % os.getpid())
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


def busy(path: str) -> Problem:
    """Return that another process does not let go of the lock."""
    try:
        with open(path, encoding="utf-8") as stream:
            process = stream.read().strip()
    except FileNotFoundError:
        process = ""
    fix = "wait until it has ended, or look at what it waits for (ps -fp %s) and end it, and run again" % (process or "PID")
    return Problem(path, process and int(process), "this process of another run is at work on the host, and one at a time may be", fix)
