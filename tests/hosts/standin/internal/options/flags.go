// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package options reads flags, environment and configuration files as the distribution does.
package options

import "standin/internal/distribution"

type kind int

const (
	text kind = iota
	flag
	number
	list
	duration
)

type option struct {
	name, alias string
	kind        kind
	environment string // without the distribution's prefix; with "=" in front as it is
	fallback    string
}

// both are options of servers and agents (pkg/cli/cmds/agent.go, log.go, config.go, root.go).
var both = []option{
	{name: "config", alias: "c", environment: "CONFIG_FILE"},
	{name: "debug", kind: flag, environment: "DEBUG"},
	{name: "v", kind: number},
	{name: "vmodule"},
	{name: "log", alias: "l"},
	{name: "alsologtostderr", kind: flag},
	{name: "token", alias: "t", environment: "TOKEN"},
	{name: "token-file", environment: "TOKEN_FILE"},
	{name: "server", alias: "s", environment: "URL"},
	{name: "data-dir", alias: "d", environment: "DATA_DIR"},
	{name: "node-name", environment: "NODE_NAME"},
	{name: "with-node-id", kind: flag},
	{name: "node-label", kind: list},
	{name: "node-taint", kind: list},
	{name: "image-credential-provider-bin-dir", fallback: "/var/lib/rancher/credentialprovider/bin"},
	{name: "image-credential-provider-config", fallback: "/var/lib/rancher/credentialprovider/config.yaml"},
	{name: "selinux", kind: flag, environment: "SELINUX"},
	{name: "lb-server-port", kind: number, environment: "LB_SERVER_PORT", fallback: "6444"},
	{name: "protect-kernel-defaults", kind: flag},
	{name: "container-runtime-endpoint"},
	{name: "default-runtime"},
	{name: "image-service-endpoint"},
	{name: "disable-default-registry-endpoint", kind: flag},
	{name: "nonroot-devices", kind: flag},
	{name: "pause-image", fallback: "rancher/mirrored-pause:3.6"},
	{name: "snapshotter", fallback: "overlayfs"},
	{name: "private-registry", fallback: distribution.Current().RegistriesFile()},
	{name: "airgap-extra-registry", kind: list},
	{name: "node-ip", alias: "i", kind: list},
	{name: "node-external-ip", kind: list},
	{name: "node-internal-dns", kind: list},
	{name: "node-external-dns", kind: list},
	{name: "resolv-conf", environment: "RESOLV_CONF"},
	{name: "flannel-iface"},
	{name: "flannel-conf"},
	{name: "flannel-cni-conf"},
	{name: "vpn-auth", environment: "VPN_AUTH"},
	{name: "vpn-auth-file", environment: "VPN_AUTH_FILE"},
	{name: "kubelet-arg", kind: list},
	{name: "kube-proxy-arg", kind: list},
	{name: "enable-pprof", kind: flag},
	{name: "rootless", kind: flag},
	{name: "prefer-bundled-bin", kind: flag},
	{name: "docker", kind: flag},
	{name: "disable-apiserver-lb", kind: flag},
	{name: "bind-address"},
}

