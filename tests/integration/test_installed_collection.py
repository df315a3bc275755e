# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The built and installed collection in an empty directory: a foreign inventory is rehearsed, and a second run changes nothing."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

TESTBED = "ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed"
ROOT = pathlib.Path(__file__).resolve().parents[2]
# Names, groups and variables of somebody else; the hosts could never be reached.
INVENTORY = """
all:
  children:
    gpu_clusters:
      hosts:
        renderfarm:
          ansible_host: 192.0.2.10
          ansible_connection: ssh
          gpu_kubeconfig: /nowhere/kubeconfig
          gpu_context: production
    render_nodes:
      hosts:
        Node-A.render.example.org:
          gpu_simulated_gpu: {model: RTX 4090, gpus: 2}
          node_labels: [accelerator=ada]
        node-b:
          gpu_facts:
            driver_version: 580.95.05
            gpus:
              - {product: NVIDIA L4}
              - {product: NVIDIA L4}
              - {product: NVIDIA L4}
        head: {}
  vars:
    farm_owner: nobody we know
    gpu_sharing_configs:
      - name: artists
        strategy: time_slicing
        rename_by_default: true
        resources:
          - {name: nvidia.com/gpu, replicas: 3}
    gpu_sharing_node_configs:
      - {config: artists, selector: accelerator=ada}
    rehearsal_configmap_delay: [1, 2]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the archive and install it where nothing else is; what it depends on comes from where it is now."""
    subprocess.run([sys.executable, str(ROOT / "tools" / "build.py")], check=True, stdout=subprocess.DEVNULL)
    archives = sorted((ROOT / ".build" / "dist").glob("gpuops-kubernetes-*.tar.gz"), key=os.path.getmtime)
    home = tmp_path_factory.mktemp("home")
    # With the checkout in the collections path, ansible-galaxy would find the collection there, and install nothing.
    command = ["ansible-galaxy", "collection", "install", "--offline", "--no-deps", str(archives[-1])]
    subprocess.run(command, check=True, cwd=home, env=environment(home), stdout=subprocess.DEVNULL)
    assert (home / "collections" / "ansible_collections" / "gpuops" / "kubernetes" / "MANIFEST.json").is_file()
    (home / "inventory.yml").write_text(INVENTORY)
    (home / "collections" / "ansible_collections" / "kubernetes").symlink_to(dependency())
    return home


def dependency():
    """Return where kubernetes.core lies for these tests."""
    listed = subprocess.run(["ansible-galaxy", "collection", "list", "--format", "json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    (path,) = [path for path, found in json.loads(listed.stdout).items() if "kubernetes.core" in found]
    return os.path.join(path, "kubernetes")


def environment(home):
    """Return the environment of a user, with nothing of this checkout in it."""
    kept = ("PATH", "HOME", "LANG", "GPUOPS_CACHE_DIR", "GPUOPS_STATE_DIR", "XDG_CACHE_HOME", "XDG_STATE_HOME")
    values = {key: value for key, value in os.environ.items() if key in kept}
    return dict(values, ANSIBLE_COLLECTIONS_PATH=str(home / "collections"), ANSIBLE_NOCOLOR="1")


def play(home, name, *more):
    """Run a playbook of the installed collection as its user would."""
    command = ["ansible-playbook", "-i", "inventory.yml", "gpuops.kubernetes." + name, *more]
    done = subprocess.run(command, cwd=home, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    recap = dict(re.findall(r"^(\S+)\s+:.*changed=(\d+)", done.stdout, re.MULTILINE))
    return done, recap


def test_a_foreign_inventory_is_rehearsed(installed):
    try:
        first, _unused = play(installed, "rehearse")
        assert first.returncode == 0, first.stdout[-6000:]
        # By default node-b shares nothing; the two RTX 4090 are six shares under another name.
        assert "node-a.render.example.org" in first.stdout and "node-b" in first.stdout
        second, recap = play(installed, "rehearse")
        assert second.returncode == 0, second.stdout[-6000:]
        assert recap["renderfarm"] == "0", second.stdout[-6000:]
        ended, recap = play(installed, "end_rehearsal")
        assert ended.returncode == 0 and recap["renderfarm"] == "1", ended.stdout
        left = subprocess.run([sys.executable, "-m", TESTBED, "status", "--name", "renderfarm"], check=True, stdout=subprocess.PIPE, text=True)
        assert "absent" in left.stdout
    finally:
        subprocess.run([sys.executable, "-m", TESTBED, "down", "--name", "renderfarm"], check=True)
