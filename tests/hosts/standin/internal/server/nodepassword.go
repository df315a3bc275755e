// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"standin/internal/kube"
	"standin/internal/logging"
	"standin/internal/token"
)

const (
	secrets          = "/api/v1/namespaces/kube-system/secrets"
	nodePasswordFile = "/etc/rancher/node/password"
)

// nodeOf returns the name of the node that asks for its certificates, once its password is verified
// (GetNodeAuthValidator in pkg/nodepassword/validate.go).
func (s *Server) nodeOf(request *http.Request) (string, int, error) {
	name := strings.ToLower(request.Header.Get(program() + "-Node-Name"))
	password := request.Header.Get(program() + "-Node-Password")
	if name == "" {
		return "", http.StatusBadRequest, errors.New("node name not set")
	}
	if password == "" {
		return "", http.StatusBadRequest, errors.New("node password not set")
	}
	found, _ := request.Context().Value(userKey{}).(user)
	identity, isNode := strings.CutPrefix(found.Name, "system:node:")
	if isNode && identity != name {
		return "", http.StatusBadRequest, errors.New("header node name does not match auth node name")
	}
	if !s.ready() {
		if name != s.config.ServerNodeName {
			return "", http.StatusServiceUnavailable, errors.New("runtime core not ready")
		}
		return s.verifyLocally(name, password)
	}
	if isNode {
		if _, err := s.admin.Get("/api/v1/nodes/" + name); err != nil {
			return "", http.StatusUnauthorized, fmt.Errorf("unable to verify node identity: %w", err)
		}
	}
	if err := s.verifyPassword(name, password); err != nil {
		return "", http.StatusForbidden, err
	}
	return name, http.StatusOK, nil
}

func (s *Server) verifyLocally(name, password string) (string, int, error) {
	if s.config.DisableAgent {
		return name, http.StatusOK, nil
	}
	content, err := os.ReadFile(nodePasswordFile)
	if err != nil {
		return "", http.StatusInternalServerError, fmt.Errorf("unable to read node password file: %w", err)
	}
	if strings.TrimSpace(string(content)) != password {
		return "", http.StatusForbidden, errors.New("unable to verify local node password")
	}
	return name, http.StatusOK, nil
}

// ensureOwnPassword makes up for what verifyLocally could not do before the API answered (ensureSecret).
func (s *Server) ensureOwnPassword() {
	content, err := os.ReadFile(nodePasswordFile)
	if err != nil || s.config.DisableAgent {
		return
	}
	if err := s.verifyPassword(s.config.ServerNodeName, strings.TrimSpace(string(content))); err != nil {
		logging.Warnf("Deferred node password secret validation failed: %v", err)
	}
}

// verifyPassword compares with the node's secret, made at its first request (Ensure in pkg/nodepassword/nodepassword.go).
func (s *Server) verifyPassword(name, password string) error {
	secretName := name + ".node-password." + program()
	path := secrets + "/" + secretName
	secret, err := s.admin.Get(path)
	if kube.NotFound(err) {
		_, err = s.admin.Create(secrets, kube.Object{
			"apiVersion": "v1", "kind": "Secret", "immutable": true, "type": program() + ".cattle.io/node-password",
			"metadata": kube.Object{"name": secretName, "namespace": "kube-system"},
			"data":     kube.Object{"hash": base64.StdEncoding.EncodeToString([]byte(hash(password, token.Random(8))))},
		})
		if kube.Conflict(err) {
			return s.verifyPassword(name, password)
		}
		return err
	}
	if err != nil {
		return err
	}
	stored, err := base64.StdEncoding.DecodeString(kube.Text(secret, "data", "hash"))
	if err != nil {
		return err
	}
	salt, _, _ := strings.Cut(string(stored), ":")
	if hash(password, salt) != string(stored) {
		return fmt.Errorf("unable to verify password for node %s: hash does not match", name)
	}
	return nil
}

// hash is our own form: nobody but us reads it (upstream: scrypt, pkg/authenticator/hash/scrypt.go).
func hash(password, salt string) string {
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), 4096, 32)
	if err != nil {
		panic(err)
	}
	return salt + ":" + hex.EncodeToString(key)
}
