// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"standin/internal/distribution"
	"standin/internal/logging"
	"standin/internal/pki"
	"standin/internal/process"
)

// packaged are manifests of our own making: upstream's file and object names, as little in them as shows that they are
// there (.in: their variables are filled in when they are written). HelmChart objects find no helm job here, so that what their chart would bring is written beside them.
//
//go:embed manifests
var packaged embed.FS

// own objects come from no manifest of upstream: definitions that its controllers register, and rights for KWOK.
//
//go:embed own
var own embed.FS

func sorted(set map[string]bool) []string {
	result := make([]string, 0, len(set))
	for text := range set {
		result = append(result, text)
	}
	sort.Strings(result)
	return result
}

// component is the name by which a manifest is disabled: its file, or its directory (pkg/deploy/controller.go).
func component(path string) string {
	first, _, _ := strings.Cut(filepath.ToSlash(path), "/")
	return strings.TrimSuffix(first, ".yaml")
}

// stage writes the packaged manifests (deploy.Stage), and what is disabled is taken away.
func (s *Server) stage() error {
	return fs.WalkDir(packaged, "manifests", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative := strings.TrimSuffix(strings.TrimPrefix(path, "manifests/"), ".in")
		name := component(relative)
		target := s.paths.file("manifests/" + relative)
		if !s.ships(name) {
			return nil
		}
		if s.config.Disables[name] && name != "rolebindings" {
			return s.withdraw(target)
		}
		if _, err := os.Stat(strings.TrimSuffix(target, ".yaml") + ".yaml.skip"); err == nil {
			return nil
		}
		content, err := packaged.ReadFile(path)
		if err != nil {
			return err
		}
		text := s.fill(string(content))
		if name == "runtimes" && distribution.Running().ToolkitBeforePath() {
			text += "---\napiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: nvidia-cdi}\nhandler: nvidia-cdi\n"
		}
		if old, err := os.ReadFile(target); err == nil && string(old) == text {
			return nil
		}
		logging.Infof("Writing manifest: %s", target)
		return pki.Write(target, []byte(text), 0o600)
	})
}

// fill replaces the variables in a manifest (stageFiles in pkg/server/server.go).
func (s *Server) fill(text string) string {
	registry := s.config.SystemDefaultRegistry
	if registry != "" {
		registry += "/"
	}
	return strings.NewReplacer(
		"%{CLUSTER_DNS}%", s.config.ClusterDNS.String(), "%{CLUSTER_DOMAIN}%", s.config.ClusterDomain,
		"%{DEFAULT_LOCAL_STORAGE_PATH}%", s.config.DefaultLocalStoragePath, "%{SYSTEM_DEFAULT_REGISTRY}%", registry, "%{PROGRAM}%", program(),
	).Replace(text)
}

// prepareObjects creates what the packaged manifests and the nodes need.
func (s *Server) prepareObjects() error {
	for _, name := range []string{"kwok", "helm-crds"} {
		content, err := own.ReadFile("own/" + name + ".yaml.in")
		if err != nil {
			return err
		}
		path := strings.TrimSuffix(s.paths.log(name), ".log") + ".yaml"
		if err := pki.Write(path, []byte(s.fill(string(content))), 0o600); err != nil {
			return err
		}
		if err := s.apply(path); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) apply(path string) error {
	return s.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=deploy@"+s.config.ServerNodeName, "-f", path)
}

// ships tells whether this release has a component.
func (s *Server) ships(name string) bool {
	return name != "runtimes" || distribution.Running().RuntimeClasses()
}

// withdraw deletes what a disabled manifest had made, once: the file is what remembers it.
func (s *Server) withdraw(path string) error {
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	if err := s.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", path); err != nil {
		return err
	}
	logging.Infof("Deleting disabled component: %s", path)
	return os.Remove(path)
}

// deploy applies packaged manifests and those of users when they changed (WatchFiles in pkg/deploy/controller.go).
func (s *Server) deploy() {
	if !s.prepared {
		if err := s.prepareObjects(); err != nil {
			logging.Errorf("Failed to prepare objects: %v", err)
			return
		}
		s.prepared = true
	}
	if err := s.stage(); err != nil {
		logging.Errorf("Failed to stage manifests: %v", err)
		return
	}
	for _, path := range s.manifestFiles() {
		content, err := os.ReadFile(path)
		if err != nil || len(bytes.TrimSpace(content)) == 0 {
			continue
		}
		digest := sha256.Sum256(content)
		if s.applied[path] == digest {
			continue
		}
		if err := s.apply(path); err != nil {
			logging.Errorf("Failed to process config: failed to process %s: %v", path, err)
			continue
		}
		s.applied[path] = digest
		logging.Infof("Applied manifest: %s", path)
	}
}

// manifestFiles returns what is to be applied, in lexical order.
func (s *Server) manifestFiles() []string {
	var files []string
	root := s.paths.file("manifests")
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		extension := filepath.Ext(path)
		if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, extension) {
			relative, _ := filepath.Rel(root, path)
			if !s.config.Disables[component(relative)] {
				files = append(files, path)
			}
		}
		return nil
	})
	sort.SliceStable(files, func(i, j int) bool {
		return strings.HasSuffix(files[i], "-crds.yaml") && !strings.HasSuffix(files[j], "-crds.yaml")
	})
	return files
}

func (s *Server) kubectl(arguments ...string) error {
	program, err := process.Program("kubectl")
	if err != nil {
		return err
	}
	command := exec.Command(program, append([]string{"--kubeconfig=" + s.paths.cred("supervisor.kubeconfig")}, arguments...)...)
	command.Env = append(os.Environ(), "HOME="+s.paths.file("static"))
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%v: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}
