// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"standin/internal/client"
	"standin/internal/cluster"
	"standin/internal/logging"
	"standin/internal/pki"
	"standin/internal/token"
)

// bootstrapFile is one file in the bootstrap data (pkg/bootstrap/bootstrap.go).
type bootstrapFile struct {
	Timestamp time.Time
	Content   []byte
}

func (s *Server) readBootstrap() ([]byte, error) {
	files := map[string]bootstrapFile{}
	for name, path := range s.paths.bootstrap(s.config.EncryptSecrets) {
		content, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		files[name] = bootstrapFile{info.ModTime(), content}
	}
	return json.Marshal(files)
}

func (s *Server) writeBootstrap(data []byte) error {
	files := map[string]bootstrapFile{}
	if err := json.Unmarshal(data, &files); err != nil {
		return err
	}
	for name, path := range s.paths.bootstrap(s.config.EncryptSecrets) {
		file, present := files[name]
		if !present || len(file.Content) == 0 {
			continue
		}
		mode := os.FileMode(0o600)
		if strings.HasSuffix(path, ".crt") {
			mode = 0o644
		}
		if err := pki.Write(path, file.Content, mode); err != nil {
			return err
		}
	}
	return nil
}

// join gets the authorities from the server that is joined (shouldBootstrapLoad, compareConfig, httpBootstrap in
// pkg/cluster/bootstrap.go).
func (s *Server) join() (*client.Info, error) {
	if s.config.Token == "" {
		return nil, errors.New("failed to check if bootstrap data has been initialized: token is required to join a cluster")
	}
	info, err := client.Connect(s.config.JoinURL, s.config.Token, "server", "", "")
	if err != nil {
		return nil, fmt.Errorf("failed to check if bootstrap data has been initialized: failed to validate token: %w", err)
	}
	logging.Infof("Managed etcd cluster not yet initialized")
	if err := s.compare(); err != nil {
		return nil, fmt.Errorf("failed to validate server configuration: %w", err)
	}
	content, err := info.Get("/v1-" + program() + "/server-bootstrap")
	if err != nil {
		return nil, err
	}
	return info, s.writeBootstrap(content)
}

func (s *Server) compare() error {
	text := s.config.AgentToken
	if text == "" {
		text = s.config.Token
	}
	info, err := client.Connect(s.config.JoinURL, text, "node", "", "")
	if err != nil {
		return err
	}
	content, err := info.Get("/v1-" + program() + "/config")
	if err != nil {
		logging.Warnf("Skipping cluster configuration validation: %v", err)
		return nil
	}
	other := cluster.Config{}
	if err := json.Unmarshal(content, &other); err != nil {
		return err
	}
	mismatches := cluster.Mismatches(s.config.Critical, other.Critical)
	for _, name := range mismatches {
		logging.Warnf("critical configuration mismatched: %s", name)
	}
	if len(mismatches) > 0 {
		return errors.New("critical configuration value mismatch between servers")
	}
	return nil
}

// stored compares the bootstrap data in etcd with our token, and saves it where there is none
// (getBootstrapKeyFromStorage and Save in pkg/cluster/storage.go).
func (s *Server) stored() error {
	password, err := token.Normalize(s.currentToken())
	if err != nil {
		return err
	}
	found, err := s.etcd.Range("/bootstrap")
	if err != nil {
		return err
	}
	if len(found) > 1 {
		logging.Warnf("found multiple bootstrap keys in storage")
	}
	if data, present := found[storageKey(password)]; present {
		_, err := decrypt(password, data)
		return err
	}
	if len(found) > 0 {
		return errors.New("bootstrap data already found and encrypted with different token")
	}
	return nil
}

func (s *Server) save() error {
	found, err := s.etcd.Range("/bootstrap")
	if err != nil || len(found) > 0 {
		return err
	}
	data, err := s.readBootstrap()
	if err != nil {
		return err
	}
	sealed, err := encrypt(s.serverPassword, data)
	if err != nil {
		return err
	}
	return s.etcd.Put(storageKey(s.serverPassword), sealed)
}

// currentToken is the token that was given, else the one that this server wrote before (readTokenFromFile).
func (s *Server) currentToken() string {
	if s.config.Token != "" {
		return s.config.Token
	}
	if content, err := os.ReadFile(s.paths.file("token")); err == nil {
		return strings.TrimRight(string(content), "\n")
	}
	return s.passwords()["server"]
}

// storageKey and the functions below follow pkg/cluster/encrypt.go.
func storageKey(passphrase string) string {
	digest := sha256.Sum256([]byte(passphrase))
	return "/bootstrap/" + hex.EncodeToString(digest[:])[:12]
}

func seal(passphrase, salt string) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha1.New, passphrase, []byte(salt), 4096, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func encrypt(passphrase string, plain []byte) ([]byte, error) {
	salt := token.Random(8)
	gcm, err := seal(passphrase, salt)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return []byte(salt + ":" + base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, plain, nil))), nil
}

func decrypt(passphrase string, sealed []byte) ([]byte, error) {
	salt, text, found := strings.Cut(string(sealed), ":")
	if !found {
		return nil, errors.New("invalid cipher text, not : delimited")
	}
	gcm, err := seal(passphrase, salt)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) < gcm.NonceSize() {
		return nil, fmt.Errorf("invalid cipher text: %w", err)
	}
	return gcm.Open(nil, data[:gcm.NonceSize()], data[gcm.NonceSize():], nil)
}
