# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Whether a host can join the cluster that its configuration names, told before anything is changed. No I/O."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_tokens

_SERVER = re.compile(r"^server: \"?(https://[^\s\"]+)\"?$", re.MULTILINE)


class Credentials(t.NamedTuple):
    """What a host shows when it joins; everything empty where it has no token yet. C(ca_hash) is empty in short tokens."""

    ca_hash: str = ""
    user: str = ""
    password: str = ""


def server(config: str) -> str:
    """Return the URL of the server that a configuration joins, empty when it joins none."""
    found = _SERVER.search(config)
    return found.group(1) if found else ""


def credentials(token: str, node_type: str) -> Credentials:
    """Return what a host of this type shows with a token (pkg/clientaccess/token.go); a bootstrap token has no user.

    Nothing for a token of no form, which others tell of.
    """
    try:
        found = kube_tokens.parse(token)
    except ValueError:
        return Credentials()
    user = "" if found.form == "bootstrap" else "node" if node_type == "agent" else "server"
    return Credentials(found.ca_hash, user, found.secret)


def problems(seen: t.Any, url: str, shown: Credentials, prefix: str) -> t.List[Problem]:
    """Return what speaks against joining the server at a URL.

    :param seen: what M(observe.kube_join.look) returns
    """
    address = prefix + "api_address"
    if seen.failure:
        fix = "see that a server runs there and that this host reaches it, or correct %s and %sapi_port" % (address, prefix)
        return [Problem(address, url, "nobody answers there: %s" % seen.failure, fix)]
    if seen.stranger:
        fix = "set %s and %sapi_port to those of a server, or of a load balancer that leaves TLS to the servers" % (address, prefix)
        return [Problem(address, url, "what answers there is no server that a node could trust: %s" % seen.stranger, fix)]
    if seen.mismatch:
        rule = "the certificate there is not for it, so that no node would join: it is for %s" % ", ".join(seen.names)
        fix = "add it to %stls_san and let the servers take part in a run, or use one of these names" % prefix
        return [Problem(address, url, rule, fix)]
    token, whole = prefix + "token", "set it to the content of the file node-token of a server of this cluster"
    if shown.ca_hash and seen.ca_hash and shown.ca_hash != seen.ca_hash:
        return [Problem(token, "***", "it is for a cluster with another CA than that of the server at %s" % url, whole)]
    if seen.refused:
        return [Problem(token, "***", "the server at %s does not know it" % url, whole)]
    return []
