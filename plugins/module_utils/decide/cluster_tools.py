# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Which of the programs helm and kubectl have to be installed, and what speaks against it. No I/O."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.helm_release import version_problem

PREFIX = "cluster_tools_"
# A link into this directory is ours, everything else is somebody's.
HOME = ".gpuops-tools"
ARCHITECTURES = ("amd64", "arm64")

VERSION = r"[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?"
SHA256 = r"[0-9a-f]{64}"
_SHOWN = re.compile(r"\bv(%s)" % VERSION)
# What a publisher lays beside a file: its checksum, with or without its name.
_PUBLISHED = re.compile(r"\s*(%s)(?:\s+\*?\S+)?\s*" % SHA256)


class Tool(t.NamedTuple):
    """A program: C(version), C(url) and C(checksum) are wanted; the rest is what lies in the directory under its name."""

    name: str
    version: str
    url: str
    checksum: str
    exists: bool
    is_directory: bool
    target: str  # where it leads as a link
    shown: str  # what it says of its version

    @property
    def found(self) -> str:
        match = _SHOWN.search(self.shown)
        return match.group(1) if match else ""

    @property
    def ours(self) -> bool:
        return self.target.startswith(HOME + "/")


class Host(t.NamedTuple):
    """Where the programs are to run, and what is known of the directory that they go into."""

    name: str
    system: str
    architecture: str
    directory: str
    exists: bool
    is_directory: bool
    writable: bool


def to_install(tools: t.Iterable[Tool]) -> t.List[str]:
    """Return the names of the programs that are missing or of another version."""
    return [tool.name for tool in tools if tool.found != tool.version]


def problems(host: Host, tools: t.Sequence[Tool], replace: bool) -> t.List[Problem]:
    """Return everything that speaks against installing what is missing.

    :param replace: whether a program of somebody else may be replaced.
    """
    found = list(_host_problems(host, bool(to_install(tools))))
    for tool in tools:
        found += _input_problems(tool)
        if tool.found != tool.version:
            found += _place_problems(host, tool, replace)
    return found


def _host_problems(host: Host, writes: bool) -> t.Iterator[Problem]:
    if host.system != "Linux":
        yield Problem(host.name, host.system, "the programs are installed on Linux only", "install helm 3 and kubectl there yourself")
    elif host.architecture not in ARCHITECTURES:
        rule = "the architecture has to be one of %s" % ", ".join(ARCHITECTURES)
        yield Problem(PREFIX + "architecture", host.architecture, rule, "install helm 3 and kubectl there yourself")
    path = PREFIX + "directory"
    if not host.directory.startswith("/"):
        yield Problem(path, host.directory, "it has to be an absolute path, or to start with ~/", "write it so")
    elif host.exists and not host.is_directory:
        yield Problem(path, host.directory, "it is there and not a directory", "choose another one")
    elif host.exists and writes and not host.writable:
        yield Problem(path, host.directory, "the user of the connection cannot write there", "choose a directory of this user, or run with become")


def _input_problems(tool: Tool) -> t.Iterator[Problem]:
    path = "%s%s_" % (PREFIX, tool.name)
    if not re.fullmatch(VERSION, tool.version):
        yield Problem(path + "version", tool.version, "it has to be a full version without a v", "write it like 3.22.0")
    elif tool.name == "helm" and version_problem("v" + tool.version):
        yield Problem(path + "version", tool.version, "helm 3.8 or newer is needed, but not 4", "choose a release of helm 3")
    if not re.match(r"https?://[^/]|/", tool.url):
        yield Problem(path + "url", tool.url, "it has to be an http(s) URL, or an absolute path on the controller", "write it so")
    elif re.match(r"https?://[^/]*@", tool.url):
        hidden = re.sub(r"//.*@", "//***@", tool.url)
        yield Problem(path + "url", hidden, "it holds credentials, which would show in the output", "put them into ~/.netrc of the host")
    if tool.checksum and not re.fullmatch(SHA256, tool.checksum):
        yield Problem(path + "checksum", tool.checksum, "it has to be a SHA-256, 64 digits from 0 to f", "write it so, or leave it empty for the published one")


def _place_problems(host: Host, tool: Tool, replace: bool) -> t.Iterator[Problem]:
    place = "%s/%s" % (host.directory, tool.name)
    if tool.is_directory:
        yield Problem(PREFIX + "directory", place, "it is a directory", "move it away, or choose another directory")
    elif tool.exists and not tool.ours and not replace:
        rule = "it is %s, and not of this role, and %s is wanted" % (tool.found or "of no version that could be read", tool.version)
        fix = "move it away, set %s%s_version to its version, choose another directory, or set %sreplace to true to lose it" % (PREFIX, tool.name, PREFIX)
        yield Problem(PREFIX + "directory", place, rule, fix)


def published_checksum(text: str) -> str:
    """Return the SHA-256 that a publisher lays beside a file, with or without the file's name; empty where the text is something else."""
    match = _PUBLISHED.fullmatch(text.lower())
    return match.group(1) if match else ""
