// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"standin/internal/distribution"
	"standin/internal/options"
)

// node returns an agent of a release below a scratch directory.
func node(t *testing.T, version string, arguments ...string) *Agent {
	t.Helper()
	old := distribution.Version
	t.Cleanup(func() { distribution.Version = old })
	distribution.Version = version
	directory := t.TempDir()
	own := []string{"--config=/nonexistent", "--private-registry=" + filepath.Join(directory, "registries.yaml")}
	parsed, err := options.Parse("agent", append(own, arguments...))
	if err != nil {
		t.Fatal(err)
	}
	return &Agent{Options: parsed, name: "node", directory: filepath.Join(directory, "agent")}
}

// programs makes executables, and lets only these directories be searched.
func programs(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	oldToolkit, oldFixed := toolkitPath, fixedPath
	t.Cleanup(func() { toolkitPath, fixedPath = oldToolkit, oldFixed })
	toolkitPath, fixedPath = root+"/toolkit", root+"/toolkit:"+root+"/bin"
	t.Setenv("PATH", root+"/sbin:"+root+"/bin")
	for _, name := range names {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func rendered(t *testing.T, a *Agent) string {
	t.Helper()
	if err := a.containerd(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(a.path("etc/containerd/config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestRuntimesAreFoundByRelease(t *testing.T) {
	const plain, cdi = "nvidia-container-runtime", "nvidia-container-runtime.cdi"
	for _, each := range []struct {
		version string
		there   []string
		wanted  string
	}{
		{"v1.28.5+k3s1", []string{"bin/" + plain}, "nvidia=bin/" + plain},
		{"v1.28.5+k3s1", []string{"bin/" + plain, "toolkit/" + plain}, "nvidia=toolkit/" + plain},
		{"v1.28.5+k3s1", []string{"sbin/" + plain, "bin/crun", "bin/" + cdi}, ""},
		{"v1.29.4+k3s1", []string{"sbin/" + plain, "toolkit/" + plain}, "nvidia=sbin/" + plain},
		{"v1.29.4+k3s1", []string{"toolkit/" + plain}, ""},
		{"v1.35.6+k3s1", []string{"bin/" + plain, "toolkit/" + plain, "bin/" + cdi}, "nvidia-cdi=bin/" + cdi + " nvidia=toolkit/" + plain},
		{"v1.35.6+k3s1", []string{"bin/crun", "bin/" + plain + "-experimental"}, "crun=bin/crun nvidia-experimental=bin/" + plain + "-experimental"},
	} {
		root := programs(t, each.there...)
		var found []string
		for name, runtime := range node(t, each.version).findRuntimes() {
			found = append(found, name+"="+strings.TrimPrefix(runtime.BinaryName, root+"/"))
		}
		slices.Sort(found)
		if text := strings.Join(found, " "); text != each.wanted {
			t.Errorf("%s with %v: %q", each.version, each.there, text)
		}
	}
}

func TestConfigurationByGeneration(t *testing.T) {
	root := programs(t, "bin/nvidia-container-runtime")
	for version, wanted := range map[string][]string{
		"v1.31.5+k3s1": {"version = 2\n", `[plugins."io.containerd.grpc.v1.cri".containerd.runtimes."nvidia".options]`, "config.toml.tmpl"},
		"v1.35.6+k3s1": {"version = 3\n", `[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.'nvidia'.options]`, "config-v3.toml.tmpl",
			"/etc/containerd/config-v3.toml.d/*.toml"},
	} {
		text := rendered(t, node(t, version, "--default-runtime=nvidia", "--snapshotter=native"))
		for _, part := range append(wanted, `BinaryName = "`+root+`/bin/nvidia-container-runtime"`, `default_runtime_name = "nvidia"`, `snapshotter = "native"`) {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %s in\n%s", version, part, text)
			}
		}
		for _, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, "[") && strings.Count(text, line+"\n") > 1 {
				t.Errorf("%s: %s is there twice", version, line)
			}
		}
	}
}

func TestDefaultRuntimeMustBeFound(t *testing.T) {
	programs(t)
	if err := node(t, "v1.35.6+k3s1", "--default-runtime=nvidia").containerd(); err == nil || err.Error() != "default runtime nvidia was not found" {
		t.Error(err)
	}
}

func TestTemplates(t *testing.T) {
	programs(t, "bin/nvidia-container-runtime")
	guarded := "{{ template \"base\" . }}\n{{ if not (index .ExtraRuntimes \"nvidia\") }}[added]{{ end }}\nsystemd = {{ .SystemdCgroup }}\n"
	for _, each := range []struct {
		version, wanted string
		files           []string
	}{
		{"v1.35.6+k3s1", "version = 3\n", []string{"config-v3.toml.tmpl", "config.toml.tmpl"}},
		{"v1.35.6+k3s1", "version = 2\n", []string{"config.toml.tmpl"}},
		{"v1.31.5+k3s1", "version = 2\n", []string{"config-v3.toml.tmpl", "config.toml.tmpl"}},
	} {
		a := node(t, each.version)
		for _, name := range each.files {
			if err := write(a.path("etc/containerd/"+name), []byte(guarded)); err != nil {
				t.Fatal(err)
			}
		}
		if text := rendered(t, a); !strings.Contains(text, each.wanted) || !strings.Contains(text, "systemd = false") || strings.Contains(text, "[added]") {
			t.Errorf("%s %v:\n%s", each.version, each.files, text)
		}
	}
	broken := node(t, "v1.35.6+k3s1")
	if err := write(broken.path("etc/containerd/config-v3.toml.tmpl"), []byte("{{ .Nonsense }}")); err != nil {
		t.Fatal(err)
	}
	if err := broken.containerd(); err == nil {
		t.Error("a template that refers to nothing is an error")
	}
}

func TestRegistries(t *testing.T) {
	programs(t)
	a := node(t, "v1.35.6+k3s1")
	if err := os.WriteFile(a.Options.Text("private-registry"), []byte(`
mirrors:
  docker.io:
    endpoint: ["https://mirror.example:5000", "mirror.example:5000", "http://other.example/base"]
    rewrite: {"^rancher/(.*)": "mine/$1"}
  "*": {endpoint: ["https://all.example"]}
  plain.example: {}
configs:
  mirror.example:5000:
    auth: {username: user, password: "pass\"word"}
    tls: {ca_file: /ca.crt, cert_file: /a.crt, key_file: /a.key, insecure_skip_verify: true}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	kept, stale := a.path("etc/containerd/certs.d/own.example/hosts.toml"), a.path("etc/containerd/certs.d/gone.example/hosts.toml")
	for path, text := range map[string]string{kept: "# by hand\n", stale: header()} {
		if err := write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if text := rendered(t, a); !strings.Contains(text, `password = "pass\"word"`) {
		t.Errorf("credentials are in the main file:\n%s", text)
	}
	content, err := os.ReadFile(a.path("etc/containerd/certs.d/docker.io/hosts.toml"))
	if err != nil {
		t.Fatal(err)
	}
	wanted := header() + `server = "https://registry-1.` + dockerHub + `/v2"
  capabilities = ["pull", "resolve"]

[host]
[host."https://mirror.example:5000/v2"]
  capabilities = ["pull", "resolve"]
  ca = ["/ca.crt"]
  client = [["/a.crt", "/a.key"]]
  skip_verify = true
  [host."https://mirror.example:5000/v2".rewrite]
    "^rancher/(.*)" = "mine/$1"
[host."http://other.example/base"]
  capabilities = ["pull", "resolve"]
  override_path = true
  [host."http://other.example/base".rewrite]
    "^rancher/(.*)" = "mine/$1"
`
	if string(content) != wanted {
		t.Errorf("%s", content)
	}
	for path, present := range map[string]bool{
		kept: true, stale: false, a.path("etc/containerd/certs.d/_default/hosts.toml"): true, a.path("etc/containerd/certs.d/plain.example/hosts.toml"): false,
	} {
		if _, err := os.Stat(path); (err == nil) != present {
			t.Errorf("%s: %v", path, err)
		}
	}
}
