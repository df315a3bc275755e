# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Waiting for a condition: it is met, it has failed for good, or time is up."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError

State = t.TypeVar("State")


class WaitFailed(GpuOpsError):
    """The condition can no longer be met."""


def wait_for(
    observe: t.Callable[[], State],
    done: t.Callable[[State], bool],
    failed: t.Callable[[State], t.Optional[str]] = lambda state: None,
    timeout: float = 300.0,
    sleep: float = 2.0,
    clock: t.Any = time,
) -> t.Tuple[bool, State]:
    """Observe until done; return whether it was met in time, and the last state seen.

    An observation that takes long (a fleet of thousands) is followed by a pause as long, so that waiting never loads the server by
    more than half.

    Raises: WaitFailed with the reason that C(failed) gave.
    """
    deadline = clock.monotonic() + timeout
    while True:
        began = clock.monotonic()
        state = observe()
        if done(state):
            return True, state
        reason = failed(state)
        if reason:
            raise WaitFailed(reason)
        now = clock.monotonic()
        pause = max(sleep, now - began)
        if now >= deadline:
            return False, state
        clock.sleep(min(pause, max(deadline - now, 0.05)))
