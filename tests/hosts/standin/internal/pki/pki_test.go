// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package pki

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCertificatesAreKeptAndExtended(t *testing.T) {
	directory := t.TempDir()
	file := func(name string) string { return filepath.Join(directory, name) }
	authority := Authority{file("ca.crt"), file("ca.key")}
	for i, wanted := range []bool{true, false} {
		if made, err := authority.Ensure("k3s-server"); err != nil || made != wanted {
			t.Fatalf("%d: %t, %v", i, made, err)
		}
	}
	for i, each := range []struct {
		names  []string
		issued bool
	}{
		{[]string{"a", "192.0.2.1"}, true},
		{[]string{"a", "192.0.2.1"}, false},
		{[]string{"a"}, false},
		{[]string{"a", "b"}, true},
		{[]string{"b", "192.0.2.2"}, true},
	} {
		subject := Subject{Name: "api", Groups: []string{"group"}, Names: each.names, Usages: Server}
		if issued, err := authority.EnsureSigned(subject, file("api.crt"), file("api.key"), false); err != nil || issued != each.issued {
			t.Errorf("%d: %t, %v", i, issued, err)
		}
	}
	found, err := Certificates(file("api.crt"))
	if err != nil || len(found) != 2 {
		t.Fatalf("the certificate is followed by its issuer: %d, %v", len(found), err)
	}
	if err := found[0].CheckSignatureFrom(found[1]); err != nil {
		t.Error(err)
	}
	if missing := Missing(found[0], []string{"b", "192.0.2.2", "c"}); len(missing) != 1 || missing[0] != "c" {
		t.Error(missing)
	}
	for name, mode := range map[string]os.FileMode{"api.crt": 0o644, "api.key": 0o600, "ca.crt": 0o644, "ca.key": 0o600} {
		if info, err := os.Stat(file(name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}