// servers are options of servers only (pkg/cli/cmds/server.go).
var servers = []option{
	{name: "https-listen-port", kind: number, fallback: "6443"},
	{name: "supervisor-port", kind: number},
	{name: "apiserver-port", kind: number},
	{name: "advertise-address"},
	{name: "advertise-port", kind: number},
	{name: "tls-san", kind: list},
	{name: "tls-san-security", kind: flag, fallback: "true"},
	{name: "cluster-cidr", kind: list, fallback: "10.42.0.0/16"},
	{name: "service-cidr", kind: list, fallback: "10.43.0.0/16"},
	{name: "service-node-port-range", fallback: "30000-32767"},
	{name: "cluster-dns", kind: list},
	{name: "cluster-domain", fallback: "cluster.local"},
	{name: "flannel-backend", fallback: "vxlan"},
	{name: "flannel-ipv6-masq", kind: flag},
	{name: "flannel-external-ip", kind: flag},
	{name: "egress-selector-mode", fallback: "agent"},
	{name: "servicelb-namespace", fallback: "kube-system"},
	{name: "write-kubeconfig", alias: "o", environment: "KUBECONFIG_OUTPUT"},
	{name: "write-kubeconfig-mode", environment: "KUBECONFIG_MODE"},
	{name: "write-kubeconfig-group", environment: "KUBECONFIG_GROUP"},
	{name: "helm-job-image"},
	{name: "agent-token", environment: "AGENT_TOKEN"},
	{name: "agent-token-file", environment: "AGENT_TOKEN_FILE"},
	{name: "cluster-init", kind: flag, environment: "CLUSTER_INIT"},
	{name: "cluster-reset", kind: flag, environment: "CLUSTER_RESET"},
	{name: "cluster-reset-restore-path"},
	{name: "kube-apiserver-arg", kind: list},
	{name: "etcd-arg", kind: list},
	{name: "kube-controller-manager-arg", alias: "kube-controller-arg", kind: list},
	{name: "kube-scheduler-arg", kind: list},
	{name: "kube-cloud-controller-manager-arg", alias: "kube-cloud-controller-arg", kind: list},
	{name: "kine-tls", kind: flag},
	{name: "datastore-endpoint", environment: "DATASTORE_ENDPOINT"},
	{name: "datastore-cafile", environment: "DATASTORE_CAFILE"},
	{name: "datastore-certfile", environment: "DATASTORE_CERTFILE"},
	{name: "datastore-keyfile", environment: "DATASTORE_KEYFILE"},
	{name: "etcd-expose-metrics", kind: flag},
	{name: "etcd-disable-snapshots", kind: flag},
	{name: "etcd-snapshot-name", fallback: "etcd-snapshot"},
	{name: "etcd-snapshot-schedule-cron", fallback: "0 */12 * * *"},
	{name: "etcd-snapshot-reconcile-interval", kind: duration, fallback: "10m"},
	{name: "etcd-snapshot-retention", kind: number, fallback: "5"},
	{name: "etcd-snapshot-dir"},
	{name: "etcd-snapshot-compress", kind: flag},
	{name: "etcd-s3", kind: flag},
	{name: "etcd-s3-endpoint", fallback: "s3.amazonaws.com"},
	{name: "etcd-s3-endpoint-ca"},
	{name: "etcd-s3-skip-ssl-verify", kind: flag},
	{name: "etcd-s3-access-key", environment: "=AWS_ACCESS_KEY_ID"},
	{name: "etcd-s3-secret-key", environment: "=AWS_SECRET_ACCESS_KEY"},
	{name: "etcd-s3-session-token", environment: "=AWS_SESSION_TOKEN"},
	{name: "etcd-s3-bucket"},
	{name: "etcd-s3-bucket-lookup-type"},
	{name: "etcd-s3-region", fallback: "us-east-1"},
	{name: "etcd-s3-folder"},
	{name: "etcd-s3-retention", kind: number, fallback: "5"},
	{name: "etcd-s3-proxy"},
	{name: "etcd-s3-config-secret"},
	{name: "etcd-s3-insecure", kind: flag},
	{name: "etcd-s3-timeout", kind: duration, fallback: "5m"},
	{name: "default-local-storage-path"},
	{name: "disable", kind: list},
	{name: "disable-scheduler", kind: flag},
	{name: "disable-cloud-controller", kind: flag},
	{name: "disable-kube-proxy", kind: flag},
	{name: "disable-network-policy", kind: flag},
	{name: "disable-helm-controller", kind: flag},
	{name: "disable-apiserver", kind: flag},
	{name: "disable-controller-manager", kind: flag},
	{name: "disable-etcd", kind: flag},
	{name: "disable-agent", kind: flag},
	{name: "embedded-registry", kind: flag},
	{name: "supervisor-metrics", kind: flag},
	{name: "system-default-registry", environment: "SYSTEM_DEFAULT_REGISTRY"},
	{name: "secrets-encryption", kind: flag},
	{name: "secrets-encryption-provider", fallback: "aescbc"},
}

func table(command string) []option {
	if command == "server" {
		return append(append([]option{}, both...), servers...)
	}
	return both
}
