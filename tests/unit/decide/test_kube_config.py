# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One node's configuration: layers merged as k3s merges its files, what is generated kept, and no secret where a diff shows it."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import pytest
import yaml
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog import kube_keys
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_config, kube_text

# The example of k3s' documentation (docs/installation/configuration.md, "Multiple Config Files").
DOCUMENTED = [
    ("config.yaml", {"token": "boop", "node-label": ["foo=bar", "bar=baz"]}),
    ("test1.yaml", {"write-kubeconfig-mode": 600, "node-taint": ["alice=bob:NoExecute"]}),
    ("test2.yaml", {"write-kubeconfig-mode": 777, "node-label": ["other=what", "foo=three"], "node-taint+": ["charlie=delta:NoSchedule"]}),
]


def test_layers_are_merged_as_the_documentation_of_k3s_says():
    assert kube_config.merge_layers(DOCUMENTED) == {
        "write-kubeconfig-mode": 777,
        "token": "boop",
        "node-label": ["other=what", "foo=three"],
        "node-taint": ["alice=bob:NoExecute", "charlie=delta:NoSchedule"],
    }


MERGES = [
    ("a list replaces", [{"a": ["x"]}, {"a": ["y"]}], {"a": ["y"]}),
    ("a plus appends", [{"a": ["x"]}, {"a+": ["y"]}, {"a+": ["z"]}], {"a": ["x", "y", "z"]}),
    ("a plus appends to one value", [{"a": "x"}, {"a+": "y"}], {"a": ["x", "y"]}),
    ("a plus without anything there is the value", [{"a+": "y"}], {"a": "y"}),
    ("a plus after nothing is the value", [{"a": None}, {"a+": ["y"]}], {"a": ["y"]}),
    ("an empty value appends nothing", [{"a": ["x"]}, {"a+": ""}], {"a": ["x"]}),
    ("both in one layer, in order", [{"a": ["x"], "a+": ["y"]}], {"a": ["x", "y"]}),
    ("a value after a plus replaces", [{"a": ["x"]}, {"a+": ["y"]}, {"a": ["z"]}], {"a": ["z"]}),
    ("nothing takes away", [{"a": ["x"]}, {"a": None}], {"a": None}),
    ("no layers", [], {}),
    ("an empty layer", [{"a": 1}, None, {}], {"a": 1}),
]


@pytest.mark.parametrize("layers, merged", [row[1:] for row in MERGES], ids=[row[0] for row in MERGES])
def test_layers_are_merged(layers, merged):
    pairs = [("layer %d" % number, layer) for number, layer in enumerate(layers)]
    assert kube_config.merge_layers(pairs) == merged
    assert kube_config.merge_layers(dict(pairs)) == merged


SERVER = {"distribution": "k3s", "node_type": "server", "first": True, "servers": 1, "api_address": "192.0.2.10", "api_port": 6443}
TOKEN_FILE = "/etc/rancher/k3s/cluster-token"


def build(*layers, **options):
    return kube_config.build(dict(SERVER, layers=[("layer", layer) for layer in layers], **options))


def test_what_is_not_asked_for_is_left_to_k3s():
    assert build() == {"tls-san": ["192.0.2.10"], "token-file": TOKEN_FILE}


