// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"standin/internal/logging"
)

const (
	nodesGroup  = "system:nodes"
	systemGroup = "system:masters"
)

// user is who sent a request.
type user struct {
	Name   string
	Groups []string
}

type userKey struct{}

// byCertificate returns the user of a client certificate of our CA.
func (s *Server) byCertificate(request *http.Request) (user, bool) {
	if request.TLS == nil || len(request.TLS.PeerCertificates) == 0 {
		return user{}, false
	}
	certificate := request.TLS.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, each := range request.TLS.PeerCertificates[1:] {
		intermediates.AddCert(each)
	}
	options := x509.VerifyOptions{Roots: s.clientPool, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := certificate.Verify(options); err != nil {
		logging.Debugf("client certificate %s: %v", certificate.Subject.CommonName, err)
		return user{}, false
	}
	return user{certificate.Subject.CommonName, certificate.Subject.Organization}, true
}

// authenticate knows join passwords and client certificates; 401 for wrong ones (pkg/authenticator, pkg/server/auth/auth.go).
func (s *Server) authenticate(request *http.Request) (user, int) {
	if found, ok := s.byCertificate(request); ok {
		return found, http.StatusOK
	}
	name, password, basic := request.BasicAuth()
	if !basic {
		if strings.HasPrefix(request.Header.Get("Authorization"), "Bearer ") {
			return user{}, http.StatusUnauthorized
		}
		return user{}, http.StatusForbidden
	}
	switch {
	case name == "node" && password == s.nodePassword:
		return user{"node", []string{program() + ":agent"}}, http.StatusOK
	case name == "server" && password == s.serverPassword:
		return user{"server", []string{program() + ":server"}}, http.StatusOK
	}
	logging.Errorf("Failed to authenticate request from %s: invalid username/password combination", request.RemoteAddr)
	return user{}, http.StatusUnauthorized
}

// need lets requests through that have at least one of the groups.
func (s *Server) need(handler http.HandlerFunc, groups ...string) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		found, code := s.authenticate(request)
		if code == http.StatusUnauthorized {
			sendError(response, code, "not authorized")
			return
		}
		if code != http.StatusOK || !slices.ContainsFunc(groups, func(group string) bool { return slices.Contains(found.Groups, group) }) {
			sendError(response, http.StatusForbidden, "forbidden")
			return
		}
		handler(response, request.WithContext(context.WithValue(request.Context(), userKey{}, found)))
	}
}

// localOrNeed lets requests from this host through, and those with one of the groups (IsLocalOrHasRole).
func (s *Server) localOrNeed(handler http.HandlerFunc, groups ...string) http.HandlerFunc {
	guarded := s.need(handler, groups...)
	return func(response http.ResponseWriter, request *http.Request) {
		if strings.HasPrefix(request.RemoteAddr, "127.0.0.1:") || strings.HasPrefix(request.RemoteAddr, "[::1]:") {
			handler(response, request)
			return
		}
		guarded(response, request)
	}
}

// sendError answers in the form of the Kubernetes API (SendError in pkg/util/apierrors.go).
func sendError(response http.ResponseWriter, code int, message string) {
	response.Header().Set("Content-Type", "application/json")
	response.WriteHeader(code)
	reason := strings.ReplaceAll(http.StatusText(code), " ", "")
	_ = json.NewEncoder(response).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure",
		"message": message, "reason": reason, "code": code})
}
