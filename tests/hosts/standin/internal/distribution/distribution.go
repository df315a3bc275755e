// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package distribution tells the two vendors' distributions apart: names, paths, ports and units in one table.
package distribution

import (
	"path/filepath"
	"strings"
)

// Set by the linker (-X standin/internal/distribution.Version=...).
var (
	Version = "v1.35.6+k3s1"
	Commit  = "abcdef01"
)

// Distribution is one row of the table.
type Distribution struct {
	Name           string // program, prefix of paths and of annotations
	Environment    string // prefix of environment variables
	SupervisorPort int    // where nodes join
	APIPort        int    // where clients find the Kubernetes API
	ServerUnit     string
	AgentUnit      string
	Kubeconfig     string // base name in the configuration directory
	EtcdRole       bool   // embedded etcd even without cluster-init
}

var table = map[string]Distribution{
	// pkg/version/version.go and pkg/cli/cmds/server.go of k3s-io/k3s
	"k3s": {Name: "k3s", Environment: "K3S", SupervisorPort: 6443, APIPort: 6443, ServerUnit: "k3s", AgentUnit: "k3s-agent", Kubeconfig: "k3s.yaml"},
	// pkg/cli/cmds/server.go of rancher/rke2
	"rke2": {Name: "rke2", Environment: "RKE2", SupervisorPort: 9345, APIPort: 6443, ServerUnit: "rke2-server", AgentUnit: "rke2-agent",
		Kubeconfig: "rke2.yaml", EtcdRole: true},
}

// Current returns the distribution that this executable was built as: its version says so.
func Current() Distribution {
	if strings.Contains(Version, "+rke2") {
		return table["rke2"]
	}
	return table["k3s"]
}

// ConfigDirectory is where the configuration lies (pkg/datadir/datadir.go).
func (d Distribution) ConfigDirectory() string { return filepath.Join("/etc/rancher", d.Name) }

// ConfigFile is the default of --config (pkg/configfilearg/defaultparser.go).
func (d Distribution) ConfigFile() string { return filepath.Join(d.ConfigDirectory(), "config.yaml") }

// RegistriesFile is the default of --private-registry (pkg/cli/cmds/agent.go).
func (d Distribution) RegistriesFile() string {
	return filepath.Join(d.ConfigDirectory(), "registries.yaml")
}

// KubeconfigFile is the administrator's kubeconfig (pkg/datadir/datadir.go).
func (d Distribution) KubeconfigFile() string {
	return filepath.Join(d.ConfigDirectory(), d.Kubeconfig)
}

// DataDirectory is the default of --data-dir (pkg/datadir/datadir.go).
func (d Distribution) DataDirectory() string { return filepath.Join("/var/lib/rancher", d.Name) }

// RunDirectory holds the sockets (pkg/agent/config/config_linux.go).
func (d Distribution) RunDirectory() string { return "/run/k3s" }
