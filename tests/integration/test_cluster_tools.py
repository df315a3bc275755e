# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role cluster_tools: the real helm and kubectl out of a mirror and out of a bundle, and what is refused with nothing installed."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import platform
import subprocess
import tarfile
import threading
import urllib.parse

import pytest
import yaml
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import binaries

MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
CLOSED = "http://127.0.0.1:9"  # the port of a service that nobody runs
OLD = "3.8.1"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, also to those that take it for their proxy."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.path = urllib.parse.urlsplit(self.path).path
        super().do_GET()

    def log_message(self, *_unused):
        pass


class Mirror:
    """The files of the publishers on a port of this machine; C(asked) has the paths that were asked for."""

    def __init__(self, directory):
        self.directory = directory
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(directory)))
        self._server.asked = self.asked = []
        self.url = "http://127.0.0.1:%d" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def publish(path, content, suffix, named=True):
    """Write a file and its checksum beside it, with or without its name in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.with_name(path.name + suffix).write_text(hashlib.sha256(content).hexdigest() + ("  %s\n" % path.name if named else ""))


def packed(content):
    """Return the archive that a release of helm is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, data in (("LICENSE", b"Apache"), ("helm", content)):
            member = tarfile.TarInfo("linux-%s/%s" % (MACHINE, name))
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def script(version):
    """Return a program that only says a version."""
    return b"#!/bin/sh\necho v%s+g0000000\n" % version.encode("ascii")


