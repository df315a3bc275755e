# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of roles and playbooks share: runs of ansible-playbook, and a look at all that they could change."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "roles" / "rehearsal" / "files" / "charts" / "nvidia-device-plugin"


class Player:
    """Runs playbooks: those of this checkout by their file name, others by their path."""

    def __init__(self, directory, extra):
        self._directory = directory
        self._extra = [word for name, value in extra.items() for word in ("-e", "%s=%s" % (name, value))]

    def __call__(self, name, inventory, *more, environment=None):
        """Return the exit status, what was printed, and how many tasks changed something."""
        command = ["ansible-playbook", "-i", str(inventory), str(ROOT / "playbooks" / name), *self._extra, *more]
        variables = dict(os.environ, **environment or {})
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=self._directory, env=variables)
        changed = sum(int(number) for number in re.findall(r"changed=(\d+)", done.stdout))
        return done.returncode, done.stdout, changed


@pytest.fixture(scope="session")
def player(tmp_path_factory):
    """Return player(made): plays against this cluster, with the stand-in of the chart; without a cluster, plays that need none."""

    def make(made=None):
        version = re.search(r"^version: (.*)$", (CHART / "Chart.yaml").read_text(encoding="utf-8"), re.MULTILINE).group(1)
        extra = {"device_plugin_chart": CHART, "device_plugin_chart_repository": "", "device_plugin_chart_version": version}
        return Player(tmp_path_factory.mktemp("here"), dict(extra, gpu_helm_binary=made.helm) if made else {})

    return make


@pytest.fixture(scope="session")
def seen():
    """Return seen(client): all that site.yml could change, by uid or name."""

    def look(client):
        found = {}
        for path in ("/api/v1/namespaces", "/api/v1/configmaps", "/api/v1/secrets", "/apis/apps/v1/daemonsets"):
            for item in client.request("GET", path)["items"]:
                # What the control plane itself writes into each namespace comes when it comes.
                if item["metadata"]["name"] in ("kube-root-ca.crt", "extension-apiserver-authentication"):
                    continue
                found[item["metadata"]["uid"]] = item["metadata"]["name"], item["metadata"].get("generation"), item.get("data")
        for node in client.request("GET", "/api/v1/nodes")["items"]:
            found[node["metadata"]["name"]] = node["metadata"]["labels"], node["metadata"]["annotations"], node["status"]["capacity"]
        return found

    return look
