// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"standin/internal/client"
	"standin/internal/logging"
)

// balancer passes connections on to the first server that answers (pkg/agent/loadbalancer).
type balancer struct {
	listener net.Listener
	scheme   string // as it was given: the client refuses what is not https
	file     string
	lock     sync.Mutex
	state    balancerState
}

// balancerState is the file that lets an agent start while the server that it joined by is gone.
type balancerState struct {
	ServerURL       string
	ServerAddresses []string
	Listener        string `json:"-"`
}

func newBalancer(ctx context.Context, server string, port int, file string) (*balancer, error) {
	address, err := url.Parse(server)
	if err != nil || address.Host == "" {
		return nil, fmt.Errorf("failed to parse %s: %w", server, errors.Join(err, errors.New("invalid server url")))
	}
	host := address.Host
	if address.Port() == "" {
		host = net.JoinHostPort(address.Hostname(), "443")
	}
	b := &balancer{file: file, scheme: address.Scheme}
	if content, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(content, &b.state)
	}
	if b.state.ServerURL != server {
		b.state = balancerState{ServerURL: server}
	}
	if !slices.Contains(b.state.ServerAddresses, host) {
		b.state.ServerAddresses = append([]string{host}, b.state.ServerAddresses...)
	}
	b.listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	if err := b.save(); err != nil {
		return nil, err
	}
	logging.Infof("Running load balancer %s-agent-load-balancer %s -> %v [default: %s]", program(), b.listener.Addr(), b.state.ServerAddresses, host)
	go b.serve(ctx)
	return b, nil
}

func (b *balancer) url() string { return b.scheme + "://" + b.listener.Addr().String() }

func (b *balancer) serve(ctx context.Context) {
	go func() { <-ctx.Done(); b.listener.Close() }()
	for {
		connection, err := b.listener.Accept()
		if err != nil {
			return
		}
		go b.pass(connection)
	}
}

func (b *balancer) pass(near net.Conn) {
	defer near.Close()
	b.lock.Lock()
	servers := append([]string{}, b.state.ServerAddresses...)
	b.lock.Unlock()
	for _, server := range servers {
		far, err := net.DialTimeout("tcp", server, 5*time.Second)
		if err != nil {
			logging.Debugf("Dial error from load balancer: %v", err)
			continue
		}
		defer far.Close()
		done := make(chan struct{}, 2)
		go func() { _, _ = io.Copy(far, near); done <- struct{}{} }()
		go func() { _, _ = io.Copy(near, far); done <- struct{}{} }()
		<-done
		return
	}
}

func (b *balancer) save() error {
	content, err := json.MarshalIndent(b.state, "", "  ")
	if err != nil {
		return err
	}
	return write(b.file, content)
}

// update replaces the servers; the one that the agent joined by stays the first while it is among them.
func (b *balancer) update(servers []string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	slices.Sort(servers)
	if first := b.state.ServerAddresses[0]; slices.Contains(servers, first) {
		servers = append([]string{first}, slices.DeleteFunc(servers, func(each string) bool { return each == first })...)
	}
	if slices.Equal(servers, b.state.ServerAddresses) {
		return
	}
	b.state.ServerAddresses = servers
	logging.Infof("Updated load balancer %s-agent-load-balancer server addresses -> %v", program(), servers)
	if err := b.save(); err != nil {
		logging.Warnf("Failed to save load balancer state: %v", err)
	}
}

// followServers keeps the list of servers; upstream watches the endpoints (pkg/agent/tunnel/tunnel.go).
func (a *Agent) followServers(ctx context.Context) {
	for {
		if info, err := client.Connect(a.supervisorURL, a.Token, "", a.path("client-kubelet.crt"), a.path("client-kubelet.key")); err == nil {
			servers := []string{}
			if content, err := info.Get("/v1-" + program() + "/apiservers"); err == nil && json.Unmarshal(content, &servers) == nil && len(servers) > 0 {
				a.balancer.update(servers)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Second):
		}
	}
}
