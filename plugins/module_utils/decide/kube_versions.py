# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Versions of a Kubernetes distribution: which changes are allowed, and what a version brings with it. No I/O."""

from __future__ import annotations

import re
import typing as t

_RELEASE = re.compile(r"v([0-9]+)\.([0-9]+)\.([0-9]+)(?:-([0-9A-Za-z.]+))?\+(k3s|rke2r)([0-9]+)")
_MARKS = {"k3s": "k3s", "rke2r": "rke2"}
# Source: Kubernetes' version skew policy; before 1.28 a kubelet could be two minors older, since then three.
OLDEST_AGENT = 3
OLDEST_AGENT_BEFORE_1_28 = 2


class Version(t.NamedTuple):
    """A release, such as v1.35.6+k3s1 or v1.35.6-rc2+rke2r1."""

    text: str
    distribution: str
    major: int
    minor: int
    patch: int
    candidate: str
    build: int

    @property
    def order(self) -> t.Tuple[t.Any, ...]:
        """What sorts releases: a release candidate comes before its release."""
        parts = [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"[0-9]+|[A-Za-z]+", self.candidate)]
        return (self.major, self.minor, self.patch, not parts, parts, self.build)


class Change(t.NamedTuple):
    """What a change of version is: C(kind) is install, none, patch, minor or refuse; C(fix) belongs to a refusal."""

    kind: str
    text: str
    fix: str = ""


class Containerd(t.NamedTuple):
    """The containerd inside of a release: its series, the version of its configuration, and the template that it is rendered from."""

    series: str
    config_version: int
    template: str


def parse(text: str) -> Version:
    """Return a version as its parts.

    Raises: ValueError for what is no release of a distribution that we know.
    """
    match = _RELEASE.fullmatch(str(text))
    if match is None:
        raise ValueError("not a release such as v1.35.6+k3s1 or v1.35.6+rke2r1: %r" % str(text))
    major, minor, patch, candidate, mark, build = match.groups()
    return Version(str(text), _MARKS[mark], int(major), int(minor), int(patch), candidate or "", int(build))


def compare(one: str, other: str) -> int:
    """Return -1, 0 or 1 as the one is older than, the same as or newer than the other.

    Raises: ValueError
    """
    first, second = parse(one).order, parse(other).order
    return (first > second) - (first < second)


def change(running: t.Optional[str], wanted: str) -> Change:
    """Return what it means to go from the running version (none: not installed) to the wanted one."""
    try:
        target = parse(wanted)
    except ValueError as problem:
        return Change("refuse", str(problem), "write a release tag of the distribution in full, with the v and what follows the +")
    if not running:
        return Change("install", "%s is installed" % wanted)
    try:
        current = parse(running)
    except ValueError as problem:
        return Change("refuse", "it is unknown what runs here: %s" % problem, "install a release by hand first, or remove what is there")
    if current.distribution != target.distribution:
        fix = "remove %s from the host first, or use the role %s" % (current.distribution, current.distribution)
        return Change("refuse", "%s runs here, which does not become %s" % (running, target.distribution), fix)
    if current.order == target.order:
        return Change("none", "%s runs already" % wanted)
    if target.order < current.order:
        rule = "%s runs here, and Kubernetes does not support a downgrade: its data may not be readable to the older version" % running
        return Change("refuse", rule, "set %s or newer; to go back, restore a snapshot into a new cluster" % running)
    if current.major != target.major:
        return Change("refuse", "%s runs here, which is another major version" % running, "upgrade by hand, as the release notes say")
    if target.minor > current.minor + 1:
        rule = "%s runs here, and no minor version may be skipped" % running
        return Change("refuse", rule, "set a release of v%d.%d first, and upgrade one minor version after the other" % (current.major, current.minor + 1))
    kind = "patch" if target.minor == current.minor else "minor"
    return Change(kind, "%s becomes %s" % (running, wanted))


def agent_skew(agent: str, server: str) -> t.Optional[Change]:
    """Return why an agent of this version must not join a server of that version; None when it may.

    Raises: ValueError
    """
    ours, theirs = parse(agent), parse(server)
    if ours.order > theirs.order:
        return Change("refuse", "an agent must not be newer than a server, and a server has %s" % server, "upgrade the servers first")
    oldest = OLDEST_AGENT if (theirs.major, theirs.minor) >= (1, 28) else OLDEST_AGENT_BEFORE_1_28
    if ours.major != theirs.major or theirs.minor - ours.minor > oldest:
        rule = "an agent may be %d minor versions older than a server at most, and a server has %s" % (oldest, server)
        return Change("refuse", rule, "upgrade the agents before the servers go on")
    return None


def _has(version: Version, first: t.Dict[int, int]) -> bool:
    """Tell whether a version has what came with these patches, by minor; later minors have it, earlier ones have not."""
    if version.major != 1 or version.minor > max(first):
        return version.major > 1 or version.minor > max(first)
    return version.minor in first and version.patch >= first[version.minor]


# Source: k3s-io/docs docs/advanced.md "Configuring containerd" (February 2025); the same releases of RKE2.
_CONTAINERD_2 = {31: 6, 32: 2}
# Source: release notes of RKE2 1.36; k3s takes the same containerd.
_CONTAINERD_2_3 = {36: 0}
# Source: pull request k3s-io/k3s#9311 and its backports #9429 to #9431 (February 2024).
_SEARCH_PATH = {26: 14, 27: 11, 28: 7, 29: 2}
# Source: issue k3s-io/k3s#10761 and its backports #10998 to #11001 (October 2024).
_SEARCH_PATH_WITH_OPERATOR = {28: 15, 29: 10, 30: 6, 31: 2}
# Source: k3s-io/k3s manifests/runtimes.yaml (December 2023); the chart rke2-runtimeclasses (January 2025).
_RUNTIME_CLASSES = {"k3s": {26: 12, 27: 9, 28: 5, 29: 0}, "rke2": {29: 14, 30: 9, 31: 5, 32: 1}}

OPERATOR_TOOLKIT = "/usr/local/nvidia/toolkit"
WASM = "/opt/kwasm/bin"


def containerd(version: str) -> Containerd:
    """Return the containerd inside of a release.

    Raises: ValueError
    """
    found = parse(version)
    if _has(found, _CONTAINERD_2):
        return Containerd("2.3" if _has(found, _CONTAINERD_2_3) else "2.0", 3, "config-v3.toml.tmpl")
    return Containerd("1.7", 2, "config.toml.tmpl")


def runtime_search(version: str, path: str) -> t.List[str]:
    """Return the directories in which a release looks for NVIDIA's runtimes at its start, first to last.

    A forgotten toolkit of the GPU operator therefore goes before the one of the host, except between February and October 2024.

    :param path: PATH of the service
    Raises: ValueError
    """
    found = parse(version)
    own = [directory for directory in path.split(":") if directory]
    if _has(found, _SEARCH_PATH_WITH_OPERATOR):
        return [OPERATOR_TOOLKIT, WASM] + own
    if _has(found, _SEARCH_PATH):
        return own
    return [OPERATOR_TOOLKIT, "/usr/bin"]


def ships_runtime_classes(version: str) -> bool:
    """Tell whether a release brings the RuntimeClass nvidia: where it does, nobody else may create it.

    Raises: ValueError
    """
    found = parse(version)
    return _has(found, _RUNTIME_CLASSES[found.distribution])
