// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"standin/internal/distribution"
	"standin/internal/logging"
	"standin/internal/pki"
	"standin/internal/token"
)

// users keeps the passwords of joining nodes and servers in cred/passwd (genUsers in pkg/daemons/control/deps/deps.go).
func (s *Server) users() error {
	known := s.passwords()
	server := s.config.Token
	if server == "" {
		server = known["server"]
	}
	if server == "" {
		server = token.Random(16)
	}
	// A joining server may be given the full form; the password in it is what counts.
	if password, err := token.Normalize(server); err == nil {
		server = password
	}
	node := s.config.AgentToken
	if node == "" {
		node = server
	} else if password, err := token.Normalize(node); err == nil {
		node = password
	}
	s.serverPassword, s.nodePassword = server, node
	logging.Hide(server)
	logging.Hide(node)
	text := strings.Builder{}
	writer := csv.NewWriter(&text)
	_ = writer.Write([]string{node, "node", "node", program() + ":agent"})
	_ = writer.Write([]string{server, "server", "server", program() + ":server"})
	writer.Flush()
	return pki.Write(s.paths.cred("passwd"), []byte(text.String()), 0o600)
}

func (s *Server) passwords() map[string]string {
	result := map[string]string{}
	file, err := os.Open(s.paths.cred("passwd"))
	if err != nil {
		return result
	}
	defer file.Close()
	records, _ := csv.NewReader(file).ReadAll()
	for _, record := range records {
		if len(record) > 1 {
			result[record[1]] = record[0]
		}
	}
	return result
}

// writeTokens writes server/token, and node-token and agent-token as links to it (printTokens in pkg/server/server.go).
func (s *Server) writeTokens() error {
	bundle, err := os.ReadFile(s.paths.tls("server-ca.crt"))
	if err != nil {
		return err
	}
	full, err := token.Format("server:"+s.serverPassword, bundle)
	if err != nil {
		return err
	}
	path := s.paths.file("token")
	if err := pki.Write(path, []byte(full+"\n"), 0o600); err != nil {
		return err
	}
	logging.Infof("Server node token is available at %s", path)
	logging.Infof("To join server node to cluster: %s server -s https://%s:%d -t ${SERVER_NODE_TOKEN}", program(), s.config.NodeIPs[0], s.config.SupervisorPort)
	if err := link(path, s.paths.file("node-token")); err != nil {
		return err
	}
	agent := s.paths.file("agent-token")
	if s.config.AgentToken == "" {
		if err := link(path, agent); err != nil {
			return err
		}
	} else {
		text, err := token.Format("node:"+s.nodePassword, bundle)
		if err != nil {
			return err
		}
		if err := os.RemoveAll(agent); err != nil {
			return err
		}
		if err := pki.Write(agent, []byte(text+"\n"), 0o600); err != nil {
			return err
		}
	}
	logging.Infof("Agent node token is available at %s", agent)
	logging.Infof("To join agent node to cluster: %s agent -s https://%s:%d -t ${AGENT_NODE_TOKEN}", program(), s.config.NodeIPs[0], s.config.SupervisorPort)
	return nil
}

func link(target, path string) error {
	if found, err := os.Readlink(path); err == nil && found == target {
		return nil
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return os.Symlink(target, path)
}

// writeKubeconfig writes the administrator's kubeconfig (writeKubeConfig in pkg/server/server.go).
func (s *Server) writeKubeconfig() error {
	host := s.config.BindAddress
	if host == "" {
		host = "127.0.0.1"
	}
	text, err := EmbeddedKubeconfig("https://"+host+":"+strconv.Itoa(s.config.HTTPSPort), s.paths.tls("server-ca.crt"),
		s.paths.tls("client-admin.crt"), s.paths.tls("client-admin.key"))
	if err != nil {
		return err
	}
	usual := distribution.Current().KubeconfigFile()
	path := usual
	if output := s.options.Text("write-kubeconfig"); output != "" {
		path = output
	}
	mode := os.FileMode(0o600)
	if text := s.options.Text("write-kubeconfig-mode"); text != "" {
		parsed, err := strconv.ParseInt(text, 8, 0)
		if err != nil {
			logging.Errorf("Failed to set %s to mode %s: %v", path, mode, err)
		} else {
			mode = os.FileMode(parsed)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 {
		_ = os.Remove(path)
	}
	if err := pki.Write(path, []byte(text), mode); err != nil {
		return err
	}
	logging.Infof("Wrote kubeconfig %s", path)
	if path != usual {
		if err := os.MkdirAll(filepath.Dir(usual), 0o755); err != nil {
			return err
		}
		if err := link(path, usual); err != nil {
			logging.Errorf("failed to write kubeconfig symlink: %v", err)
		}
	}
	logging.Infof("Run: %s kubectl", filepath.Base(os.Args[0]))
	return nil
}
