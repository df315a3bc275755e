# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of the stand-in (tests/hosts/standin) in the layout of the vendor's releases: python -m tests.hosts.standin_build DIR v1.35.6+k3s1 ..."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import golang, paths
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.errors import TestbedError

SOURCE = Path(__file__).parent / "standin"
ARCHITECTURES = ("amd64", "arm64")
_VERSION = re.compile(r"v1\.\d+\.\d+(-rc\d+)?\+(k3s|rke2r)\d+")
_PACKAGE = "standin/internal/distribution"
# What an archive of images holds here: names, no layers.
_IMAGES = ("docker.io/rancher/mirrored-coredns-coredns:1.12.3", "docker.io/rancher/mirrored-pause:3.6")
_BLOCK = 1 << 17  # the largest block of zstd


def build(directory: t.Union[str, Path], versions: t.Sequence[str], architectures: t.Sequence[str] = ARCHITECTURES) -> t.List[Path]:
    """Write one release a version below the directory; return their directories.

    Raises ValueError for a version of another form, TestbedError where Go is missing or does not build it.
    """
    for version in versions:
        if not _VERSION.fullmatch(version):
            raise ValueError("the version %r must look like v1.35.6+k3s1" % version)
    return [_release(Path(directory) / version, version, architectures) for version in versions]


def executable(version: str, architecture: str = "amd64") -> Path:
    """Return the path of the stand-in of that version, built unless the cache has it."""
    target = paths.cache_root() / "standin" / _fingerprint() / ("%s-%s" % (version, architecture)) / "k3s"
    with _lock(target.parent.parent):
        if not target.exists():
            _compile(version, architecture, target)
    return target


def go() -> str:
    """Return the path of the Go that the testbed uses. Raises TestbedError where none can be had."""
    return golang._go(paths.cache_root(), _say)  # pylint: disable=protected-access


def environment() -> t.Dict[str, str]:
    """Return what Go is run with: settings of the user are for their own modules."""
    return dict(os.environ, CGO_ENABLED="0", GOFLAGS="-buildvcs=false", GOWORK="off", GOTOOLCHAIN="local")


def sources() -> t.List[Path]:
    """Return the files that an executable is made of."""
    return sorted(path for path in SOURCE.rglob("*") if path.is_file() and not path.name.endswith("_test.go") and path.suffix != ".md")


def _fingerprint() -> str:
    digest = hashlib.sha256(subprocess.run([go(), "version"], stdout=subprocess.PIPE, check=True, env=environment()).stdout)
    for path in sources():
        digest.update(path.relative_to(SOURCE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _compile(version: str, architecture: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    commit = hashlib.sha256(version.encode()).hexdigest()[:8]
    flags = "-s -w -X %s.Version=%s -X %s.Commit=%s" % (_PACKAGE, version, _PACKAGE, commit)
    scratch = target.with_name("k3s.new")
    done = subprocess.run([go(), "build", "-trimpath", "-ldflags", flags, "-o", str(scratch), "."], cwd=str(SOURCE), check=False,
                          env=dict(environment(), GOOS="linux", GOARCH=architecture), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise TestbedError("building the stand-in %s for %s failed: %s" % (version, architecture, done.stdout[-2000:]))
    scratch.replace(target)


@contextlib.contextmanager
def _lock(directory: Path) -> t.Iterator[None]:
    """Let one process build at a time."""
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _release(directory: Path, version: str, architectures: t.Sequence[str]) -> Path:
    """Write one release; the same input gives the same bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    images = "".join(image + "\n" for image in _IMAGES).encode()
    _write(directory / "k3s-images.txt", images)
    for architecture in architectures:
        names = {"k3s" if architecture == "amd64" else "k3s-" + architecture: executable(version, architecture).read_bytes(), "k3s-images.txt": images}
        archive = _archive(version, architecture)
        names["k3s-airgap-images-%s.tar.gz" % architecture] = gzip.compress(archive, mtime=0)
        names["k3s-airgap-images-%s.tar.zst" % architecture] = zstd(archive)
        for name, content in names.items():
            _write(directory / name, content)
            if name.startswith("k3s-images") or "airgap" in name:
                continue
            (directory / name).chmod(0o755)
        lines = ["%s  %s\n" % (hashlib.sha256(content).hexdigest(), name) for name, content in sorted(names.items())]
        _write(directory / ("sha256sum-%s.txt" % architecture), "".join(lines).encode())
    return directory


def _archive(version: str, architecture: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        about = {"version": version, "architecture": architecture}
        for name, content in (("manifest.json", [{"RepoTags": list(_IMAGES), "Layers": []}]), ("standin.json", about)):
            data = json.dumps(content).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def zstd(data: bytes) -> bytes:
    """Return the data as a frame of zstd made of raw blocks: valid, and not compressed (RFC 8878, section 3.1.1)."""
    frame = b"\x28\xb5\x2f\xfd" + b"\xa0" + len(data).to_bytes(4, "little")
    for start in range(0, len(data), _BLOCK):
        block = data[start:start + _BLOCK]
        frame += (len(block) << 3 | (start + _BLOCK >= len(data))).to_bytes(3, "little") + block
    return frame


def _write(path: Path, content: bytes) -> None:
    """Replace a file unless it is the same, so that a server never sends half of one."""
    if path.exists() and path.read_bytes() == content:
        return
    descriptor, scratch = tempfile.mkstemp(dir=str(path.parent), prefix=".new-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.chmod(scratch, 0o644)
    shutil.move(scratch, str(path))


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def main() -> int:
    """Build what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.hosts.standin_build", description=__doc__)
    parser.add_argument("directory", help="where the releases are written, one directory a version")
    parser.add_argument("versions", nargs="+", metavar="VERSION")
    parser.add_argument("--architecture", action="append", choices=ARCHITECTURES, help="default: all of them")
    arguments = parser.parse_args()
    try:
        for release in build(arguments.directory, arguments.versions, arguments.architecture or ARCHITECTURES):
            print(release)
    except (TestbedError, ValueError) as error:
        print("standin_build: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
