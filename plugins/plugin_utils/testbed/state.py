# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known about an instance between two commands: DIR/state.json, guarded by DIR.lock."""

from __future__ import annotations

import contextlib
import fcntl
import json
import secrets
import time

from .paths import make_private, write_private


def load(directory):
    """Return the recorded state, or None when there is no (readable) record."""
    try:
        state = json.loads((directory / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and "instance" in state else None


def save(directory, state):
    """Write the record."""
    write_private(directory / "state.json", json.dumps(state, indent=2, sort_keys=True) + "\n")


def new(name, options):
    """Return the record of an instance that has no process yet."""
    return {
        "name": name,
        "instance": secrets.token_hex(8),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "options": options,
        "ports": {},
        "versions": {},
        "programs": {},
        "processes": [],
    }


@contextlib.contextmanager
def locked(directory, waiting=lambda: None):
    """Hold the instance's lock: two commands on one instance follow each other; a killed holder frees it."""
    make_private(directory.parent)
    # Beside the directory, because the directory goes away while the lock is held.
    with open(str(directory.parent / ("." + directory.name + ".lock")), "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
