# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the programs of a testbed come from: PATH, the cache, official downloads, or a build from Go modules."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from ansible.module_utils.urls import open_url

from . import golang
from .errors import TestbedError
from .paths import cache_root
from .versions import TOOLS, tool as tool_named

_RELEASES = "https://dl.k8s.io/release/v{version}/bin/linux/{machine}/{name}"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_CONNECT_SECONDS = 5.0
_VERSION = re.compile(r"v?([0-9]+)\.([0-9]+)(?:\.([0-9]+))?")


class Program(NamedTuple):
    """A program that is ready to run."""

    name: str
    path: str
    version: str
    source: str  # PATH, cache, download or build


class Finder:
    """Finds or makes programs; what it reaches outside itself can be replaced for tests."""

    def __init__(self, progress, cache=None, search_path=None, fetch=None, build=None):
        self.progress = progress
        self.cache = Path(cache) if cache else cache_root()
        self.search_path = os.environ.get("PATH", os.defpath) if search_path is None else search_path
        self._fetch = fetch or _fetch
        self._build = build or golang.build
        self._downloads = True  # until a host could not be reached

    def find(self, tool):
        """Return the program if it is on PATH or in the cache, and why a candidate was passed over; (Program | None, notes)."""
        notes = []
        on_path = shutil.which(tool.name, path=self.search_path)
        if on_path:
            version, refusal = accepted(tool, on_path)
            if not refusal:
                return Program(tool.name, on_path, version, "PATH"), notes
            notes.append("PATH has %s, but %s" % (on_path, refusal))
        else:
            notes.append("not on PATH")
        cached = self.cached(tool)
        if os.access(str(cached), os.X_OK):
            return Program(tool.name, str(cached), tool.version, "cache"), notes
        notes.append("not in the cache (%s)" % cached)
        return None, notes

    def cached(self, tool):
        """Return where the cache keeps this version of the tool."""
        return self.cache / "bin" / ("%s-%s" % (tool.component, tool.version)) / tool.name

    def get(self, names):
        """Return {name: Program}; what is missing is downloaded or built, one after the other."""
        tools = [tool_named(name) for name in names]
        found = {tool.name: self.find(tool)[0] for tool in tools}
        missing = [tool for tool in tools if found[tool.name] is None]
        if missing:
            _check_machine()
            with self._lock():
                for number, tool in enumerate(missing):
                    found[tool.name] = self._make(tool, "%s (%d of %d)" % (tool.name, number + 1, len(missing)))
        return found

    def _make(self, tool, title):
        # Again, because another run may have made it while this one waited for the lock.
        program, notes = self.find(tool)
        if program:
            return program
        target = self.cached(tool)
        with _scratch(target.parent) as scratch:
            source = self._download(tool, scratch / tool.name, title, notes)
            if not source:
                self._go_build(tool, scratch / tool.name, title, notes)
            (scratch / tool.name).chmod(0o755)
            (scratch / tool.name).replace(target)
        return Program(tool.name, str(target), tool.version, source or "build")

    def _go_build(self, tool, target, title, notes):
        try:
            self._build(tool, target, self.cache, lambda text: self.progress("%s: %s" % (title, text)))
        except TestbedError as error:
            fix = "install %s %s on PATH, or Go %s or newer, or give this machine access to a Go module proxy" % (
                tool.name,
                tool.version,
                ".".join(map(str, golang.GO_MINIMUM)),
            )
            raise TestbedError("%s %s cannot be had: %s; %s; fix: %s" % (tool.name, tool.version, "; ".join(notes), error, fix)) from error

    def _download(self, tool, target, title, notes):
        """Try the official release; return "download", or None with a note why not."""
        if not tool.downloadable:
            return None
        if not self._downloads:
            notes.append("not downloaded: the release server could not be reached before")
            return None
        url = _RELEASES.format(version=tool.version, machine=_MACHINES[platform.machine()], name=tool.name)
        try:
            checksum = self._fetch(url + ".sha256").decode("ascii").split()[0]
            self.progress("%s: downloading %s" % (title, url))
            content = self._fetch(url)
        except (OSError, ValueError, IndexError) as error:
            self._downloads = False
            notes.append("not downloaded: %s: %s" % (url, error))
            return None
        if hashlib.sha256(content).hexdigest() != checksum:
            notes.append("not downloaded: %s does not have the checksum that its publisher states" % url)
            return None
        target.write_bytes(content)
        return "download"

    @contextlib.contextmanager
    def _lock(self):
        self.cache.mkdir(parents=True, exist_ok=True)
        with open(str(self.cache / "build.lock"), "w", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.progress("waiting for another run that gets programs")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def accepted(tool, path):
    """Return (version, None) when this program may be used for the tool, else (version, why not)."""
    try:
        answer = subprocess.run(
            [path] + list(tool.version_command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return "", "its version cannot be read: %s" % error
    match = _VERSION.search(answer.stdout.decode("utf-8", "replace"))
    if not match:
        return "", "its version cannot be read"
    version = tuple(int(part or 0) for part in match.groups())
    text = ".".join(map(str, version))
    if not tool.minimum:
        return text, None if text == tool.version else "it is %s, and %s is wanted" % (text, tool.version)
    if tool.minimum <= version < tool.below:
        return text, None
    bounds = tuple(".".join(map(str, bound)) for bound in (tool.minimum, tool.below))
    return text, "it is %s, and at least %s and below %s is wanted" % ((text,) + bounds)


def _check_machine():
    if platform.system() != "Linux" or platform.machine() not in _MACHINES:
        here = "%s on %s" % (platform.system(), platform.machine())
        raise TestbedError("a testbed runs on Linux on x86_64 or aarch64, this is %s; fix: use such a machine or a VM" % here)


def _fetch(url):
    return open_url(url, timeout=_CONNECT_SECONDS).read()


@contextlib.contextmanager
def _scratch(parent):
    """Give a directory on the same file system as the target, so that the last step is one rename."""
    parent.mkdir(parents=True, exist_ok=True)
    scratch = parent / (".new-%d" % os.getpid())
    shutil.rmtree(str(scratch), ignore_errors=True)
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(str(scratch), ignore_errors=True)


def overview(progress, make=False):
    """Return [(tool, Program or None)] for the command line; `make` gets what is missing."""
    finder = Finder(progress)
    if make:
        finder.get([tool.name for tool in TOOLS])
    return [(tool, finder.find(tool)[0]) for tool in TOOLS]
