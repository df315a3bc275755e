# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What speaks against a host, before anything is changed."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_distributions import K3S
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_host, kube_node
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.kube_node import Current, File, Service

GOOD = {"hostname": "gpu-1", "machine": "x86_64", "architecture": "amd64", "os": "debian", "os_like": [], "os_version": "12", "os_name": "Debian 12",
        "systemd": True, "swaps": [], "default_route": True, "free_mib": 50000, "memory_mib": 16000, "cgroups": ["cpu", "memory"], "selinux": False,
        "services": [], "busy": [],
        "sysctls": {"fs.inotify.max_user_instances": "8192", "fs.inotify.max_user_watches": "524288"}}


def current(host=None, **changes):
    values = {"files": {}, "binary": "", "service": Service(), "types": [], "images": {}, "other_commands": {}, "joined": False}
    return Current(host=dict(GOOD, **host or {}), **dict(values, **changes))


def desired(**changes):
    values = {"distribution": K3S, "node_type": "server", "version": "v1.35.6+k3s1", "checksum": "b" * 64, "config": ""}
    return kube_node.Desired(**dict(values, **changes))


def found(state, wanted=None, ignored=(), name="gpu-1"):
    return kube_host.problems(state, wanted or desired(), name, ignored, "k3s_")


def test_a_good_host_has_no_problem():
    assert found(current()) == []


@pytest.mark.parametrize(("host", "path", "severity"), [
    ({"machine": "armv7l", "architecture": ""}, "architecture", "refuse"),
    ({"os": "rocky", "os_version": "8.10", "os_name": "Rocky 8"}, "operating system", "refuse"),
    ({"os": "gentoo", "os_version": "", "os_name": "Gentoo"}, "operating system", "refuse"),
    ({"systemd": False}, "init", "refuse"),
    ({"default_route": False}, "default route", "refuse"),
    ({"swaps": ["/dev/vdb"]}, "swap", "refuse"),
    ({"free_mib": 100}, "free space", "refuse"),
    ({"memory_mib": 900}, "memory", "refuse"),
    ({"cgroups": ["cpu"]}, "cgroup controllers", "refuse"),
    ({"selinux": True}, "SELinux", "refuse"),
    ({"services": ["firewalld"]}, "firewalld", "refuse"),
    ({"services": ["ufw"]}, "ufw", "refuse"),
    ({"services": ["NetworkManager"]}, "NetworkManager", "warn"),
    ({"sysctls": {"fs.inotify.max_user_instances": "128"}}, "fs.inotify.max_user_instances", "warn"),
    ({"busy": [6443]}, "port", "refuse"),
])
def test_what_a_host_lacks_is_told_with_a_fix(host, path, severity):
    (problem,) = found(current(host))
    assert (problem.path, problem.severity) == (path, severity)
    assert problem.rule and problem.fix


@pytest.mark.parametrize(("check", "host"), [
    ("swap", {"swaps": ["/dev/vdb"]}),
    ("disk", {"free_mib": 100}),
    ("memory", {"memory_mib": 100}),
    ("firewall", {"services": ["ufw", "firewalld"]}),
    ("selinux", {"selinux": True}),
    ("os", {"os": "gentoo"}),
])
def test_a_user_may_take_a_check_upon_himself(check, host):
    assert found(current(host), ignored=[check]) == []
    assert found(current(host), ignored=[name for name in kube_host.IGNORABLE if name != check])


def test_an_architecture_without_a_program_is_refused_whatever_is_ignored():
    assert found(current({"machine": "armv7l", "architecture": ""}), ignored=kube_host.IGNORABLE)


def test_selinux_is_no_problem_where_the_configuration_knows_of_it():
    assert found(current({"selinux": True}), desired(config="selinux: true\n")) == []


@pytest.mark.parametrize("name", ["gpu_1", "-gpu", "GPU", "a" * 64, ""])
def test_a_name_that_no_node_can_have_is_refused(name):
    (problem,) = found(current(), name=name)
    assert problem.path == "name of the node" and "k3s_node_name" in problem.fix


def test_a_server_does_not_become_an_agent():
    (problem,) = found(current(types=["server"]), desired(node_type="agent"))
    assert problem.path == "k3s_node_type" and "k3s_state: absent" in problem.fix


def test_a_version_without_a_checksum_is_refused():
    (problem,) = found(current(), desired(checksum=""))
    assert (problem.path, problem.value) == ("k3s_version", "v1.35.6+k3s1") and "sha256sum-amd64.txt" in problem.fix


@pytest.mark.parametrize(("there", "given", "refused"), [
    ("K10" + "a" * 64 + "::server:one-long-password", "one-long-password", False),
    ("one-long-password", "one-long-password", False),
    ("one-long-password", "another-long-password", True),
])
def test_a_node_that_has_joined_keeps_its_token(there, given, refused):
    state = current(files={K3S.token: File("file", 0o600, 0, there + "\n")}, joined=True)
    problems = found(state, desired(token=given))
    assert bool(problems) is refused
    assert "password" not in str(problems)


def test_a_full_disk_does_not_keep_a_node_from_being_changed():
    assert found(current({"free_mib": 100}, joined=True)) == []


def test_files_of_others_that_decide_beside_ours_are_named():
    path = "/etc/rancher/k3s/config.yaml.d/99-hand.yaml"
    (problem,) = found(current(foreign=[path]))
    assert (problem.value, problem.severity) == (path, "warn")
