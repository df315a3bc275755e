# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operating systems, ports, labels and taints; the systems one by one are in tests/golden/k3s."""

from __future__ import annotations

import re

import hypothesis
import hypothesis.strategies as st
import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog import kube_hosts as catalog
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_hosts, kube_labels


def support(os, version, like=(), machine="x86_64"):
    return kube_hosts.host_support({"os": os, "os_version": version, "os_like": list(like), "machine": machine})


@pytest.mark.parametrize("version, found", [("9", "9"), ("9.6", "9"), ("10.1", "10"), ("90", None), ("1", None), ("", None)])
def test_a_release_is_found_by_its_whole_number(version, found):
    release = kube_hosts.find_release({"os": "rhel", "os_version": version})
    assert (release.version if release else None) == found


RELATIVES = [
    ("fedora", [], "redhat"),
    ("ol", ["fedora"], "redhat"),
    ("linuxmint", ["ubuntu", "debian"], "debian"),
    ("opensuse-leap", ["suse"], "suse"),
    ("arch", [], ""),
]


@pytest.mark.parametrize("os, like, family", RELATIVES)
def test_a_relative_is_refused_and_yet_known_for_those_who_take_it_upon_themselves(os, like, family):
    found = support(os, "1", like)
    assert [problem.path for problem in found.problems] == ["operating system"]
    assert (found.family, bool(found.package_manager)) == (family, bool(family))


def test_a_wrong_system_and_architecture_are_told_at_once():
    assert [problem.path for problem in support("arch", "", machine="riscv64").problems] == ["architecture", "operating system"]


def test_every_row_of_the_table_has_a_family_and_a_policy_that_can_be_fetched():
    assert {release.family for release in catalog.RELEASES} == set(catalog.FAMILIES)
    assert {bool(release.selinux) == bool(release.selinux_path) == (release.family != "debian") for release in catalog.RELEASES} == {True}
    assert re.fullmatch("[0-9A-F]{40}", catalog.SELINUX_FINGERPRINT)


PORTS = [
    ("server", {}, ["6443/tcp", "10250/tcp", "8472/udp"]),
    ("server", {"cluster-init": True}, ["6443/tcp", "2379-2380/tcp", "10250/tcp", "8472/udp"]),
    ("server", {"server": "https://x:6443"}, ["6443/tcp", "2379-2380/tcp", "10250/tcp", "8472/udp"]),
    ("server", {"datastore-endpoint": "mysql://x", "flannel-backend": "host-gw"}, ["6443/tcp", "10250/tcp"]),
    ("agent", {"server": "https://x:6443", "flannel-backend": "wireguard-native"}, ["10250/tcp", "51820/udp", "51821/udp"]),
    ("agent", {"flannel-backend": "none", "embedded-registry": True}, ["10250/tcp", "5001/tcp"]),
]


@pytest.mark.parametrize("node_type, config, numbers", PORTS)
def test_the_ports_that_have_to_be_open_follow_the_configuration(node_type, config, numbers):
    assert [port.number for port in kube_hosts.ports(node_type, config)] == numbers


LABELS = [
    "pool=a", "a.example.com/b=c", "x=", "kubernetes.io/arch=amd64", "node.kubernetes.io/x=y", "a.node.kubernetes.io/x=y", "topology.kubernetes.io/zone=z",
    "kubelet.kubernetes.io/x=y", "mykubernetes.io/x=y", "svccontroller.k3s.cattle.io/enablelb=true", "a" * 63 + "=" + "b" * 63,
]  # fmt: skip
BAD_LABELS = [
    ("node-role.kubernetes.io/worker=true", "must not give itself"),
    ("kubernetes.io/role=x", "must not give itself"),
    ("x.k8s.io/y=z", "must not give itself"),
    ("pool", "a label is key=value"),
    ("=x", "not a label"),
    ("a/b/c=d", "not a label"),
    ("A.Example/b=c", "not a label"),
    ("a" * 64 + "=b", "not a label"),
    ("a=b c", "not the value of a label"),
    ("a=-b", "not the value of a label"),
    ("a=" + "b" * 64, "not the value of a label"),
]


@pytest.mark.parametrize("label", LABELS)
def test_a_label_that_a_node_may_give_itself_is_left_alone(label):
    assert kube_labels.problems({"node-label": [label]}) == []


@pytest.mark.parametrize("label, words", BAD_LABELS)
def test_a_label_that_kubelet_would_not_start_with_is_refused(label, words):
    (problem,) = kube_labels.problems({"node-label": [label]}, "k3s_")
    assert (problem.severity, problem.path, problem.value) == ("refuse", "k3s_node_labels", label)
    assert words in problem.rule and problem.fix


TAINTS = [("a=b:NoExecute", ("a", "b", "NoExecute")), ("a.b/c:NoSchedule", ("a.b/c", "", "NoSchedule")), ("a=:NoSchedule", ("a", "", "NoSchedule"))]


@pytest.mark.parametrize("taint, parts", TAINTS)
def test_a_taint_is_read_as_the_api_has_it(taint, parts):
    assert kube_labels.taints({"node-taint": [taint]}) == [dict(zip(("key", "value", "effect"), parts))]
    assert kube_labels.problems({"node-taint": [taint]}) == []


@pytest.mark.parametrize("taint", ["a", "a=b", "a=b:Never", ":NoSchedule", "a b:NoSchedule", "a=b c:NoSchedule"])
def test_a_taint_that_is_none_is_refused(taint):
    (problem,) = kube_labels.problems({"node-taint": [taint]}, "k3s_")
    assert problem.path == "k3s_node_taints" and "key=value:effect" in problem.rule


ACCELERATORS = [
    ("Tesla T4", "nvidia-tesla-t4"),
    ("T4", "nvidia-tesla-t4"),
    ("NVIDIA L4", "nvidia-l4"),
    ("NVIDIA L40S", "nvidia-l40s"),
    ("Tesla K80", "nvidia-tesla-k80"),
    ("Tesla V100-SXM2-16GB", "nvidia-tesla-v100"),
    ("NVIDIA A100-SXM4-40GB", "nvidia-tesla-a100"),
    ("NVIDIA A100 80GB PCIe", "nvidia-a100-80gb"),
    ("NVIDIA H100 80GB HBM3", "nvidia-h100-80gb"),
    ("NVIDIA H100 PCIe", "nvidia-h100-80gb"),
    ("NVIDIA H100 NVL", "nvidia-h100-nvl"),
    ("NVIDIA H200", "nvidia-h200-141gb"),
    ("NVIDIA B200", "nvidia-b200"),
    ("NVIDIA GB200", "nvidia-gb200"),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "nvidia-rtx-pro-6000"),
    ("NVIDIA GeForce RTX 2080 Ti", "nvidia-geforce-rtx-2080-ti"),
    ("NVIDIA A10G", "nvidia-a10g"),
    ("nvidia-tesla-t4", "nvidia-tesla-t4"),
    ("", ""),
    (" - ", ""),
]


@pytest.mark.parametrize("model, label", ACCELERATORS)
def test_a_gpu_model_is_named_as_managed_clusters_name_it(model, label):
    assert kube_labels.accelerator_label(model) == label


@hypothesis.given(st.text(max_size=200))
def test_the_name_of_any_model_is_the_value_of_a_label(model):
    assert kube_labels.value_is_right(kube_labels.accelerator_label(model))
