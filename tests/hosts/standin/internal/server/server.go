// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"standin/internal/client"
	"standin/internal/cluster"
	"standin/internal/distribution"
	"standin/internal/etcd"
	"standin/internal/hostinfo"
	"standin/internal/kube"
	"standin/internal/logging"
	"standin/internal/options"
	"standin/internal/token"
)

// Server is one control plane.
type Server struct {
	options        *options.Options
	config         *cluster.Config
	paths          paths
	etcd           *etcd.Etcd
	serverPassword string
	nodePassword   string
	clientPool     *x509.CertPool
	admin          *kube.Client
	apiReady       atomic.Bool
	applied        map[string][32]byte // manifests, by the digest of what was applied
	prepared       bool
	removals       sync.Map // names of nodes whose etcd members are being removed
}

// New reads the configuration (run in pkg/cli/server/server.go).
func New(o *options.Options) (*Server, error) {
	config := &cluster.Config{
		JoinURL: o.Text("server"), ClusterInit: o.Bool("cluster-init"), BindAddress: o.Text("bind-address"),
		HTTPSPort: o.Number("https-listen-port"), SupervisorPort: o.Number("supervisor-port"), APIServerPort: o.Number("apiserver-port"),
		AdvertiseIP: o.Text("advertise-address"), AdvertisePort: o.Number("advertise-port"), DisableAPIServer: o.Bool("disable-apiserver"),
		DisableControllerManager: o.Bool("disable-controller-manager"), DisableETCD: o.Bool("disable-etcd"),
		DisableKubeProxy: o.Bool("disable-kube-proxy"), DisableScheduler: o.Bool("disable-scheduler"), DisableAgent: o.Bool("disable-agent"),
		SystemDefaultRegistry: o.Text("system-default-registry"), DefaultLocalStoragePath: o.Text("default-local-storage-path"),
		ServiceNodePortRange: o.Text("service-node-port-range"), EtcdExposeMetrics: o.Bool("etcd-expose-metrics"),
		DatastoreEndpoint: o.Text("datastore-endpoint"),
	}
	for _, unsupported := range []string{"disable-apiserver", "disable-etcd", "cluster-reset", "rootless"} {
		if o.Bool(unsupported) {
			return nil, fmt.Errorf("stand-in: --%s is not played", unsupported)
		}
	}
	if endpoint := config.DatastoreEndpoint; endpoint != "" && !strings.HasPrefix(endpoint, "http") {
		return nil, errors.New("stand-in: only etcd (http:// or https://) is played as --datastore-endpoint")
	}
	var err error
	if config.Token, err = Secret(o, "token"); err != nil {
		return nil, err
	}
	if config.AgentToken, err = Secret(o, "agent-token"); err != nil {
		return nil, err
	}
	if err := config.FromOptions(o); err != nil {
		return nil, err
	}
	if name := o.Text("flannel-iface"); name != "" && len(o.List("node-ip")) == 0 {
		address, err := hostinfo.InterfaceAddress(name)
		if err != nil {
			return nil, err
		}
		o.Set("node-ip", address.String())
	}
	if config.ServerNodeName, config.NodeIPs, err = hostinfo.NameAndAddresses(o.Text("node-name"), o.List("node-ip")); err != nil {
		return nil, err
	}
	s := &Server{options: o, config: config, applied: map[string][32]byte{}}
	s.ports()
	s.names()
	data := o.Text("data-dir")
	config.DataDir = filepath.Join(data, "server")
	if config.DefaultLocalStoragePath == "" {
		config.DefaultLocalStoragePath = filepath.Join(data, "storage")
	}
	s.paths = paths(config.DataDir)
	return s, nil
}

// Secret reads a token from a flag or from a file, which may appear a little later (ReadFile in pkg/util/file.go).
func Secret(o *options.Options, name string) (string, error) {
	text := o.Text(name)
	path := o.Text(name + "-file")
	for started := time.Now(); path != ""; time.Sleep(2 * time.Second) {
		content, err := os.ReadFile(path)
		if err == nil {
			text = strings.TrimSpace(string(content))
			break
		}
		if !os.IsNotExist(err) {
			return "", err
		}
		if time.Since(started) > 4*time.Minute {
			return "", errors.New("Timeout while trying to read the file")
		}
		logging.Infof("Waiting for %s to be available\n", path)
	}
	logging.Hide(text)
	if parsed, err := token.Parse(text); err == nil {
		logging.Hide(parsed.Password)
	}
	return text, nil
}

func (s *Server) ports() {
	current := distribution.Current()
	if s.config.SupervisorPort == 0 {
		s.config.SupervisorPort = s.config.HTTPSPort
		if current.SupervisorPort != current.APIPort {
			s.config.SupervisorPort = current.SupervisorPort
		}
	}
	if s.config.APIServerPort == 0 {
		s.config.APIServerPort = s.config.HTTPSPort + 1
	}
	if s.config.AdvertisePort == 0 {
		s.config.AdvertisePort = s.config.HTTPSPort
	}
}

