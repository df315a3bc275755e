// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"standin/internal/distribution"
	"standin/internal/logging"
)

// toolkitPath precedes PATH while runtimes are looked for (runtimesPath in pkg/agent/containerd/config_linux.go);
// fixedPath was all that was searched before.
var (
	toolkitPath = "/usr/local/nvidia/toolkit:/opt/kwasm/bin"
	fixedPath   = "/usr/local/nvidia/toolkit:/usr/bin"
)

//go:embed containerd-v2.toml.tmpl
var templateV2 string

//go:embed containerd-v3.toml.tmpl
var templateV3 string

// extraRuntime is one detected runtime (ContainerdRuntimeConfig in pkg/agent/templates/templates.go).
type extraRuntime struct{ RuntimeType, BinaryName string }

// templateData has the fields that users' templates refer to (ContainerdConfig in pkg/agent/templates/templates.go).
type templateData struct {
	NodeConfig            nodeConfig
	DisableCgroup         bool
	SystemdCgroup         bool
	IsRunningInUserNS     bool
	EnableUnprivileged    bool
	NonrootDevices        bool
	NoDefaultEndpoint     bool
	PrivateRegistryConfig *registries
	ExtraRuntimes         map[string]extraRuntime
	Program               string
	Imports               string // of our own templates
}

type nodeConfig struct {
	Containerd     containerdPaths
	AgentConfig    agentConfig
	SELinux        bool
	NoFlannel      bool
	DefaultRuntime string
}

type containerdPaths struct{ Address, Root, State, Opt, Config, Registry string }

type agentConfig struct{ PauseImage, Snapshotter, CNIBinDir, CNIConfDir, ImageServiceSocket string }

// containerd renders config.toml (SetupContainerdConfig in pkg/agent/containerd/config_linux.go).
func (a *Agent) containerd() error {
	release := distribution.Running()
	found := a.findRuntimes()
	wanted := a.Options.Text("default-runtime")
	if _, present := found[wanted]; wanted != "" && !present {
		return fmt.Errorf("default runtime %s was not found", wanted)
	}
	configured, err := readRegistries(a.Options.Text("private-registry"))
	if err != nil {
		return err
	}
	directory := a.path("etc/containerd")
	data := templateData{
		NodeConfig: nodeConfig{
			Containerd: containerdPaths{
				Address: filepath.Join(distribution.Current().RunDirectory(), "containerd", "containerd.sock"), Root: a.path("containerd"),
				State: filepath.Join(distribution.Current().RunDirectory(), "containerd"), Opt: a.path("containerd"),
				Config: filepath.Join(directory, "config.toml"), Registry: filepath.Join(directory, "certs.d"),
			},
			AgentConfig: agentConfig{
				PauseImage: a.Options.Text("pause-image"), Snapshotter: a.Options.Text("snapshotter"),
				CNIBinDir: filepath.Join(filepath.Dir(a.directory), "data", "cni"), CNIConfDir: a.path("etc/cni/net.d"),
			},
			SELinux: a.Options.Bool("selinux"), NoFlannel: a.control.FlannelBackend == "none", DefaultRuntime: wanted,
		},
		SystemdCgroup: os.Getenv("INVOCATION_ID") != "" && hasController("cpuset"), EnableUnprivileged: true,
		NonrootDevices: a.Options.Bool("nonroot-devices"), NoDefaultEndpoint: a.Options.Bool("disable-default-registry-endpoint"),
		PrivateRegistryConfig: configured, ExtraRuntimes: found, Program: program(),
	}
	base, err := a.template(directory, &data, release)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.path("containerd"), 0o711); err != nil {
		return err
	}
	if err := write(data.NodeConfig.Containerd.Config, []byte(base)); err != nil {
		return err
	}
	return writeHosts(data.NodeConfig.Containerd.Registry, configured, data.NoDefaultEndpoint)
}

// template renders the user's template of this generation where there is one, else of the older one, else ours; the
// generation of the template decides about the version of the result (templateGenerations in pkg/agent/containerd/config.go).
func (a *Agent) template(directory string, data *templateData, release distribution.Release) (string, error) {
	type generation struct{ file, text, imports string }
	generations := []generation{{"config.toml.tmpl", templateV2, "config.toml.d"}}
	if release.ContainerdTwo() {
		generations = append([]generation{{"config-v3.toml.tmpl", templateV3, "config-v3.toml.d"}}, generations...)
	}
	chosen, text := generations[0], generations[0].text
	for _, each := range generations {
		path := filepath.Join(directory, each.file)
		content, err := os.ReadFile(path)
		if err == nil {
			logging.Infof("Using containerd template at %s", path)
			chosen, text = each, string(content)
			break
		}
		if !os.IsNotExist(err) {
			return "", err
		}
	}
	if release.ContainerdImports() {
		data.Imports = filepath.Join(directory, chosen.imports, "*.toml")
	}
	parsed, err := template.New("compiled_template").Funcs(functions).Parse(text)
	if err != nil {
		return "", err
	}
	if _, err := parsed.New("base").Parse(chosen.text); err != nil {
		return "", err
	}
	output := strings.Builder{}
	if err := parsed.Execute(&output, data); err != nil {
		return "", err
	}
	return output.String(), nil
}

// functions are known to templates (templateFuncs in pkg/agent/templates/templates_linux.go).
var functions = template.FuncMap{"deschemify": func(text string) string { return strings.TrimPrefix(text, "unix://") }}

// findRuntimes looks for runtimes as this release does (pkg/agent/containerd/runtimes.go; nvidia.go before k3s-io/k3s#9311).
func (a *Agent) findRuntimes() map[string]extraRuntime {
	release := distribution.Running()
	candidates := map[string]string{"nvidia": "nvidia-container-runtime", "nvidia-experimental": "nvidia-container-runtime-experimental"}
	if release.ToolkitBeforePath() {
		candidates["nvidia-cdi"] = "nvidia-container-runtime.cdi"
	}
	if release.RuntimesOnPath() {
		candidates["crun"] = "crun"
	}
	search := fixedPath
	if release.RuntimesOnPath() {
		search = os.Getenv("PATH")
	}
	if release.ToolkitBeforePath() {
		search = toolkitPath + string(os.PathListSeparator) + search
	}
	result := map[string]extraRuntime{}
	for name, binary := range candidates {
		if path := look(binary, search); path != "" {
			logging.Infof("Found %s container runtime at %s", name, path)
			result[name] = extraRuntime{"io.containerd.runc.v2", path}
		}
	}
	return result
}

func look(binary, search string) string {
	for _, directory := range filepath.SplitList(search) {
		if path, err := exec.LookPath(filepath.Join(directory, binary)); err == nil && directory != "" {
			return path
		}
	}
	return ""
}

func hasController(name string) bool {
	content, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	for _, each := range strings.Fields(string(content)) {
		if each == name {
			return true
		}
	}
	return false
}
