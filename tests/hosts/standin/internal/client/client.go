// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package client talks to the supervisor of a server as a joining node does (pkg/clientaccess/token.go).
package client

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"standin/internal/logging"
	"standin/internal/token"
)

const timeout = 10 * time.Second

// Info is a validated way to a supervisor.
type Info struct {
	token.Token
	CACertificates []byte
	BaseURL        string
	Certificate    string // client certificate and key, used when they exist
	Key            string
}

// Connect parses a token, downloads the CA bundle of the server and compares it with the token's hash.
func Connect(server, text, username, certificate, key string) (*Info, error) {
	parsed, err := token.Parse(text)
	if err != nil {
		return nil, err
	}
	if parsed.Bootstrap == "" && username != "" {
		parsed.Username = username
	}
	address, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("Invalid server url, failed to parse: %s: %w", server, err)
	}
	if address.Scheme != "https" {
		return nil, errors.New("only https:// URLs are supported, invalid scheme: " + server)
	}
	info := &Info{Token: parsed, BaseURL: strings.TrimRight(server, "/"), Certificate: certificate, Key: key}
	if info.CACertificates, err = download(info.BaseURL + "/cacerts"); err != nil {
		return nil, err
	}
	return info, info.compareHash()
}

// download gets the CA bundle; nothing when the host trusts the server anyway. As upstream, only that first request
// goes through a proxy.
func download(address string) ([]byte, error) {
	trusting := transport(nil)
	trusting.Proxy = http.ProxyFromEnvironment
	if _, err := get(trusting, address); err == nil {
		return nil, nil
	}
	insecure := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	bundle, err := get(insecure, address)
	if err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	if _, err := get(transport(bundle), address); err != nil {
		return nil, fmt.Errorf("CA cert validation failed: %w", err)
	}
	return bundle, nil
}

func transport(bundle []byte) *http.Transport {
	config := &tls.Config{}
	if len(bundle) > 0 {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(bundle)
	}
	return &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
}

func get(through *http.Transport, address string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return finish((&http.Client{Timeout: timeout, Transport: through}).Do(request))
}

func finish(response *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, &StatusError{Code: response.StatusCode, text: fmt.Sprintf("%s: %s", response.Request.URL, response.Status)}
	}
	return body, err
}

// StatusError is an answer other than success.
type StatusError struct {
	Code int
	text string
}

func (e *StatusError) Error() string { return e.text }

func (i *Info) compareHash() error {
	switch {
	case i.CAHash != "" && len(i.CACertificates) == 0:
		logging.Warnf("Cluster CA certificate is trusted by the host CA bundle. Token CA hash will not be validated.")
	case i.CAHash == "" && len(i.CACertificates) > 0:
		logging.Warnf("Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. " +
			"Use the full token from the server's node-token file to enable Cluster CA validation.")
	case i.CAHash != "":
		found, err := token.HashCA(i.CACertificates)
		if err != nil {
			return err
		}
		if found != i.CAHash {
			return fmt.Errorf("token CA hash does not match the Cluster CA certificate hash: %s != %s", i.CAHash, found)
		}
	}
	return nil
}

// FullToken returns the token with the CA's hash in it.
func (i *Info) FullToken() string {
	credentials := i.Bootstrap
	if credentials == "" {
		credentials = i.Username + ":" + i.Password
	}
	text, err := token.Format(credentials, i.CACertificates)
	if err != nil {
		return credentials
	}
	return text
}

// Get asks the supervisor for a path.
func (i *Info) Get(path string) ([]byte, error) {
	return i.Do(http.MethodGet, path, nil, nil)
}

// Do sends a request with the client certificate where there is one, and with the token. When the certificate is
// refused, it is tried without: the node may have been removed from the cluster (pkg/agent/config/config.go).
func (i *Info) Do(method, path string, headers map[string]string, body []byte) ([]byte, error) {
	through := transport(i.CACertificates)
	pair, err := tls.LoadX509KeyPair(i.Certificate, i.Key)
	withCertificate := err == nil && i.Certificate != ""
	if withCertificate {
		through.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	answer, err := i.send(through, method, path, headers, body)
	var status *StatusError
	if withCertificate && errors.As(err, &status) && status.Code == http.StatusUnauthorized {
		logging.Infof("Node authorization rejected, retrying without client certificate authentication")
		answer, err = i.send(transport(i.CACertificates), method, path, headers, body)
	}
	return answer, err
}

func (i *Info) send(through *http.Transport, method, path string, headers map[string]string, body []byte) ([]byte, error) {
	request, err := http.NewRequest(method, i.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if i.Bootstrap != "" {
		request.Header.Set("Authorization", "Bearer "+i.Bootstrap)
	} else if i.Username != "" {
		request.SetBasicAuth(i.Username, i.Password)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	return finish((&http.Client{Timeout: timeout, Transport: through}).Do(request))
}
