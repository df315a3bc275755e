# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of one cluster together: order, checksums, kubeconfig, labels; and what a removal says."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_removal, kube_rollout


def host(name, node_type, changed=True, restarts=False, first=False):
    return {"name": name, "node_type": node_type, "changed": changed, "restarts": restarts, "first": first}


@pytest.mark.parametrize(("hosts", "expected"), [
    ([], []),
    ([host("s", "server", changed=False), host("a", "agent", changed=False)], []),
    ([host("a1", "agent"), host("a2", "agent"), host("s", "server", first=True)], [["s"], ["a1", "a2"]]),
    ([host("s2", "server"), host("s1", "server", first=True), host("s3", "server")], [["s1"], ["s2"], ["s3"]]),
    ([host("a%d" % number, "agent", restarts=True) for number in range(5)], [["a0", "a1"], ["a2", "a3"], ["a4"]]),
    ([host("new", "agent"), host("old", "agent", restarts=True)], [["new"], ["old"]]),
])
def test_servers_change_one_by_one_and_agents_that_restart_in_batches(hosts, expected):
    assert kube_rollout.batches(hosts, 2) == expected


def test_checksums_are_read_in_the_forms_that_sha256sum_prints():
    text = "%s  k3s\n%s *k3s-arm64\n\nno checksum\n%s  ./k3s-airgap-images-amd64.tar.zst\n" % ("a" * 64, "b" * 64, "c" * 64)
    assert kube_rollout.checksums(text) == {"k3s": "a" * 64, "k3s-arm64": "b" * 64, "k3s-airgap-images-amd64.tar.zst": "c" * 64}


def test_a_kubeconfig_gets_the_address_and_the_name_of_the_cluster():
    found = {"clusters": [{"name": "default", "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority-data": "Y2E="}}],
             "users": [{"name": "default", "user": {"client-key-data": "a2V5"}}], "contexts": [], "current-context": "default"}
    made = kube_rollout.kubeconfig(found, "https://192.0.2.1:6443", "lab")
    assert made["clusters"] == [{"name": "lab", "cluster": {"server": "https://192.0.2.1:6443", "certificate-authority-data": "Y2E="}}]
    assert made["users"] == [{"name": "lab", "user": {"client-key-data": "a2V5"}}]
    assert (made["contexts"], made["current-context"]) == ([{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}], "lab")


@pytest.mark.parametrize("found", [None, {"a": "b"}, {"clusters": [], "users": []}, "text",
                                   {"clusters": [{"cluster": {}}, {"cluster": {}}], "users": [{"user": {"secret": "x"}}]}])
def test_what_is_no_kubeconfig_is_refused_without_a_part_of_it(found):
    with pytest.raises(GpuOpsError) as refused:
        kube_rollout.kubeconfig(found, "https://192.0.2.1:6443", "lab")
    assert "secret" not in refused.value.message


def test_nodes_with_the_same_labels_and_taints_are_written_together():
    taint = {"key": "gpu", "value": "", "effect": "NoSchedule"}
    hosts = [{"node": "b", "labels": {"x": "1"}, "taints": []}, {"node": "a", "labels": {"x": "1"}, "taints": []},
             {"node": "c", "labels": {}, "taints": [taint]}, {"node": "", "labels": {}, "taints": []}]
    groups = kube_rollout.label_groups(hosts)
    assert sorted((group["nodes"], group["labels"], group["taints"]) for group in groups) == [(["a", "b"], {"x": "1"}, []), (["c"], {}, [taint])]


TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
# As the API has it.
CARRIED = {"labels": {"x": "1", "kubernetes.io/os": "linux"}, "taints": [dict(TAINT), {"key": "other", "effect": "NoExecute"}],
           "annotations": {"gpuops.kubernetes/node-labels": "x", "gpuops.kubernetes/node-taints": "gpu:NoSchedule"}}


@pytest.mark.parametrize(("changes", "written"), [
    ({}, False),
    ({"changed": True}, True),
    ({"carries": {}}, True),
    ({"labels": {"x": "2"}}, True),
    ({"labels": {}}, True),
    ({"labels": {"x": "1", "y": "1"}}, True),
    ({"taints": []}, True),
    ({"taints": [dict(TAINT, value="no")]}, True),
    ({"carries": dict(CARRIED, annotations={})}, True),
    ({"labels": {}, "taints": [], "carries": dict(CARRIED, annotations={})}, False),
])
def test_a_node_that_carries_what_it_is_to_get_is_not_written(changes, written):
    seen = dict({"node": "a", "labels": {"x": "1"}, "taints": [TAINT], "changed": False, "carries": CARRIED}, **changes)
    assert bool(kube_rollout.label_groups([seen])) is written


def test_only_the_rules_of_kubernetes_leave_the_tables():
    text = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE\n" \
           "-A POSTROUTING -m comment --comment \"flanneld masq\" -j FLANNEL-POSTRTG\n:CNI-HOSTPORT-DNAT - [0:0]\nCOMMIT\n"
    assert kube_removal.without_rules(text) == "*nat\n:PREROUTING ACCEPT [0:0]\n-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE\nCOMMIT\n"
