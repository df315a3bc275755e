// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"crypto/aes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"standin/internal/pki"
	"standin/internal/token"
)

// generate makes everything below tls, cred and etc that is missing (GenServerDeps in pkg/daemons/control/deps/deps.go).
func (s *Server) generate() error {
	for _, step := range []func() error{s.clientCertificates, s.serverCertificates, s.headerCertificates, s.etcdCertificates,
		s.serviceAccount, s.users, s.networkSecret, s.encryption, s.egress} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) clientCertificates() error {
	fresh, err := s.paths.clientCA().Ensure(program() + "-client")
	if err != nil {
		return err
	}
	if err := s.withoutChain("client-ca"); err != nil {
		return err
	}
	for _, each := range []struct{ subject, group, file, kubeconfig string }{
		{"system:admin", "system:masters", "client-admin", "admin"},
		{"system:" + program() + "-supervisor", "system:masters", "client-supervisor", "supervisor"},
		{"system:kube-controller-manager", "", "client-controller", "controller"},
		{"system:kube-scheduler", "", "client-scheduler", "scheduler"},
		{"system:apiserver", "system:masters", "client-kube-apiserver", "api-server"},
		{"system:kube-proxy", "", "client-kube-proxy", ""},
		{"system:" + program() + "-controller", "", "client-" + program() + "-controller", ""},
		{program() + "-cloud-controller-manager", "", "client-" + program() + "-cloud-controller", "cloud-controller"},
	} {
		subject := pki.Subject{Name: each.subject, Usages: pki.Client}
		if each.group != "" {
			subject.Groups = []string{each.group}
		}
		certificate, key := s.paths.tls(each.file+".crt"), s.paths.tls(each.file+".key")
		if _, err := s.paths.clientCA().EnsureSigned(subject, certificate, key, fresh); err != nil {
			return err
		}
		if each.kubeconfig != "" {
			text := Kubeconfig(s.local(), s.paths.tls("server-ca.crt"), certificate, key)
			if err := pki.Write(s.paths.cred(each.kubeconfig+".kubeconfig"), []byte(text), 0o600); err != nil {
				return err
			}
		}
	}
	_, err = pki.EnsureKey(s.paths.tls("client-kubelet.key"), false)
	return err
}

// withoutChain writes the first certificate of a CA alone, for signers that want just one.
func (s *Server) withoutChain(name string) error {
	content, err := os.ReadFile(s.paths.tls(name + ".crt"))
	if err != nil {
		return err
	}
	return pki.Write(s.paths.tls(name+".nochain.crt"), content, 0o644)
}

func (s *Server) serverCertificates() error {
	fresh, err := s.paths.serverCA().Ensure(program() + "-server")
	if err != nil {
		return err
	}
	if err := s.withoutChain("server-ca"); err != nil {
		return err
	}
	subject := pki.Subject{Name: "kube-apiserver", Names: append(s.serviceNames(), s.config.SANs...), Usages: pki.Server}
	file := s.paths.tls("serving-kube-apiserver")
	if _, err := s.paths.serverCA().EnsureSigned(subject, file+".crt", file+".key", fresh); err != nil {
		return err
	}
	_, err = pki.EnsureKey(s.paths.tls("serving-kubelet.key"), false)
	return err
}

func (s *Server) serviceNames() []string {
	return []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + s.config.ClusterDomain}
}

func (s *Server) headerCertificates() error {
	fresh, err := s.paths.headerCA().Ensure(program() + "-request-header")
	if err != nil {
		return err
	}
	subject := pki.Subject{Name: "system:auth-proxy", Usages: pki.Client}
	_, err = s.paths.headerCA().EnsureSigned(subject, s.paths.tls("client-auth-proxy.crt"), s.paths.tls("client-auth-proxy.key"), fresh)
	return err
}

func (s *Server) etcdCertificates() error {
	freshServer, err := s.paths.etcdServer().Ensure("etcd-server")
	if err != nil {
		return err
	}
	freshPeer, err := s.paths.etcdPeer().Ensure("etcd-peer")
	if err != nil {
		return err
	}
	names := append([]string{"kine.sock"}, s.config.SANs...)
	for _, each := range []struct {
		authority pki.Authority
		fresh     bool
		subject   pki.Subject
		file      string
	}{
		{s.paths.etcdServer(), freshServer, pki.Subject{Name: "etcd-client", Usages: pki.Client}, "client"},
		{s.paths.etcdServer(), freshServer, pki.Subject{Name: "etcd-server", Names: names, Usages: pki.Peer}, "server-client"},
		{s.paths.etcdPeer(), freshPeer, pki.Subject{Name: "etcd-peer", Names: names, Usages: pki.Peer}, "peer-server-client"},
	} {
		file := s.paths.tls("etcd/" + each.file)
		if _, err := each.authority.EnsureSigned(each.subject, file+".crt", file+".key", each.fresh); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) serviceAccount() error {
	if _, err := pki.EnsureKey(s.paths.tls("service.key"), false); err != nil {
		return err
	}
	content, err := os.ReadFile(s.paths.tls("service.key"))
	if err != nil {
		return err
	}
	return pki.Write(s.paths.tls("service.current.key"), content, 0o600)
}

func (s *Server) networkSecret() error {
	if info, err := os.Stat(s.paths.cred("ipsec.psk")); err == nil && info.Size() > 0 {
		return nil
	}
	return pki.Write(s.paths.cred("ipsec.psk"), []byte(token.Random(48)+"\n"), 0o600)
}

// encryption writes the API server's encryption of secrets at rest; the key is made once (genEncryptionConfigAndState).
func (s *Server) encryption() error {
	if !s.config.EncryptSecrets {
		return nil
	}
	path := s.paths.cred("encryption-config.json")
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		return nil
	}
	key := make([]byte, 2*aes.BlockSize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	type object = map[string]any
	secret := object{"name": "aescbckey", "secret": base64.StdEncoding.EncodeToString(key)}
	content, err := json.Marshal(object{
		"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1",
		"resources": []object{{"resources": []string{"secrets"}, "providers": []object{{"aescbc": object{"keys": []object{secret}}}, {"identity": object{}}}}},
	})
	if err != nil {
		return err
	}
	if err := pki.Write(path, content, 0o600); err != nil {
		return err
	}
	digest := sha256.Sum256(content)
	return pki.Write(s.paths.cred("encryption-state.json"), []byte("start-"+hex.EncodeToString(digest[:])), 0o600)
}

// egress and cloud configuration: files only, no tunnel is dug (genEgressSelectorConfig, genCloudConfig).
func (s *Server) egress() error {
	egress := `{"kind":"EgressSelectorConfiguration","apiVersion":"apiserver.k8s.io/v1beta1",` +
		`"egressSelections":[{"name":"cluster","connection":{"proxyProtocol":"Direct"}}]}`
	if err := pki.Write(s.paths.file("etc/egress-selector-config.yaml"), []byte(egress), 0o600); err != nil {
		return err
	}
	cloud := fmt.Sprintf(`{"lbEnabled":%t,"nodeEnabled":%t}`, !s.config.DisableServiceLB, !s.config.DisableCCM)
	return pki.Write(s.paths.file("etc/cloud-config.yaml"), []byte(cloud), 0o600)
}
