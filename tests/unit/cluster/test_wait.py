# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting: met, failed for good, or out of time; never a real pause."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.wait import WaitFailed, wait_for

from .fakes import Clock


def counting(clock=None, takes=0.0):
    count = iter(range(1000))

    def observe():
        if takes:
            clock.sleep(takes)
        return next(count)

    return observe


def test_a_condition_that_is_met_at_once_never_sleeps():
    clock = Clock()
    assert wait_for(counting(), lambda state: True, clock=clock) == (True, 0)
    assert clock.now == 0


def test_it_is_observed_until_it_is_met():
    clock = Clock()
    assert wait_for(counting(), lambda state: state == 3, sleep=2, clock=clock) == (True, 3)
    assert clock.now == 6


def test_out_of_time_returns_the_last_state():
    clock = Clock()
    met, state = wait_for(counting(), lambda state: False, timeout=10, sleep=2, clock=clock)
    assert not met and state >= 5 and clock.now == pytest.approx(10, abs=0.1)


def test_a_terminal_failure_ends_the_wait():
    with pytest.raises(WaitFailed, match="gone for good"):
        wait_for(counting(), lambda state: False, lambda state: "gone for good" if state == 2 else None, clock=Clock())


def test_a_slow_observation_is_followed_by_a_pause_as_long():
    clock = Clock()
    wait_for(counting(clock, takes=10.0), lambda state: state == 1, timeout=100, sleep=2, clock=clock)
    assert clock.now == 30