// names collects what the certificates must cover, in upstream's order.
func (s *Server) names() {
	s.config.SANs = append(s.options.List("tls-san"), "127.0.0.1", "::1", "localhost", s.config.ServerNodeName)
	for _, address := range s.config.NodeIPs {
		s.config.SANs = append(s.config.SANs, address.String())
	}
	if given := s.options.List("node-ip"); len(given) > 0 {
		s.config.PrivateIP = given[0]
	}
	if external := s.options.List("node-external-ip"); s.config.AdvertiseIP == "" && len(external) > 0 {
		s.config.AdvertiseIP = external[0]
	}
	if s.config.AdvertiseIP == "" {
		s.config.AdvertiseIP = s.config.NodeIPs[0].String()
	}
	s.config.SANs = append(s.config.SANs, s.config.AdvertiseIP, cluster.Nth(s.config.ServiceIPRange, 1).String())
}

// local is the API server's own port; it listens on loopback only.
func (s *Server) local() string { return "https://127.0.0.1:" + strconv.Itoa(s.config.APIServerPort) }

func (s *Server) publicPort() string { return strconv.Itoa(s.config.HTTPSPort) }

func (s *Server) ready() bool { return s.apiReady.Load() }

// URL and AgentToken are how the agent in this process reaches its supervisor.
func (s *Server) URL() string {
	host := s.config.BindAddress
	if host == "" {
		host = "127.0.0.1"
	}
	return "https://" + net.JoinHostPort(host, strconv.Itoa(s.config.SupervisorPort))
}

// AgentToken returns the full token for agents.
func (s *Server) AgentToken() (string, error) {
	bundle, err := os.ReadFile(s.paths.tls("server-ca.crt"))
	if err != nil {
		return "", err
	}
	return token.Format("node:"+s.nodePassword, bundle)
}

// Start brings up everything that an agent needs, then goes on in the background; ready is called once the API answers.
func (s *Server) Start(ctx context.Context, ready func()) error {
	for _, directory := range []string{"", "tls", "cred", "etc", "manifests", "static", "db"} {
		if err := os.MkdirAll(s.paths.file(directory), 0o700); err != nil {
			return err
		}
	}
	info, err := s.prepare()
	if err != nil {
		return fmt.Errorf("preparing server: %w", err)
	}
	if err := s.writeTokens(); err != nil {
		return err
	}
	if err := s.writeKubeconfig(); err != nil {
		return err
	}
	go s.run(ctx, info, ready)
	return nil
}

// prepare follows prepare() in pkg/daemons/control/server.go.
func (s *Server) prepare() (*client.Info, error) {
	if err := s.chooseDatastore(); err != nil {
		return nil, fmt.Errorf("failed to bootstrap cluster data: %w", err)
	}
	var info *client.Info
	if s.etcd.Embedded && !s.etcd.Initialized() && s.config.JoinURL != "" {
		var err error
		if info, err = s.join(); err != nil {
			return nil, fmt.Errorf("failed to bootstrap cluster data: %w", err)
		}
	} else if err := s.sameToken(); err != nil {
		return nil, err
	}
	if err := s.generate(); err != nil {
		return nil, fmt.Errorf("failed to generate server dependencies: %w", err)
	}
	bundle, err := os.ReadFile(s.paths.tls("client-ca.crt"))
	if err != nil {
		return nil, err
	}
	s.clientPool = x509.NewCertPool()
	s.clientPool.AppendCertsFromPEM(bundle)
	s.admin, err = kube.New(s.local(), s.paths.tls("server-ca.crt"), s.paths.tls("client-supervisor.crt"), s.paths.tls("client-supervisor.key"))
	if err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		return nil, fmt.Errorf("failed to start cluster: init cluster datastore and https: %w", err)
	}
	return info, nil
}

// run waits for etcd, then for the API server, then keeps what upstream's controllers keep.
func (s *Server) run(ctx context.Context, info *client.Info, ready func()) {
	if s.config.DatastoreEndpoint == "" {
		if err := s.startEtcd(ctx, info); err != nil {
			logging.Fatalf("%v", err)
		}
		logging.Infof("ETCD server is now running")
	}
	if err := s.apiServer(); err != nil {
		logging.Fatalf("Error: starting kubernetes: %v", err)
	}
	logging.Infof("Waiting for API server to become available")
	for s.answers() != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
	s.apiReady.Store(true)
	for _, start := range []func() error{s.scheduler, s.controllerManager} {
		if err := start(); err != nil {
			logging.Fatalf("Error: starting kubernetes: %v", err)
		}
	}
	logging.Infof("Kube API server is now running")
	logging.Infof("%s is up and running", program())
	ready()
	s.controllers(ctx)
}

func (s *Server) answers() error {
	_, err := s.admin.Get("/readyz")
	if err != nil {
		return err
	}
	_, err = s.admin.Get("/api/v1/namespaces/kube-system")
	return err
}
