# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts and their cluster, seen from outside: files and modes, units, what runs, what the API says."""

from __future__ import annotations

import json
import os
import stat
import subprocess

import pytest
import testinfra
from tests.hosts import access

VERSION = "v1.35.5+k3s1"
SERVER, AGENT = "k3s-server", "k3s-agent"
UNITS = {SERVER: "k3s", AGENT: "k3s-agent"}


def reach(name):
    return testinfra.get_host("ssh://" + name, ssh_config=str(access.configuration()))


@pytest.fixture(params=[SERVER, AGENT])
def name(request):
    return request.param


@pytest.fixture
def host(name):
    return reach(name)


def api(path):
    """Ask the API with the kubeconfig that the role has fetched, through the program of a server; --raw leaves no cache behind on the host."""
    with open(os.environ["SCENARIO_KUBECONFIG"], encoding="utf-8") as stream:
        kubeconfig = stream.read()
    command = ["ssh", "-F", str(access.configuration()), SERVER, "k3s kubectl --kubeconfig /dev/stdin get --raw " + path]
    return json.loads(subprocess.run(command, input=kubeconfig, stdout=subprocess.PIPE, text=True, check=True).stdout)


def test_the_service_runs_and_is_enabled(host, name):
    service = host.service(UNITS[name])
    assert service.is_running and service.is_enabled


def test_what_holds_a_secret_is_for_root_alone(host, name):
    paths = ["/etc/rancher/k3s/config.yaml", "/etc/rancher/k3s/cluster-token", "/etc/systemd/system/%s.service.env" % UNITS[name]]
    for path in paths + ["/etc/rancher/k3s/k3s.yaml"] * (name == SERVER):
        file = host.file(path)
        assert (file.user, file.mode) == ("root", 0o600), path


def test_the_configuration_holds_no_token(host):
    token = host.file("/etc/rancher/k3s/cluster-token").content_string.strip().rpartition(":")[2]
    assert len(token) >= 16
    for path in host.check_output("find /etc/rancher /etc/systemd/system -type f").splitlines():
        if path != "/etc/rancher/k3s/cluster-token":
            assert token not in host.file(path).content_string, path


def test_the_commands_of_k3s_are_links_to_it(host):
    for command in ("kubectl", "crictl", "ctr"):
        assert host.file("/usr/local/bin/" + command).linked_to == "/usr/local/bin/k3s"


def test_nothing_staged_is_left(host):
    assert host.check_output("ls /var/lib/rancher/k3s/stage") == ""


def test_the_process_is_of_the_version(host, name):
    pid = host.check_output("systemctl show %s -p MainPID --value" % UNITS[name])
    assert VERSION in host.check_output("/proc/%s/exe --version" % pid)


def test_nodes_are_ready_in_the_version_with_their_labels_and_taints():
    nodes = {node["metadata"]["name"]: node for node in api("/api/v1/nodes")["items"]}
    assert sorted(nodes) == [AGENT, SERVER]
    for node in nodes.values():
        assert [condition["status"] for condition in node["status"]["conditions"] if condition["type"] == "Ready"] == ["True"]
        assert node["status"]["nodeInfo"]["kubeletVersion"] == VERSION
    assert nodes[AGENT]["metadata"]["labels"]["pool"] == "inference"
    assert nodes[SERVER]["metadata"]["labels"]["pool"] == "control"
    assert nodes[AGENT]["metadata"]["labels"]["accelerator"] == "nvidia-tesla-t4"
    assert nodes[AGENT]["spec"]["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]


def test_what_was_disabled_is_not_there():
    names = [item["metadata"]["name"] for item in api("/apis/apps/v1/deployments")["items"]]
    assert "coredns" in names and "traefik" not in names


def test_the_fetched_kubeconfig_is_for_its_owner_alone_and_names_the_cluster():
    path = os.environ["SCENARIO_KUBECONFIG"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    assert "127.0.0.1" not in text and "current-context: k3s-lab" in text


def test_a_user_has_a_kubeconfig_of_his_own_and_kubectl_on_the_path():
    host = reach(SERVER)
    file = host.file("/home/ops/.kube/config")
    assert (file.user, file.mode) == ("ops", 0o600)
    assert "k3s-server" in host.check_output("su - ops -c 'kubectl --cache-dir /run/none get --raw /api/v1/nodes'")
