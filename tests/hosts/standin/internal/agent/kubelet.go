// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"standin/internal/distribution"
	"standin/internal/hostinfo"
	"standin/internal/kube"
	"standin/internal/logging"
)

const (
	heartbeat = 10 * time.Second // nodeStatusUpdateFrequency and a quarter of nodeLeaseDurationSeconds
	report    = 5 * time.Minute  // nodeStatusReportFrequency
	nodes     = "/api/v1/nodes"
	leases    = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
)

// kubelet registers the node and keeps it ready; its pods are played by KWOK.
func (a *Agent) kubelet(ctx context.Context, ready func()) error {
	labels, err := nodeLabels(a.Options.List("node-label"))
	if err != nil {
		return err
	}
	taints, err := nodeTaints(a.Options.List("node-taint"))
	if err != nil {
		return err
	}
	api, err := kube.New(a.apiURL, a.path("server-ca.crt"), a.path("client-kubelet.crt"), a.path("client-kubelet.key"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll("/var/lib/kubelet", 0o750); err != nil {
		return err
	}
	if err := a.listen(); err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		if err = a.register(api, labels, taints); err == nil {
			break
		}
		if attempt%10 == 9 {
			logging.Infof("Unable to register node with API server: %v", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	logging.Infof("Successfully registered node %s", a.name)
	go func() {
		if err := a.kwok(ctx); err != nil && ctx.Err() == nil {
			logging.Errorf("stand-in: pods of this node will not run: %v", err)
		}
	}()
	ready()
	go a.beat(ctx, api)
	return nil
}

// listen takes the kubelet's port, so that a second agent on this host finds it taken; nothing but healthz is served.
func (a *Agent) listen() error {
	pair, err := tls.LoadX509KeyPair(a.path("serving-kubelet.crt"), a.path("serving-kubelet.key"))
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", ":10250", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		return err
	}
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
			if request.URL.Path == "/healthz" {
				fmt.Fprint(response, "ok")
				return
			}
			http.Error(response, "stand-in: the kubelet is played and serves healthz only", http.StatusNotImplemented)
		}))
	}()
	return nil
}

// register creates the node, or brings labels and annotations up to date: node-label at every start, added and never
// removed (configureNode in pkg/agent/run.go), node-taint with a new node only.
func (a *Agent) register(api *kube.Client, labels kube.Object, taints []any) error {
	annotations, err := a.annotations()
	if err != nil {
		return err
	}
	hostname, _ := os.Hostname()
	for key, value := range map[string]string{
		"kubernetes.io/arch": runtime.GOARCH, "kubernetes.io/os": runtime.GOOS, "beta.kubernetes.io/arch": runtime.GOARCH,
		"beta.kubernetes.io/os": runtime.GOOS, "kubernetes.io/hostname": strings.ToLower(a.name),
	} {
		labels[key] = value
	}
	spec := kube.Object{"taints": taints}
	if !a.control.DisableCCM { // what the cloud controller would set (pkg/cloudprovider/instances.go)
		spec["providerID"] = program() + "://" + a.name
		labels["node.kubernetes.io/instance-type"], labels["beta.kubernetes.io/instance-type"] = program(), program()
		annotations[program()+".io/hostname"], annotations[program()+".io/internal-ip"] = hostname, hostinfo.Join(a.addresses)
		if external := a.Options.List("node-external-ip"); len(external) > 0 {
			annotations[program()+".io/external-ip"] = strings.Join(external, ",")
		}
	}
	if _, err := api.Get(nodes + "/" + a.name); kube.NotFound(err) {
		_, err = api.Create(nodes, kube.Object{"apiVersion": "v1", "kind": "Node", "spec": spec,
			"metadata": kube.Object{"name": a.name, "labels": labels, "annotations": annotations}})
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	} else if _, err := api.Patch(nodes+"/"+a.name, kube.Merge, kube.Object{"metadata": kube.Object{"labels": labels, "annotations": annotations}}); err != nil {
		return err
	}
	if err := a.reportStatus(api, true); err != nil {
		return err
	}
	return a.renew(api)
}

