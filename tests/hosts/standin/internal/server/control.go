// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"

	"standin/internal/cluster"
	"standin/internal/logging"
	"standin/internal/process"
)

// arguments merges defaults with the user's: "name=value" replaces, "name+=value" comes after, "name-=value" before
// (GetArgs in pkg/util/args.go).
func arguments(defaults map[string]string, extra []string) []string {
	values := map[string][]string{}
	for name, value := range defaults {
		values[name] = []string{value}
	}
	replaced := map[string]bool{}
	for _, each := range extra {
		name, value, found := strings.Cut(strings.TrimPrefix(each, "--"), "=")
		if !found {
			value = "true"
		}
		base := strings.TrimRight(name, "+-")
		switch {
		case strings.HasSuffix(name, "+"):
			values[base] = append(values[base], value)
		case strings.HasSuffix(name, "-"):
			values[base] = append([]string{value}, values[base]...)
		case replaced[base]:
			values[base] = append(values[base], value)
		default:
			values[base] = []string{value}
		}
		replaced[base] = true
	}
	var result []string
	for name, list := range values {
		for _, value := range list {
			result = append(result, fmt.Sprintf("--%s=%s", name, value))
		}
	}
	sort.SliceStable(result, func(i, j int) bool {
		return strings.SplitN(result[i], "=", 2)[0] < strings.SplitN(result[j], "=", 2)[0]
	})
	return result
}

// start runs one component with the real program; without it the server is of no use, as upstream.
func (s *Server) start(name string, defaults map[string]string, extra []string) error {
	list := arguments(defaults, extra)
	logging.Infof("Running %s %s", name, strings.Join(list, " "))
	_, err := process.Start(name, s.paths.log(name), list, nil, func(err error) { logging.Fatalf("%v", err) })
	return err
}

// apiServer follows apiServer() in pkg/daemons/control/server.go. The flags advertise-port and egress-selector-config-file
// are left out: the first is upstream's own patch, the second would need kubelets.
func (s *Server) apiServer() error {
	directory := s.paths.tls("temporary-certs")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	issuer := "https://kubernetes.default.svc." + s.config.ClusterDomain
	flags := map[string]string{
		"advertise-address": s.config.AdvertiseIP, "allow-privileged": "true", "anonymous-auth": "false",
		"api-audiences": issuer + "," + program(), "authorization-mode": "Node,RBAC", "bind-address": "127.0.0.1", "cert-dir": directory,
		"client-ca-file": s.paths.tls("client-ca.crt"), "enable-admission-plugins": "NodeRestriction", "enable-bootstrap-token-auth": "true",
		// The port in the Endpoints would be the private one: see keepEndpoints.
		"endpoint-reconciler-type": "none",
		"etcd-servers":             s.etcdServers(), "kubelet-certificate-authority": s.paths.tls("server-ca.crt"),
		"kubelet-client-certificate":      s.paths.tls("client-kube-apiserver.crt"),
		"kubelet-client-key":              s.paths.tls("client-kube-apiserver.key"),
		"kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
		"profiling":                       "false", "proxy-client-cert-file": s.paths.tls("client-auth-proxy.crt"),
		"proxy-client-key-file": s.paths.tls("client-auth-proxy.key"), "requestheader-allowed-names": "system:auth-proxy",
		"requestheader-client-ca-file": s.paths.tls("request-header-ca.crt"), "requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"requestheader-group-headers": "X-Remote-Group", "requestheader-username-headers": "X-Remote-User",
		"secure-port": strconv.Itoa(s.config.APIServerPort), "service-account-issuer": issuer,
		"service-account-key-file": s.paths.tls("service.key"), "service-account-signing-key-file": s.paths.tls("service.current.key"),
		"service-cluster-ip-range": joined(s.config.Critical), "service-node-port-range": s.config.ServiceNodePortRange,
		"storage-backend": "etcd3", "tls-cert-file": s.paths.tls("serving-kube-apiserver.crt"),
		"tls-private-key-file": s.paths.tls("serving-kube-apiserver.key"),
		"tls-cipher-suites": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256," +
			"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
	}
	if s.config.DatastoreEndpoint == "" {
		flags["etcd-cafile"], flags["etcd-certfile"] = s.paths.tls("etcd/server-ca.crt"), s.paths.tls("etcd/client.crt")
		flags["etcd-keyfile"] = s.paths.tls("etcd/client.key")
	}
	for flag, option := range map[string]string{"etcd-cafile": "datastore-cafile", "etcd-certfile": "datastore-certfile", "etcd-keyfile": "datastore-keyfile"} {
		if path := s.options.Text(option); path != "" {
			flags[flag] = path
		}
	}
	if s.config.EncryptSecrets {
		flags["encryption-provider-config"] = s.paths.cred("encryption-config.json")
	}
	return s.start("kube-apiserver", flags, s.options.Raw("kube-apiserver-arg"))
}

