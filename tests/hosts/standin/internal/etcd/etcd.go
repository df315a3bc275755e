// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package etcd runs the real etcd and talks to it through its JSON gateway (pkg/etcd/etcd.go).
package etcd

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"standin/internal/logging"
	"standin/internal/process"
	"standin/internal/token"
)

// Etcd is the member of this server.
type Etcd struct {
	Name      string
	Address   string // of this node
	Directory string // <data-dir>/server/db/etcd, or db/standin where upstream has sqlite
	Embedded  bool   // upstream's embedded etcd; else it takes the place of kine and sqlite, on loopback only
	TLS       string // <data-dir>/server/tls/etcd
	Log       string
	Metrics   bool
	Extra     []string
}

// Member is one member of the cluster, as the gateway writes it.
type Member struct {
	ID         string   `json:"ID"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
	IsLearner  bool     `json:"isLearner"`
}

// Initialized tells whether the member has ever run.
func (e *Etcd) Initialized() bool {
	info, err := os.Stat(filepath.Join(e.Directory, "member", "wal"))
	return err == nil && info.IsDir()
}

// SetName reads the member's name, made of the node's name and a random part at the first start.
func (e *Etcd) SetName(node string) error {
	path := filepath.Join(e.Directory, "name")
	content, err := os.ReadFile(path)
	if err == nil {
		e.Name = strings.TrimSpace(string(content))
		return nil
	}
	if !os.IsNotExist(err) {
		return err
	}
	e.Name = node + "-" + token.Random(4)
	if err := os.MkdirAll(e.Directory, 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(e.Name), 0o600)
}

// PeerURL is where other members reach this one.
func (e *Etcd) PeerURL() string { return "https://" + e.peerHost() + ":2380" }

// ClientURL is where this server's API server reaches its member.
func (e *Etcd) ClientURL() string { return "https://127.0.0.1:2379" }

func (e *Etcd) peerHost() string {
	if e.Embedded {
		return e.Address
	}
	return "127.0.0.1"
}

// Start runs the member: new, joining the given members, or as it was.
func (e *Etcd) Start(members []string, ended func(error)) error {
	state := "existing"
	switch {
	case e.Initialized():
		logging.Infof("Starting etcd for existing cluster member")
	case len(members) == 0:
		state, members = "new", []string{e.Name + "=" + e.PeerURL()}
		logging.Infof("Starting etcd for new cluster, cluster-reset=false")
	default:
		logging.Infof("Starting etcd to join cluster with members %v", members)
	}
	clients, peers, metrics := e.ClientURL(), "https://127.0.0.1:2380", "http://127.0.0.1:2381"
	if e.Embedded {
		clients, peers = clients+",https://"+e.Address+":2379", peers+","+e.PeerURL()
		if e.Metrics {
			metrics += ",http://" + e.Address + ":2381"
		}
	}
	arguments := []string{
		"--name=" + e.Name, "--data-dir=" + e.Directory,
		"--listen-client-urls=" + clients, "--advertise-client-urls=https://" + e.peerHost() + ":2379",
		"--listen-peer-urls=" + peers, "--initial-advertise-peer-urls=" + e.PeerURL(), "--listen-metrics-urls=" + metrics,
		"--initial-cluster=" + strings.Join(members, ","), "--initial-cluster-state=" + state,
		"--client-cert-auth", "--trusted-ca-file=" + e.file("server-ca.crt"),
		"--cert-file=" + e.file("server-client.crt"), "--key-file=" + e.file("server-client.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + e.file("peer-ca.crt"),
		"--peer-cert-file=" + e.file("peer-server-client.crt"), "--peer-key-file=" + e.file("peer-server-client.key"),
		"--snapshot-count=10000", "--log-level=warn",
		// Upstream: 500 and 5000, on slower disks and networks. A new member waits that long before it leads.
		"--heartbeat-interval=200", "--election-timeout=2000",
		// Test hosts lose processes, not power.
		"--unsafe-no-fsync",
	}
	for _, each := range e.Extra {
		arguments = append(arguments, "--"+strings.TrimPrefix(each, "--"))
	}
	if err := os.Chmod(e.Directory, 0o700); err != nil {
		return err
	}
	_, err := process.Start("etcd", e.Log, arguments, nil, ended)
	return err
}

func (e *Etcd) file(name string) string { return filepath.Join(e.TLS, name) }

// Call posts a request to the gateway of a member.
func (e *Etcd) Call(server, path string, request, answer any) error {
	return e.callWithin(3*time.Second, server, path, request, answer)
}

func (e *Etcd) callWithin(timeout time.Duration, server, path string, request, answer any) error {
	pair, err := tls.LoadX509KeyPair(e.file("client.crt"), e.file("client.key"))
	if err != nil {
		return err
	}
	bundle, err := os.ReadFile(e.file("server-ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Timeout: timeout, Transport: transport}).Post(server+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		failure := struct{ Message string }{}
		_ = json.Unmarshal(content, &failure)
		return fmt.Errorf("etcd: %s: %s", response.Status, failure.Message)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(content, answer)
}

// Members lists the members as this one knows them.
func (e *Etcd) Members() ([]Member, error) {
	answer := struct{ Members []Member }{}
	err := e.Call(e.ClientURL(), "/v3/cluster/member/list", map[string]any{}, &answer)
	return answer.Members, err
}

// Test returns nothing when this server is a voting member that answers (ETCD.Test).
func (e *Etcd) Test() error {
	status := struct {
		IsLearner bool
		Leader    string
		Errors    []string
	}{}
	if err := e.Call(e.ClientURL(), "/v3/maintenance/status", map[string]any{}, &status); err != nil {
		return err
	}
	if status.IsLearner {
		return errors.New("this server has not yet been promoted from learner to voting member")
	}
	if len(status.Errors) > 0 {
		return fmt.Errorf("etcd cluster errors: %s", strings.Join(status.Errors, ", "))
	}
	members, err := e.Members()
	if err != nil {
		return err
	}
	for _, member := range members {
		if member.Name == e.Name {
			if len(member.PeerURLs) == 1 && member.PeerURLs[0] != e.PeerURL() {
				// From sqlite to embedded etcd, the data moved with the address that it had.
				return e.Call(e.ClientURL(), "/v3/cluster/member/update", map[string]any{"ID": member.ID, "peerURLs": []string{e.PeerURL()}}, nil)
			}
			return nil
		}
	}
	return fmt.Errorf("this server is a not a member of the etcd cluster. Found %v, expect: %s=%s", members, e.Name, e.PeerURL())
}

// Leads tells whether this member is the leader.
func (e *Etcd) Leads() bool {
	status := struct {
		Header struct {
			MemberID string `json:"member_id"`
		}
		Leader string
	}{}
	err := e.Call(e.ClientURL(), "/v3/maintenance/status", map[string]any{}, &status)
	return err == nil && status.Leader != "" && status.Leader == status.Header.MemberID
}

// Range returns the values of all keys with a prefix, read without asking other members.
func (e *Etcd) Range(prefix string) (map[string][]byte, error) {
	end := []byte(prefix)
	end[len(end)-1]++
	answer := struct {
		Kvs []struct{ Key, Value []byte }
	}{}
	request := map[string]any{"key": encode(prefix), "range_end": base64.StdEncoding.EncodeToString(end), "serializable": true}
	if err := e.Call(e.ClientURL(), "/v3/kv/range", request, &answer); err != nil {
		return nil, err
	}
	result := map[string][]byte{}
	for _, each := range answer.Kvs {
		result[string(each.Key)] = each.Value
	}
	return result, nil
}

// Put writes one key.
func (e *Etcd) Put(key string, value []byte) error {
	request := map[string]any{"key": encode(key), "value": base64.StdEncoding.EncodeToString(value)}
	return e.Call(e.ClientURL(), "/v3/kv/put", request, nil)
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
