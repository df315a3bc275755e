# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Take a distribution off a host: what its installer, its service and its containers have left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.host_lock import locked
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.kube_node import node_name, supported, systemctl
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_distributions import DISTRIBUTIONS, Distribution
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.wait import wait_for
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_removal
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import kube_node, kube_removal as observe

Params = t.Dict[str, t.Any]
# Made on the way, and others may use them: they go only when they are empty, the innermost first.
SHARED = (
    "/etc/rancher",
    "/var/lib/rancher",
    "/etc/cni/net.d",
    "/etc/cni",
    "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
    "/usr/libexec/kubernetes/kubelet-plugins/volume",
    "/usr/libexec/kubernetes/kubelet-plugins",
    "/usr/libexec/kubernetes",
)


def absent(params: Params, check_mode: bool) -> dict:
    """Remove everything of the distribution from the host."""
    distribution = DISTRIBUTIONS[params["distribution"]]
    host = kube_node.read_host(distribution)
    with locked():
        remains = observe.read_remains(distribution)
        actions = kube_removal.actions(remains)
        if actions and not check_mode:
            remove(distribution, remains)
    return {
        "changed": bool(actions),
        "actions": actions,
        "node_name": node_name(params, host),
        "support": supported(host, distribution),
        "diff": {"before": "".join(action + "\n" for action in actions), "after": ""},
    }


def remove(distribution: Distribution, remains: observe.Remains) -> None:
    """Stop what runs, then take away what it used.

    Raises: GpuOpsError when something does not go.
    """
    for unit in remains.units:
        systemctl("disable", "--now", unit)
    end(observe.read_processes(distribution))
    # What the service made until it was stopped is not in the first look.
    remains = observe.read_remains(distribution)
    for path in remains.mounts:
        command(["umount", "-l", path])
    for name in remains.namespaces:
        command(["ip", "netns", "delete", name])
    for name in remains.interfaces:
        command(["ip", "link", "delete", name], may_fail=True)
    for program, text in remains.tables.items():
        command([program + "-restore"], kube_removal.without_rules(text))
    for path in remains.paths:
        discard(path)
    for directory in SHARED:
        if os.path.isdir(directory) and not os.listdir(directory):
            os.rmdir(directory)
    systemctl("daemon-reload")
    for unit in remains.units:
        systemctl("reset-failed", unit, may_fail=True)


def end(processes: t.List[int]) -> None:
    """Kill processes and wait until they are gone.

    Raises: GpuOpsError when one stays.
    """
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue

    def left() -> t.List[int]:
        return [process for process in processes if kube_node.text_of("/proc/%d/cmdline" % process)]

    met, last = wait_for(left, lambda found: not found, timeout=60.0, sleep=0.2)
    if not met:
        raise GpuOpsError("Processes %s do not end. Fix: see what they wait for (/proc/PID/stack), and run again." % ", ".join(map(str, last)))


def discard(path: str) -> None:
    """Remove a file, a link, or a directory with all that is in it, but nothing that is mounted there."""
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return
    inside = [mount for mount in observe.mounted() if mount == path or mount.startswith(path + "/")]
    if not inside:
        shutil.rmtree(path)
        return
    for name in observe.listed(path):
        below = os.path.join(path, name)
        if below not in inside:
            discard(below)


def command(words: t.List[str], text: str = "", may_fail: bool = False) -> None:
    """Run a command.

    Raises: GpuOpsError with what it said.
    """
    done = subprocess.run(words, input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode and not may_fail:
        raise GpuOpsError("%s ended with status %d: %s" % (" ".join(words), done.returncode, done.stdout.decode("utf-8", "replace").strip()))
