# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment of the service, the file of registries, and what is wrong with a node's options as a whole."""

from __future__ import annotations

import shlex

import hypothesis
import hypothesis.strategies as st
import pytest
import yaml
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_environment, kube_options, kube_registries

DIRECT = "127.0.0.0/8,::1,localhost,.svc,.cluster.local,10.42.0.0/16,10.43.0.0/16"
PROXY = "http://proxy.example.com:3128"

VARIABLES = [
    ("nothing", {}, {}),
    ("no proxy, no exceptions", {"server_addresses": ["one"], "no_proxy": []}, {}),
    ("one proxy", {"http_proxy": PROXY}, {"HTTP_PROXY": PROXY, "NO_PROXY": DIRECT}),
    ("exceptions alone", {"no_proxy": "a, b"}, {"NO_PROXY": DIRECT + ",a,b"}),
    ("exceptions twice", {"https_proxy": PROXY, "no_proxy": ["localhost", "a"]}, {"HTTPS_PROXY": PROXY, "NO_PROXY": DIRECT + ",a"}),
    (
        "the cluster's own networks",
        {"http_proxy": PROXY, "cluster_cidr": ["10.0.0.0/16", "fd00::/56"], "service_cidr": "10.1.0.0/16", "cluster_domain": "k8s.example.com"},
        {"HTTP_PROXY": PROXY, "NO_PROXY": "127.0.0.0/8,::1,localhost,.svc,.k8s.example.com,10.0.0.0/16,fd00::/56,10.1.0.0/16"},
    ),
    (
        "servers and nodes",
        {"https_proxy": PROXY, "server_addresses": ["one", "192.0.2.1"], "node_addresses": ["192.0.2.1", "192.0.2.2"]},
        {"HTTPS_PROXY": PROXY, "NO_PROXY": DIRECT + ",one,192.0.2.1,192.0.2.2"},
    ),
    (
        "containerd alone",
        {"containerd_https_proxy": PROXY, "containerd_no_proxy": ["a"]},
        {"CONTAINERD_HTTPS_PROXY": PROXY, "CONTAINERD_NO_PROXY": DIRECT + ",a"},
    ),
    ("a private CA", {"ca_checksum": "abc"}, {"GPUOPS_CA_SHA256": "abc"}),
    ("the user's own", {"environment": {"GODEBUG": "netdns=go", "N": 1, "X": None}}, {"GODEBUG": "netdns=go", "N": "1"}),
]


@pytest.mark.parametrize("options, expected", [row[1:] for row in VARIABLES], ids=[row[0] for row in VARIABLES])
def test_what_must_not_go_through_a_proxy_is_always_excepted(options, expected):
    assert kube_environment.variables(options) == expected
    assert kube_environment.problems(options) == []


ENVIRONMENT_PROBLEMS = [
    ("no URL", {"http_proxy": "proxy:3128"}, "k3s_http_proxy", "not the URL of a proxy"),
    ("a password that is no part of a URL", {"https_proxy": "http://u:hidden/x@proxy"}, "k3s_https_proxy", "not the URL of a proxy"),
    ("a line break", {"http_proxy": PROXY + "\nX=1"}, "k3s_http_proxy", "not the URL of a proxy"),
    ("spaces as separators", {"no_proxy": ["a b"]}, "k3s_no_proxy", "separated by commas"),
    ("a URL as exception", {"no_proxy": "http://a"}, "k3s_no_proxy", "separated by commas"),
    ("a bad name", {"environment": {"A-B": "hidden"}}, "k3s_environment.A-B", "not the name"),
    ("a line break in a value", {"environment": {"A": "hidden\nB=1"}}, "k3s_environment.A", "line break"),
    ("the token", {"environment": {"K3S_TOKEN": "hidden"}}, "k3s_environment.K3S_TOKEN", "set the key in the configuration"),
    ("our own", {"environment": {"GPUOPS_REVISION": "9"}}, "k3s_environment.GPUOPS_REVISION", "beside the configuration"),
    ("a proxy", {"environment": {"NO_PROXY": "x"}}, "k3s_environment.NO_PROXY", "set no_proxy"),
]


@pytest.mark.parametrize("options, path, words", [row[1:] for row in ENVIRONMENT_PROBLEMS], ids=[row[0] for row in ENVIRONMENT_PROBLEMS])
def test_a_bad_environment_is_refused(options, path, words):
    (problem,) = kube_environment.problems(options, "k3s_")
    assert (problem.severity, problem.path) == ("refuse", path)
    assert words in problem.text() and "hidden" not in problem.text()


@hypothesis.given(st.dictionaries(st.from_regex("[A-Z]{1,8}", fullmatch=True), st.text(st.characters(exclude_categories=["Cc", "Cs"]))))
def test_an_environment_is_read_back_as_it_was(variables):
    # systemd reads quotes and backslashes of these lines as a shell does.
    read = dict(shlex.split(line)[0].partition("=")[::2] for line in kube_environment.render(variables).split("\n") if line)
    assert read == variables


GOOD = {
    "mirrors": {
        "docker.io": {"endpoint": ["https://r.example.com:5000", "r2.example.com"], "rewrite": {"^a/(.*)": "b/$1"}},
        "quay.io": {"endpoint": "http://q"},
        "*": None,
    },
    "configs": {"r.example.com:5000": {"auth": {"username": "u", "password": "hidden"}, "tls": {"insecure_skip_verify": True}}, "docker.io": None},
}


def test_registries_become_a_file_and_a_diff_without_credentials():
    found = kube_registries.check(GOOD)
    assert found.problems == []
    assert yaml.safe_load(found.text) == GOOD
    shown = yaml.safe_load(found.redacted)
    assert shown["configs"]["r.example.com:5000"] == {"auth": {"username": "***", "password": "***"}, "tls": {"insecure_skip_verify": True}}
    assert shown["mirrors"] == {**GOOD["mirrors"], "quay.io": {"endpoint": ["http://q"]}}


