// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"standin/internal/kube"
	"standin/internal/pki"
)

// supervised returns a server whose supervisor is served, with a program in the API server's place that says who asked.
func supervised(t *testing.T) (*Server, *httptest.Server) {
	t.Helper()
	s := plane(t, "", "--token=of-servers", "--agent-token=of-agents", "--cluster-init")
	pair, err := tls.LoadX509KeyPair(s.paths.tls("serving-kube-apiserver.crt"), s.paths.tls("serving-kube-apiserver.key"))
	if err != nil {
		t.Fatal(err)
	}
	backend := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	backend.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	backend.StartTLS()
	t.Cleanup(backend.Close)
	address, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	if s.config.APIServerPort, err = strconv.Atoi(address.Port()); err != nil {
		t.Fatal(err)
	}
	s.clientPool = x509.NewCertPool()
	s.clientPool.AppendCertsFromPEM([]byte(read(t, s.paths.tls("client-ca.crt"))))
	if s.admin, err = kube.New(s.local(), s.paths.tls("server-ca.crt"), s.paths.tls("client-supervisor.crt"), s.paths.tls("client-supervisor.key")); err != nil {
		t.Fatal(err)
	}
	handler, err := s.handler()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := s.servingCertificate()
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(handler)
	front.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert}
	front.StartTLS()
	t.Cleanup(front.Close)
	return s, front
}

func echo(response http.ResponseWriter, request *http.Request) {
	certificate := ""
	if peers := request.TLS.PeerCertificates; len(peers) > 0 {
		certificate = peers[0].Subject.CommonName
	}
	_ = json.NewEncoder(response).Encode(map[string]any{"certificate": certificate, "user": request.Header.Get("X-Remote-User"),
		"groups": strings.Join(request.Header.Values("X-Remote-Group"), ","), "authorization": request.Header.Get("Authorization")})
}

// ask sends a request as a user with a password, with a certificate (a file's name), or with headers.
func ask(t *testing.T, s *Server, front *httptest.Server, method, path, login, certificate string, headers map[string]string, body io.Reader) (int, string) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(read(t, s.paths.tls("server-ca.crt"))))
	config := &tls.Config{RootCAs: pool}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(s.paths.tls(certificate+".crt"), s.paths.tls(certificate+".key"))
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	request, err := http.NewRequest(method, front.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if name, password, found := strings.Cut(login, ":"); found {
		request.SetBasicAuth(name, password)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: config}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

func TestWhoMayAskForWhat(t *testing.T) {
	s, front := supervised(t)
	for _, each := range []struct {
		path, login, certificate string
		code                     int
	}{
		{"/ping", "", "", 200},
		{"/cacerts", "", "", 200},
		{"/v1-k3s/config", "", "", 403},
		{"/v1-k3s/config", "node:wrong", "", 401},
		{"/v1-k3s/config", "node:of-servers", "", 401},
		{"/v1-k3s/config", "node:of-agents", "", 200},
		{"/v1-k3s/config", "server:of-servers", "", 403},
		{"/v1-k3s/config", "", "client-admin", 403},
		{"/v1-k3s/server-bootstrap", "node:of-agents", "", 403},
		{"/v1-k3s/server-bootstrap", "server:of-agents", "", 401},
		{"/v1-k3s/server-bootstrap", "server:of-servers", "", 200},
		{"/v1-k3s/readyz", "node:of-agents", "", 503},
		{"/v1-k3s/client-kubelet.crt", "node:of-agents", "", 400},
	} {
		if code, text := ask(t, s, front, http.MethodGet, each.path, each.login, each.certificate, nil, nil); code != each.code {
			t.Errorf("%+v: %d %s", each, code, text)
		}
	}
	_, text := ask(t, s, front, http.MethodGet, "/v1-k3s/config", "node:of-agents", "", nil, nil)
	if strings.Contains(text, "of-agents") || strings.Contains(text, "of-servers") {
		t.Error("the configuration tells tokens")
	}
}

func TestUsersReachTheAPIServer(t *testing.T) {
	s, front := supervised(t)
	forged := map[string]string{"X-Remote-User": "system:admin", "X-Remote-Group": "system:masters"}
	for _, each := range []struct {
		certificate string
		headers     map[string]string
		wanted      string
	}{
		{"client-admin", forged, `{"authorization":"","certificate":"system:auth-proxy","groups":"system:masters","user":"system:admin"}`},
		{"client-scheduler", nil, `{"authorization":"","certificate":"system:auth-proxy","groups":"","user":"system:kube-scheduler"}`},
		{"", map[string]string{"Authorization": "Bearer abc"}, `{"authorization":"Bearer abc","certificate":"","groups":"","user":""}`},
		{"", forged, `{"authorization":"","certificate":"","groups":"","user":""}`},
		// Of another authority: as if there were no certificate.
		{"client-auth-proxy", forged, `{"authorization":"","certificate":"","groups":"","user":""}`},
	} {
		if _, text := ask(t, s, front, http.MethodGet, "/api/v1/nodes", "", each.certificate, each.headers, nil); strings.TrimSpace(text) != each.wanted {
			t.Errorf("%s: %s", each.certificate, text)
		}
	}
	if _, text := ask(t, s, front, http.MethodGet, "/version", "", "client-admin", nil, nil); !strings.Contains(text, `"gitVersion": "v1.35.6+k3s1"`) {
		t.Error(text)
	}
}

func TestNodeCertificates(t *testing.T) {
	s, front := supervised(t)
	s.config.DisableAgent = true // so that the password file of this host is left alone
	key, err := pki.EnsureKey(s.paths.tls("node.key"), false)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	node := map[string]string{"k3s-Node-Name": "First", "k3s-Node-Password": "x", "k3s-Node-IP": "192.0.2.1,192.0.2.2"}
	for name, wanted := range map[string]string{"client-kubelet": "system:node:first", "serving-kubelet": "first", "client-kube-proxy": "system:kube-proxy"} {
		code, text := ask(t, s, front, http.MethodPost, "/v1-k3s/"+name+".crt", "node:of-agents", "", node, strings.NewReader(string(request)))
		if err := os.WriteFile(s.paths.tls("answer.crt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := pki.Certificates(s.paths.tls("answer.crt"))
		if err != nil || code != 200 || found[0].Subject.CommonName != wanted || strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("%s: %d %v", name, code, err)
		}
		if name == "serving-kubelet" && len(pki.Missing(found[0], []string{"first", "localhost", "192.0.2.2"})) > 0 {
			t.Error("the serving certificate misses names")
		}
	}
	// Who sends no signing request gets the shared key as well.
	if _, text := ask(t, s, front, http.MethodGet, "/v1-k3s/client-kube-proxy.crt", "node:of-agents", "", nil, nil); !strings.Contains(text, "PRIVATE KEY") {
		t.Error(text)
	}
	node["k3s-Node-Name"] = "second"
	if code, _ := ask(t, s, front, http.MethodGet, "/v1-k3s/client-kubelet.crt", "node:of-agents", "", node, nil); code != 503 {
		t.Error("another node must wait until the API server answers", code)
	}
}
