// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package pki makes the certificate authorities and certificates of a cluster (pkg/daemons/control/deps/deps.go).
package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const year = 365 * 24 * time.Hour

// renewal is how long before its end a certificate is renewed (CertificateRenewDays, pkg/daemons/config/types.go).
const renewal = 120 * 24 * time.Hour

// Subject is what a certificate is issued for.
type Subject struct {
	Name   string
	Groups []string
	Names  []string // DNS names and addresses
	Usages []x509.ExtKeyUsage
}

// Authority is a CA on disk.
type Authority struct{ Certificate, Key string }

// Client and Server are the usual usages.
var (
	Client = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	Server = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	Peer   = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
)

// Ensure makes the CA unless it is there; true when it was made.
func (a Authority) Ensure(prefix string) (bool, error) {
	if exists(a.Certificate, a.Key) {
		return false, nil
	}
	key, err := EnsureKey(a.Key, false)
	if err != nil {
		return false, err
	}
	identifier, err := keyIdentifier(key.Public())
	if err != nil {
		return false, err
	}
	now := time.Now().UTC()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0), Subject: pkix.Name{CommonName: fmt.Sprintf("%s-ca@%d", prefix, now.Unix())},
		NotBefore: now, NotAfter: now.Add(10 * year), IsCA: true, BasicConstraintsValid: true, SubjectKeyId: identifier,
		KeyUsage: x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return false, err
	}
	return true, Write(a.Certificate, encode("CERTIFICATE", der), 0o644)
}

// Load reads the CA's certificates and its key.
func (a Authority) Load() ([]*x509.Certificate, crypto.Signer, error) {
	certificates, err := Certificates(a.Certificate)
	if err != nil {
		return nil, nil, err
	}
	key, err := EnsureKey(a.Key, false)
	return certificates, key, err
}

// Sign issues a certificate for a public key and returns it in PEM, followed by the CA's certificates.
func (a Authority) Sign(subject Subject, public crypto.PublicKey) ([]byte, error) {
	issuers, issuerKey, err := a.Load()
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: subject.Name, Organization: subject.Groups},
		NotBefore: issuers[0].NotBefore, NotAfter: time.Now().Add(year).UTC(),
		KeyUsage: x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature, ExtKeyUsage: subject.Usages,
	}
	for _, name := range subject.Names {
		if address := net.ParseIP(name); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else if name != "" {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuers[0], public, issuerKey)
	if err != nil {
		return nil, err
	}
	result := encode("CERTIFICATE", der)
	for _, issuer := range issuers {
		result = append(result, encode("CERTIFICATE", issuer.Raw)...)
	}
	return result, nil
}

// EnsureSigned issues a certificate on disk when it is missing, about to end, or says something else;
// true when it was issued. It is kept where it says more: subject alternative names are added, never removed.
func (a Authority) EnsureSigned(subject Subject, certificate, key string, renew bool) (bool, error) {
	if !renew && exists(certificate, key) && !differs(certificate, a.Certificate, subject) {
		return false, nil
	}
	private, err := EnsureKey(key, renew)
	if err != nil {
		return false, err
	}
	content, err := a.Sign(subject, private.Public())
	if err != nil {
		return false, err
	}
	return true, Write(certificate, content, 0o644)
}

func differs(certificate, authority string, subject Subject) bool {
	found, err := Certificates(certificate)
	if err != nil || time.Until(found[0].NotAfter) < renewal || found[0].Subject.CommonName != subject.Name {
		return true
	}
	issuers, err := Certificates(authority)
	if err != nil || !bytes.Equal(found[0].AuthorityKeyId, issuers[0].SubjectKeyId) {
		return true
	}
	for _, group := range subject.Groups {
		if !slices.Contains(found[0].Subject.Organization, group) {
			return true
		}
	}
	return len(Missing(found[0], subject.Names)) > 0
}

// Missing returns the names that a certificate does not cover.
func Missing(certificate *x509.Certificate, names []string) []string {
	var result []string
	for _, name := range names {
		if name != "" && certificate.VerifyHostname(name) != nil {
			result = append(result, name)
		}
	}
	return result
}

// EnsureKey returns the private key of a file, made when it is missing or when a fresh one is asked for.
func EnsureKey(path string, fresh bool) (crypto.Signer, error) {
	if content, err := os.ReadFile(path); err == nil && !fresh {
		return ParseKey(content)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, Write(path, encode("EC PRIVATE KEY", der), 0o600)
}

// ParseKey reads the first private key of a PEM text.
func ParseKey(content []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			return key.(crypto.Signer), nil
		}
	}
	return nil, errors.New("data does not contain a valid RSA or ECDSA private key")
}

// Certificates reads all certificates of a file.
func Certificates(path string) ([]*x509.Certificate, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var result []*x509.Certificate
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		result = append(result, certificate)
	}
	if len(result) == 0 {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return result, nil
}

// Write replaces a file at once, with its directory.
func Write(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	scratch := path + ".tmp"
	if err := os.WriteFile(scratch, content, mode); err != nil {
		return err
	}
	if err := os.Chmod(scratch, mode); err != nil {
		return err
	}
	return os.Rename(scratch, path)
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func keyIdentifier(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	digest := sha1.Sum(der)
	return digest[:], err
}

func exists(paths ...string) bool {
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}