BUILT = [
    ("several servers have etcd", {"servers": 3}, {"cluster-init": True}),
    ("etcd asked for", {"cluster_init": True}, {"cluster-init": True}),
    ("a datastore instead of etcd", {"servers": 3, "datastore_endpoint": "x://y"}, {"cluster-init": None, "server": None, "datastore-endpoint": "x://y"}),
    ("another server joins", {"first": False, "servers": 3}, {"server": "https://192.0.2.10:6443", "cluster-init": None}),
    ("another server shares a datastore", {"first": False, "servers": 2, "datastore_endpoint": "mysql://x"}, {"server": None, "cluster-init": None}),
    ("an agent joins", {"node_type": "agent", "first": False}, {"server": "https://192.0.2.10:6443", "tls-san": None}),
    ("an agent joins by IPv6", {"node_type": "agent", "api_address": "2001:db8::1"}, {"server": "https://[2001:db8::1]:6443"}),
    ("an agent is no server", {"node_type": "agent", "disable": ["traefik"], "kubeconfig_mode": "0644"}, {"disable": None, "write-kubeconfig-mode": None}),
    ("labels are sorted, and truth values are words", {"node_labels": {"b": True, "a": "x", "c": 1}}, {"node-label": ["a=x", "b=true", "c=1"]}),
    ("the names of options", {"kubelet_args": ["v=9"], "node_taints": ["a:NoExecute"]}, {"kubelet-arg": ["v=9"], "node-taint": ["a:NoExecute"]}),
    ("one value of a list", {"cluster_cidr": "10.0.0.0/8"}, {"cluster-cidr": ["10.0.0.0/8"]}),
    ("the file mode only when asked", {"kubeconfig_mode": "0640"}, {"write-kubeconfig-mode": "0640"}),
    ("empty is left out", {"disable": [], "node_ip": "", "docker": False, "node_labels": None}, dict.fromkeys(["disable", "node-ip", "docker", "node-label"])),
    ("where things are", {"data_dir": "/data", "node_name": "n", "token_file": "/t"}, {"data-dir": "/data", "node-name": "n", "token-file": "/t"}),
    ("a token of its own for agents", {"agent_token_file": "/t"}, {"agent-token-file": "/t"}),
    ("no token of agents on agents", {"agent_token_file": "/t", "node_type": "agent"}, {"agent-token-file": None}),
]


@pytest.mark.parametrize("options, expected", [row[1:] for row in BUILT], ids=[row[0] for row in BUILT])
def test_options_become_keys(options, expected):
    found = build(**options)
    assert {key: found.get(key) for key in expected} == expected


GENERATED = ["192.0.2.10", "one", "192.0.2.11"]


@pytest.mark.parametrize("layer", [{"tls-san": ["mine", "one"]}, {"tls-san": "mine,one"}, {"tls-san+": ["mine"]}, {"tls-san": None}, {}])
def test_generated_names_stay_in_front_of_the_certificate(layer):
    found = build(layer, server_addresses=["one", "192.0.2.11", "192.0.2.10"])["tls-san"]
    assert found[:3] == ["192.0.2.10", "one", "192.0.2.11"]
    assert found[3:] == (["mine"] if layer.get("tls-san") or "tls-san+" in layer else [])


def test_layers_go_above_options_and_may_append_to_them():
    found = build({"disable+": ["servicelb"], "flannel-backend": "host-gw"}, disable=["traefik"], flannel_backend="vxlan")
    assert (found["disable"], found["flannel-backend"]) == (["traefik", "servicelb"], "host-gw")


def test_a_datastore_in_a_layer_counts():
    found = build({"datastore-endpoint": "etcd://x"}, servers=3)
    assert "cluster-init" not in found


def test_keys_of_the_other_node_type_are_dropped_and_unknown_ones_kept():
    found = build({"cluster-cidr": ["10.0.0.0/8"], "new-key": 1, "debug": "true"}, node_type="agent")
    assert ("cluster-cidr" in found, found["new-key"], found["debug"]) == (False, 1, True)


def test_values_get_the_type_of_their_key():
    found = build({"https-listen-port": "7443", "secrets-encryption": "TRUE", "write-kubeconfig-mode": 640, "node-label": "a=b", "tls-san-security": False})
    assert [found[key] for key in ("https-listen-port", "secrets-encryption", "write-kubeconfig-mode", "node-label", "tls-san-security")] == [
        7443, True, "640", ["a=b"], False,
    ]  # fmt: skip


def test_the_first_line_says_whose_file_it_is():
    text = kube_config.render(build())
    assert text.splitlines()[0] == "# Managed by gpuops.kubernetes: changes made here are overwritten."
    assert kube_config.render({}) == ""


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@hypothesis.given(st.dictionaries(st.text(min_size=1), VALUES, min_size=1))
def test_a_text_means_what_it_was_made_from(mapping):
    assert yaml.safe_load(kube_text.yaml_text(mapping)) == mapping


LOOKS = ["0644", "no", "null", "1e3", "~", "a: b", "# x", "- x", "{{ x }}", "2001:db8::1", "\u2028", "\x85", "\U0001f600", "tab\there"]


