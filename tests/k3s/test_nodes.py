# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node leaves its cluster and comes back; the others go on."""

from __future__ import annotations

import json
import subprocess

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import binaries, control_plane
from tests.hosts import clusters, fleet, machine, snapshots, standin_build

VERSION = "v1.35.5+k3s1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    directory = tmp_path_factory.mktemp("nodes")
    binaries.Finder(print).get(control_plane.PROGRAMS + ("kubectl",))
    standin_build.build(directory / "releases", [VERSION], architectures=("amd64",))
    try:
        made = clusters.up(directory, "nodes", 2, directory / "releases")
    except machine.NotPossible as reason:
        pytest.skip("no test hosts here: %s" % reason)
    yield made
    fleet.down([host.name for unused, host in made.members])


def play(cluster, playbook, *more):
    """Run a playbook and return what it printed; it has to end well."""
    command = cluster.command(playbook, {"k3s_version": VERSION}) + list(more)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def names(cluster):
    return sorted(node["metadata"]["name"] for node in cluster.kubectl("get", "nodes")["items"])


def test_a_node_leaves_its_cluster_as_it_came_and_comes_back(cluster):
    leaving = next(host for kind, host in cluster.members if host.name == "nodes-2")
    before = snapshots.take(leaving)
    play(cluster, "hosts.yml")
    assert names(cluster) == ["nodes-1", "nodes-2", "nodes-server"]
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}}
    containers = [{"name": "main", "image": "registry.example/web:1"}]
    deployment["spec"] = {"replicas": 6, "selector": {"matchLabels": {"app": "web"}},
                          "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}}
    path = cluster.directory / "web.json"
    path.write_text(json.dumps(deployment), encoding="utf-8")
    cluster.kubectl("create", "-f", str(path))
    output = play(cluster, "remove_hosts.yml", "--limit", "nodes-2", "-e", "gpu_cluster_name=lab")
    assert "nodes-1 " not in output[output.index("PLAY RECAP"):]
    assert names(cluster) == ["nodes-1", "nodes-server"]
    assert [pod["metadata"]["name"] for pod in cluster.kubectl("get", "pods", "-A")["items"] if pod["spec"].get("nodeName") == "nodes-2"] == []
    assert snapshots.differences(before, snapshots.take(leaving)) == []
    play(cluster, "hosts.yml")
    assert names(cluster) == ["nodes-1", "nodes-2", "nodes-server"]
