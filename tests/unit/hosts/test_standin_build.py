# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror of the stand-in's releases."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import subprocess
import tarfile

import pytest

from tests.hosts import standin_build

VERSION = "v1.35.6+k3s1"


@pytest.fixture(name="mirror")
def _mirror(tmp_path, monkeypatch):
    def executable(version, architecture="amd64"):
        path = tmp_path / "cache" / ("%s-%s" % (version, architecture))
        path.parent.mkdir(exist_ok=True)
        path.write_text("program %s for %s" % (version, architecture), encoding="utf-8")
        return path

    monkeypatch.setattr(standin_build, "executable", executable)
    return tmp_path / "mirror"


def _sums(release, architecture):
    lines = (release / ("sha256sum-%s.txt" % architecture)).read_text(encoding="utf-8").splitlines()
    return dict(reversed(line.split("  ")) for line in lines)


def test_a_release_has_the_vendors_layout(mirror):
    (release,) = standin_build.build(mirror, [VERSION])
    assert release == mirror / VERSION
    assert set(_sums(release, "amd64")) == {"k3s", "k3s-images.txt", "k3s-airgap-images-amd64.tar.gz", "k3s-airgap-images-amd64.tar.zst"}
    assert set(_sums(release, "arm64")) == {"k3s-arm64", "k3s-images.txt", "k3s-airgap-images-arm64.tar.gz", "k3s-airgap-images-arm64.tar.zst"}
    for architecture in standin_build.ARCHITECTURES:
        for name, digest in _sums(release, architecture).items():
            assert hashlib.sha256((release / name).read_bytes()).hexdigest() == digest
    assert {path.name for path in release.iterdir() if path.stat().st_mode & 0o111} == {"k3s", "k3s-arm64"}
    assert (release / "k3s-arm64").read_text(encoding="utf-8") == "program v1.35.6+k3s1 for arm64"


def test_an_architecture_that_was_not_asked_for_is_left_out(mirror):
    (release,) = standin_build.build(mirror, [VERSION], architectures=("amd64",))
    assert not [path.name for path in release.iterdir() if "arm64" in path.name]


def test_the_same_release_is_left_alone(mirror):
    (release,) = standin_build.build(mirror, [VERSION])
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in release.iterdir()}
    standin_build.build(mirror, [VERSION])
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in release.iterdir()} == before


def test_archives_are_real(mirror):
    (release,) = standin_build.build(mirror, [VERSION], architectures=("amd64",))
    packed = gzip.decompress((release / "k3s-airgap-images-amd64.tar.gz").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert archive.getnames() == ["manifest.json", "standin.json"]
    frame = (release / "k3s-airgap-images-amd64.tar.zst").read_bytes()
    assert packed in frame  # one raw block holds all of it


@pytest.mark.parametrize("size", [1, 1 << 17, (1 << 17) + 1, 300000])
def test_frames_of_zstd_open(size):
    if not shutil.which("zstd"):
        pytest.skip("the program zstd is not on PATH")
    data = b"x" * size
    done = subprocess.run(["zstd", "-dc"], input=standin_build.zstd(data), stdout=subprocess.PIPE, check=True)
    assert done.stdout == data


@pytest.mark.parametrize("version", ["1.35.6+k3s1", "v1.35.6", "v1.35+k3s1", "v2.35.6+k3s1", "v1.35.6-k3s1", "../x"])
def test_other_versions_are_refused(mirror, version):
    with pytest.raises(ValueError, match="must look like"):
        standin_build.build(mirror, [version])
    assert not mirror.exists()
