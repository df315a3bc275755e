# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where programs come from: PATH before cache before download before build, and never half of one."""

from __future__ import annotations

import hashlib
import platform
import stat
import urllib.error

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import binaries, golang, versions
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.errors import TestbedError

ETCD = versions.tool("etcd")
KUBECTL = versions.tool("kubectl")
HELM = versions.tool("helm")


def program(directory, name, says):
    """Write a program that says its version."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text("#!/bin/sh\necho '%s'\n" % says)
    path.chmod(0o755)
    return path


class World:
    """A file system, a release server and a compiler of our own."""

    def __init__(self, tmp_path):
        self.path, self.cache = tmp_path / "path", tmp_path / "cache"
        self.path.mkdir()
        self.served, self.fetched, self.built, self.said = {}, [], [], []
        self.build_error = None

    def finder(self):
        return binaries.Finder(self.said.append, self.cache, str(self.path), self.fetch, self.build)

    def get(self, name):
        return self.finder().get([name])[name]

    def fetch(self, url):
        self.fetched.append(url)
        if url not in self.served:
            raise urllib.error.URLError("no route to host")
        return self.served[url]

    def build(self, tool, target, cache, progress):
        if self.build_error:
            raise TestbedError(self.build_error)
        self.built.append(tool.name)
        target.write_bytes(b"built")

    def serve(self, tool, content, checksum=None):
        machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
        url = "https://dl.k8s.io/release/v%s/bin/linux/%s/%s" % (tool.version, machine, tool.name)
        self.served[url] = content
        self.served[url + ".sha256"] = (checksum or hashlib.sha256(content).hexdigest()).encode()


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_the_pinned_version_on_path_is_taken_first(world):
    path = program(world.path, "etcd", "etcd Version: %s" % versions.ETCD)
    program(world.cache / "bin" / ("etcd-" + versions.ETCD), "etcd", "cached")
    assert world.get("etcd") == binaries.Program("etcd", str(path), versions.ETCD, "PATH")


def test_another_version_on_path_is_passed_over_for_the_cache(world):
    program(world.path, "etcd", "etcd Version: 3.5.1")
    cached = program(world.cache / "bin" / ("etcd-" + versions.ETCD), "etcd", "cached")
    assert world.get("etcd") == binaries.Program("etcd", str(cached), versions.ETCD, "cache")
    assert not world.fetched and not world.built


@pytest.mark.parametrize(
    "tool, says, taken",
    [
        (KUBECTL, "Client Version: v1.36.0", True),
        (KUBECTL, "Client Version: v1.35.4", True),
        (KUBECTL, "Client Version: v1.32.4-dispatcher", False),
        (KUBECTL, "Client Version: v1.38.0", False),
        (HELM, "v3.16.2+g13654a5", True),
        (HELM, "v4.0.1+g1", False),
        (HELM, "v2.17.0", False),
        (HELM, "what?", False),
        (ETCD, "etcd Version: %s" % versions.ETCD, True),
        (ETCD, "etcd Version: 3.99.0", False),
    ],
)
def test_which_versions_on_path_will_do(world, tool, says, taken):
    refusal = binaries.accepted(tool, str(program(world.path, tool.name, says)))[1]
    assert (refusal is None) is taken, refusal


def test_a_program_on_path_that_fails_is_no_program(world):
    path = world.path / "etcd"
    path.write_text("#!/bin/sh\nexit 3\n")
    path.chmod(0o755)
    assert "cannot be read" in binaries.accepted(ETCD, str(path))[1]


def test_a_download_with_the_publishers_checksum_is_cached(world):
    world.serve(KUBECTL, b"released")
    found = world.get("kubectl")
    assert found.source == "download" and not world.built
    cached = world.cache / "bin" / ("kubernetes-" + versions.KUBERNETES) / "kubectl"
    assert found.path == str(cached) and cached.read_bytes() == b"released" and cached.stat().st_mode & stat.S_IXUSR
    assert world.get("kubectl").source == "cache"
    assert [each.name for each in cached.parent.iterdir()] == ["kubectl"], "nothing half done is left"


def test_a_download_with_another_checksum_is_thrown_away_and_the_program_built(world):
    world.serve(KUBECTL, b"tampered", checksum="0" * 64)
    found = world.get("kubectl")
    assert found.source == "build" and (world.cache / "bin" / ("kubernetes-" + versions.KUBERNETES) / "kubectl").read_bytes() == b"built"


def test_an_unreachable_release_server_is_asked_once(world):
    got = world.finder().get(["kubectl", "kube-scheduler"])
    assert [each.source for each in got.values()] == ["build", "build"]
    assert len(world.fetched) == 1


def test_only_programs_whose_publisher_states_checksums_are_downloaded(world):
    world.get("etcd")
    assert world.fetched == [] and world.built == ["etcd"]


def test_progress_counts_only_what_is_missing(world, monkeypatch):
    program(world.path, "etcd", "etcd Version: %s" % versions.ETCD)
    monkeypatch.setattr(World, "build", lambda self, tool, target, cache, progress: (progress("building"), target.write_bytes(b"")))
    world.finder().get(["etcd", "kwok", "helm"])
    assert world.said == ["kwok (1 of 2): building", "helm (2 of 2): building"]


def test_a_program_that_cannot_be_had_is_named_with_all_that_was_tried_and_the_fix(world):
    program(world.path, "kwok", "kwok version v0.1.0")
    world.build_error = "building failed (go build): no route to the module proxy"
    with pytest.raises(TestbedError) as caught:
        world.get("kwok")
    said = str(caught.value)
    for part in ("kwok %s cannot be had" % versions.KWOK, "it is 0.1.0", "not in the cache", "no route to the module proxy", "fix: install kwok"):
        assert part in said
    assert list((world.cache / "bin" / ("kwok-" + versions.KWOK)).iterdir()) == []


def test_another_kind_of_machine_is_refused(world, monkeypatch):
    monkeypatch.setattr(binaries.platform, "system", lambda: "Darwin")
    with pytest.raises(TestbedError, match="a testbed runs on Linux"):
        world.get("etcd")


# Says its version, and makes what it is asked to build.
GO = """#!/bin/sh
[ $1 = version ] && echo 'go version go%s linux/amd64' && exit
grep -q '^module gpuops' go.mod || exit 1
while [ $# -gt 1 ]; do [ $1 = -o ] && echo made > $2; shift; done
"""
BROKEN_GO = """#!/bin/sh
[ $1 = version ] && echo 'go version go%s linux/amd64' && exit
echo 'dial tcp: refused' >&2
exit 1
"""


def go_on_path(monkeypatch, directory, version, script=GO):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "go").write_text(script % version)
    (directory / "go").chmod(0o755)
    monkeypatch.setenv("PATH", "%s:/usr/bin:/bin" % directory)
    # Should a test go astray, it fails at once and fetches nothing.
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def test_a_build_works_on_a_copy_of_the_pinned_module(tmp_path, monkeypatch):
    go_on_path(monkeypatch, tmp_path / "go", "1.26.0")
    golang.build(HELM, tmp_path / "helm", tmp_path / "cache", print)
    assert (tmp_path / "helm").read_text() == "made\n"


def test_a_failed_build_says_the_compilers_last_words(tmp_path, monkeypatch):
    go_on_path(monkeypatch, tmp_path / "go", "1.27.1", BROKEN_GO)
    with pytest.raises(TestbedError, match="building failed .*go build.*: dial tcp: refused"):
        golang.build(HELM, tmp_path / "helm", tmp_path / "cache", print)


def test_go_from_path_must_be_new_enough_else_it_comes_from_its_python_package(tmp_path, monkeypatch):
    go_on_path(monkeypatch, tmp_path / "old", "1.25.9")
    go_on_path(monkeypatch, tmp_path / "cache" / versions.GO_PACKAGE.replace("==", "-") / "go" / "bin", "1.26.6")
    monkeypatch.setenv("PATH", "%s:/usr/bin:/bin" % (tmp_path / "old"))
    golang.build(HELM, tmp_path / "helm", tmp_path / "cache", print)
    assert (tmp_path / "helm").read_text() == "made\n"


def test_every_pinned_package_is_in_a_module_that_is_there():
    for tool in versions.TOOLS:
        module = golang.Path(golang.__file__).parent / "go" / tool.module
        assert (module / "go.mod").exists() and (module / "go.sum").exists()
        wanted = {"kubernetes": "k8s.io/kubernetes v", "etcd": "go.etcd.io/etcd/server/v3 v", "kwok": "sigs.k8s.io/kwok v", "helm": "helm.sh/helm/v3 v"}
        assert wanted[tool.component] + tool.version in (module / "go.mod").read_text(encoding="utf-8"), tool.name
