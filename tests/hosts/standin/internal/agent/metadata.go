// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"

	"standin/internal/distribution"
	"standin/internal/kube"
)

// kwokAnnotation lets KWOK, and the project's GPU simulator, play what runs on the node.
const kwokAnnotation = "kwok.x-k8s.io/node"

const omitted = "********"

// annotations follows SetNodeConfigAnnotations in pkg/nodeconfig/nodeconfig.go.
func (a *Agent) annotations() (kube.Object, error) {
	prefix := distribution.Current().Environment + "_"
	var arguments []string
	for _, argument := range append([]string{a.Options.Command}, a.Options.Arguments...) {
		if name, value, found := strings.Cut(argument, "="); found && strings.HasPrefix(argument, "--") {
			arguments = append(arguments, name, value)
		} else {
			arguments = append(arguments, argument)
		}
	}
	for i := range arguments {
		if secret(arguments[i]) && i+1 < len(arguments) {
			arguments[i+1] = omitted
		}
	}
	environment := map[string]string{}
	for _, each := range os.Environ() {
		name, value, _ := strings.Cut(each, "=")
		if strings.HasPrefix(name, prefix) {
			if secret(name) {
				value = omitted
			}
			environment[name] = value
		}
	}
	argumentsText, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	environmentText, err := json.Marshal(environment)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(append(append([]byte{}, argumentsText...), environmentText...))
	return kube.Object{
		program() + ".io/node-args":                              string(argumentsText),
		program() + ".io/node-env":                               string(environmentText),
		program() + ".io/node-config-hash":                       base32.StdEncoding.EncodeToString(digest[:]),
		kwokAnnotation:                                           "fake",
		"volumes.kubernetes.io/controller-managed-attach-detach": "true",
		"alpha.kubernetes.io/provided-node-ip":                   a.addresses[0].String(),
	}, nil
}

func secret(name string) bool {
	prefix := distribution.Current().Environment + "_"
	return slices.Contains([]string{
		prefix + "TOKEN", prefix + "DATASTORE_ENDPOINT", prefix + "AGENT_TOKEN", prefix + "CLUSTER_SECRET", prefix + "VPN_AUTH",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "--token", "-t", "--agent-token", "--datastore-endpoint", "--cluster-secret",
		"--etcd-s3-access-key", "--etcd-s3-secret-key", "--vpn-auth",
	}, name)
}

// kubeletLabels may be set by a kubelet although they are Kubernetes' own (k8s.io/kubelet/pkg/apis/well_known_labels.go).
var kubeletLabels = []string{
	"kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
	"failure-domain.beta.kubernetes.io/region", "node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type", "kubernetes.io/os",
	"kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
}

// nodeLabels refuses labels as the kubelet does (ValidateKubeletFlags in cmd/kubelet/app/options/options.go).
func nodeLabels(texts []string) (kube.Object, error) {
	result, unknown := kube.Object{}, []string{}
	for _, text := range texts {
		key, value, _ := strings.Cut(text, "=")
		result[key] = value
		namespace, _, named := strings.Cut(key, "/")
		if !named {
			continue
		}
		within := func(domain string) bool { return namespace == domain || strings.HasSuffix(namespace, "."+domain) }
		allowed := within("kubelet.kubernetes.io") || within("node.kubernetes.io") || slices.Contains(kubeletLabels, key)
		if (within("kubernetes.io") || within("k8s.io")) && !allowed {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) == 0 {
		return result, nil
	}
	sort.Strings(unknown)
	return nil, fmt.Errorf("failed to validate kubelet flags: unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [%s]\n"+
		"--node-labels in the 'kubernetes.io' namespace must begin with an allowed prefix (kubelet.kubernetes.io, node.kubernetes.io) "+
		"or be in the specifically allowed set (%s)", strings.Join(unknown, ", "), strings.Join(kubeletLabels, ", "))
}

// nodeTaints reads key=value:Effect and key:Effect (ParseTaints in k8s.io/kubernetes/pkg/util/taints/taints.go).
func nodeTaints(texts []string) ([]any, error) {
	result := []any{}
	for _, text := range texts {
		left, effect, found := strings.Cut(text, ":")
		if !found {
			return nil, fmt.Errorf("invalid taint spec: %s", text)
		}
		if !slices.Contains([]string{"NoSchedule", "PreferNoSchedule", "NoExecute"}, effect) {
			return nil, fmt.Errorf("invalid taint effect: %s, unsupported taint effect", effect)
		}
		key, value, _ := strings.Cut(left, "=")
		result = append(result, kube.Object{"key": key, "value": value, "effect": effect})
	}
	return result, nil
}
