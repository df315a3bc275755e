// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package server is the control plane: real programs, and the supervisor in front of them.
package server

import (
	"path/filepath"

	"standin/internal/distribution"
	"standin/internal/pki"
)

// paths are upstream's names below <data-dir>/server (CreateRuntimeCertFiles in pkg/daemons/control/deps/deps.go).
type paths string

func (p paths) tls(name string) string  { return filepath.Join(string(p), "tls", name) }
func (p paths) cred(name string) string { return filepath.Join(string(p), "cred", name) }
func (p paths) file(name string) string { return filepath.Join(string(p), name) }
func (p paths) log(name string) string {
	return filepath.Join(filepath.Dir(string(p)), "standin", name+".log")
}
func (p paths) serverCA() pki.Authority   { return p.authority("server-ca") }
func (p paths) clientCA() pki.Authority   { return p.authority("client-ca") }
func (p paths) headerCA() pki.Authority   { return p.authority("request-header-ca") }
func (p paths) etcdServer() pki.Authority { return p.authority("etcd/server-ca") }
func (p paths) etcdPeer() pki.Authority   { return p.authority("etcd/peer-ca") }

func (p paths) authority(name string) pki.Authority {
	return pki.Authority{Certificate: p.tls(name + ".crt"), Key: p.tls(name + ".key")}
}

// bootstrap are the files that every server of a cluster must have (ControlRuntimeBootstrap in pkg/daemons/config/types.go).
func (p paths) bootstrap(encryption bool) map[string]string {
	result := map[string]string{
		"ServerCA": p.tls("server-ca.crt"), "ServerCAKey": p.tls("server-ca.key"),
		"ClientCA": p.tls("client-ca.crt"), "ClientCAKey": p.tls("client-ca.key"),
		"RequestHeaderCA": p.tls("request-header-ca.crt"), "RequestHeaderCAKey": p.tls("request-header-ca.key"),
		"ETCDServerCA": p.tls("etcd/server-ca.crt"), "ETCDServerCAKey": p.tls("etcd/server-ca.key"),
		"ETCDPeerCA": p.tls("etcd/peer-ca.crt"), "ETCDPeerCAKey": p.tls("etcd/peer-ca.key"),
		"ServiceKey": p.tls("service.key"), "PasswdFile": p.cred("passwd"), "IPSECKey": p.cred("ipsec.psk"),
	}
	if encryption {
		result["EncryptionConfig"] = p.cred("encryption-config.json")
		result["EncryptionHash"] = p.cred("encryption-state.json")
	}
	return result
}

func program() string { return distribution.Current().Name }
