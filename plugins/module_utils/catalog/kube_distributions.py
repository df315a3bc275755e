# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Where the distributions of Kubernetes keep what they have on a host.

Source: the installer of each distribution (k3s-io/k3s install.sh), its unit, and its documentation of ports and directories.
"""

from __future__ import annotations

import typing as t


class Distribution(t.NamedTuple):
    """Paths, units and ports of one distribution; C(units), C(commands) and C(ports) are by node type."""

    name: str
    binary: str
    links: t.Dict[str, str]
    config: str
    node_config: str
    token: str
    agent_token: str
    registries: str
    data: str
    images: str
    kubeconfig: str
    kubelet_kubeconfig: str
    units: t.Dict[str, str]
    commands: t.Dict[str, str]
    ports: t.Dict[str, t.Dict[int, str]]
    documentation: str
    # What only a removal takes, in this order; files and directories that a running node makes.
    leavings: t.List[str]
    # How the release names its artefacts, by architecture as Go spells it.
    artifacts: t.Dict[str, t.Dict[str, str]]


UNIT_DIRECTORY = "/etc/systemd/system"

K3S = Distribution(
    name="k3s",
    binary="/usr/local/bin/k3s",
    links={name: "/usr/local/bin/" + name for name in ("kubectl", "crictl", "ctr")},
    config="/etc/rancher/k3s/config.yaml",
    node_config="/etc/rancher/k3s/config.yaml.d/50-gpuops-node.yaml",
    token="/etc/rancher/k3s/cluster-token",
    agent_token="/etc/rancher/k3s/agent-token",
    registries="/etc/rancher/k3s/registries.yaml",
    data="/var/lib/rancher/k3s",
    images="/var/lib/rancher/k3s/agent/images",
    kubeconfig="/etc/rancher/k3s/k3s.yaml",
    kubelet_kubeconfig="/var/lib/rancher/k3s/agent/kubelet.kubeconfig",
    units={"server": "k3s.service", "agent": "k3s-agent.service"},
    commands={"server": "server", "agent": "agent"},
    ports={
        "server": {6443: "API server and supervisor", 10250: "kubelet", 10257: "controller-manager", 10259: "scheduler"},
        "agent": {10250: "kubelet"},
    },
    documentation="https://docs.k3s.io",
    leavings=[
        "/etc/rancher/k3s",
        "/etc/rancher/node",
        "/run/k3s",
        "/run/flannel",
        "/var/lib/rancher/k3s",
        "/var/lib/kubelet",
        "/var/lib/cni",
        "/etc/cni/net.d/10-flannel.conflist",
    ],
    artifacts={
        "amd64": {"binary": "k3s", "checksums": "sha256sum-amd64.txt", "images": "k3s-airgap-images-amd64.tar"},
        "arm64": {"binary": "k3s-arm64", "checksums": "sha256sum-arm64.txt", "images": "k3s-airgap-images-arm64.tar"},
    },
)

DISTRIBUTIONS: t.Dict[str, Distribution] = {"k3s": K3S}

# uname -m as Go spells it, for the architectures that the collection is made for.
ARCHITECTURES: t.Dict[str, str] = {"x86_64": "amd64", "aarch64": "arm64"}
