// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"standin/internal/options"
	"standin/internal/pki"
)

// plane returns a server whose files are made, below a scratch directory or one that is given.
func plane(t *testing.T, directory string, arguments ...string) *Server {
	t.Helper()
	if directory == "" {
		directory = t.TempDir()
	}
	own := []string{"--config=/nonexistent", "--data-dir=" + directory, "--node-ip=192.0.2.1", "--node-name=First"}
	parsed, err := options.Parse("server", append(own, arguments...))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(parsed)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{func() error { return os.MkdirAll(s.paths.file("db"), 0o700) }, s.chooseDatastore, s.generate} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestArguments(t *testing.T) {
	for extra, wanted := range map[string]string{
		"":               "--a=1 --b=2",
		"a=3":            "--a=3 --b=2",
		"--a+=3":         "--a=1 --a=3 --b=2",
		"a-=3":           "--a=3 --a=1 --b=2",
		"c a=3 a=4":      "--a=3 --a=4 --b=2 --c=true",
		"a+=3 a+=4 b-=x": "--a=1 --a=3 --a=4 --b=x --b=2",
	} {
		if found := strings.Join(arguments(map[string]string{"a": "1", "b": "2"}, strings.Fields(extra)), " "); found != wanted {
			t.Errorf("%q: %s", extra, found)
		}
	}
}

func TestNamesOfTheServer(t *testing.T) {
	s := plane(t, "", "--tls-san=api.example,192.0.2.9", "--node-external-ip=203.0.113.1", "--service-cidr=10.9.0.0/16")
	found, err := pki.Certificates(s.paths.tls("serving-kube-apiserver.crt"))
	if err != nil {
		t.Fatal(err)
	}
	wanted := []string{"api.example", "192.0.2.9", "127.0.0.1", "localhost", "first", "192.0.2.1", "203.0.113.1", "10.9.0.1",
		"kubernetes.default.svc.cluster.local"}
	if missing := pki.Missing(found[0], wanted); len(missing) > 0 {
		t.Error(missing)
	}
	if s.config.ClusterDNS.String() != "10.9.0.10" || s.config.AdvertiseIP != "203.0.113.1" {
		t.Error(s.config.ClusterDNS, s.config.AdvertiseIP)
	}
}

func TestServingCertificateGainsNamesAndLosesNone(t *testing.T) {
	directory := t.TempDir()
	var last []byte
	for _, each := range []struct {
		names   string
		present []string
		same    bool
	}{
		{"one.example", []string{"one.example"}, false},
		{"one.example", []string{"one.example"}, true},
		{"two.example", []string{"one.example", "two.example", "192.0.2.1"}, false},
		{"", []string{"one.example", "two.example"}, true},
	} {
		pair, err := plane(t, directory, "--tls-san="+each.names).servingCertificate()
		if err != nil {
			t.Fatal(err)
		}
		if missing := pki.Missing(pair.Leaf, each.present); len(missing) > 0 {
			t.Errorf("%q: %v", each.names, missing)
		}
		if bytes.Equal(last, pair.Leaf.Raw) != each.same {
			t.Errorf("%q: issued anew: %t", each.names, !each.same)
		}
		last = pair.Leaf.Raw
	}
}

func TestTokens(t *testing.T) {
	directory := t.TempDir()
	s := plane(t, directory)
	if err := s.writeTokens(); err != nil {
		t.Fatal(err)
	}
	generated := read(t, s.paths.file("token"))
	if !strings.HasPrefix(generated, "K10") || !strings.HasSuffix(generated, "::server:"+s.serverPassword+"\n") || len(s.serverPassword) != 32 {
		t.Error("the generated token has another form")
	}
	for _, name := range []string{"node-token", "agent-token"} {
		if target, err := os.Readlink(s.paths.file(name)); err != nil || target != s.paths.file("token") {
			t.Error(name, target, err)
		}
	}
	again := plane(t, directory, "--agent-token=agents-only")
	if again.serverPassword != s.serverPassword || again.nodePassword != "agents-only" {
		t.Error("a restart keeps the generated token, and takes the new one of agents")
	}
	if err := again.writeTokens(); err != nil {
		t.Fatal(err)
	}
	if text := read(t, s.paths.file("agent-token")); !strings.HasSuffix(text, "::node:agents-only\n") {
		t.Error(text)
	}
	full := plane(t, "", "--token="+strings.TrimSpace(generated))
	if full.serverPassword != s.serverPassword {
		t.Error("of a full token the password counts")
	}
}

func TestAnotherTokenIsRefused(t *testing.T) {
	directory := t.TempDir()
	s := plane(t, directory, "--token=first-token")
	if err := os.MkdirAll(s.etcd.Directory+"/member/wal", 0o700); err != nil {
		t.Fatal(err)
	}
	for token, wanted := range map[string]bool{"first-token": true, "other-token": false} {
		s.config.Token = token
		err := s.sameToken()
		if wanted != (err == nil) || (err != nil && !strings.Contains(err.Error(), "bootstrap data already found and encrypted with different token")) {
			t.Errorf("%s: %v", token, err)
		}
	}
}

func TestBootstrapData(t *testing.T) {
	s := plane(t, "", "--secrets-encryption")
	data, err := s.readBootstrap()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := encrypt("password", data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decrypt("other", sealed); err == nil {
		t.Error("another password opens it")
	}
	opened, err := decrypt("password", sealed)
	if err != nil || !bytes.Equal(opened, data) {
		t.Fatal(err)
	}
	other := plane(t, "", "--secrets-encryption")
	if err := other.writeBootstrap(opened); err != nil {
		t.Fatal(err)
	}
	for name, path := range s.paths.bootstrap(true) {
		if copied := other.paths.bootstrap(true)[name]; read(t, path) != read(t, copied) {
			t.Errorf("%s differs", name)
		}
	}
	if key := storageKey("password"); key != "/bootstrap/5e884898da28" {
		t.Error(key) // the first letters of the SHA-256 of the password
	}
}

func TestDatastoreByOptions(t *testing.T) {
	directory := t.TempDir()
	for _, each := range []struct {
		option   string
		embedded bool
		marker   string
	}{
		{"--disable-scheduler", false, "db/state.db"},
		{"--cluster-init", true, "db/state.db.migrated"},
		{"--disable-scheduler", true, "db/state.db.migrated"}, // once embedded, always embedded
	} {
		s := plane(t, directory, each.option)
		if err := os.MkdirAll(s.etcd.Directory+"/member/wal", 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(s.paths.file(each.marker)); s.etcd.Embedded != each.embedded || err != nil {
			t.Errorf("%s: embedded %t, %v", each.option, s.etcd.Embedded, err)
		}
	}
	if s := plane(t, "", "--server=https://other:6443"); !s.etcd.Embedded {
		t.Error("who joins has embedded etcd")
	}
}

func TestManifests(t *testing.T) {
	s := plane(t, "", "--disable=traefik,metrics-server", "--system-default-registry=registry.example", "--cluster-domain=lab.local")
	if err := s.stage(); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range s.manifestFiles() {
		found = append(found, strings.TrimPrefix(path, s.paths.file("manifests")+"/"))
	}
	if wanted := []string{"ccm.yaml", "coredns.yaml", "local-storage.yaml", "rolebindings.yaml", "runtimes.yaml"}; !slices.Equal(found, wanted) {
		t.Error(found)
	}
	text := read(t, s.paths.file("manifests/coredns.yaml"))
	for _, part := range []string{"registry.example/rancher/", "kubernetes lab.local", `clusterIP: "10.43.0.10"`} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in\n%s", part, text)
		}
	}
}