def says(program, *arguments):
    """Return what a program prints."""
    return subprocess.run([str(program), *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def contents(directory):
    """Return all names below a directory."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


@pytest.fixture(scope="module")
def programs():
    """Return the real helm and kubectl, as the testbed uses them."""
    return binaries.Finder(lambda text: None).get(["helm", "kubectl"])


@pytest.fixture(scope="module")
def release(programs, tmp_path_factory):
    """Return a directory with the releases as their publishers have them: the real ones, and one of helm that is older and a double."""
    root = tmp_path_factory.mktemp("release")
    helm, kubectl = programs["helm"], programs["kubectl"]
    for version, content in ((helm.version, open(helm.path, "rb").read()), (OLD, script(OLD))):
        publish(root / ("helm-v%s-linux-%s.tar.gz" % (version, MACHINE)), packed(content), ".sha256sum")
    publish(root / "release" / ("v" + kubectl.version) / "bin" / "linux" / MACHINE / "kubectl", open(kubectl.path, "rb").read(), ".sha256", named=False)
    return root


@pytest.fixture
def mirror(release):
    made = Mirror(release)
    yield made
    made.close()


@pytest.fixture
def play(player, programs, tmp_path):
    """Return play(*more, **variables): a run of the playbook for the directory C(bin)."""

    def run(*more, **variables):
        wanted = {
            "cluster_tools_directory": str(tmp_path / "bin"),
            "cluster_tools_helm_version": programs["helm"].version,
            "cluster_tools_kubectl_version": programs["kubectl"].version,
        }
        inventory = tmp_path / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"gpu_clusters": {"hosts": {"lab": dict(wanted, **variables)}}}))
        status, output, changed = player()("tools.yml", inventory, *more)
        return status, output, changed

    return run


def at(url, **more):
    """Return the variables that lead to a mirror with the paths of the publishers."""
    tail = "/release/v{{ cluster_tools_kubectl_version }}/bin/linux/{{ cluster_tools_architecture }}/kubectl"
    helm = "/helm-v{{ cluster_tools_helm_version }}-linux-{{ cluster_tools_architecture }}.tar.gz"
    return dict({"cluster_tools_helm_url": url + helm, "cluster_tools_kubectl_url": url + tail}, **more)


def flat(output):
    return " ".join(output.split())


def test_from_a_mirror_to_another_version_and_back_to_nothing(play, programs, mirror, tmp_path):
    helm, kubectl = programs["helm"], programs["kubectl"]
    # The name does not exist, so that only the proxy can have found it.
    where = at("http://downloads.invalid", gpu_http_proxy=mirror.url)
    there = tmp_path / "bin"

    status, output, changed = play("--check", "--diff", **where)
    assert status == 0 and changed > 0, output
    assert "install helm-v%s-linux-%s in %s" % (helm.version, MACHINE, there) in output, output
    assert not there.exists()
    assert [path.rsplit(".", 1)[1] for path in mirror.asked] == ["sha256sum", "sha256"]

    status, output, changed = play(**where)
    assert status == 0 and changed > 0, output
    assert "v" + helm.version in says(there / "helm", "version", "--short")
    assert "Client Version: v" + kubectl.version in says(there / "kubectl", "version", "--client")
    names = ["helm-v%s-linux-%s" % (helm.version, MACHINE), "kubectl-v%s-linux-%s" % (kubectl.version, MACHINE)]
    installed = [".gpuops-tools"] + [".gpuops-tools/" + name for name in names]
    assert contents(there) == [*installed, "helm", "kubectl"]
    assert "gpu_helm_binary: %s/helm" % there in flat(output), output

    mirror.asked.clear()
    status, output, changed = play(**where)
    assert (status, changed, mirror.asked) == (0, 0, []), output

    # The password of a proxy is in no output, not even in that of -vvv.
    status, output, changed = play("--check", "-vvv", **at("http://downloads.invalid", cluster_tools_helm_version=OLD,
                                                           gpu_http_proxy=mirror.url.replace("://", "://ops:hunter2@")))
    assert status == 0 and mirror.asked and "hunter2" not in output, output

    # Past a proxy that nobody could use.
    other = at(mirror.url, cluster_tools_helm_version=OLD, gpu_http_proxy=CLOSED, gpu_no_proxy=["localhost", "127.0.0.1"])
    status, output, changed = play("--check", **other)
    assert status == 0 and changed > 0, output
    assert contents(there) == [*installed, "helm", "kubectl"]
    status, output, changed = play(**other)
    assert status == 0 and changed > 0, output
    assert says(there / "helm", "version") == "v%s+g0000000\n" % OLD
    assert contents(there / ".gpuops-tools") == [os.path.basename(os.readlink(there / name)) for name in ("helm", "kubectl")]
    assert not [path for path in mirror.asked if "kubectl" in path]

    # What is somebody else's stays.
    (there / "other").write_text("mine")
    status, output, changed = play("--check", cluster_tools_state="absent")
    assert status == 0 and changed > 0 and (there / "helm").exists(), output
    status, output, changed = play(cluster_tools_state="absent")
    assert status == 0 and changed > 0, output
    assert contents(there) == ["other"]
    status, output, changed = play(cluster_tools_state="absent")
    assert (status, changed) == (0, 0), output


def test_from_a_bundle_over_what_an_interrupted_run_has_left(play, programs, release, tmp_path):
    helm, kubectl = programs["helm"], programs["kubectl"]
    tools = tmp_path / "bundle" / "tools"
    tools.mkdir(parents=True)
    (tools / "helm-v{0}-linux-{1}.tar.gz".format(helm.version, MACHINE)).symlink_to(release / "helm-v{0}-linux-{1}.tar.gz".format(helm.version, MACHINE))
    published = release / "release" / ("v" + kubectl.version) / "bin" / "linux" / MACHINE / "kubectl"
    (tools / "kubectl-v{0}-linux-{1}".format(kubectl.version, MACHINE)).symlink_to(published)
    (tools / "kubectl-v{0}-linux-{1}.sha256".format(kubectl.version, MACHINE)).symlink_to(published.with_name("kubectl.sha256"))

    status, output, _unused = play(gpu_airgap_bundle=str(tmp_path / "bundle"))
    assert status == 2 and not (tmp_path / "bin").exists(), output
    assert "helm-v%s-linux-%s.tar.gz.sha256sum is not there" % (helm.version, MACHINE) in flat(output), output
    assert "Nothing was changed" in output

    name = "helm-v{0}-linux-{1}.tar.gz.sha256sum".format(helm.version, MACHINE)
    (tools / name).symlink_to(release / name)
    home = tmp_path / "bin" / ".gpuops-tools"
    (home / "stage-lab" / ("linux-" + MACHINE)).mkdir(parents=True)
    (home / "stage-lab" / "kubectl.fetched").write_text("half")
    (home / "stage-lab" / ("linux-" + MACHINE) / "helm").write_text("half")
    # A link to what is gone, and a program that is broken.
    (tmp_path / "bin" / "helm").symlink_to(".gpuops-tools/helm-v3.0.0-linux-" + MACHINE)
    (home / "kubectl-v{0}-linux-{1}".format(kubectl.version, MACHINE)).write_text("half")
    (tmp_path / "bin" / "kubectl").symlink_to(".gpuops-tools/kubectl-v{0}-linux-{1}".format(kubectl.version, MACHINE))
    status, output, _unused = play(gpu_airgap_bundle=str(tmp_path / "bundle"))
    assert status == 0, output
    assert "v" + helm.version in says(tmp_path / "bin" / "helm", "version", "--short")
    assert "v" + kubectl.version in says(tmp_path / "bin" / "kubectl", "version", "--client")
    assert len(contents(home)) == 2


@pytest.fixture
def doubles(tmp_path):
    """Return a directory with doubles of both programs in the layout of a bundle."""
    tools = tmp_path / "bundle" / "tools"
    publish(tools / ("helm-v3.9.0-linux-%s.tar.gz" % MACHINE), packed(script("3.9.0")), ".sha256sum")
    publish(tools / ("kubectl-v1.30.0-linux-%s" % MACHINE), script("1.30.0"), ".sha256", named=False)
    return {"gpu_airgap_bundle": str(tools.parent), "cluster_tools_helm_version": "3.9.0", "cluster_tools_kubectl_version": "1.30.0"}


@pytest.mark.parametrize("given", [False, True])
def test_another_content_than_the_checksum_says_is_not_installed(play, doubles, tmp_path, given):
    archive = tmp_path / "bundle" / "tools" / ("helm-v3.9.0-linux-%s.tar.gz" % MACHINE)
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    if given:
        doubles["cluster_tools_helm_checksum"] = wanted = "0" * 64
    else:
        wanted, checksum = checksum, hashlib.sha256(archive.read_bytes() + b"more").hexdigest()
        archive.write_bytes(archive.read_bytes() + b"more")
    status, output, _unused = play(**doubles)
    assert status == 2, output
    assert "cluster_tools_helm_url: %s: its SHA-256 is %s, and has to be %s" % (archive, checksum, wanted) in flat(output), output
    assert [path for path in contents(tmp_path / "bin") if not path.startswith(".gpuops-tools/stage-lab")] == [".gpuops-tools"]


def test_a_program_of_another_version_than_its_address_says_is_not_installed(play, doubles, tmp_path):
    publish(tmp_path / "bundle" / "tools" / ("kubectl-v1.30.0-linux-%s" % MACHINE), script("1.30.0-rc.1"), ".sha256", named=False)
    status, output, _unused = play(**doubles)
    assert status == 2, output
    assert "what is there says v1.30.0-rc.1+g0000000, and has to be 1.30.0 for %s" % MACHINE in flat(output), output
    assert not (tmp_path / "bin" / "helm").exists() and not (tmp_path / "bin" / "kubectl").exists()
    status, output, _unused = play(cluster_tools_state="absent")
    assert status == 0 and contents(tmp_path / "bin") == [], output


def test_publishers_that_cannot_be_reached_are_named_with_what_to_do(play, tmp_path):
    status, output, changed = play(gpu_https_proxy=CLOSED)
    assert (status, changed) == (2, 0) and not (tmp_path / "bin").exists(), output
    assert "cluster_tools_helm_url: https://get.helm.sh/helm-v" in flat(output) and ".tar.gz.sha256sum cannot be had (" in flat(output), output
    assert "Connection refused" in output and "proxies (gpu_http_proxy, gpu_https_proxy, gpu_no_proxy)" in flat(output), output


def test_a_version_that_does_not_exist_is_refused(play, mirror, tmp_path):
    status, output, changed = play(**at(mirror.url, cluster_tools_kubectl_version="1.99.0"))
    assert (status, changed) == (2, 0) and not (tmp_path / "bin").exists(), output
    assert "/v1.99.0/bin/linux/%s/kubectl.sha256 cannot be had (" % MACHINE in flat(output) and "404" in output, output
    assert "check cluster_tools_kubectl_version" in flat(output), output


def test_programs_of_others_are_refused_together_with_all_else_and_replaced_only_when_asked(play, doubles, tmp_path):
    theirs = tmp_path / "bin" / "helm"
    theirs.parent.mkdir()
    theirs.write_bytes(script("4.0.1"))
    theirs.chmod(0o755)
    status, output, changed = play(**dict(doubles, cluster_tools_kubectl_version="latest"))
    assert (status, changed) == (2, 0), output
    assert "cluster_tools_directory: '%s': it is 4.0.1, and not of this role, and 3.9.0 is wanted" % theirs in flat(output), output
    assert "cluster_tools_kubectl_version: 'latest'" in flat(output) and "set cluster_tools_replace to true" in flat(output), output
    assert contents(theirs.parent) == ["helm"]
    status, output, _unused = play(cluster_tools_replace=True, **doubles)
    assert status == 0 and says(theirs) == "v3.9.0+g0000000\n", output


def test_a_program_of_others_in_the_right_version_is_used_and_left_theirs(play, doubles, tmp_path):
    theirs = tmp_path / "bin" / "helm"
    theirs.parent.mkdir()
    theirs.write_bytes(script("3.9.0"))
    theirs.chmod(0o755)
    status, output, _unused = play(**doubles)
    assert status == 0 and not theirs.is_symlink() and (theirs.parent / "kubectl").is_symlink(), output
    status, output, _unused = play(cluster_tools_state="absent")
    assert status == 0 and contents(theirs.parent) == ["helm"], output
