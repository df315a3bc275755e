# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Operating systems that can be nodes, and how each keeps what we have to change. Data only."""

from __future__ import annotations

import typing as t


class Family(t.NamedTuple):
    """What the releases of one family have in common. C(package_proxy) is empty where the package manager has no file of its own for a proxy."""

    package_manager: str
    package_proxy: str
    ca_directory: str
    ca_update: t.Tuple[str, ...]
    ca_refresh: t.Tuple[str, ...]
    firewall: str
    profile_directory: str = "/etc/profile.d"


class Release(t.NamedTuple):
    """One release: C(id) and C(version) as in /etc/os-release, a version with or without what follows the first dot.

    C(packages) are needed beside the distribution, C(selinux) names the packages and C(selinux_path) the directory of the policy's repository.
    C(remarks) are things that a user has to know, each with what to do.
    """

    id: str
    version: str
    family: str
    packages: t.Tuple[str, ...] = ()
    selinux: t.Tuple[str, ...] = ()
    selinux_path: str = ""
    remarks: t.Tuple[t.Tuple[str, str], ...] = ()


# An update alone leaves links to a certificate that is gone.
_FRESH = ("update-ca-certificates", "--fresh")
# Source: Debian ca-certificates(8), RHEL update-ca-trust(8), SLES update-ca-certificates(8); apt.conf(5).
FAMILIES: t.Dict[str, Family] = {
    "debian": Family("apt", "/etc/apt/apt.conf.d/80gpuops-proxy", "/usr/local/share/ca-certificates", ("update-ca-certificates",), _FRESH, "ufw"),
    "redhat": Family("dnf", "", "/etc/pki/ca-trust/source/anchors", ("update-ca-trust", "extract"), ("update-ca-trust", "extract"), "firewalld"),
    "suse": Family("zypper", "", "/etc/pki/trust/anchors", ("update-ca-certificates",), _FRESH, "firewalld"),
}

_POLICY = ("container-selinux", "{distribution}-selinux")
_IPTABLES = ("its iptables 1.8.4 may pile up duplicate rules", "set prefer-bundled-bin: true in the configuration if it does")
_PYTHON_3_8 = ("its Python 3.8 is too old for ansible-core 2.20", "use ansible-core 2.19 on the controller")
_PYTHON_3_6 = ("its Python 3.6 is too old for Ansible", "install python311, and set ansible_python_interpreter to /usr/bin/python3.11")

# Source: k3s-io/docs docs/installation/requirements.md (kernel-modules-extra) and docs/known-issues.md (iptables); k3s-io/k3s install.sh setup_selinux and
# k3s-io/k3s-selinux policy/*/scripts/upload-repo (selinux); interpreters: the ansible-core support matrix.
RELEASES: t.Tuple[Release, ...] = (
    Release("ubuntu", "20.04", "debian", remarks=(_PYTHON_3_8, _IPTABLES)),
    Release("ubuntu", "22.04", "debian"),
    Release("ubuntu", "24.04", "debian"),
    Release("ubuntu", "26.04", "debian"),
    Release("debian", "11", "debian"),
    Release("debian", "12", "debian"),
    Release("debian", "13", "debian"),
    Release("rhel", "9", "redhat", (), _POLICY, "centos/9"),
    Release("rhel", "10", "redhat", ("kernel-modules-extra",), _POLICY, "centos/10"),
    Release("rocky", "9", "redhat", (), _POLICY, "centos/9"),
    Release("rocky", "10", "redhat", ("kernel-modules-extra",), _POLICY, "centos/10"),
    Release("almalinux", "9", "redhat", (), _POLICY, "centos/9"),
    Release("almalinux", "10", "redhat", ("kernel-modules-extra",), _POLICY, "centos/10"),
    Release("sles", "15", "suse", (), _POLICY, "microos", (_PYTHON_3_6,)),
    Release("sles", "16", "suse", (), _POLICY, "microos"),
)

# Why a release that people do have is not among them.
REFUSED: t.Dict[t.Tuple[str, str], str] = {
    (name, "8"): "its dnf module runs under Python 3.6, for which ansible-core 2.19 and later have no modules"
    for name in ("rhel", "rocky", "almalinux", "centos")
}

# Families of relatives, by the ID or an entry of ID_LIKE: for those who take it upon themselves to use another release.
RELATIVES: t.Dict[str, str] = {
    "debian": "debian",
    "ubuntu": "debian",
    "rhel": "redhat",
    "centos": "redhat",
    "fedora": "redhat",
    "suse": "suse",
    "sles": "suse",
}

# Source: k3s-io/k3s install.sh install_selinux_rpm (repository, key); the fingerprint as dnf shows it when it imports the key, in several public logs.
SELINUX_REPOSITORY = "https://rpm.rancher.io/{distribution}/stable/common/{path}/noarch"
SELINUX_KEY = "https://rpm.rancher.io/public.key"
SELINUX_FINGERPRINT = "C8CFF216455126E9B9C918BE925EA29AE257814A"

# Source: RKE2's and the GPU operator's documentation: many pods on a node and GPU validators run out of the kernel's defaults.
SYSCTLS: t.Dict[str, int] = {"fs.inotify.max_user_instances": 8192, "fs.inotify.max_user_watches": 524288}


class Port(t.NamedTuple):
    """An inbound port: who listens, who comes, and when it is needed (empty: always)."""

    number: str
    listens: str
    comes: str
    purpose: str
    when: str = ""


# Source: k3s-io/docs docs/installation/requirements.md "Inbound Rules for K3s Nodes".
PORTS: t.Tuple[Port, ...] = (
    Port("6443/tcp", "server", "all nodes and the controller", "API server and supervisor"),
    Port("2379-2380/tcp", "server", "servers", "etcd", "etcd"),
    Port("10250/tcp", "node", "all nodes", "kubelet"),
    Port("8472/udp", "node", "all nodes", "flannel by VXLAN", "vxlan"),
    Port("51820/udp", "node", "all nodes", "flannel by WireGuard", "wireguard-native"),
    Port("51821/udp", "node", "all nodes", "flannel by WireGuard with IPv6", "wireguard-native"),
    Port("5001/tcp", "node", "all nodes", "embedded registry", "embedded-registry"),
)
