# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Tokens that join hosts to a cluster: their forms, which form goes where, and what is wrong with one. No message holds a token. No I/O."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem

SHORTEST = 16
_FULL = "K10"
_HASH = re.compile(r"[0-9a-f]{64}")
# Source: kubeadm's bootstrap tokens, as pkg/kubeadm of k3s reads them.
_BOOTSTRAP = re.compile(r"[a-z0-9]{6}\.[a-z0-9]{16}")

# Source: defaults, samples and documentation of other roles and of the distributions. Whoever reads those can join such a cluster.
KNOWN = frozenset(
    (
        "12345",
        "boop",
        "changeme",
        "changeme!",
        "defaultsecret12345",
        "my-shared-secret",
        "my-super-secret-token",
        "mypassword",
        "mysecrettoken",
        "mytoken",
        "password",
        "secret",
        "some-super-dedeuper-secret-password",
        "token",
    )
)


class Token(t.NamedTuple):
    """A token as its parts. C(form) is short, full or bootstrap; C(ca_hash) is empty where the token does not name the cluster's CA."""

    form: str
    ca_hash: str
    user: str
    secret: str


def parse(token: str) -> Token:
    """Return a token as its parts, by the rules of k3s (pkg/clientaccess/token.go).

    Raises: ValueError, without the token in its text.
    """
    if not token:
        raise ValueError("the token is empty")
    if not token.startswith(_FULL):
        return Token("bootstrap" if _BOOTSTRAP.fullmatch(token) else "short", "", "", token)
    ca_hash, separator, credentials = token[len(_FULL) :].partition("::")
    if not separator:
        ca_hash, credentials = "", ca_hash
    if ca_hash and not _HASH.fullmatch(ca_hash):
        raise ValueError("it starts with K10, and what follows is not the hash of a CA: 64 hexadecimal digits and ::")
    if _BOOTSTRAP.fullmatch(credentials):
        return Token("bootstrap", ca_hash, "", credentials)
    user, separator, secret = credentials.partition(":")
    if not secret:
        raise ValueError("it starts with K10, and has no user and password: K10<hash of the CA>::<user>:<password>")
    return Token("full", ca_hash, user, secret)


def password(token: str) -> str:
    """Return what two forms of the same token have in common, for a comparison; the token itself where it has no form."""
    try:
        return parse(token).secret
    except ValueError:
        return token


def for_first_server(token: str) -> str:
    """Return the form that the first server needs: the password alone, since the hash of a CA cannot be known before there is one.

    Raises: ValueError, without the token in its text.
    """
    found = parse(token)
    if found.form == "bootstrap":
        raise ValueError("a bootstrap token joins agents only")
    return found.secret


def for_joiner(token: str, ca_hash: str, user: str = "server") -> str:
    """Return the form in which a host can check the cluster before it sends the password.

    :param ca_hash: SHA-256 of the cluster's CA in hexadecimal digits; empty when it is not known, which leaves the token as it is.
    :param user: server, or node for a token that joins agents only.
    Raises: ValueError, without the token in its text: also when the token is that of another cluster.
    """
    found = parse(token)
    if not ca_hash:
        return token
    if found.ca_hash and found.ca_hash != ca_hash:
        raise ValueError("it names another CA than the cluster has: it is a token of another cluster")
    if found.form == "bootstrap":
        return "%s%s::%s" % (_FULL, ca_hash, found.secret)
    return "%s%s::%s:%s" % (_FULL, ca_hash, found.user or user, found.secret)


def mask(token: str) -> str:
    """Return what a message may say of a token."""
    return "*** (%d characters)" % len(token)


def problems(token: str, node_type: str = "server", path: str = "token") -> t.List[Problem]:
    """Return what is wrong with a token that is given to a server or an agent."""
    generate = "leave %s out to have one generated, or use the output of: openssl rand -hex 32" % path
    shown = mask(token)

    def refusal(rule: str, fix: str = generate) -> t.List[Problem]:
        return [Problem(path, shown, rule, fix)]

    if not token:
        return refusal("the token is empty")
    if re.search(r"\s", token) or not token.isprintable():
        return refusal("a token holds no white space and no line break", "remove them; a file or a variable often ends with a line break")
    try:
        found = parse(token)
    except ValueError as problem:
        return refusal(str(problem), "copy the whole line of the file node-token of a server, or give the password alone")
    if found.secret.lower() in KNOWN:
        return refusal("it is printed in a public guide or in the defaults of another role, so that anybody could join and rule the cluster")
    if node_type == "server" and found.form == "bootstrap":
        return refusal("a bootstrap token joins agents only, and this is a server", "give the token of the cluster")
    if node_type == "server" and found.form == "full" and found.user == "node":
        return refusal("this token joins agents only (its user is node), and this is a server", "give the token of the cluster, whose user is server")
    if len(found.secret) < SHORTEST:
        rule = "it has less than %d characters, and can be guessed: with it, anybody can join and rule the cluster" % SHORTEST
        return [Problem(path, shown, rule, generate, "warn")]
    return []
