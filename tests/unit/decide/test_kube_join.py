# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host can join: what it would show, and what is made of what answers."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_join, kube_tokens
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.kube_join import Seen

URL = "https://k3s.example.com:6443"
HASH = "a" * 64
PASSWORD = "not-to-be-shown"
WHOLE = "K10%s::node:%s" % (HASH, PASSWORD)


@pytest.mark.parametrize(("config", "url"), [
    ('server: "%s"\n' % URL, URL),
    ("disable: [traefik]\nserver: %s\n" % URL, URL),
    ("disable: [traefik]\n", ""),
    ("# server: %s\n" % URL, ""),
    ("", ""),
])
def test_the_server_is_the_one_of_the_configuration(config, url):
    assert kube_join.server(config) == url


@pytest.mark.parametrize(("token", "node_type", "shown"), [
    (PASSWORD, "agent", ("", "node", PASSWORD)),
    (PASSWORD, "server", ("", "server", PASSWORD)),
    ("K10%s::server:%s" % (HASH, PASSWORD), "agent", (HASH, "node", PASSWORD)),
    ("abcdef.0123456789abcdef", "agent", ("", "", "abcdef.0123456789abcdef")),
    ("K10x", "agent", ("", "", "")),
    ("", "agent", ("", "", "")),
])
def test_a_host_shows_what_its_node_would(token, node_type, shown):
    assert tuple(kube_join.credentials(token, node_type)) == shown


@pytest.mark.parametrize(("seen", "path", "words"), [
    (Seen(failure="Connection refused"), "k3s_api_address", ["nobody answers", "Connection refused", "k3s_api_port"]),
    (Seen(stranger="it does not speak HTTP"), "k3s_api_address", ["no server", "does not speak HTTP", "load balancer"]),
    (Seen(mismatch=True, names=["one", "192.0.2.1"], ca_hash=HASH), "k3s_api_address", ["for one, 192.0.2.1", "k3s_tls_san"]),
    (Seen(ca_hash="b" * 64), "k3s_token", ["another CA", "node-token"]),
    (Seen(ca_hash=HASH, refused=True), "k3s_token", ["does not know it", "node-token"]),
])
def test_what_speaks_against_joining_names_the_address_and_the_fix(seen, path, words):
    (problem,) = kube_join.problems(seen, URL, kube_join.credentials(WHOLE, "agent"), "k3s_")
    assert problem.path == path and URL in problem.text() and problem.fix
    assert [word for word in words if word not in problem.text()] == []
    assert PASSWORD not in problem.text() and kube_tokens.parse(WHOLE).secret not in problem.text()


@pytest.mark.parametrize("seen", [Seen(), Seen(ca_hash=HASH), Seen(ca_hash="", names=["one"])])
def test_a_server_that_is_right_is_joined(seen):
    assert kube_join.problems(seen, URL, kube_join.credentials(WHOLE, "agent"), "k3s_") == []
