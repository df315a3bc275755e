// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"strings"
	"time"

	"standin/internal/kube"
	"standin/internal/logging"
)

const (
	roleLabel   = "node-role.kubernetes.io/"
	voterStatus = "EtcdIsVoter"
)

// controllers keep what upstream's controllers keep; each runs on its own until the process ends.
func (s *Server) controllers(ctx context.Context) {
	go s.ensureOwnPassword()
	go every(ctx, 15*time.Second, s.deploy)
	go every(ctx, 2*time.Second, s.keepRole)
	go every(ctx, 5*time.Second, s.keepEndpoints)
	go s.watchRemovals(ctx)
	if s.etcd.Embedded {
		go every(ctx, 2*time.Second, s.manageMembers)
	}
}

func every(ctx context.Context, pause time.Duration, do func()) {
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (s *Server) etcdAnnotation(name string) string {
	return "etcd." + program() + ".cattle.io/" + name
}

// keepRole labels this server's node, which a kubelet may not do itself (setNodeLabelsAndAnnotations in
// pkg/server/server.go, pkg/etcd/metadata_controller.go). The label "master" went before the releases that we build.
func (s *Server) keepRole() {
	if s.config.DisableAgent {
		return
	}
	path := "/api/v1/nodes/" + s.config.ServerNodeName
	node, err := s.admin.Get(path)
	if err != nil {
		return
	}
	labels, annotations := kube.Object{roleLabel + "control-plane": "true"}, kube.Object{}
	if s.etcd.Embedded {
		labels[roleLabel+"etcd"] = "true"
		annotations[s.etcdAnnotation("node-name")] = s.etcd.Name
		annotations[s.etcdAnnotation("node-address")] = s.etcd.Address
	}
	if deleting(node) || (holds(kube.Map(node, "metadata", "labels"), labels) && holds(kube.Map(node, "metadata", "annotations"), annotations)) {
		return
	}
	metadata := kube.Object{"labels": labels, "annotations": annotations}
	if s.etcd.Embedded {
		metadata["finalizers"] = append(without(node, finalizer), finalizer)
	}
	patch := kube.Object{"metadata": metadata}
	if _, err := s.admin.Patch(path, kube.Merge, patch); err == nil {
		logging.Infof("Labels and annotations have been set successfully on node: %s", s.config.ServerNodeName)
	}
}

func holds(object, wanted kube.Object) bool {
	for key, value := range wanted {
		if object[key] != value {
			return false
		}
	}
	return true
}

// keepEndpoints publishes this server and the other ready ones as the endpoints of the service kubernetes, with the
// public port. Upstream's API server does it itself, with a flag for the port that only its build has.
func (s *Server) keepEndpoints() {
	addresses := map[string]bool{s.config.AdvertiseIP: true}
	nodes, err := s.admin.Get("/api/v1/nodes?labelSelector=" + roleLabel + "control-plane%3Dtrue")
	if err != nil {
		return
	}
	for _, node := range kube.Items(nodes) {
		if kube.Text(node, "metadata", "name") != s.config.ServerNodeName && conditionOf(node, "Ready") == "True" {
			addresses[addressOf(node)] = true
		}
	}
	var list []any
	for _, address := range sorted(addresses) {
		list = append(list, kube.Object{"ip": address})
	}
	wanted := kube.Object{
		"apiVersion": "v1", "kind": "Endpoints", "metadata": kube.Object{"name": "kubernetes", "namespace": "default"},
		"subsets": []any{kube.Object{"addresses": list, "ports": []any{kube.Object{"name": "https", "port": s.config.AdvertisePort, "protocol": "TCP"}}}},
	}
	path := "/api/v1/namespaces/default/endpoints"
	found, err := s.admin.Get(path + "/kubernetes")
	switch {
	case kube.NotFound(err):
		_, _ = s.admin.Create(path, wanted)
	case err == nil && strings.Join(endpointAddresses(found), ",") != strings.Join(sorted(addresses), ","):
		_, _ = s.admin.Update(path+"/kubernetes", wanted)
	}
}

func endpointAddresses(endpoints kube.Object) []string {
	result := map[string]bool{}
	subsets, _ := endpoints["subsets"].([]any)
	for _, subset := range subsets {
		addresses, _ := subset.(kube.Object)["addresses"].([]any)
		for _, address := range addresses {
			result[kube.Text(address.(kube.Object), "ip")] = true
		}
	}
	return sorted(result)
}

func conditionOf(node kube.Object, kind string) string {
	conditions, _ := kube.Map(node, "status")["conditions"].([]any)
	for _, condition := range conditions {
		if kube.Text(condition.(kube.Object), "type") == kind {
			return kube.Text(condition.(kube.Object), "status")
		}
	}
	return ""
}

func addressOf(node kube.Object) string {
	addresses, _ := kube.Map(node, "status")["addresses"].([]any)
	for _, address := range addresses {
		if kube.Text(address.(kube.Object), "type") == "InternalIP" {
			return kube.Text(address.(kube.Object), "address")
		}
	}
	return ""
}

// manageMembers promotes learners and says on each node whether it votes; the leader of etcd does it
// (manageLearners and setEtcdStatusCondition in pkg/etcd/etcd.go).
func (s *Server) manageMembers() {
	if !s.etcd.Leads() {
		return
	}
	s.etcd.PromoteLearners()
	members, err := s.etcd.Members()
	if err != nil {
		return
	}
	learner := map[string]bool{}
	for _, member := range members {
		learner[member.Name] = member.IsLearner
	}
	nodes, err := s.admin.Get("/api/v1/nodes?labelSelector=" + roleLabel + "etcd%3Dtrue")
	if err != nil {
		return
	}
	for _, node := range kube.Items(nodes) {
		isLearner, member := learner[kube.Text(node, "metadata", "annotations", s.etcdAnnotation("node-name"))]
		status, reason, message := "True", "MemberNotLearner", "Node is a voting member of the etcd cluster"
		if !member {
			status, reason, message = "False", "NotAMember", "Node is not a member of the etcd cluster"
		} else if isLearner {
			status, reason, message = "False", "MemberIsLearner", "Node has not been promoted to voting member of the etcd cluster"
		}
		if conditionOf(node, voterStatus) == status {
			continue
		}
		now := time.Now().UTC().Format(time.RFC3339)
		condition := kube.Object{"type": voterStatus, "status": status, "reason": reason, "message": message, "lastHeartbeatTime": now, "lastTransitionTime": now}
		patch := kube.Object{"status": kube.Object{"conditions": []any{condition}}}
		_, _ = s.admin.Patch("/api/v1/nodes/"+kube.Text(node, "metadata", "name")+"/status", kube.Strategic, patch)
	}
}
