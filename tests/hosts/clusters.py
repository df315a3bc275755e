# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bare test hosts that playbooks make a k3s cluster of, with the stand-in in place of k3s: one server and any number of agents."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import paths, versions
from tests.hosts import fleet
from tests.hosts.records import Host, Options

ROOT = Path(__file__).resolve().parents[2]
# Test hosts see the swap, the disk and the memory of the machine.
IGNORED_CHECKS = ["disk", "memory", "swap"]


@dataclasses.dataclass
class Cluster:
    """Hosts by their node type, where their releases are, and a directory for the inventory and the kubeconfig."""

    directory: Path
    releases: Path
    hosts: t.Dict[str, t.List[Host]]

    @property
    def members(self) -> t.List[t.Tuple[str, Host]]:
        """Return (node type, host) of every host, the server first."""
        return [(kind, host) for kind in ("server", "agent") for host in self.hosts[kind]]

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfigs" / "lab.yaml"

    def command(self, playbook: str, variables: t.Mapping[str, t.Any]) -> t.List[str]:
        """Return the command that runs a playbook of this checkout on the hosts."""
        extra = json.dumps(dict(variables, k3s_artifact_url=str(self.releases), gpu_kubeconfig_dir=str(self.kubeconfig.parent)))
        inventories = ["-i", str(self.directory / "inventory.json"), "-i", str(ROOT / "tests" / "hosts" / "inventory.py")]
        return ["ansible-playbook", *inventories, str(ROOT / "playbooks" / playbook), "-e", extra]

    def kubectl(self, *words: str) -> t.Any:
        """Return what kubectl gets from the API, with the kubeconfig that the role has fetched."""
        program = paths.cache_root() / "bin" / ("kubernetes-" + versions.KUBERNETES) / "kubectl"
        command = [str(program), "--kubeconfig", str(self.kubeconfig), *words, "-o", "json"]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def up(directory: Path, name: str, agents: int, releases: Path) -> Cluster:
    """Return a cluster that has yet to be made of new hosts NAME-server, NAME-1, NAME-2 and so on, with releases that standin_build has made.

    Raises NotPossible where this machine cannot have hosts.
    """
    names = {"server": [name + "-server"], "agent": ["%s-%d" % (name, number + 1) for number in range(agents)]}
    fleet.down(names["server"] + names["agent"])
    mounts = ((str(paths.cache_root() / "bin"), "/opt/standin/bin"),)
    there = {host.name: host for host in fleet.up(names["server"] + names["agent"], Options(mounts=mounts))}
    groups = {"gpu_clusters": ["lab"], "k3s_servers": names["server"], "k3s_agents": names["agent"]}
    inventory = {group: {"hosts": {host: {} for host in hosts}} for group, hosts in groups.items()}
    inventory["all"] = {"vars": {"k3s_ignored_checks": IGNORED_CHECKS}}
    (directory / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")
    return Cluster(directory, releases, {kind: [there[each] for each in each_kind] for kind, each_kind in names.items()})
