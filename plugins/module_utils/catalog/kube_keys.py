# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Keys of the configuration file of each distribution of Kubernetes. Data only."""

from __future__ import annotations

import typing as t

BOTH = ("server", "agent")
SERVER = ("server",)
AGENT = ("agent",)


class Key(t.NamedTuple):
    """One key. C(kind) is bool, int, string, list or duration; C(types) are the node types that know it.

    C(critical): has to be the same on all servers. C(secret): its value is a password or holds one. C(choices): the only values that are taken.
    C(since): the first minor version; empty for what has been there since 1.26 or longer. C(instead): what replaces a deprecated or removed key.
    """

    kind: str
    types: t.Tuple[str, ...] = SERVER
    critical: bool = False
    secret: bool = False
    choices: t.Tuple[str, ...] = ()
    since: str = ""
    instead: str = ""


# Source: k3s-io/k3s pkg/cli/cmds/{server,agent,root,log,config}.go (names, types), pkg/daemons/config/types.go CriticalControlArgs and
# k3s-io/docs docs/cli/server.md "Critical Configuration Values" (critical), pkg/nodeconfig/nodeconfig.go isSecret (secret, completed by us).
K3S: t.Dict[str, Key] = {
    # logging
    "alsologtostderr": Key("bool", BOTH),
    "debug": Key("bool", BOTH),
    "log": Key("string", BOTH),
    "v": Key("int", BOTH),
    "vmodule": Key("string", BOTH),
    # listener
    "advertise-address": Key("string"),
    "advertise-port": Key("int"),
    "apiserver-bind-address": Key("string"),
    "apiserver-port": Key("int"),
    "bind-address": Key("string", BOTH),
    "https-listen-port": Key("int"),
    "supervisor-port": Key("int"),
    "tls-san": Key("list"),
    "tls-san-security": Key("bool", since="1.28"),
    # networking
    "cluster-cidr": Key("list", critical=True),
    "cluster-dns": Key("list", critical=True),
    "cluster-domain": Key("string", critical=True),
    "egress-selector-mode": Key("string", critical=True, choices=("agent", "cluster", "pod", "disabled")),
    "flannel-backend": Key("string", critical=True, choices=("none", "vxlan", "host-gw", "wireguard-native", "tailscale")),
    "flannel-external-ip": Key("bool", critical=True),
    "flannel-ip-masq-disable-random-fully": Key("bool", critical=True),
    "flannel-ipv6-masq": Key("bool", critical=True),
    "service-cidr": Key("list", critical=True),
    "service-node-port-range": Key("string"),
    "servicelb-namespace": Key("string"),
    # client
    "write-kubeconfig": Key("string"),
    "write-kubeconfig-group": Key("string", since="1.30"),
    "write-kubeconfig-mode": Key("string"),
    # cluster
    "agent-token": Key("string", critical=True, secret=True),
    "agent-token-file": Key("string"),
    "cluster-init": Key("bool"),
    "cluster-reset": Key("bool"),
    "cluster-reset-restore-path": Key("string"),
    "config": Key("string", BOTH),
    "data-dir": Key("string", BOTH),
    "server": Key("string", BOTH),
    "token": Key("string", BOTH, secret=True),
    "token-file": Key("string", BOTH),
    # datastore
    "datastore-cafile": Key("string"),
    "datastore-certfile": Key("string"),
    "datastore-endpoint": Key("string", secret=True),
    "datastore-keyfile": Key("string"),
    "etcd-disable-snapshots": Key("bool"),
    "etcd-expose-metrics": Key("bool"),
    "etcd-s3": Key("bool"),
    "etcd-s3-access-key": Key("string", secret=True),
    "etcd-s3-bucket": Key("string"),
    "etcd-s3-bucket-lookup-type": Key("string", choices=("auto", "dns", "path"), since="1.33"),
    "etcd-s3-config-secret": Key("string", since="1.30"),
    "etcd-s3-endpoint": Key("string"),
    "etcd-s3-endpoint-ca": Key("string"),
    "etcd-s3-folder": Key("string"),
    "etcd-s3-insecure": Key("bool"),
    "etcd-s3-proxy": Key("string", secret=True, since="1.30"),
    "etcd-s3-region": Key("string"),
    "etcd-s3-retention": Key("int"),
    "etcd-s3-secret-key": Key("string", secret=True),
    "etcd-s3-session-token": Key("string", secret=True),
    "etcd-s3-skip-ssl-verify": Key("bool"),
    "etcd-s3-timeout": Key("duration"),
    "etcd-snapshot-compress": Key("bool"),
    "etcd-snapshot-dir": Key("string"),
    "etcd-snapshot-name": Key("string"),
    "etcd-snapshot-reconcile-interval": Key("duration", since="1.32"),
    "etcd-snapshot-retention": Key("int"),
    "etcd-snapshot-schedule-cron": Key("string"),
    "kine-tls": Key("bool", since="1.29"),
    # components
    "default-local-storage-path": Key("string"),
    "disable": Key("list"),
    "disable-agent": Key("bool"),
    "disable-apiserver": Key("bool"),
    "disable-cloud-controller": Key("bool", critical=True),
    "disable-controller-manager": Key("bool"),
    "disable-etcd": Key("bool"),
    "disable-helm-controller": Key("bool", critical=True),
    "disable-kube-proxy": Key("bool"),
    "disable-network-policy": Key("bool", critical=True),
    "disable-scheduler": Key("bool"),
    "embedded-registry": Key("bool", critical=True, since="1.28"),
    "helm-job-image": Key("string", since="1.27"),
    "secrets-encryption": Key("bool", critical=True),
    "secrets-encryption-provider": Key("string", critical=True, choices=("aescbc", "secretbox"), since="1.32"),
    "supervisor-metrics": Key("bool", critical=True, since="1.30"),
    # flags of the parts
    "etcd-arg": Key("list"),
    "helm-controller-arg": Key("list", since="1.36"),
    "kube-apiserver-arg": Key("list"),
    "kube-cloud-controller-manager-arg": Key("list"),
    "kube-controller-manager-arg": Key("list"),
    "kube-proxy-arg": Key("list", BOTH),
    "kube-scheduler-arg": Key("list"),
    "kubelet-arg": Key("list", BOTH),
    # node
    "image-credential-provider-bin-dir": Key("string", BOTH),
    "image-credential-provider-config": Key("string", BOTH),
    "lb-server-port": Key("int", BOTH),
    "node-external-dns": Key("list", BOTH, since="1.31"),
    "node-external-ip": Key("list", BOTH),
    "node-internal-dns": Key("list", BOTH, since="1.31"),
    "node-ip": Key("list", BOTH),
    "node-label": Key("list", BOTH),
    "node-name": Key("string", BOTH),
    "node-taint": Key("list", BOTH),
    "protect-kernel-defaults": Key("bool", BOTH),
    "resolv-conf": Key("string", BOTH),
    "selinux": Key("bool", BOTH),
    "with-node-id": Key("bool", BOTH),
    # runtime
    "airgap-extra-registry": Key("list", BOTH),
    "container-runtime-endpoint": Key("string", BOTH),
    "default-runtime": Key("string", BOTH, since="1.29"),
    "disable-default-registry-endpoint": Key("bool", BOTH, since="1.28"),
    "docker": Key("bool", BOTH),
    "image-service-endpoint": Key("string", BOTH, since="1.28"),
    "nonroot-devices": Key("bool", BOTH, since="1.31"),
    "pause-image": Key("string", BOTH),
    "private-registry": Key("string", BOTH),
    "snapshotter": Key("string", BOTH),
    "system-default-registry": Key("string"),
    # networking of the node
    "disable-apiserver-lb": Key("bool", AGENT, since="1.28"),
    "flannel-cni-conf": Key("string", BOTH),
    "flannel-conf": Key("string", BOTH),
    "flannel-iface": Key("string", BOTH),
    "vpn-auth": Key("string", BOTH, secret=True, since="1.27"),
    "vpn-auth-file": Key("string", BOTH, since="1.27"),
    # experimental
    "enable-pprof": Key("bool", BOTH),
    "prefer-bundled-bin": Key("bool", BOTH),
    "rootless": Key("bool", BOTH),
    # deprecated or removed: newer releases skip them with a line in their log
    "cluster-secret": Key("string", BOTH, secret=True, instead="token"),
    "disable-selinux": Key("bool", BOTH, instead="selinux"),
    "kube-cloud-controller-arg": Key("list", instead="kube-cloud-controller-manager-arg"),
    "kube-controller-arg": Key("list", instead="kube-controller-manager-arg"),
    "no-deploy": Key("list", instead="disable"),
    "no-flannel": Key("bool", BOTH, instead="flannel-backend"),
}

