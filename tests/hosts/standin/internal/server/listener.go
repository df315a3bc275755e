// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"

	"standin/internal/logging"
	"standin/internal/pki"
	"standin/internal/token"
)

// servingSecret is tls/dynamic-cert.json: the certificate in the form of a Secret (dynamiclistener's file storage).
type servingSecret struct {
	Kind       string            `json:"kind"`
	APIVersion string            `json:"apiVersion"`
	Metadata   map[string]any    `json:"metadata"`
	Type       string            `json:"type"`
	Data       map[string][]byte `json:"data"`
}

// listen opens the supervisor's port (newListener and initClusterAndHTTPS in pkg/cluster/https.go).
func (s *Server) listen() error {
	handler, err := s.handler()
	if err != nil {
		return err
	}
	certificate, err := s.servingCertificate()
	if err != nil {
		return err
	}
	ports := []int{s.config.SupervisorPort}
	if s.config.HTTPSPort != s.config.SupervisorPort { // rke2: clients have a port of their own
		ports = append(ports, s.config.HTTPSPort)
	}
	for _, port := range ports {
		listener, err := net.Listen("tcp", net.JoinHostPort(s.config.BindAddress, strconv.Itoa(port)))
		if err != nil {
			return err
		}
		server := &http.Server{Handler: handler, ErrorLog: log.New(quiet{}, "", 0), TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}}
		go func() { logging.Fatalf("server stopped: %v", server.ServeTLS(listener, "", "")) }()
	}
	return nil
}

// servingCertificate covers tls-san, addresses and names; names are added at a restart and never removed.
func (s *Server) servingCertificate() (tls.Certificate, error) {
	path := s.paths.tls("dynamic-cert.json")
	wanted := append(append([]string{}, s.config.SANs...), append([]string{"localhost"}, s.serviceNames()...)...)
	stored := servingSecret{}
	if content, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(content, &stored)
	}
	if pair, err := tls.X509KeyPair(stored.Data["tls.crt"], stored.Data["tls.key"]); err == nil {
		leaf := pair.Leaf
		issuers, err := pki.Certificates(s.paths.tls("server-ca.crt"))
		if err != nil {
			return pair, err
		}
		if leaf.CheckSignatureFrom(issuers[0]) == nil {
			if len(pki.Missing(leaf, wanted)) == 0 {
				return pair, nil
			}
			wanted = append(wanted, names(leaf)...)
		}
	}
	key, err := pki.EnsureKey(s.paths.tls("temporary-certs/serving.key"), true)
	if err != nil {
		return tls.Certificate{}, err
	}
	subject := pki.Subject{Name: program(), Groups: []string{program()}, Names: unique(wanted), Usages: pki.Server}
	content, err := s.paths.serverCA().Sign(subject, key.Public())
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := os.ReadFile(s.paths.tls("temporary-certs/serving.key"))
	if err != nil {
		return tls.Certificate{}, err
	}
	annotations := map[string]string{"listener.cattle.io/fingerprint": "SHA1=" + token.Random(20)}
	for _, name := range subject.Names {
		annotations["listener.cattle.io/cn-"+name] = name
	}
	stored = servingSecret{"Secret", "v1", map[string]any{"name": program() + "-serving", "namespace": "kube-system", "annotations": annotations},
		"kubernetes.io/tls", map[string][]byte{"tls.crt": content, "tls.key": private}}
	data, err := json.Marshal(stored)
	if err != nil {
		return tls.Certificate{}, err
	}
	logging.Infof("certificate CN=%s,O=%s signed by CN=%s", program(), program(), program()+"-server-ca")
	if err := pki.Write(path, data, 0o600); err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(content, private)
}

func names(certificate *x509.Certificate) []string {
	result := append([]string{}, certificate.DNSNames...)
	for _, address := range certificate.IPAddresses {
		result = append(result, address.String())
	}
	return result
}

func unique(texts []string) []string {
	seen := map[string]bool{"": true}
	var result []string
	for _, text := range texts {
		if !seen[text] {
			seen[text] = true
			result = append(result, text)
		}
	}
	return result
}

// quiet drops what clients do wrong in TLS: upstream logs it at debug level.
type quiet struct{}

func (quiet) Write(data []byte) (int, error) {
	logging.Debugf("%s", fmt.Sprint(string(data)))
	return len(data), nil
}
