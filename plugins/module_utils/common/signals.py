# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Signals as exceptions, so that what was made is removed when a run is ended."""

from __future__ import annotations

import signal
import types
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(GpuOpsError):
    """Somebody asked the run to end."""


class Signals:
    """While entered, the first signal that asks to end raises Interrupted; further ones are ignored, and so are all after C(shield())."""

    def __init__(self) -> None:
        self._previous: t.Dict[signal.Signals, t.Any] = {}

    def __enter__(self) -> "Signals":
        self._previous = {number: signal.signal(number, self._raise) for number in ENDING}
        return self

    def __exit__(self, *exception: t.Any) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def shield(self) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)

    def _raise(self, number: int, frame: t.Optional[types.FrameType]) -> None:
        self.shield()
        raise Interrupted("Ended by %s." % signal.Signals(number).name)
