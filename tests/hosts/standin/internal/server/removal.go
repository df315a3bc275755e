// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"slices"
	"time"

	"standin/internal/kube"
	"standin/internal/logging"
)

// finalizer keeps a removed server's node until its etcd member is removed: who deletes the node waits for that.
const finalizer = "wrangler.cattle.io/managed-etcd-controller"

func deleting(node kube.Object) bool { return kube.Text(node, "metadata", "deletionTimestamp") != "" }

// without returns the node's finalizers without one.
func without(node kube.Object, name string) []any {
	list, _ := kube.Map(node, "metadata")["finalizers"].([]any)
	return slices.DeleteFunc(slices.Clone(list), func(each any) bool { return each == name })
}

// watchRemovals forgets the password of a removed node (pkg/node/controller.go) and its etcd member
// (pkg/etcd/member_controller.go).
func (s *Server) watchRemovals(ctx context.Context) {
	every(ctx, time.Second, func() {
		list, err := s.admin.Get("/api/v1/nodes")
		if err != nil {
			return
		}
		for _, node := range kube.Items(list) {
			s.changed(ctx, "MODIFIED", node)
		}
		path := "/api/v1/nodes?watch=true&resourceVersion=" + kube.Text(list, "metadata", "resourceVersion")
		_ = s.admin.Watch(ctx, path, func(kind string, node kube.Object) { s.changed(ctx, kind, node) })
	})
}

func (s *Server) changed(ctx context.Context, kind string, node kube.Object) {
	name := kube.Text(node, "metadata", "name")
	if kind == "DELETED" {
		if err := s.admin.Delete(secrets + "/" + name + ".node-password." + program()); err != nil {
			logging.Errorf("Failed to delete node password secret for node %s: %v", name, err)
		}
	}
	if !s.etcd.Embedded || (kind != "DELETED" && !deleting(node)) {
		return
	}
	if _, underWay := s.removals.LoadOrStore(name, true); !underWay {
		go s.removeMember(ctx, name)
	}
}

// removeMember tries until etcd takes it: it refuses while a member is new or the cluster unhealthy.
func (s *Server) removeMember(ctx context.Context, name string) {
	defer s.removals.Delete(name)
	for {
		err := s.etcd.Remove(name)
		if err == nil {
			break
		}
		logging.Errorf("Failed to remove etcd member of node %s: %v", name, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
	path := "/api/v1/nodes/" + name
	node, err := s.admin.Get(path)
	if err != nil || !deleting(node) {
		return
	}
	if _, err := s.admin.Patch(path, kube.Merge, kube.Object{"metadata": kube.Object{"finalizers": without(node, finalizer)}}); err != nil && !kube.NotFound(err) {
		logging.Errorf("Failed to release node %s: %v", name, err)
	}
}
