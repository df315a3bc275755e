// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"standin/internal/kube"
)

func TestNodeLabels(t *testing.T) {
	found, err := nodeLabels([]string{"a=b", "empty", "x.example/y=z", "node.kubernetes.io/pool=gpu", "gpu.node.kubernetes.io/x=1",
		"topology.kubernetes.io/zone=a"})
	if err != nil || len(found) != 6 || found["empty"] != "" {
		t.Error(found, err)
	}
	_, err = nodeLabels([]string{"node-role.kubernetes.io/worker=true", "ok=1", "my.k8s.io/x=1"})
	if err == nil || !strings.Contains(err.Error(), "--node-labels: [my.k8s.io/x, node-role.kubernetes.io/worker]") {
		t.Error(err)
	}
}

func TestNodeTaints(t *testing.T) {
	found, err := nodeTaints([]string{"a=b:NoSchedule", "c:NoExecute"})
	if err != nil || len(found) != 2 || found[1].(kube.Object)["value"] != "" {
		t.Error(found, err)
	}
	for _, text := range []string{"a=b", "a=b:Never"} {
		if _, err := nodeTaints([]string{text}); err == nil {
			t.Error(text)
		}
	}
}

func TestSecretsAreLeftOutOfAnnotations(t *testing.T) {
	t.Setenv("K3S_TOKEN", "hush")
	t.Setenv("K3S_NODE_NAME", "node")
	a := node(t, "v1.35.6+k3s1", "--token=hush", "--vpn-auth", "hush", "--node-label=a=b", "-t", "hush")
	a.addresses = []net.IP{net.ParseIP("192.0.2.1")}
	found, err := a.annotations()
	if err != nil {
		t.Fatal(err)
	}
	arguments, environment := found["k3s.io/node-args"].(string), found["k3s.io/node-env"].(string)
	if strings.Contains(arguments+environment, "hush") {
		t.Error("a secret is told")
	}
	if !strings.Contains(arguments, `"--node-label","a=b"`) || !strings.Contains(environment, `"K3S_NODE_NAME":"node"`) {
		t.Error(arguments, environment)
	}
	before := found["k3s.io/node-config-hash"]
	t.Setenv("K3S_NODE_NAME", "other")
	if found, _ = a.annotations(); found["k3s.io/node-config-hash"] == before {
		t.Error("the hash follows the configuration")
	}
}

func TestImagesAreNoted(t *testing.T) {
	a := node(t, "v1.35.6+k3s1")
	if err := a.importImages(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b.tar.zst", "a.TAR.GZ", "notes.txt"} {
		if err := write(a.path("images/"+name), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.importImages(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(a.path("images-imported.json"))
	if err != nil || string(content) != "[\n  \"a.TAR.GZ\",\n  \"b.tar.zst\"\n]\n" {
		t.Errorf("%s, %v", content, err)
	}
}

// TestBalancer sends connections to the first server that answers, and remembers the servers.
func TestBalancer(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			connection, err := server.Accept()
			if err != nil {
				return
			}
			_, _ = connection.Write([]byte("here"))
			connection.Close()
		}
	}()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	file := t.TempDir() + "/balancer.json"
	first := "https://" + closed.Addr().String()
	b, err := newBalancer(ctx, first, 0, file)
	if err != nil {
		t.Fatal(err)
	}
	b.update([]string{server.Addr().String(), closed.Addr().String()})
	connection, err := net.Dial("tcp", b.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4)
	if _, err := connection.Read(answer); err != nil || string(answer) != "here" {
		t.Errorf("%s, %v", answer, err)
	}
	again, err := newBalancer(ctx, first, 0, file)
	if err != nil || len(again.state.ServerAddresses) != 2 || again.state.ServerAddresses[0] != closed.Addr().String() {
		t.Errorf("%v, %v", again.state, err)
	}
	other, err := newBalancer(ctx, "https://other.example", 0, file)
	if err != nil || strings.Join(other.state.ServerAddresses, " ") != "other.example:443" {
		t.Errorf("another server begins anew: %v, %v", other.state, err)
	}
}
