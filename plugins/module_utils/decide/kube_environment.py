# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The environment of a node's service: proxies, and what must never go through one. No I/O.

SSL_CERT_FILE is not set for a private CA: Go programs then trust nothing else. The CA goes into the store of the system, which they read when they start.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.kube_text import HIDDEN, split, without_credentials

# Source: k3s-io/k3s install.sh create_env_file, k3s-io/docs docs/advanced.md "Configuring an HTTP proxy".
PROXIES = {
    "http_proxy": "HTTP_PROXY",
    "https_proxy": "HTTPS_PROXY",
    "containerd_http_proxy": "CONTAINERD_HTTP_PROXY",
    "containerd_https_proxy": "CONTAINERD_HTTPS_PROXY",
}
_LOCAL = ("127.0.0.0/8", "::1", "localhost", ".svc")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PROXY = re.compile(r"(https?|socks5h?)://[^\s/?#]+/?")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@,+=*%~\[\]-]*")


def variables(options: t.Mapping[str, t.Any]) -> t.Dict[str, str]:
    """Return the variables of the service.

    C(options) has, where they apply, the proxies by the names above, C(no_proxy) and C(containerd_no_proxy) (lists, or texts with commas),
    C(cluster_cidr), C(service_cidr), C(cluster_domain), C(server_addresses), C(node_addresses), C(ca_checksum) (of a private CA in the store of the system,
    which a service reads at its start only), and C(environment), a mapping of the user's own.
    """
    found = {name: str(value) for name, value in (options.get("environment") or {}).items() if value is not None}
    found.update({variable: str(options[name]) for name, variable in PROXIES.items() if options.get(name)})
    for start in ("", "CONTAINERD_"):
        own = options.get(start.lower() + "no_proxy")
        if own or start + "HTTP_PROXY" in found or start + "HTTPS_PROXY" in found:
            found[start + "NO_PROXY"] = ",".join(split(direct(options) + split(own)))
    if options.get("ca_checksum"):
        found["GPUOPS_CA_SHA256"] = str(options["ca_checksum"])
    return dict(sorted(found.items()))


def direct(options: t.Mapping[str, t.Any]) -> t.List[str]:
    """Return what is never reached through a proxy, whatever else is given."""
    domain = "." + str(options.get("cluster_domain") or "cluster.local").lstrip(".")
    networks = split(options.get("cluster_cidr") or "10.42.0.0/16") + split(options.get("service_cidr") or "10.43.0.0/16")
    return list(_LOCAL) + [domain] + networks + split(options.get("server_addresses")) + split(options.get("node_addresses"))


def problems(options: t.Mapping[str, t.Any], prefix: str = "") -> t.List[Problem]:
    """Return what is wrong with the options of the environment."""
    found = []
    for name in sorted(PROXIES):
        value = options.get(name)
        if value and not _PROXY.fullmatch(str(value)):
            fix = "write a URL such as http://proxy.example.com:3128"
            found.append(Problem(prefix + name, without_credentials(str(value)), "not the URL of a proxy", fix))
    for name in ("no_proxy", "containerd_no_proxy"):
        for entry in split(options.get(name)):
            if re.search(r"\s|://", entry):
                rule = "not an address, a network or a name: entries are separated by commas"
                found.append(Problem(prefix + name, entry, rule, "write entries such as 10.0.0.0/8 or .example.com"))
    for name, value in sorted((options.get("environment") or {}).items(), key=lambda item: str(item[0])):
        found += _variable_problems("%senvironment.%s" % (prefix, name), str(name), value)
    return found


def _variable_problems(path: str, name: str, value: t.Any) -> t.List[Problem]:
    if not _NAME.fullmatch(name):
        return [Problem(path, name, "not the name of an environment variable", "use letters, digits and underscores")]
    if name.startswith(("K3S_", "RKE2_", "GPUOPS_")):
        rule = "it would decide beside the configuration file, and shows in annotations of the node"
        return [Problem(path, HIDDEN, rule, "set the key in the configuration")]
    if name in PROXIES.values() or name in ("NO_PROXY", "CONTAINERD_NO_PROXY"):
        return [Problem(path, without_credentials(str(value)), "this variable is written for you", "set %s" % name.lower())]
    if re.search(r"[\x00-\x1f\x7f]", str(value)):
        return [Problem(path, HIDDEN, "it holds a line break or another control character", "write it on one line")]
    return []


def render(found: t.Mapping[str, str]) -> str:
    """Return variables as the text of a systemd environment file."""
    return "".join("%s=%s\n" % (name, _quoted(found[name])) for name in sorted(found))


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else '"%s"' % re.sub(r'(["\\])', r"\\\1", value)
