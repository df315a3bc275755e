// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"standin/internal/client"
	"standin/internal/hostinfo"
	"standin/internal/logging"
	"standin/internal/pki"
	"standin/internal/token"
)

const (
	nodeDirectory = "/etc/rancher/node"
	passwordFile  = nodeDirectory + "/password"
	// Upstream waits 5 to 10 seconds; nothing can be seen of the difference but the time.
	retrievePause = 2 * time.Second
)

func write(path string, content []byte) error { return pki.Write(path, content, 0o600) }

// retrieve gets configuration and certificates from the server, as long as it takes (Get in pkg/agent/config/config.go).
func (a *Agent) retrieve(ctx context.Context) error {
	base := a.name
	for {
		a.name = base
		err := a.retrieveOnce()
		if err == nil {
			return nil
		}
		logging.Infof("Waiting to retrieve agent configuration; server is not ready: %v", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retrievePause):
		}
	}
}

func (a *Agent) retrieveOnce() error {
	info, err := client.Connect(a.supervisorURL, a.Token, "", a.path("client-kubelet.crt"), a.path("client-kubelet.key"))
	if err != nil {
		return err
	}
	content, err := info.Get("/v1-" + program() + "/config")
	if err != nil {
		return fmt.Errorf("failed to retrieve configuration from server: %w", err)
	}
	if err := json.Unmarshal(content, &a.control); err != nil {
		return fmt.Errorf("failed to retrieve configuration from server: %w", err)
	}
	for _, name := range []string{"client-ca.crt", "server-ca.crt"} {
		content, err := info.Get("/v1-" + program() + "/" + name)
		if err != nil {
			return err
		}
		if err := write(a.path(name), content); err != nil {
			return err
		}
	}
	password, err := a.identity()
	if err != nil {
		return err
	}
	node := map[string]string{
		program() + "-Node-Name": a.name, program() + "-Node-Password": password, program() + "-Node-IP": hostinfo.Join(a.addresses),
	}
	for _, name := range []string{"serving-kubelet", "client-kubelet", "client-kube-proxy", "client-" + program() + "-controller"} {
		if err := a.certificate(info, name, node); err != nil {
			return err
		}
	}
	return a.kubeconfigs()
}

// identity reads or makes the node's password, and its id where the name is to have one (ensureNodePassword, ensureNodeID).
func (a *Agent) identity() (string, error) {
	if err := os.MkdirAll(nodeDirectory, 0o755); err != nil {
		return "", err
	}
	if a.Options.Bool("with-node-id") {
		id, err := ensure(nodeDirectory+"/id", 4, 0o644)
		if err != nil {
			return "", err
		}
		a.name += "-" + id
	}
	return ensure(passwordFile, 16, 0o600)
}

func ensure(path string, size int, mode os.FileMode) (string, error) {
	content, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	if !os.IsNotExist(err) {
		return "", err
	}
	text := token.Random(size)
	return text, os.WriteFile(path, []byte(text+"\n"), mode)
}

// certificate has a key of this node signed (getKubeletClientCert and its siblings).
func (a *Agent) certificate(info *client.Info, name string, node map[string]string) error {
	key, err := pki.EnsureKey(a.path(name+".key"), false)
	if err != nil {
		return err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return err
	}
	content, err := info.Do(http.MethodPost, "/v1-"+program()+"/"+name+".crt", node, request)
	var status *client.StatusError
	if errors.As(err, &status) && status.Code == http.StatusForbidden {
		return fmt.Errorf("Node password rejected, duplicate hostname or contents of '%s' may not match server node-passwd entry, "+
			"try enabling a unique node name with the --with-node-id flag", passwordFile)
	}
	if err != nil {
		return err
	}
	return write(a.path(name+".crt"), content)
}
