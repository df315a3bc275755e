# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hosts of one cluster cannot know alone, each by one deviation from a cluster that is right."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_cluster

API = "192.0.2.10"
VERSION = "v1.35.6+k3s1"
NAMES = {"one": "server", "two": "server", "three": "server", "four": "agent", "five": "agent"}


def record(name, number, **changes):
    server = NAMES[name] == "server"
    config = {"tls-san": [API, "one"], "cluster-init": True} if name == "one" else {"tls-san": [API, "one"], "server": "https://x"} if server else {}
    found = {
        "name": name,
        "node_type": NAMES[name],
        "groups": ["k3s_%ss" % NAMES[name]],
        "first": name == "one",
        "hostname": name,
        "machine_id": "%032x" % number,
        "addresses": ["192.0.2.%d" % number, "10.0.0.%d" % number],
        "time": 0.1 * number,
        "installed": None,
        "version_wanted": VERSION,
        "api_address": API,
        "has_token": True,
        "config": config,
    }
    return {**found, **{key: {**config, **value} if key == "config" else value for key, value in changes.items()}}


def cluster(_only=tuple(NAMES), **changes):
    """Return the records of a cluster in which only these fields of these hosts are other ones."""
    return [record(name, number, **changes.get(name, {})) for number, name in enumerate(NAMES, 11) if name in _only]


def test_a_cluster_that_is_right_is_left_alone():
    assert kube_cluster.problems(cluster()) == []
    assert kube_cluster.problems([]) == []


def test_hosts_of_which_nothing_more_is_known_are_left_alone():
    assert kube_cluster.problems([{"name": name, "node_type": kind} for name, kind in NAMES.items()]) == []


DEVIATIONS = [
    ("in both groups", {"four": {"groups": ["k3s_servers", "k3s_agents"]}}, ["host four", "leave it in one of them"]),
    ("a server that is an agent", {"two": {"installed": "agent"}}, ["host two", "'server'", "as an agent", "k3s_state: absent", "group of the agents"]),
    ("an agent that is a server", {"four": {"installed": "server"}}, ["host four", "'agent'", "installed as a server"]),
    ("one host name twice", {"four": {"hostname": "FIVE"}}, ["node name of four and five", "'five'", "k3s_node_name"]),
    ("a node name that is a host name", {"one": {"config": {"node-name": "five"}}}, ["node name of one and five"]),
    ("a node name that is asked for twice", {"four": {"node_name": "x"}, "five": {"node_name": "x"}}, ["node name of four and five", "node password"]),
    ("a copied host", {"three": {"machine_id": "%032x" % 11}}, ["machine-id of one and three", "/etc/machine-id"]),
    ("one address twice", {"five": {"addresses": ["192.0.2.14"]}}, ["address of four and five", "'192.0.2.14'"]),
    ("a clock that is ahead", {"three": {"time": 40.0}}, ["clocks of one and three", "'38.9 s'", "at most 30 s", "NTP"]),
    ("a clock that is behind", {"five": {"time": -30.0}}, ["clocks of five and four", "'31.4 s'"]),
    ("different addresses", {"five": {"api_address": "192.0.2.99"}}, ["k3s_api_address: ['192.0.2.10', '192.0.2.99']", "set one for all of them"]),
    ("an address that is not in a certificate", {"two": {"config": {"tls-san": ["one"]}}}, ["k3s_api_address", "server two", "k3s_tls_san"]),
    ("a backend that differs", {"two": {"config": {"flannel-backend": "host-gw"}}}, ["flannel-backend", "'one': 'vxlan'", "'two': 'host-gw'"]),
    ("a network that differs", {"three": {"config": {"cluster-cidr": ["10.0.0.0/16"]}}}, ["cluster-cidr", "'two': ['10.42.0.0/16'], 'three': ['10.0.0.0/16']"]),
    ("a truth value that differs", {"one": {"config": {"secrets-encryption": True}}}, ["secrets-encryption", "'one': True, 'two': False"]),
    ("servicelb on some", {"one": {"config": {"disable": ["traefik,servicelb"]}}}, ["disable: [servicelb]", "'one': True, 'two': False"]),
    ("a token of agents that differs", {"one": {"config": {"agent-token": "hidden"}}}, ["agent-token", "'one': '***'"]),
    ("two that would start a cluster", {"two": {"first": True}}, ["first of one and two"]),
    ("two that start a cluster", {"two": {"config": {"cluster-init": True}}}, ["cluster-init of one and two"]),
    ("servers of two versions", {"three": {"version_wanted": "v1.35.7+k3s1"}}, ["k3s_version", "'two': 'v1.35.6+k3s1', 'three': 'v1.35.7+k3s1'"]),
    ("an agent that is newer", {"five": {"version_wanted": "v1.36.0+k3s1"}}, ["k3s_version of host five", "must not be newer"]),
    ("an agent that is too old", {"five": {"version_wanted": "v1.31.0+k3s1"}}, ["k3s_version of host five", "3 minor versions older"]),
    ("a forbidden label", {"five": {"config": {"node-label": ["node-role.kubernetes.io/worker="]}}}, ["k3s_node_labels of host five", "must not give itself"]),
]


@pytest.mark.parametrize("changes, words", [row[1:] for row in DEVIATIONS], ids=[row[0] for row in DEVIATIONS])
def test_a_deviation_is_refused_with_hosts_values_and_a_fix(changes, words):
    (problem,) = kube_cluster.problems(cluster(**changes), "k3s_")
    assert problem.severity == "refuse" and problem.fix
    assert [word for word in words if word not in problem.text()] == []
    assert "hidden" not in problem.text()


