# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports of a control plane: free, different, and never ones that a client of a dead server could be given."""

from __future__ import annotations

import socket
import threading

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import control_plane
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.errors import TestbedError


def test_ports_are_different_and_below_those_of_outgoing_connections():
    ports = control_plane.free_ports(200)
    assert len(set(ports)) == 200
    assert max(ports) < control_plane.first_outgoing_port()


def test_a_port_in_use_is_passed_over(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        candidates = iter([taken.getsockname()[1]] + control_plane.free_ports(1) * 2)
        monkeypatch.setattr(control_plane.random, "randrange", lambda low, high: next(candidates))
        assert control_plane.free_ports(1) != [taken.getsockname()[1]]


def listener():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    return server


def test_a_port_that_a_dying_server_still_holds_is_waited_for():
    server = listener()
    closing = threading.Timer(0.2, server.close)
    closing.start()
    control_plane.wait_until_free([server.getsockname()[1]], 60.0)
    closing.join()
    assert server.fileno() == -1


def test_a_port_that_stays_in_use_is_named():
    with listener() as server:
        with pytest.raises(TestbedError, match="port %d is still in use" % server.getsockname()[1]):
            control_plane.wait_until_free([server.getsockname()[1]], 0.1)
