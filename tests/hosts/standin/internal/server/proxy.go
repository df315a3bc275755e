// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"

	"standin/internal/distribution"
)

// newProxy passes everything else on to the real API server. Upstream's runs in the same process; ours is behind a
// second TLS connection: users with a client certificate are named by the front proxy's headers, others bring their
// own bearer token.
func (s *Server) newProxy() (http.Handler, error) {
	bundle, err := os.ReadFile(s.paths.tls("server-ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	pair, err := tls.LoadX509KeyPair(s.paths.tls("client-auth-proxy.crt"), s.paths.tls("client-auth-proxy.key"))
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(s.local())
	if err != nil {
		return nil, err
	}
	// HTTP/1.1 to the API server, so that upgrades (exec, port-forward) pass.
	named := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, MaxIdleConnsPerHost: 100}
	plain := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 100}
	forward := func(transport *http.Transport) *httputil.ReverseProxy {
		return &httputil.ReverseProxy{
			Rewrite:        func(request *httputil.ProxyRequest) { request.SetURL(target); request.SetXForwarded() },
			Transport:      transport,
			FlushInterval:  -1,
			ModifyResponse: ownVersion,
			ErrorHandler: func(response http.ResponseWriter, _ *http.Request, err error) {
				sendError(response, http.StatusServiceUnavailable, "apiserver not ready")
			},
		}
	}
	asUser, asSelf := forward(named), forward(plain)
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		for name := range request.Header {
			if strings.HasPrefix(name, "X-Remote-") {
				request.Header.Del(name)
			}
		}
		found, ok := s.byCertificate(request)
		if !ok {
			asSelf.ServeHTTP(response, request)
			return
		}
		request.Header.Del("Authorization")
		request.Header.Set("X-Remote-User", found.Name)
		for _, group := range found.Groups {
			request.Header.Add("X-Remote-Group", group)
		}
		asUser.ServeHTTP(response, request)
	}), nil
}

// ownVersion makes GET /version say which release this is, not which API server is behind it.
func ownVersion(response *http.Response) error {
	if response.Request.URL.Path != "/version" || response.StatusCode != http.StatusOK {
		return nil
	}
	response.Body.Close()
	content, err := json.MarshalIndent(distribution.APIVersion(), "", "  ")
	if err != nil {
		return err
	}
	response.Header.Del("Content-Encoding")
	response.Header.Set("Content-Type", "application/json")
	response.Header.Set("Content-Length", fmt.Sprint(len(content)))
	response.ContentLength = int64(len(content))
	response.Body = io.NopCloser(bytes.NewReader(content))
	return nil
}