RIGHT = [
    ("a default that is spelt out", {"two": {"config": {"flannel-backend": "vxlan", "cluster-cidr": "10.42.0.0/16", "secrets-encryption": False}}}),
    ("other components on some", {"two": {"config": {"disable": ["traefik"]}}}),
    ("names that an id makes unique", {"four": {"hostname": "five", "config": {"with-node-id": True}}}),
    ("what is there already", {"one": {"installed": "server"}, "five": {"installed": "agent"}}),
    ("an older agent", {"five": {"version_wanted": "v1.33.0+k3s1"}}),
    ("clocks within the limit", {"three": {"time": 30.0}}),
    ("no clock known", {"three": {"time": None}}),
    ("a version that another check tells of", {"five": {"version_wanted": "latest"}}),
    ("an address in other case", {name: {"api_address": "ONE"} for name in NAMES}),
]


@pytest.mark.parametrize("changes", [row[1] for row in RIGHT], ids=[row[0] for row in RIGHT])
def test_what_is_right_is_left_alone(changes):
    assert kube_cluster.problems(cluster(**changes)) == []


@pytest.mark.parametrize("names, warned", [(["one"], False), (["one", "two"], True), (["one", "two", "three"], False)])
def test_an_even_number_of_etcd_servers_is_warned_about(names, warned):
    found = kube_cluster.problems(cluster(names))
    assert [problem.severity for problem in found] == ["warn"] * warned
    assert not warned or "survives the loss of 0" in found[0].rule


def test_servers_with_a_datastore_of_their_own_may_be_even():
    changes = {name: {"config": {"datastore-endpoint": "***", "cluster-init": None}} for name in ("one", "two")}
    assert kube_cluster.problems(cluster(["one", "two"], **changes)) == []


OUTSIDE = [
    ("nobody to join", {"api_address": ""}, "the cluster has none"),
    ("no token", {"has_token": False}, "the token of its cluster is not known on four, five"),
    ("both known", {}, None),
]


@pytest.mark.parametrize("change, words", [row[1:] for row in OUTSIDE], ids=[row[0] for row in OUTSIDE])
def test_agents_without_servers_need_a_cluster_elsewhere(change, words):
    found = kube_cluster.problems(cluster(["four", "five"], four=change, five=change), "k3s_")
    assert [words in problem.text() for problem in found] == ([True] if words else [])


def test_what_speaks_against_joining_counts_where_the_first_server_takes_no_part():
    joining = [{"path": "k3s_token", "value": "***", "rule": "wrong", "fix": "right", "severity": "refuse"}]
    assert kube_cluster.problems(cluster(five={"joining": joining})) == []
    (problem,) = kube_cluster.problems(cluster(["four", "five"], five={"joining": joining}))
    assert problem.text() == "k3s_token of host five: '***': wrong; fix: right"


@pytest.mark.parametrize(("names", "changes", "words"), [
    (["one", "three"], {"one": {"joined": False}, "three": {"joined": True}}, ["host one", "cluster of three is there", "put it behind three"]),
    (["one"], {"one": {"joined": False, "servers": ["one", "two", "three"]}}, ["host one", "whether two, three have a cluster"]),
    (["one"], {"one": {"joined": True, "servers": ["one", "two", "three"]}}, None),
    (["one", "two", "three"], {"one": {"joined": False, "servers": ["one", "two", "three"]}, "two": {"joined": False}}, None),
    (["one", "three"], {"one": {"joined": False, "config": {"datastore-endpoint": "***"}}, "three": {"joined": True}}, None),
])
def test_a_new_first_server_does_not_start_a_second_cluster(names, changes, words):
    found = [problem for problem in kube_cluster.problems(cluster(names, **changes)) if problem.path.startswith("host")]
    assert [all(word in problem.text() for word in words) for problem in found] == ([True] if words else [])


@pytest.mark.parametrize("names", [["four"], ["two", "four"]])
def test_hosts_without_a_token_need_the_first_server(names):
    lacking = {"four": {"has_token": False}}
    (problem,) = [found for found in kube_cluster.problems(cluster(names, **lacking), "k3s_") if found.severity == "refuse"]
    assert problem.path == "k3s_token" and "on four" in problem.rule
    assert kube_cluster.problems(cluster(["one", "four"], **lacking)) == []


ADDRESSES = ["192.0.2.1", "2001:db8::1", "::1", "k3s", "k3s.example.com", "K3S-1.example.com.", "1.example.com", "::ffff:192.0.2.1"]
NO_ADDRESSES = ["https://x", "x:6443", "192.0.2.1:6443", "192.0.2.256", "192.0.2", "a_b", "-a", "a..b", "[::1]", "a b", "a" * 64, "x/y"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_or_name_is_taken(address):
    (host,) = cluster(["four"], four={"api_address": address})
    assert kube_cluster.problems([host]) == []


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_neither_is_refused(address):
    (host,) = cluster(["four"], four={"api_address": address})
    (problem,) = kube_cluster.problems([host])
    assert problem.path == "api_address" and "neither an address nor a name" in problem.rule


def test_everything_is_told_at_once():
    found = kube_cluster.problems(cluster(two={"installed": "agent"}, three={"time": 99.0}, four={"hostname": "five"}))
    assert len(found) == 3
