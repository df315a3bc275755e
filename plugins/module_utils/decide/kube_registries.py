# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The file registries.yaml: mirrors, rewrites, certificates and credentials of image registries. No I/O."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.kube_text import HIDDEN, as_list, meant, without_credentials, yaml_text

# Source: k3s-io/docs docs/installation/private-registry.md, rancher/wharfie pkg/registries.
KEYS: t.Dict[str, t.Tuple[str, ...]] = {
    "": ("configs", "mirrors"),
    "mirrors": ("endpoint", "rewrite"),
    "configs": ("auth", "tls"),
    "auth": ("auth", "identity_token", "password", "token", "username"),
    "tls": ("ca_file", "cert_file", "insecure_skip_verify", "key_file"),
}
_ENDPOINT = re.compile(r"(https?://[^\s/@]+|[^\s/@:]+(:[0-9]+)?)(/[^\s@]*)?")


class Registries(t.NamedTuple):
    """What became of the option: C(text) is the file, empty for none; C(redacted) is the same for a diff."""

    problems: t.List[Problem]
    text: str
    redacted: str


def check(registries: t.Any, path: str = "registries") -> Registries:
    """Return the file for a mapping as the file has it, and what is wrong with it."""
    if not registries:
        return Registries([], "", "")
    found = problems(registries, path)
    if any(problem.severity == "refuse" for problem in found):
        return Registries(found, "", "")
    return Registries(found, yaml_text(registries), yaml_text(redact(registries)))


def redact(registries: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Return registries without any credentials."""
    found = dict(registries)
    if found.get("mirrors"):
        found["mirrors"] = {name: _shown_mirror(mirror) for name, mirror in found["mirrors"].items()}
    if found.get("configs"):
        found["configs"] = {name: _shown_config(config) for name, config in found["configs"].items()}
    return found


def _shown_mirror(mirror: t.Any) -> t.Any:
    if not isinstance(mirror, t.Mapping) or "endpoint" not in mirror:
        return mirror
    return dict(mirror, endpoint=[without_credentials(str(endpoint)) for endpoint in as_list(mirror["endpoint"])])


def _shown_config(config: t.Any) -> t.Any:
    """Return a registry's settings of which only the TLS part is open: what stands in an unknown key may be a misplaced password."""
    if not isinstance(config, t.Mapping):
        return config
    return {key: value if key == "tls" else {name: HIDDEN for name in value} if isinstance(value, t.Mapping) else HIDDEN for key, value in config.items()}


def problems(registries: t.Any, path: str) -> t.List[Problem]:
    """Return what is wrong with a mapping of registries. What the distribution does not know is skipped by it without a word."""
    found = _map_problems(registries, path, "", "refuse")
    if found:
        return found
    for name, mirror in (registries.get("mirrors") or {}).items():
        found += _mirror_problems(mirror, "%s.mirrors.%s" % (path, name))
    for name, config in (registries.get("configs") or {}).items():
        found += _config_problems(config, "%s.configs.%s" % (path, name))
    return found


def _map_problems(value: t.Any, path: str, kind: str, severity: str = "warn") -> t.List[Problem]:
    """Return what is wrong with the keys of one map; its values, which may be secret, are not shown."""
    if value is None:
        return []
    if not isinstance(value, t.Mapping):
        return [Problem(path, type(value).__name__, "must be a map", "write it with the keys %s" % ", ".join(KEYS[kind]))]
    found = []
    for key in value:
        if key not in KEYS[kind]:
            near = meant(str(key), KEYS[kind])
            fix = "did you mean %s?" % near if near else "use one of: %s" % ", ".join(KEYS[kind])
            found.append(Problem("%s.%s" % (path, key), HIDDEN, "no such key is read", fix, severity))
        elif not kind and value[key] is not None and not isinstance(value[key], t.Mapping):
            found.append(Problem("%s.%s" % (path, key), type(value[key]).__name__, "must be a map of registries", "write names of registries as its keys"))
    return found


def _mirror_problems(mirror: t.Any, path: str) -> t.List[Problem]:
    found = _map_problems(mirror, path, "mirrors")
    if not isinstance(mirror, t.Mapping):
        return found
    for endpoint in as_list(mirror.get("endpoint")):
        if not _ENDPOINT.fullmatch(str(endpoint)):
            rule = "not the URL of a registry, which begins with https:// or http:// and holds no user"
            fix = "write a URL such as https://registry.example.com:5000; credentials go to configs"
            found.append(Problem(path + ".endpoint", without_credentials(str(endpoint)), rule, fix))
    rewrites = mirror.get("rewrite") or {}
    if not isinstance(rewrites, t.Mapping):
        return found + [Problem(path + ".rewrite", type(rewrites).__name__, "must be a map", "write patterns as keys, and what replaces them as values")]
    for pattern in rewrites:
        try:
            re.compile(str(pattern))
        except re.error as problem:
            found.append(Problem(path + ".rewrite", pattern, "not a regular expression: %s" % problem, "correct the pattern", "warn"))
    return found


def _config_problems(config: t.Any, path: str) -> t.List[Problem]:
    found = _map_problems(config, path, "configs")
    if not isinstance(config, t.Mapping):
        return found
    for kind in ("auth", "tls"):
        found += _map_problems(config.get(kind), "%s.%s" % (path, kind), kind)
    auth = config.get("auth") if isinstance(config.get("auth"), t.Mapping) else {}
    if bool(auth.get("username")) != bool(auth.get("password")):
        found.append(Problem(path + ".auth", HIDDEN, "a user needs a password, and a password a user", "set both, or auth or token instead"))
    tls = config.get("tls") if isinstance(config.get("tls"), t.Mapping) else {}
    for name in ("ca_file", "cert_file", "key_file"):
        if tls.get(name) and not str(tls[name]).startswith("/"):
            found.append(Problem("%s.tls.%s" % (path, name), tls[name], "not an absolute path on the host", "write it from the root directory on"))
    if "insecure_skip_verify" in tls and not isinstance(tls["insecure_skip_verify"], bool):
        found.append(Problem(path + ".tls.insecure_skip_verify", tls["insecure_skip_verify"], "neither true nor false", "write true or false"))
    return found