func (s *Server) etcdServers() string {
	if s.config.DatastoreEndpoint != "" {
		return s.config.DatastoreEndpoint
	}
	return s.etcd.ClientURL()
}

func joined(critical cluster.Critical) string {
	var texts []string
	for _, network := range critical.ServiceIPRanges {
		texts = append(texts, network.String())
	}
	return strings.Join(texts, ",")
}

// controllerManager follows controllerManager() in pkg/daemons/control/server.go.
func (s *Server) controllerManager() error {
	if s.config.DisableControllerManager {
		return nil
	}
	var pods []string
	for _, network := range s.config.ClusterIPRanges {
		pods = append(pods, network.String())
	}
	kubeconfig := s.paths.cred("controller.kubeconfig")
	client, clientKey := s.paths.tls("client-ca.nochain.crt"), s.paths.tls("client-ca.key")
	flags := map[string]string{
		"allocate-node-cidrs": "true", "authentication-kubeconfig": kubeconfig, "authorization-kubeconfig": kubeconfig,
		"bind-address": "127.0.0.1", "cluster-cidr": strings.Join(pods, ","), "kubeconfig": kubeconfig,
		"cluster-signing-kube-apiserver-client-cert-file": client, "cluster-signing-kube-apiserver-client-key-file": clientKey,
		"cluster-signing-kubelet-client-cert-file": client, "cluster-signing-kubelet-client-key-file": clientKey,
		"cluster-signing-kubelet-serving-cert-file": s.paths.tls("server-ca.nochain.crt"),
		"cluster-signing-kubelet-serving-key-file":  s.paths.tls("server-ca.key"),
		"cluster-signing-legacy-unknown-cert-file":  s.paths.tls("server-ca.nochain.crt"),
		"cluster-signing-legacy-unknown-key-file":   s.paths.tls("server-ca.key"),
		"controllers": "*,tokencleaner", "profiling": "false", "root-ca-file": s.paths.tls("server-ca.crt"), "secure-port": "10257",
		"service-account-private-key-file": s.paths.tls("service.current.key"), "service-cluster-ip-range": joined(s.config.Critical),
		"use-service-account-credentials": "true", "leader-elect": strconv.FormatBool(s.etcd.Embedded),
	}
	if !s.config.DisableCCM {
		flags["configure-cloud-routes"], flags["controllers"] = "false", "*,tokencleaner,-service,-route,-cloud-node-lifecycle"
	}
	return s.start("kube-controller-manager", flags, s.options.Raw("kube-controller-manager-arg"))
}

// scheduler follows scheduler() in pkg/daemons/control/server.go.
func (s *Server) scheduler() error {
	if s.config.DisableScheduler {
		return nil
	}
	kubeconfig := s.paths.cred("scheduler.kubeconfig")
	flags := map[string]string{
		"authentication-kubeconfig": kubeconfig, "authorization-kubeconfig": kubeconfig, "bind-address": "127.0.0.1", "kubeconfig": kubeconfig,
		"profiling": "false", "secure-port": "10259", "leader-elect": strconv.FormatBool(s.etcd.Embedded),
	}
	return s.start("kube-scheduler", flags, s.options.Raw("kube-scheduler-arg"))
}