@pytest.mark.parametrize("value", LOOKS)
def test_a_text_that_looks_like_something_else_stays_a_text(value):
    assert yaml.safe_load(kube_config.render({"key": value, "list": [value]})) == {"key": value, "list": [value]}


WRONG = [
    ("a truth value", "debug", "yes", "neither true nor false"),
    ("a number", "https-listen-port", "many", "no whole number"),
    ("a duration without a unit", "etcd-s3-timeout", 5, "no duration"),
    ("a list for one text", "flannel-iface", ["a", "b"], "a list, where one text is needed"),
    ("a map for a list", "node-label", {"a": "b"}, "a map, where a list of texts is needed"),
    ("a map in a list", "node-label", [{"a": "b"}], "an item is no text"),
    ("nothing in a list", "kubelet-arg", ["a", None], "an item is no text"),
    ("a line break", "flannel-iface", "a\nb", "line break"),
    ("an unquoted octal mode", "write-kubeconfig-mode", 0o644, 'such as "0640"'),
    ("a mode that is none", "write-kubeconfig-mode", "0999", "no file mode"),
    ("an unknown backend", "flannel-backend", "wireguard", "did you mean wireguard-native?"),
    ("an unknown mode", "egress-selector-mode", "all", "must be one of: agent, cluster, pod, disabled"),
    ("a key of agents", "disable-apiserver-lb", True, "only the agent knows this key"),
    ("a network", "cluster-cidr", "10.0.0.1-10.0.0.9", "not a network"),
    ("a URL in the certificate", "tls-san", ["https://x"], "neither an address nor a name"),
    ("the token", "token", "hidden-0123456789", "set k3s_token"),
    ("the token's file", "token-file", "/x", "set k3s_token"),
    ("whom to join", "server", "https://x:6443", "set k3s_api_address"),
    ("a second name", "t", "hidden-0123456789", "set k3s_token"),
    ("a second name of what is free", "o", "/x", "write it as write-kubeconfig"),
    ("an action", "cluster-reset", True, "act at every start"),
    ("another file", "config", "/x", "act at every start"),
    ("an addition to one value", "flannel-iface+", "eth1", "nothing can be appended"),
]