@pytest.mark.parametrize("empty", [None, {}, ""])
def test_no_registries_are_no_file(empty):
    assert kube_registries.check(empty) == ([], "", "")


def registry(**config):
    return {"configs": {"r": config}}


REGISTRY_PROBLEMS = [
    ("no map", ["a"], "refuse", "r", "must be a map"),
    ("a misspelt key at the top", {"mirors": {}}, "refuse", "r.mirors", "did you mean mirrors?"),
    ("a list of mirrors", {"mirrors": [1]}, "refuse", "r.mirrors", "map of registries"),
    ("a misspelt key of a mirror", {"mirrors": {"a": {"endpoints": []}}}, "warn", "r.mirrors.a.endpoints", "did you mean endpoint?"),
    ("a mirror that is a text", {"mirrors": {"a": "https://x"}}, "refuse", "r.mirrors.a", "must be a map"),
    ("a user in an endpoint", {"mirrors": {"a": {"endpoint": ["https://u:hidden@x"]}}}, "refuse", "r.mirrors.a.endpoint", "credentials go to configs"),
    ("another scheme", {"mirrors": {"a": {"endpoint": ["ftp://x"]}}}, "refuse", "r.mirrors.a.endpoint", "not the URL of a registry"),
    ("rewrites in a list", {"mirrors": {"a": {"rewrite": ["x"]}}}, "refuse", "r.mirrors.a.rewrite", "must be a map"),
    ("a pattern", {"mirrors": {"a": {"rewrite": {"(": "x"}}}}, "warn", "r.mirrors.a.rewrite", "not a regular expression"),
    ("a misplaced password", registry(password="hidden"), "warn", "r.configs.r.password", "no such key is read"),
    ("a user without a password", registry(auth={"username": "u"}), "refuse", "r.configs.r.auth", "needs a password"),
    ("a password without a user", registry(auth={"password": "hidden"}), "refuse", "r.configs.r.auth", "needs a password"),
    ("a relative path", registry(tls={"ca_file": "ca.crt"}), "refuse", "r.configs.r.tls.ca_file", "not an absolute path"),
    ("no truth value", registry(tls={"insecure_skip_verify": "yes"}), "refuse", "r.configs.r.tls.insecure_skip_verify", "neither true nor false"),
]


@pytest.mark.parametrize("registries, severity, path, words", [row[1:] for row in REGISTRY_PROBLEMS], ids=[row[0] for row in REGISTRY_PROBLEMS])
def test_bad_registries_are_told_with_their_place(registries, severity, path, words):
    found = kube_registries.check(registries, "r")
    (problem,) = found.problems
    assert (problem.severity, problem.path) == (severity, path)
    assert words in problem.text() and "hidden" not in problem.text() + found.redacted
    assert bool(found.text) == (severity == "warn")


def node(**options):
    base = {"distribution": "k3s", "node_type": "server", "first": True, "api_address": "192.0.2.10", "api_port": 6443}
    return kube_options.node(dict(base, **options), "k3s_")


def test_a_node_is_put_together_only_when_nothing_is_refused():
    found = node(layers={"config": {"debug": "yes"}}, registries={"mirors": {}})
    assert [problem.path for problem in found.problems] == ["k3s_config.debug", "k3s_registries.mirors"]
    assert (found.config, found.node, found.secrets, found.registries, found.settings) == ("", "", "", "", {})


def test_a_network_of_a_layer_is_not_reached_through_the_proxy():
    found = node(http_proxy=PROXY, layers={"config": {"cluster-cidr": ["10.9.0.0/16"], "cluster-domain": "k8s.local"}})
    assert "10.9.0.0/16" in found.environment and ".k8s.local" in found.environment and "10.42" not in found.environment


def test_what_others_have_to_know_is_told():
    found = node(layers={"config": {"write-kubeconfig": "/k", "disable-agent": True}}, node_labels={"a": "b"}, node_taints=["x:NoSchedule"])
    assert (found.kubeconfig, found.agentless, found.api_url) == ("/k", True, "https://192.0.2.10:6443")
    assert (found.labels, found.taints) == ({"a": "b"}, [{"key": "x", "value": "", "effect": "NoSchedule"}])


OPTION_PROBLEMS = [
    ("a bad token", {"token": "short"}, "warn", "k3s_token"),
    ("an empty one of agents is none", {"agent_token": ""}, None, None),
    ("one token for both", {"token": "0123456789abcdef", "agent_token": "0123456789abcdef"}, "warn", "k3s_agent_token"),
    ("a port", {"api_port": 70000}, "refuse", "k3s_api_port"),
    ("nobody to join", {"first": False, "api_address": ""}, "refuse", "k3s_api_address"),
    ("nobody to join, but a datastore", {"first": False, "api_address": "", "datastore_endpoint": "mysql://x"}, None, None),
    ("a runtime beside Docker", {"docker": True, "default_runtime": "nvidia"}, "warn", "k3s_default_runtime"),
    ("registries beside Docker", {"docker": True, "registries": GOOD}, "warn", "k3s_registries"),
    ("a proxy", {"http_proxy": "x"}, "refuse", "k3s_http_proxy"),
]


@pytest.mark.parametrize("options, severity, path", [row[1:] for row in OPTION_PROBLEMS], ids=[row[0] for row in OPTION_PROBLEMS])
def test_options_are_checked_together(options, severity, path):
    found = [(problem.severity, problem.path) for problem in node(**options).problems]
    assert found == ([(severity, path)] if path else [])