KEYS: t.Dict[str, t.Dict[str, Key]] = {"k3s": K3S}

# Source: the same files; a second name of a key, which the file may hold too.
ALIASES: t.Dict[str, str] = {
    "c": "config",
    "d": "data-dir",
    "i": "node-ip",
    "l": "log",
    "o": "write-kubeconfig",
    "s": "server",
    "t": "token",
}

# Source: k3s-io/k3s pkg/cli/cmds/stage.go DisableItems.
COMPONENTS: t.Dict[str, t.Tuple[str, ...]] = {"k3s": ("coredns", "local-storage", "metrics-server", "runtimes", "servicelb", "traefik")}

# Keys that we write ourselves, with the option of ours that decides about them.
# With the option to set instead; empty where there is none.
OURS: t.Dict[str, str] = {
    "agent-token": "agent_token",
    "agent-token-file": "agent_token",
    "cluster-init": "cluster_init",
    "cluster-secret": "token",
    "data-dir": "",
    "node-name": "node_name",
    "private-registry": "registries",
    "server": "api_address",
    "token": "token",
    "token-file": "token",
}

# Keys that make sense for one start only: in a file they would act at every start.
ONCE: t.Tuple[str, ...] = ("cluster-reset", "cluster-reset-restore-path")

# What the distribution takes for a key that must agree and is not there (k3s-io/k3s pkg/cli/cmds/server.go); false for the others.
DEFAULTS: t.Dict[str, t.Any] = {
    "agent-token": "",
    "cluster-cidr": ["10.42.0.0/16"],
    "cluster-dns": ["10.43.0.10"],
    "cluster-domain": "cluster.local",
    "egress-selector-mode": "agent",
    "flannel-backend": "vxlan",
    "secrets-encryption-provider": "aescbc",
    "service-cidr": ["10.43.0.0/16"],
}