// beat renews the lease, and the status where it is old or where somebody wrote that the node is not ready.
func (a *Agent) beat(ctx context.Context, api *kube.Client) {
	reported := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(heartbeat):
		}
		if err := a.renew(api); err != nil {
			logging.Warnf("Failed to update lease: %v", err)
		}
		full := time.Since(reported) > report
		if err := a.reportStatus(api, full); err != nil {
			logging.Warnf("Error updating node status: %v", err)
		} else if full {
			reported = time.Now()
		}
	}
}

func (a *Agent) renew(api *kube.Client) error {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	spec := kube.Object{"holderIdentity": a.name, "leaseDurationSeconds": 40, "renewTime": now}
	_, err := api.Patch(leases+"/"+a.name, kube.Merge, kube.Object{"spec": spec})
	if !kube.NotFound(err) {
		return err
	}
	node, err := api.Get(nodes + "/" + a.name)
	if err != nil {
		return err
	}
	owner := kube.Object{"apiVersion": "v1", "kind": "Node", "name": a.name, "uid": kube.Text(node, "metadata", "uid")}
	_, err = api.Create(leases, kube.Object{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec,
		"metadata": kube.Object{"name": a.name, "namespace": "kube-node-lease", "ownerReferences": []any{owner}}})
	return err
}

// reportStatus patches only what is the kubelet's: extended resources belong to whoever plays the device plugin.
func (a *Agent) reportStatus(api *kube.Client, full bool) error {
	node, err := api.Get(nodes + "/" + a.name)
	if err != nil {
		return err
	}
	old := map[string]kube.Object{}
	conditions, _ := kube.Map(node, "status")["conditions"].([]any)
	for _, each := range conditions {
		old[kube.Text(each.(kube.Object), "type")] = each.(kube.Object)
	}
	if kube.Text(old["Ready"], "status") == "True" && !full {
		return nil
	}
	now := time.Now().UTC().Format(time.RFC3339)
	var list []any
	for _, each := range [][4]string{
		{"MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"},
		{"DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"},
		{"PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"},
		{"Ready", "True", "KubeletReady", "kubelet is posting ready status"},
	} {
		changed := now
		if kube.Text(old[each[0]], "status") == each[1] {
			changed = kube.Text(old[each[0]], "lastTransitionTime")
		}
		list = append(list, kube.Object{"type": each[0], "status": each[1], "reason": each[2], "message": each[3],
			"lastHeartbeatTime": now, "lastTransitionTime": changed})
	}
	capacity := hostinfo.Capacity(a.maxPods(), a.directory)
	runtimeVersion := "containerd://" + distribution.Running().ContainerdVersion()
	if a.Options.Bool("docker") {
		runtimeVersion = "docker://28.3.3"
	}
	status := kube.Object{
		"conditions": list, "capacity": capacity, "allocatable": capacity, "addresses": a.nodeAddresses(),
		"nodeInfo":        hostinfo.NodeInfo(distribution.Version, runtimeVersion),
		"daemonEndpoints": kube.Object{"kubeletEndpoint": kube.Object{"Port": 10250}},
	}
	_, err = api.Patch(nodes+"/"+a.name+"/status", kube.Strategic, kube.Object{"status": status})
	return err
}

func (a *Agent) nodeAddresses() []any {
	var result []any
	add := func(kind, address string) { result = append(result, kube.Object{"type": kind, "address": address}) }
	for _, address := range a.addresses {
		add("InternalIP", address.String())
	}
	for _, address := range a.Options.List("node-external-ip") {
		add("ExternalIP", address)
	}
	add("Hostname", a.name)
	return result
}

func (a *Agent) maxPods() string {
	for _, argument := range a.Options.Raw("kubelet-arg") {
		if value, found := strings.CutPrefix(strings.TrimPrefix(argument, "--"), "max-pods="); found {
			return value
		}
	}
	return "110"
}
