// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package token reads and writes join tokens in all their forms (pkg/clientaccess/token.go).
package token

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"regexp"
	"strings"
)

const prefix = "K10"

var bootstrap = regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`)

// Token is a parsed join token. Bootstrap is set for the kubeadm form (id.secret), else Username and Password are.
type Token struct {
	CAHash    string
	Username  string
	Password  string
	Bootstrap string
}

// Parse accepts the short form (the password), the full form and the bootstrap form.
func Parse(text string) (Token, error) {
	if text == "" {
		return Token{}, errors.New("token must not be empty")
	}
	if !strings.HasPrefix(text, prefix) {
		if bootstrap.MatchString(text) {
			return Token{Bootstrap: text}, nil
		}
		return Token{Password: text}, nil
	}
	result := Token{}
	credentials := strings.TrimPrefix(text, prefix)
	if hash, rest, found := strings.Cut(credentials, "::"); found {
		if len(hash) > 0 && len(hash) != 2*sha256.Size {
			return Token{}, errors.New("invalid token CA hash length")
		}
		result.CAHash, credentials = hash, rest
	}
	if bootstrap.MatchString(credentials) {
		result.Bootstrap = credentials
		return result, nil
	}
	username, password, found := strings.Cut(credentials, ":")
	if !found || password == "" {
		return Token{}, errors.New("invalid token format")
	}
	result.Username, result.Password = username, password
	return result, nil
}

// Normalize returns the password of a token (normalizeToken in pkg/util/token.go).
func Normalize(text string) (string, error) {
	parsed, err := Parse(text)
	if err != nil || parsed.Bootstrap != "" {
		return "", errors.New("failed to normalize server token; must be in format K10<CA-HASH>::<USERNAME>:<PASSWORD> or <PASSWORD>")
	}
	return parsed.Password, nil
}

// Format returns the full form for credentials such as server:password.
func Format(credentials string, caCertificates []byte) (string, error) {
	if credentials == "" {
		return "", nil
	}
	hash, err := HashCA(caCertificates)
	if err != nil {
		return "", err
	}
	return prefix + hash + "::" + credentials, nil
}

// HashCA hashes a bundle: a single certificate by the bytes of the file, a chain by its root's DER.
func HashCA(bundle []byte) (string, error) {
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", err
		}
		certificates = append(certificates, certificate)
	}
	if len(certificates) == 0 {
		return "", errors.New("data does not contain any valid RSA or ECDSA certificates")
	}
	hashed := bundle
	if len(certificates) > 1 {
		for _, certificate := range certificates[1:] {
			if bytes.Equal(certificate.RawIssuer, certificate.RawSubject) {
				hashed = certificate.Raw
			}
		}
	}
	digest := sha256.Sum256(hashed)
	return hex.EncodeToString(digest[:]), nil
}

// Random returns size random bytes as hexadecimal text (pkg/util/token.go).
func Random(size int) string {
	data := make([]byte, size)
	if _, err := rand.Read(data); err != nil {
		panic(err)
	}
	return hex.EncodeToString(data)
}
