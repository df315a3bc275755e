# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that reach nothing: what they run came from the controller, and images were at hand."""

from __future__ import annotations

import json

import pytest
import testinfra
from tests.hosts import access

VERSION = "v1.35.6+k3s1"
UNITS = {"offline-server": "k3s", "offline-agent": "k3s-agent"}


@pytest.fixture(params=sorted(UNITS))
def name(request):
    return request.param


@pytest.fixture
def host(name):
    return testinfra.get_host("ssh://" + name, ssh_config=str(access.configuration()))


def test_there_is_no_way_out(host):
    assert "nowhere" in host.check_output("ip route show default")


def test_the_service_runs_in_the_version(host, name):
    service = host.service(UNITS[name])
    assert service.is_running and service.is_enabled
    pid = host.check_output("systemctl show %s -p MainPID --value" % UNITS[name])
    assert VERSION in host.check_output("/proc/%s/exe --version" % pid)


def test_images_were_there_before_the_service_and_were_imported(host):
    archive = host.file("/var/lib/rancher/k3s/agent/images/k3s-airgap-images-amd64.tar.zst")
    assert (archive.user, archive.mode) == ("root", 0o644)
    # What the stand-in writes down when it takes images over, as the real one does into containerd.
    imported = json.loads(host.file("/var/lib/rancher/k3s/agent/images-imported.json").content_string)
    assert "k3s-airgap-images-amd64.tar.zst" in json.dumps(imported)


def test_archives_of_other_architectures_were_left_behind(host):
    assert "arm64" not in host.check_output("ls /var/lib/rancher/k3s/agent/images")


def test_programs_of_the_host_and_the_service_trust_the_private_ca(host, name):
    mine = host.file("/usr/local/share/ca-certificates/gpuops-k3s.crt").content_string
    assert mine.strip() in host.file("/etc/ssl/certs/ca-certificates.crt").content_string
    # What makes the service start again with another CA.
    assert "GPUOPS_CA_SHA256=" in host.file("/etc/systemd/system/%s.service.env" % UNITS[name]).content_string


def test_the_joiner_knows_whom_it_joins():
    # The full form: an agent checks the CA of the server before it sends the password.
    host = testinfra.get_host("ssh://offline-agent", ssh_config=str(access.configuration()))
    assert host.file("/etc/rancher/k3s/cluster-token").content_string.startswith("K10")
