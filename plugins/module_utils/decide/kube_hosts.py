# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Whether a host's operating system can be a node, and how it keeps packages, certificates and firewalls. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog import kube_hosts as catalog
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_distributions import ARCHITECTURES
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem


class Support(t.NamedTuple):
    """What is known of a host; empty texts and lists where nothing is. C(problems) tells whether it can be a node.

    C(selinux) has C(packages), C(repository), C(key) and C(fingerprint).
    """

    problems: t.List[Problem]
    architecture: str
    family: str
    package_manager: str = ""
    package_proxy: str = ""
    packages: t.List[str] = []
    ca_directory: str = ""
    ca_update: t.List[str] = []
    ca_refresh: t.List[str] = []
    profile_directory: str = ""
    firewall: str = ""
    selinux: t.Dict[str, t.Any] = {}


def host_support(facts: t.Mapping[str, t.Any], distribution: str = "k3s") -> Support:
    """Return what becomes of a host with these facts.

    :param facts: C(os), C(os_version), C(os_like) (a list) and C(os_name) out of /etc/os-release, and C(machine), what uname -m prints.
    """
    release = find_release(facts)
    architecture = ARCHITECTURES.get(facts["machine"], "")
    found = _problems(facts, release, architecture, distribution)
    name = release.family if release else relative(facts)
    if not name:
        return Support(found, architecture, "")
    family = catalog.FAMILIES[name]
    return Support(
        found,
        architecture,
        name,
        package_manager=family.package_manager,
        package_proxy=family.package_proxy,
        packages=list(release.packages) if release else [],
        ca_directory=family.ca_directory,
        ca_update=list(family.ca_update),
        ca_refresh=list(family.ca_refresh),
        profile_directory=family.profile_directory,
        firewall=family.firewall,
        selinux=_selinux(release, distribution),
    )


def _selinux(release: t.Optional[catalog.Release], distribution: str) -> t.Dict[str, t.Any]:
    if release is None or not release.selinux:
        return {}
    return {
        "packages": [package.format(distribution=distribution) for package in release.selinux],
        "repository": catalog.SELINUX_REPOSITORY.format(distribution=distribution, path=release.selinux_path),
        "key": catalog.SELINUX_KEY,
        "fingerprint": catalog.SELINUX_FINGERPRINT,
    }


def find_release(facts: t.Mapping[str, t.Any]) -> t.Optional[catalog.Release]:
    """Return the release of our table that a host has, None for another."""
    version = str(facts["os_version"])
    for release in catalog.RELEASES:
        if release.id == facts["os"] and (version == release.version or version.startswith(release.version + ".")):
            return release
    return None


def relative(facts: t.Mapping[str, t.Any]) -> str:
    """Return the family of an operating system that is not in our table, empty when it is related to none of ours."""
    names = [catalog.RELATIVES.get(name) for name in [facts["os"]] + list(facts.get("os_like") or [])]
    return next((name for name in names if name), "")


def _problems(facts: t.Mapping[str, t.Any], release: t.Optional[catalog.Release], architecture: str, distribution: str) -> t.List[Problem]:
    found = []
    if not architecture:
        rule = "%s is installed on %s only" % (distribution, " and ".join(sorted(ARCHITECTURES)))
        found.append(Problem("architecture", facts["machine"], rule, "use a host of one of these architectures"))
    shown = facts.get("os_name") or "%s %s" % (facts["os"], facts["os_version"])
    if release is None:
        reason = catalog.REFUSED.get((facts["os"], str(facts["os_version"]).partition(".")[0]))
        rule = reason or "not one of the systems that this is made for: %s" % known_releases()
        fix = "install a newer release of it" if reason else "use one of these, or accept the risk by an ignored check"
        found.append(Problem("operating system", shown, rule, fix))
    else:
        found += [Problem("operating system", shown, rule, fix, "warn") for rule, fix in release.remarks]
    return found


def known_releases() -> str:
    """Return the table of releases as one line."""
    versions: t.Dict[str, t.List[str]] = {}
    for release in catalog.RELEASES:
        versions.setdefault(release.id, []).append(release.version)
    return "; ".join("%s %s" % (name, ", ".join(listed)) for name, listed in versions.items())


def ports(node_type: str, config: t.Mapping[str, t.Any]) -> t.List[catalog.Port]:
    """Return the ports on which a node has to be reachable, for its final configuration."""
    backend = config.get("flannel-backend") or "vxlan"
    etcd = bool(config.get("cluster-init") or config.get("server")) and not config.get("datastore-endpoint")
    wanted = {"", backend} | ({"etcd"} if etcd else set()) | ({"embedded-registry"} if config.get("embedded-registry") else set())
    return [port for port in catalog.PORTS if port.when in wanted and port.listens in (node_type, "node")]
