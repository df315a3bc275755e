// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package agent is the node's side: it joins, renders containerd's configuration, and plays the kubelet.
package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"standin/internal/client"
	"standin/internal/cluster"
	"standin/internal/distribution"
	"standin/internal/hostinfo"
	"standin/internal/logging"
	"standin/internal/options"
	"standin/internal/server"
)

// Agent is one node.
type Agent struct {
	Options   *options.Options
	ServerURL string
	Token     string
	IsServer  bool // the API server is in reach on loopback, and no load balancer is needed

	name          string
	addresses     []net.IP
	directory     string // <data-dir>/agent
	supervisorURL string
	apiURL        string
	balancer      *balancer
	control       cluster.Config
}

func program() string { return distribution.Current().Name }

func (a *Agent) path(name string) string { return filepath.Join(a.directory, name) }

// Run joins the cluster and starts the node; ready is called once the node is registered (run in pkg/agent/run.go).
func (a *Agent) Run(ctx context.Context, ready func()) error {
	a.directory = filepath.Join(a.Options.Text("data-dir"), "agent")
	var err error
	if err := os.MkdirAll(a.directory, 0o700); err != nil {
		return err
	}
	if name := a.Options.Text("flannel-iface"); name != "" && len(a.Options.List("node-ip")) == 0 {
		address, err := hostinfo.InterfaceAddress(name)
		if err != nil {
			return err
		}
		a.Options.Set("node-ip", address.String())
	}
	if a.name, a.addresses, err = hostinfo.NameAndAddresses(a.Options.Text("node-name"), a.Options.List("node-ip")); err != nil {
		return fmt.Errorf("failed to get node name and addresses: %w", err)
	}
	if err := a.balance(ctx); err != nil {
		return err
	}
	if err := a.validateToken(ctx); err != nil {
		return err
	}
	if err := a.retrieve(ctx); err != nil {
		return fmt.Errorf("failed to retrieve agent configuration: %w", err)
	}
	if a.balancer != nil {
		go a.followServers(ctx)
	}
	if a.Options.Command == "server" && a.Options.Bool("disable-agent") {
		return nil // upstream makes the certificates of the node anyway (RunStandalone)
	}
	if err := a.runtime(); err != nil {
		return fmt.Errorf("failed to start container runtime: %w", err)
	}
	return a.kubelet(ctx, ready)
}

// balance opens the local load balancer in front of the supervisors (pkg/agent/proxy/apiproxy.go).
func (a *Agent) balance(ctx context.Context) error {
	if a.IsServer {
		a.supervisorURL, a.apiURL = a.ServerURL, fmt.Sprintf("https://127.0.0.1:%d", a.Options.Number("https-listen-port")+1)
		return nil
	}
	var err error
	a.balancer, err = newBalancer(ctx, a.ServerURL, a.Options.Number("lb-server-port"), a.path("etc/"+program()+"-agent-load-balancer.json"))
	if err != nil {
		return err
	}
	a.supervisorURL = a.balancer.url()
	a.apiURL = a.supervisorURL
	return nil
}

// validateToken tries until the server answers and the CA's hash is right (createProxyAndValidateToken).
func (a *Agent) validateToken(ctx context.Context) error {
	for {
		info, err := client.Connect(a.supervisorURL, a.Token, "node", a.path("client-kubelet.crt"), a.path("client-kubelet.key"))
		if err == nil {
			a.Token = info.FullToken()
			logging.Hide(a.Token)
			return nil
		}
		logging.Errorf("Failed to validate connection to cluster at %s: %v", a.ServerURL, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}

// runtime follows startCRI: containerd's configuration is written, containerd itself is not started.
func (a *Agent) runtime() error {
	if err := os.MkdirAll(filepath.Join(distribution.Current().RunDirectory(), "containerd"), 0o711); err != nil {
		return err
	}
	if err := a.network(); err != nil {
		return err
	}
	if a.Options.Bool("docker") || a.Options.Text("container-runtime-endpoint") != "" {
		return nil
	}
	if err := a.containerd(); err != nil {
		return err
	}
	return a.importImages()
}

// network writes the files of flannel and of crictl (pkg/agent/flannel/setup.go, setupCriCtlConfig).
func (a *Agent) network() error {
	socket := "unix://" + filepath.Join(distribution.Current().RunDirectory(), "containerd", "containerd.sock")
	files := map[string]string{
		"etc/crictl.yaml": fmt.Sprintf("runtime-endpoint: %s\nimage-endpoint: %s\n", socket, socket),
		"etc/kubelet.conf.d/00-" + program() + "-defaults.conf": "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nfailSwapOn: false\n",
	}
	if backend := a.control.FlannelBackend; backend != "none" && backend != "" {
		kind := strings.TrimSuffix(backend, "-native")
		files["etc/flannel/net-conf.json"] = fmt.Sprintf("{\"Network\": %q, \"EnableIPv4\": true, \"Backend\": {\"Type\": %q}}\n",
			a.control.ClusterIPRange, kind)
		files["etc/cni/net.d/10-flannel.conflist"] = `{"name": "cbr0", "cniVersion": "1.0.0", "plugins": [{"type": "flannel"}, {"type": "portmap"}]}` + "\n"
	}
	for name, text := range files {
		if err := write(a.path(name), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// kubeconfigs follows the end of get() in pkg/agent/config/config.go.
func (a *Agent) kubeconfigs() error {
	for file, certificate := range map[string]string{
		"kubelet.kubeconfig": "client-kubelet", "kubeproxy.kubeconfig": "client-kube-proxy",
		program() + "controller.kubeconfig": "client-" + program() + "-controller",
	} {
		text := server.Kubeconfig(a.apiURL, a.path("server-ca.crt"), a.path(certificate+".crt"), a.path(certificate+".key"))
		if err := write(a.path(file), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}
