// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"time"

	"standin/internal/kube"
	"standin/internal/logging"
	"standin/internal/process"
)

// stages are those of the project's testbed for pods (plugins/plugin_utils/testbed/stages.py); a unit test compares them.
//
//go:embed kwok.yaml.in
var stages []byte

// kwok plays the pods of this node. It ends with this process, so that the pods of a stopped agent are left as they are
// and deleted ones do not go. A kubelet may not list nodes, which KWOK does at start: it takes another of the agent's
// certificates (see own/kwok.yaml.in of the server).
func (a *Agent) kwok(ctx context.Context) error {
	directory := filepath.Join(filepath.Dir(a.directory), "standin")
	path := filepath.Join(directory, "kwok-stages.yaml")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	if err := write(path, stages); err != nil {
		return err
	}
	if err := a.waitForRights(ctx); err != nil {
		return err
	}
	for {
		ended := make(chan error, 1)
		_, err := process.Start("kwok", filepath.Join(directory, "kwok.log"), []string{
			"--kubeconfig=" + a.path(program()+"controller.kubeconfig"), "--config=" + path, "--manage-single-node=" + a.name,
			"--cidr=" + a.control.ClusterIPRange.String(), "--node-ip=" + a.addresses[0].String(), "--node-name=" + a.name,
			"--node-lease-duration-seconds=0", "--v=WARN",
		}, []string{"HOME=" + directory}, func(err error) { ended <- err })
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			logging.Warnf("stand-in: %v, starting it again", err)
		}
		time.Sleep(time.Second)
	}
}

// waitForRights returns once the first server has given KWOK its rights; KWOK would try a few times and give up.
func (a *Agent) waitForRights(ctx context.Context) error {
	name := "client-" + program() + "-controller"
	api, err := kube.New(a.apiURL, a.path("server-ca.crt"), a.path(name+".crt"), a.path(name+".key"))
	if err != nil {
		return err
	}
	review := kube.Object{"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": kube.Object{
		"resourceAttributes": kube.Object{"verb": "patch", "resource": "pods", "subresource": "status", "namespace": "default"}}}
	for {
		answer, err := api.Create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
		if err == nil && kube.Map(answer, "status")["allowed"] == true {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}
