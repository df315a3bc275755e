# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bare test hosts for playbooks that make a cluster of them, or are to refuse it."""

from __future__ import annotations

import pytest

from tests.hosts import machine
from tests.k3s import hosts as bare


@pytest.fixture(scope="module")
def k3s_hosts(player, tmp_path_factory):
    """Return bare.Hosts: three bare hosts in a state directory of their own, and the releases of a mirror."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPUOPS_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        hosts = bare.Hosts(tmp_path_factory.mktemp("k3s"), player())
        try:
            hosts.start()
            yield hosts
        except machine.NotPossible as reason:
            pytest.skip("NOT RUN: %s" % reason)
        finally:
            hosts.close()
