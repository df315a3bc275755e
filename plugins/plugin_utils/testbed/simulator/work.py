# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A queue of node names: each at most once, never two workers on one node, and at times that were asked for."""

from __future__ import annotations

import heapq
import threading
import time


class Work:
    """Names to look at; many threads put, many take."""

    def __init__(self, clock=time.time):
        self._clock = clock
        self._changed = threading.Condition()
        self._ready = {}  # name -> None, in order
        self._busy = set()
        self._again = set()
        self._timers = []
        self._next = {}  # name -> time of the timer that counts
        self._closed = False

    def put(self, name):
        """Have a node looked at as soon as possible."""
        with self._changed:
            if name in self._busy:
                self._again.add(name)
            else:
                self._ready[name] = None
                self._changed.notify()

    def at(self, name, moment):
        """Have a node looked at by that time; None cancels."""
        with self._changed:
            self._next.pop(name, None)
            if moment is not None:
                self._next[name] = moment
                heapq.heappush(self._timers, (moment, name))
                self._changed.notify()

    def take(self):
        """Return the next name, or None once closed; the name is busy until done() is called."""
        with self._changed:
            while not self._closed:
                self._due()
                if self._ready:
                    name = next(iter(self._ready))
                    del self._ready[name]
                    self._busy.add(name)
                    return name
                self._changed.wait(max(0.0, self._timers[0][0] - self._clock()) if self._timers else None)
            return None

    def _due(self):
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            moment, name = heapq.heappop(self._timers)
            if self._next.get(name) == moment:
                del self._next[name]
                if name in self._busy:
                    self._again.add(name)
                else:
                    self._ready[name] = None

    def done(self, name):
        """Let the node be taken again."""
        with self._changed:
            self._busy.discard(name)
            if name in self._again:
                self._again.discard(name)
                self._ready[name] = None
                self._changed.notify()

    def close(self):
        """Send all takers home."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
