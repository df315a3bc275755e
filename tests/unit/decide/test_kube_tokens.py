# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens in all their forms; no text that comes out of them holds one."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_tokens

HASH, OTHER = "0123456789abcdef" * 4, "f" * 64
PASSWORD = "5f0c9d2b7a1e4c8396d0b1a2c3d4e5f6"
FULL = "K10%s::server:%s" % (HASH, PASSWORD)
NODE = "K10%s::node:%s" % (HASH, PASSWORD)
BOOTSTRAP = "abc123.0123456789abcdef"

FORMS = [
    (PASSWORD, ("short", "", "", PASSWORD)),
    ("with:colon", ("short", "", "", "with:colon")),
    (FULL, ("full", HASH, "server", PASSWORD)),
    (NODE, ("full", HASH, "node", PASSWORD)),
    ("K10::server:" + PASSWORD, ("full", "", "server", PASSWORD)),
    ("K10server:" + PASSWORD, ("full", "", "server", PASSWORD)),
    ("K10%s::server:a:b" % HASH, ("full", HASH, "server", "a:b")),
    (BOOTSTRAP, ("bootstrap", "", "", BOOTSTRAP)),
    ("K10%s::%s" % (HASH, BOOTSTRAP), ("bootstrap", HASH, "", BOOTSTRAP)),
    ("ABC123.0123456789abcdef", ("short", "", "", "ABC123.0123456789abcdef")),
]


@pytest.mark.parametrize("token, parts", FORMS)
def test_every_form_is_read_as_k3s_reads_it(token, parts):
    assert kube_tokens.parse(token) == parts


MALFORMED = ["", "K10", "K10abc::server:pw", "K10%s::server:" % HASH, "K10%s::server" % HASH, "K10nothing", "K10%s::server:pw" % HASH.upper()]


@pytest.mark.parametrize("token", MALFORMED)
def test_a_malformed_token_is_told_without_showing_it(token):
    with pytest.raises(ValueError) as caught:
        kube_tokens.parse(token)
    assert not token[3:] or token[3:] not in str(caught.value)


@pytest.mark.parametrize("token", [PASSWORD, FULL, NODE])
def test_the_first_server_gets_the_password_alone(token):
    assert kube_tokens.for_first_server(token) == PASSWORD


def test_the_first_server_gets_no_bootstrap_token():
    with pytest.raises(ValueError, match="joins agents only"):
        kube_tokens.for_first_server(BOOTSTRAP)


JOINING = [
    (PASSWORD, HASH, "server", FULL),
    (PASSWORD, HASH, "node", NODE),
    (PASSWORD, "", "server", PASSWORD),
    (FULL, HASH, "node", FULL),
    (FULL, "", "server", FULL),
    ("K10::node:" + PASSWORD, HASH, "server", NODE),
    (BOOTSTRAP, HASH, "server", "K10%s::%s" % (HASH, BOOTSTRAP)),
]


@pytest.mark.parametrize("token, ca_hash, user, expected", JOINING)
def test_a_joiner_can_check_the_cluster(token, ca_hash, user, expected):
    assert kube_tokens.for_joiner(token, ca_hash, user) == expected


def test_the_token_of_another_cluster_is_told():
    with pytest.raises(ValueError, match="another cluster") as caught:
        kube_tokens.for_joiner(FULL, OTHER)
    assert PASSWORD not in str(caught.value)


def test_forms_of_one_token_have_the_password_in_common():
    assert {kube_tokens.password(token) for token in (PASSWORD, FULL, NODE)} == {PASSWORD}
    assert kube_tokens.password("K10abc::") == "K10abc::"


PROBLEMS = [
    ("empty", "", "server", "refuse", "empty"),
    ("a line break", PASSWORD + "\n", "server", "refuse", "white space"),
    ("a space", "two words of a token", "agent", "refuse", "white space"),
    ("a control character", PASSWORD + "\x07", "agent", "refuse", "white space"),
    ("the default of another role", "defaultSecret12345", "server", "refuse", "public guide"),
    ("the same in the long form", "K10%s::server:changeme!" % HASH, "agent", "refuse", "public guide"),
    ("a short hash", "K10abc::server:" + PASSWORD, "server", "refuse", "not the hash of a CA"),
    ("a token of agents for a server", NODE, "server", "refuse", "joins agents only"),
    ("a bootstrap token for a server", BOOTSTRAP, "server", "refuse", "bootstrap token joins agents only"),
    ("fifteen characters", "a" * 15, "server", "warn", "less than 16 characters"),
    ("fifteen in the long form", "K10%s::server:%s" % (HASH, "a" * 15), "agent", "warn", "less than 16 characters"),
]


@pytest.mark.parametrize("token, node_type, severity, words", [row[1:] for row in PROBLEMS], ids=[row[0] for row in PROBLEMS])
def test_a_bad_token_is_refused_and_not_shown(token, node_type, severity, words):
    (problem,) = kube_tokens.problems(token, node_type, "k3s_token")
    assert (problem.severity, problem.path, problem.value) == (severity, "k3s_token", "*** (%d characters)" % len(token))
    assert words in problem.rule and problem.fix
    assert not token or token not in problem.text()


GOOD = [(PASSWORD, "server"), ("a" * 16, "server"), (FULL, "server"), (FULL, "agent"), (NODE, "agent"), (BOOTSTRAP, "agent")]


@pytest.mark.parametrize("token, node_type", GOOD)
def test_a_good_token_is_left_alone(token, node_type):
    assert kube_tokens.problems(token, node_type) == []


@hypothesis.given(st.text(), st.sampled_from(["", "K10", "K10%s::node:" % HASH]), st.sampled_from(["server", "agent"]))
def test_no_text_ever_holds_a_token(token, start, node_type):
    for problem in kube_tokens.problems(start + token + "q7Zx", node_type):
        assert "q7Zx" not in problem.text()


@hypothesis.given(st.from_regex(r"[A-Za-z0-9:._-]{16,80}", fullmatch=True).filter(lambda text: not text.startswith("K10")))
def test_what_joins_is_what_the_first_server_was_given(token):
    if kube_tokens.parse(token).form == "short":
        assert kube_tokens.for_first_server(kube_tokens.for_joiner(token, HASH)) == token
