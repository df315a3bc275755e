// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"encoding/base64"
	"fmt"
	"os"
)

// Kubeconfig refers to files, as those of the components do (KubeConfig in pkg/daemons/control/deps/deps.go).
func Kubeconfig(server, authority, certificate, key string) string {
	return fmt.Sprintf(`apiVersion: v1
clusters:
- cluster:
    server: %s
    certificate-authority: %s
  name: local
contexts:
- context:
    cluster: local
    namespace: default
    user: user
  name: Default
current-context: Default
kind: Config
preferences: {}
users:
- name: user
  user:
    client-certificate: %s
    client-key: %s
`, server, authority, certificate, key)
}

// EmbeddedKubeconfig holds the data itself, under the name "default" (pkg/clientaccess/kubeconfig.go).
func EmbeddedKubeconfig(server, authority, certificate, key string) (string, error) {
	var data [3]string
	for i, path := range []string{authority, certificate, key} {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		data[i] = base64.StdEncoding.EncodeToString(content)
	}
	return fmt.Sprintf(`apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: %s
    server: %s
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
users:
- name: default
  user:
    client-certificate-data: %s
    client-key-data: %s
`, data[0], server, data[1], data[2]), nil
}