@pytest.mark.parametrize("key, value, words", [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_key_or_value_is_refused_with_its_place_and_a_fix(key, value, words):
    (problem,) = kube_config.problems("k3s", "server", [("config_host", {key: value})], "k3s_")
    assert (problem.severity, problem.path) == ("refuse", "k3s_config_host." + key)
    assert words in problem.text() and problem.fix
    assert "hidden" not in problem.text()


WARNED = [
    ("an underscore", "tls_san", ["x"], "did you mean tls-san?"),
    ("a misspelt secret", "agent-tokn", "hidden", "did you mean agent-token?"),
    ("an unknown secret", "my-password", "hidden", "correct or remove it"),
    ("nothing near", "colour", "red", "correct or remove it"),
    ("what another key replaced", "no-deploy", ["traefik"], "use disable"),
    ("a component", "disable", ["treafik"], "did you mean traefik?"),
    ("one of two components", "disable", "traefik,nginx", "brings no such component"),
]


@pytest.mark.parametrize("key, value, words", [row[1:] for row in WARNED], ids=[row[0] for row in WARNED])
def test_what_k3s_would_skip_without_an_error_is_warned_about(key, value, words):
    (problem,) = kube_config.problems("k3s", "server", [("config", {key: value})])
    assert problem.severity == "warn"
    assert words in problem.text() and "hidden" not in problem.text()


RIGHT = {
    "debug": "true", "v": 4, "https-listen-port": "7443", "etcd-s3-timeout": "1m30s", "node-label": ["a=b"], "node-taint": "a=b:NoExecute", "selinux": False,
    "write-kubeconfig-mode": 600, "flannel-backend": "host-gw", "tls-san+": ["*.example.com", "2001:db8::1", "a.b"], "disable+": "traefik, servicelb",
    "cluster-cidr": "10.42.0.0/16,2001:cafe:42::/56", "datastore-endpoint": "mysql://u:p@tcp(h:3306)/k3s", "node-ip": None, "flannel-iface": "",
}  # fmt: skip


@pytest.mark.parametrize("key", RIGHT)
def test_what_is_right_is_left_alone(key):
    assert kube_config.problems("k3s", "server", {"config": {key: RIGHT[key]}}) == []


@pytest.mark.parametrize("layer", [["a"], "a: b", 1])
def test_a_layer_that_is_no_map_is_refused(layer):
    (problem,) = kube_config.problems("k3s", "agent", [("config_host", layer)], "k3s_")
    assert problem.path == "k3s_config_host" and "map of keys" in problem.rule


def test_a_layer_for_all_hosts_may_hold_keys_of_servers():
    layers = {"config_cluster": {"cluster-cidr": ["10.0.0.0/8"]}}
    assert kube_config.problems("k3s", "agent", layers, shared=["config_cluster"]) == []
    (problem,) = kube_config.problems("k3s", "agent", layers)
    assert "move it to the configuration of the servers" in problem.fix


def test_a_key_that_the_version_does_not_know_yet_is_warned_about():
    layers = {"config": {"nonroot-devices": True}}
    (problem,) = kube_config.problems("k3s", "agent", layers, version="v1.30.4+k3s1")
    assert problem.severity == "warn" and "came with 1.31" in problem.rule
    assert kube_config.problems("k3s", "agent", layers, version="v1.31.0+k3s1") == []


def test_options_are_checked_under_their_own_names():
    options = dict(SERVER, kubeconfig_mode=0o640, flannel_backend="vlan", disable=["treafik"], tls_san=["a b"])
    found = {problem.path: problem.severity for problem in kube_config.option_problems(options, "k3s_")}
    assert found == {"k3s_kubeconfig_mode": "refuse", "k3s_flannel_backend": "refuse", "k3s_disable": "warn", "k3s_tls_san": "refuse"}


REDACTED = [
    ("datastore-endpoint", "mysql://user:p@ss/w?rd@tcp(h:3306)/k3s?a=b", "mysql://***@tcp(h:3306)/k3s?a=b"),
    ("datastore-endpoint", "postgres://h/k3s?user=u&password=hidden&sslmode=disable", "postgres://h/k3s?user=u&password=***&sslmode=disable"),
    ("datastore-endpoint", "https://etcd:2379", "https://etcd:2379"),
    ("etcd-s3-proxy", "http://u:hidden@proxy:3128", "http://***@proxy:3128"),
    ("agent-token", "hidden", "***"),
    ("etcd-s3-secret-key", "hidden", "***"),
    ("vpn-auth", "name=tailscale,joinKey=hidden", "***"),
    ("agent_tokn", "hidden", "***"),
    ("vpn-atuh", "hidden", "***"),
    ("token-file", "/x", "/x"),
    ("etcd-s3-config-secret", "name-of-a-secret", "name-of-a-secret"),
    ("node-label", ["a=b"], ["a=b"]),
]


@pytest.mark.parametrize("key, value, shown", REDACTED)
def test_a_diff_shows_no_secret(key, value, shown):
    assert kube_config.redact("k3s", {key: value}) == {key: shown}


def test_a_configuration_has_three_parts():
    config = {"agent-token": "x", "node-label": ["a=b"], "node-taint": ["a=b:NoExecute"], "debug": True, "my-token": "y"}
    assert kube_config.parts("k3s", config) == {
        "config": {"debug": True},
        "node": {"node-label": ["a=b"], "node-taint": ["a=b:NoExecute"]},
        "secrets": {"agent-token": "x", "my-token": "y"},
    }


def test_the_table_of_keys_agrees_with_itself():
    keys = kube_keys.K3S
    assert not (set(kube_keys.OURS) | set(kube_keys.ONCE) | set(kube_keys.ALIASES.values()) | set(kube_keys.DEFAULTS)) - set(keys)
    assert {entry.instead for entry in keys.values() if entry.instead} <= set(keys)
    assert {entry.types for entry in keys.values()} == {kube_keys.BOTH, kube_keys.SERVER, kube_keys.AGENT}
    assert [key for key, entry in keys.items() if entry.critical and entry.types != kube_keys.SERVER] == []
    assert [key for key, entry in keys.items() if entry.kind not in ("bool", "duration", "int", "list", "string")] == []
