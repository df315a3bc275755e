# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which programs have to be installed, what is refused, and what a publisher's checksum looks like."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.gpuops.kubernetes.plugins.filter import cluster_tools as plugin
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import cluster_tools
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import versions

SUM = "0123456789abcdef" * 4
HOST = cluster_tools.Host("lab", "Linux", "amd64", "/home/me/.local/bin", True, True, True)
HELM = cluster_tools.Tool("helm", "3.22.0", "https://get.helm.sh/helm.tar.gz", "", False, False, "", "")
OURS = HELM._replace(exists=True, target=".gpuops-tools/helm-v3.22.0-linux-amd64")
THEIRS = HELM._replace(exists=True)


def refused(host=HOST, tool=HELM, replace=False):
    return [problem.text() for problem in cluster_tools.problems(host, [tool], replace)]


@pytest.mark.parametrize(("tool", "shown", "missing"), [
    (HELM, "", True),
    (OURS, "v3.22.0+g144fac2", False),
    (OURS, "v3.22.0", False),
    (OURS, "WARNING: v1 of a plugin\nv3.22.0+g144fac2", False),
    # Another version, of which the wanted one is the beginning.
    (OURS, "v3.22.0-rc.1+g1", True),
    (OURS, "v3.22.01", True),
    (OURS, "v3.21.9", True),
    (OURS, "", True),
    (THEIRS, "v3.22.0+g144fac2", False),
    (THEIRS, "v4.0.0", True),
    (HELM._replace(name="kubectl", version="1.36.3"), "Client Version: v1.36.3\nKustomize Version: v5.8.1", False),
    (HELM._replace(name="kubectl", version="5.8.1"), "Client Version: v1.36.3\nKustomize Version: v5.8.1", True),
    (HELM._replace(version="3.22.0-rc.1"), "v3.22.0-rc.1+g1", False),
])
def test_what_has_to_be_installed(tool, shown, missing):
    assert cluster_tools.to_install([tool._replace(shown=shown)]) == ["helm" if tool.name == "helm" else "kubectl"] * missing


@pytest.mark.parametrize(("change", "words"), [
    ({"system": "Darwin"}, ["lab: 'Darwin'", "Linux only", "install helm 3 and kubectl there yourself"]),
    ({"architecture": "riscv64"}, ["cluster_tools_architecture: 'riscv64'", "amd64, arm64"]),
    ({"directory": "bin"}, ["cluster_tools_directory: 'bin'", "absolute path"]),
    ({"is_directory": False}, ["cluster_tools_directory: '/home/me/.local/bin'", "not a directory", "choose another"]),
    ({"writable": False}, ["cluster_tools_directory: '/home/me/.local/bin'", "cannot write", "become"]),
])
def test_hosts_that_are_refused(change, words):
    (text,) = refused(HOST._replace(**change))
    assert all(word in text for word in words + ["fix: "]), text


def test_a_host_that_has_everything_need_not_be_written_to():
    assert refused(HOST._replace(writable=False), OURS._replace(shown="v3.22.0")) == []
    assert refused(HOST._replace(exists=False, is_directory=False, writable=False)) == []
    assert refused(HOST._replace(architecture="arm64")) == []


@pytest.mark.parametrize(("change", "words"), [
    ({"version": "v3.22.0"}, ["cluster_tools_helm_version: 'v3.22.0'", "without a v", "3.22.0"]),
    ({"version": "3.22"}, ["cluster_tools_helm_version: '3.22'", "full version"]),
    ({"version": "4.0.1"}, ["cluster_tools_helm_version: '4.0.1'", "3.8 or newer", "but not 4"]),
    ({"version": "3.7.2"}, ["cluster_tools_helm_version: '3.7.2'", "3.8 or newer"]),
    ({"url": "tools/helm.tar.gz"}, ["cluster_tools_helm_url: 'tools/helm.tar.gz'", "absolute path"]),
    ({"url": "ftp://mirror/helm.tar.gz"}, ["cluster_tools_helm_url:", "http(s)"]),
    ({"url": "https://me:secret@mirror/helm.tar.gz"}, ["cluster_tools_helm_url: 'https://***@mirror/helm.tar.gz'", "credentials", "~/.netrc"]),
    ({"checksum": "abc"}, ["cluster_tools_helm_checksum: 'abc'", "SHA-256", "empty"]),
    ({"checksum": "sha256:" + SUM}, ["cluster_tools_helm_checksum:", "64 digits"]),
    ({"name": "kubectl", "version": "stable"}, ["cluster_tools_kubectl_version: 'stable'", "full version"]),
])
def test_variables_that_are_refused(change, words):
    (text,) = refused(tool=HELM._replace(**change))
    assert all(word in text for word in words + ["fix: "]) and "secret" not in text, text


def test_kubectl_has_no_bounds_and_a_checksum_may_be_given():
    assert refused(tool=HELM._replace(name="kubectl", version="4.0.0", checksum=SUM)) == []


@pytest.mark.parametrize(("tool", "replace", "words"), [
    (THEIRS._replace(shown="v4.0.1+g1"), False, ["/home/me/.local/bin/helm", "it is 4.0.1", "3.22.0 is wanted", "cluster_tools_replace"]),
    (THEIRS._replace(target="/opt/helm"), False, ["of no version that could be read", "move it away"]),
    (THEIRS._replace(target="../.gpuops-tools/helm"), False, ["cluster_tools_replace"]),
    (THEIRS._replace(is_directory=True), True, ["it is a directory"]),
    (THEIRS._replace(shown="v4.0.1+g1"), True, []),
    (THEIRS._replace(shown="v3.22.0+g1"), False, []),
    (OURS._replace(shown="v3.21.0+g1"), False, []),
])
def test_programs_of_others_are_replaced_only_when_asked(tool, replace, words):
    found = refused(tool=tool, replace=replace)
    assert len(found) == bool(words) and all(word in found[0] for word in words), found


@pytest.mark.parametrize(("text", "checksum"), [
    (SUM, SUM),
    (SUM.upper() + "\n", SUM),
    (SUM + "  helm-v3.22.0-linux-amd64.tar.gz\n", SUM),
    (SUM + " *kubectl", SUM),
    ("", ""),
    ("<html>%s</html>" % SUM, ""),
    (SUM[1:], ""),
    (SUM + "0", ""),
    ("%s  one\n%s  two\n" % (SUM, SUM), ""),
])
def test_published_checksums(text, checksum):
    assert cluster_tools.published_checksum(text) == checksum


def test_the_filter_reads_what_modules_say():
    wanted = [{"name": "helm", "version": 3.22, "url": "/a", "checksum": ""}, {"name": "kubectl", "version": "1.36.3", "url": "/b", "checksum": ""}]
    files = [{"stat": {"exists": False}}, {"stat": {"exists": True, "isdir": False, "lnk_target": ".gpuops-tools/kubectl-v1.36.3-linux-amd64"}}]
    answers = [{"rc": 2, "msg": "no such file"}, {"rc": 0, "stdout": "Client Version: v1.36.3"}]
    found = plugin.plan(wanted, files, answers, HOST._asdict())
    assert (found["install"], found["ours"]) == (["helm"], ["kubectl"])
    assert [text.split(":")[0] for text in found["problems"]] == ["cluster_tools_helm_version"]


def test_the_role_installs_what_the_testbed_is_tested_with():
    defaults = yaml.safe_load((Path(__file__).parents[3] / "roles" / "cluster_tools" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert (defaults["cluster_tools_helm_version"], defaults["cluster_tools_kubectl_version"]) == (versions.HELM, versions.KUBERNETES)
