// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"

	"standin/internal/etcd"
	"standin/internal/kube"
	"standin/internal/logging"
	"standin/internal/pki"
)

// handler has the routes of pkg/server/handlers/router.go.
func (s *Server) handler() (http.Handler, error) {
	rest, err := s.newProxy()
	if err != nil {
		return nil, err
	}
	prefix := "/v1-" + program()
	nodes := []string{program() + ":agent", nodesGroup, "system:bootstrappers:" + program() + ":default-node-token"}
	server := program() + ":server"
	mux := http.NewServeMux()
	mux.HandleFunc("/ping", func(response http.ResponseWriter, _ *http.Request) { plain(response, []byte("pong")) })
	mux.HandleFunc("/cacerts", s.file("server-ca.crt"))
	mux.HandleFunc(prefix+"/server-ca.crt", s.need(s.file("server-ca.crt"), nodes...))
	mux.HandleFunc(prefix+"/client-ca.crt", s.need(s.file("client-ca.crt"), nodes...))
	mux.HandleFunc(prefix+"/serving-kubelet.crt", s.need(s.servingKubelet, nodes...))
	mux.HandleFunc(prefix+"/client-kubelet.crt", s.need(s.clientKubelet, nodes...))
	mux.HandleFunc(prefix+"/client-kube-proxy.crt", s.need(func(response http.ResponseWriter, request *http.Request) {
		s.sign(response, request, s.paths.clientCA(), "client-kube-proxy", pki.Subject{Name: "system:kube-proxy", Usages: pki.Client})
	}, nodes...))
	mux.HandleFunc(prefix+"/client-"+program()+"-controller.crt", s.need(func(response http.ResponseWriter, request *http.Request) {
		s.sign(response, request, s.paths.clientCA(), "client-"+program()+"-controller", pki.Subject{Name: "system:" + program() + "-controller", Usages: pki.Client})
	}, nodes...))
	mux.HandleFunc(prefix+"/config", s.need(func(response http.ResponseWriter, _ *http.Request) { sendJSON(response, s.config) }, nodes...))
	mux.HandleFunc(prefix+"/apiservers", s.need(func(response http.ResponseWriter, _ *http.Request) { sendJSON(response, s.apiServers()) }, nodes...))
	mux.HandleFunc(prefix+"/readyz", s.need(s.readyz, nodes...))
	mux.HandleFunc(prefix+"/server-bootstrap", s.need(s.serveBootstrap, server))
	mux.HandleFunc("/db/info", s.localOrNeed(s.databaseInfo, server))
	mux.Handle("/", rest)
	return mux, nil
}

func plain(response http.ResponseWriter, content []byte) {
	response.Header().Set("Content-Type", "text/plain")
	_, _ = response.Write(content)
}

func sendJSON(response http.ResponseWriter, value any) {
	response.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(response).Encode(value)
}

func (s *Server) file(name string) http.HandlerFunc {
	return func(response http.ResponseWriter, _ *http.Request) {
		content, err := os.ReadFile(s.paths.tls(name))
		if err != nil {
			sendError(response, http.StatusInternalServerError, err.Error())
			return
		}
		plain(response, content)
	}
}

func (s *Server) readyz(response http.ResponseWriter, _ *http.Request) {
	if !s.ready() {
		sendError(response, http.StatusServiceUnavailable, "runtime core not ready")
		return
	}
	plain(response, []byte("ok"))
}

func (s *Server) servingKubelet(response http.ResponseWriter, request *http.Request) {
	name, code, err := s.nodeOf(request)
	if err != nil {
		sendError(response, code, err.Error())
		return
	}
	names := []string{name, "localhost", "127.0.0.1"}
	if addresses := request.Header.Get(program() + "-Node-IP"); addresses != "" {
		names = append(names, strings.Split(addresses, ",")...)
	}
	s.sign(response, request, s.paths.serverCA(), "serving-kubelet", pki.Subject{Name: name, Names: names, Usages: pki.Server})
}

func (s *Server) clientKubelet(response http.ResponseWriter, request *http.Request) {
	name, code, err := s.nodeOf(request)
	if err != nil {
		sendError(response, code, err.Error())
		return
	}
	subject := pki.Subject{Name: "system:node:" + name, Groups: []string{nodesGroup}, Usages: pki.Client}
	s.sign(response, request, s.paths.clientCA(), "client-kubelet", subject)
}

// sign issues a certificate for the key of a signing request, else for the shared key, which is sent along (signAndSend).
func (s *Server) sign(response http.ResponseWriter, request *http.Request, authority pki.Authority, shared string, subject pki.Subject) {
	var public crypto.PublicKey
	var private []byte
	body, _ := io.ReadAll(request.Body)
	if signing, err := x509.ParseCertificateRequest(body); request.Method == http.MethodPost && err == nil {
		public = signing.PublicKey
	} else {
		content, err := os.ReadFile(s.paths.tls(shared + ".key"))
		if err != nil {
			sendError(response, http.StatusInternalServerError, err.Error())
			return
		}
		key, err := pki.ParseKey(content)
		if err != nil {
			sendError(response, http.StatusInternalServerError, err.Error())
			return
		}
		public, private = key.Public(), content
	}
	content, err := authority.Sign(subject, public)
	if err != nil {
		sendError(response, http.StatusInternalServerError, err.Error())
		return
	}
	plain(response, append(content, private...))
}

func (s *Server) serveBootstrap(response http.ResponseWriter, request *http.Request) {
	if !s.etcd.Embedded {
		logging.Warnf("Received HTTP bootstrap request from %s, but embedded etcd is not enabled.", request.RemoteAddr)
		sendError(response, http.StatusBadRequest, "etcd disabled")
		return
	}
	content, err := s.readBootstrap()
	if err != nil {
		sendError(response, http.StatusInternalServerError, err.Error())
		return
	}
	response.Header().Set("Content-Type", "application/json")
	_, _ = response.Write(content)
}

func (s *Server) databaseInfo(response http.ResponseWriter, _ *http.Request) {
	members, err := s.etcd.Members()
	if err != nil {
		sendError(response, http.StatusInternalServerError, "failed to get etcd MemberList: "+err.Error())
		return
	}
	sendJSON(response, etcd.Info{Members: members})
}

// apiServers lists the addresses in the Endpoints of the service kubernetes (kubernetesGetter).
func (s *Server) apiServers() []string {
	result := []string{}
	if !s.ready() {
		return result
	}
	endpoints, err := s.admin.Get("/api/v1/namespaces/default/endpoints/kubernetes")
	if err != nil {
		return result
	}
	subsets, _ := endpoints["subsets"].([]any)
	for _, subset := range subsets {
		addresses, _ := subset.(kube.Object)["addresses"].([]any)
		for _, address := range addresses {
			result = append(result, kube.Text(address.(kube.Object), "ip")+":"+s.publicPort())
		}
	}
	return result
}
