# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What k3s becomes on each operating system and for each kind of node, as files to be read and reviewed.

python3 tools/bootstrap.py run python -m tests.unit.decide.kube_golden writes them; test_kube_golden.py compares.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_distributions import ARCHITECTURES, K3S
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_hosts import RELEASES
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_hosts, kube_options

GOLDEN = Path(__file__).parents[2] / "golden" / "k3s"
HEADER = "# Written by: python3 tools/bootstrap.py run python -m tests.unit.decide.kube_golden\n"

# As /etc/os-release has them: the minor of a release where it has one, and what it says that it is like.
MINORS = {"rhel": ".6", "rocky": ".6", "almalinux": ".6", "sles": ".6"}
LIKE = {"ubuntu": ["debian"], "rhel": ["fedora"], "rocky": ["rhel", "centos", "fedora"], "almalinux": ["rhel", "centos", "fedora"], "sles": ["suse"]}

REFUSED = {
    "Rocky 8": {"os": "rocky", "os_version": "8.10", "os_like": ["rhel", "centos", "fedora"], "machine": "x86_64"},
    "CentOS 7": {"os": "centos", "os_version": "7", "os_like": ["rhel", "fedora"], "machine": "x86_64"},
    "Ubuntu 18.04": {"os": "ubuntu", "os_version": "18.04", "os_like": ["debian"], "machine": "x86_64"},
    "Ubuntu 25.10": {"os": "ubuntu", "os_version": "25.10", "os_like": ["debian"], "machine": "x86_64"},
    "Debian 10": {"os": "debian", "os_version": "10", "os_like": [], "machine": "x86_64"},
    "Debian testing": {"os": "debian", "os_version": "", "os_like": [], "machine": "x86_64"},
    "Fedora 42": {"os": "fedora", "os_version": "42", "os_like": [], "machine": "x86_64"},
    "Alpine": {"os": "alpine", "os_version": "3.22.0", "os_like": [], "machine": "x86_64"},
    "Debian 13 on ARMv7": {"os": "debian", "os_version": "13", "os_like": [], "machine": "armv7l"},
    "Ubuntu 24.04 on s390x": {"os": "ubuntu", "os_version": "24.04", "os_like": ["debian"], "machine": "s390x"},
}

CLUSTER = {
    "distribution": "k3s",
    "version": "v1.35.6+k3s1",
    "api_address": "192.0.2.10",
    "api_port": 6443,
    "server_addresses": ["one", "two", "three", "192.0.2.11", "192.0.2.12", "192.0.2.13"],
    "node_labels": {"pool": "training", "accelerator": "nvidia-tesla-t4"},
    "node_taints": ["nvidia.com/gpu=present:NoSchedule"],
    "layers": [
        ["config_cluster", {"flannel-backend": "wireguard-native", "kubelet-arg": ["max-pods=200"], "disable": ["traefik"]}],
        ["config_group", {"disable+": ["servicelb"]}],
        ["config_host", {"kubelet-arg+": "image-gc-high-threshold=80"}],
    ],
    "shared_layers": ["config_cluster", "config_group"],
}
NODES = {
    "a single server": {"distribution": "k3s", "node_type": "server", "first": True, "servers": 1, "api_address": "192.0.2.10", "api_port": 6443},
    "the first of three servers": dict(CLUSTER, node_type="server", first=True, servers=3, kubeconfig_mode="0640", tls_san=["k3s.example.com"]),
    "another of three servers": dict(CLUSTER, node_type="server", servers=3),
    "an agent": dict(CLUSTER, node_type="agent", servers=3, docker=True),
    "a server with a datastore of its own": dict(
        CLUSTER, node_type="server", servers=2, datastore_endpoint="postgres://k3s:hidden@db.example.com/k3s", agent_token_file=K3S.agent_token
    ),
    "an agent behind a proxy": {
        "distribution": "k3s",
        "node_type": "agent",
        "api_address": "2001:db8::10",
        "api_port": 6443,
        "server_addresses": ["one", "2001:db8::10"],
        "https_proxy": "http://user:p%40ss@proxy.example.com:3128",
        "no_proxy": ["10.0.0.0/8", ".example.com"],
        "environment": {"GODEBUG": "netdns=go", "MOTTO": 'say "no"'},
        "registries": {
            "mirrors": {"docker.io": {"endpoint": ["https://registry.example.com:5000"], "rewrite": {"^rancher/(.*)": "mirror/rancher/$1"}}},
            "configs": {"registry.example.com:5000": {"auth": {"username": "u", "password": "hidden"}, "tls": {"ca_file": "/etc/ssl/private-ca.crt"}}},
        },
    },
}


class Text(yaml.SafeDumper):
    """Writes a text of several lines as a block, so that it is read as the file that it becomes, and lists indented, as the linter wants them."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data):
        return True


Text.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))


def text_of(document):
    return HEADER + "---\n" + yaml.dump(document, Dumper=Text, sort_keys=False, width=120)


def plain(found):
    return [problem.severity + ": " + problem.text() for problem in found]


def hosts():
    """Yield the name of a file and its document for each operating system and architecture."""
    for release in RELEASES:
        for machine, architecture in sorted(ARCHITECTURES.items()):
            version = release.version + MINORS.get(release.id, "")
            facts = {"os": release.id, "os_version": version, "os_like": LIKE.get(release.id, []), "os_name": "", "machine": machine}
            support = kube_hosts.host_support(facts)._asdict()
            problems = plain(support.pop("problems"))
            document = {"facts": facts, "support": support, "problems": problems, "artifacts": K3S.artifacts[architecture]}
            yield "%s-%s-%s.yml" % (release.id, release.version, architecture), document


def refusals():
    return {name: plain(kube_hosts.host_support(facts).problems) for name, facts in REFUSED.items()}


def nodes():
    found = {}
    for name, options in NODES.items():
        node = kube_options.node(options, "k3s_")._asdict()
        node["problems"] = plain(node["problems"])
        node.pop("settings")
        found[name] = node
    return found


def documents():
    return {**dict(hosts()), "refusals.yml": refusals(), "nodes.yml": nodes()}


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for path in GOLDEN.glob("*.yml"):
        path.unlink()
    for name, document in documents().items():
        (GOLDEN / name).write_text(text_of(document), encoding="utf-8")


if __name__ == "__main__":
    main()
