# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster after its upgrade: every process is new, one came after the other, and nothing is left of the maintenance."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import testinfra
from tests.hosts import access

VERSION = "v1.36.2+k3s1"
SERVERS = ["upgrade-1", "upgrade-2", "upgrade-3"]
UNITS = dict({name: "k3s" for name in SERVERS}, **{"upgrade-gpu": "k3s-agent"})


def reach(name):
    return testinfra.get_host("ssh://" + name, ssh_config=str(access.configuration()))


def api(path):
    """Ask the API with the kubeconfig that the role has fetched, through the program of a server; --raw leaves no cache behind on the host."""
    with open(os.environ["SCENARIO_KUBECONFIG"], encoding="utf-8") as stream:
        kubeconfig = stream.read()
    command = ["ssh", "-F", str(access.configuration()), SERVERS[0], "k3s kubectl --kubeconfig /dev/stdin get --raw " + path]
    return json.loads(subprocess.run(command, input=kubeconfig, stdout=subprocess.PIPE, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def nodes():
    return {node["metadata"]["name"]: node for node in api("/api/v1/nodes")["items"]}


@pytest.mark.parametrize("name", sorted(UNITS))
def test_the_process_that_runs_is_of_the_new_version(name):
    host = reach(name)
    pid = host.check_output("systemctl show %s -p MainPID --value" % UNITS[name])
    assert VERSION in host.check_output("/proc/%s/exe --version" % pid)


def test_all_nodes_are_ready_in_the_new_version_and_take_pods(nodes):
    assert sorted(nodes) == sorted(UNITS)
    for name, node in nodes.items():
        assert node["status"]["nodeInfo"]["kubeletVersion"] == VERSION, name
        assert [one["status"] for one in node["status"]["conditions"] if one["type"] == "Ready"] == ["True"], name
        assert not node["spec"].get("unschedulable"), name
        assert "gpuops.kubernetes/cordoned" not in node["metadata"].get("annotations", {}), name


def test_all_servers_vote_in_etcd(nodes):
    for name in SERVERS:
        assert [one["status"] for one in nodes[name]["status"]["conditions"] if one["type"] == "EtcdIsVoter"] == ["True"], name


def test_servers_went_first_and_one_after_the_other():
    # The second one was rebooted afterwards, so that its time says nothing.
    started = {}
    for name in ("upgrade-1", "upgrade-3", "upgrade-gpu"):
        started[name] = int(reach(name).check_output("systemctl show %s -p ExecMainStartTimestampMonotonic --value" % UNITS[name]))
    assert started["upgrade-1"] < started["upgrade-3"] < started["upgrade-gpu"]


def test_the_careful_pods_all_run_again():
    deployment = api("/apis/apps/v1/namespaces/default/deployments/careful")
    assert deployment["status"]["readyReplicas"] == 4
