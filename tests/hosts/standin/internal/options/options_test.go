// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package options

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// configured writes config.yaml and drop-ins, and returns the flags that point to them.
func configured(t *testing.T, files map[string]string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	for name, text := range files {
		target := filepath.Join(path+".d", name)
		if name == "" {
			target = path
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"--config", path}
}

func TestFlagsWinOverFilesAndFilesOverTheEnvironment(t *testing.T) {
	t.Setenv("K3S_TOKEN", "of-environment")
	t.Setenv("K3S_URL", "https://of-environment:6443")
	t.Setenv("K3S_NODE_NAME", "of-environment")
	arguments := configured(t, map[string]string{"": "token: of-file\nnode-name: of-file\n"})
	found, err := Parse("agent", append(arguments, "--node-name=of-flag"))
	if err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string]string{"server": "https://of-environment:6443", "token": "of-file", "node-name": "of-flag"} {
		if found.Text(name) != wanted {
			t.Errorf("%s is %q", name, found.Text(name))
		}
	}
}

func TestLayers(t *testing.T) {
	arguments := configured(t, map[string]string{
		"":           "tls-san: [one]\nnode-label: a=1\ndisable: traefik\nwrite-kubeconfig-mode: 0644\ncluster-init: true\nkubelet-arg: [a=1, b=2]\n",
		"20.yaml":    "tls-san+: [three]\ndisable: [local-storage]\n",
		"10.yml":     "tls-san+: two\nnode-label+: b=2\nnonsense: 1\n",
		"30.txt":     "tls-san: never\n",
		"40.YAML":    "node-ip+: 192.0.2.1,192.0.2.2\n",
		"sub/x.yaml": "tls-san: never\n",
	})
	found, err := Parse("server", append(arguments, "--tls-san", "four", "-d", "/data"))
	if err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string]string{
		"tls-san": "one two three four", "node-label": "a=1 b=2", "disable": "local-storage", "kubelet-arg": "a=1 b=2",
		"node-ip": "192.0.2.1 192.0.2.2", "cluster-cidr": "10.42.0.0/16",
	} {
		if text := strings.Join(found.List(name), " "); text != wanted {
			t.Errorf("%s is %q", name, text)
		}
	}
	// YAML 1.1: an unquoted octal number is one.
	if found.Text("write-kubeconfig-mode") != "420" || !found.Bool("cluster-init") || found.Text("data-dir") != "/data" {
		t.Error(found.Text("write-kubeconfig-mode"), found.Bool("cluster-init"), found.Text("data-dir"))
	}
	if slices.ContainsFunc(found.Arguments, func(text string) bool { return strings.Contains(text, "nonsense") }) {
		t.Error("an unknown key of a server's file is skipped")
	}
}

func TestWrongArguments(t *testing.T) {
	for _, each := range []struct {
		command, file, wanted string
		arguments             []string
	}{
		{"server", "", "flag provided but not defined: -nonsense", []string{"--nonsense"}},
		{"agent", "nonsense: 1\n", "flag provided but not defined: -nonsense", nil},
		{"agent", "cluster-init: true\n", "flag provided but not defined: -cluster-init", nil},
		{"server", "https-listen-port: many\n", `invalid value "many" for flag -https-listen-port`, nil},
		{"server", "cluster-init: perhaps\n", `invalid boolean value "perhaps" for -cluster-init`, nil},
		{"server", "", "flag needs an argument: -token", []string{"--token"}},
	} {
		_, err := Parse(each.command, append(configured(t, map[string]string{"": each.file}), each.arguments...))
		if err == nil || !strings.Contains(err.Error(), each.wanted) {
			t.Errorf("%s %q %v: %v", each.command, each.file, each.arguments, err)
		}
	}
}

func TestMissingFileIsNoError(t *testing.T) {
	t.Setenv("K3S_CONFIG_FILE", filepath.Join(t.TempDir(), "none.yaml"))
	if _, err := Parse("server", nil); err != nil {
		t.Error(err)
	}
}
