// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package cluster holds what servers and agents tell each other.
package cluster

import (
	"fmt"
	"net"
	"reflect"
	"strings"

	"standin/internal/options"
)

// Critical is what all servers must agree on; field names, tags and JSON as in CriticalControlArgs of
// pkg/daemons/config/types.go.
type Critical struct {
	ClusterDNSs           []net.IP     `cli:"cluster-dns"`
	ClusterIPRanges       []*net.IPNet `cli:"cluster-cidr"`
	ClusterDNS            net.IP       `cli:"cluster-dns"`
	ClusterDomain         string       `cli:"cluster-domain"`
	ClusterIPRange        *net.IPNet   `cli:"cluster-cidr"`
	DisableCCM            bool         `cli:"disable-cloud-controller"`
	DisableHelmController bool         `cli:"disable-helm-controller"`
	DisableNPC            bool         `cli:"disable-network-policy"`
	DisableServiceLB      bool         `cli:"disable-service-lb"`
	EncryptSecrets        bool         `cli:"secrets-encryption"`
	EmbeddedRegistry      bool         `cli:"embedded-registry"`
	FlannelBackend        string       `cli:"flannel-backend"`
	FlannelIPv6Masq       bool         `cli:"flannel-ipv6-masq"`
	FlannelExternalIP     bool         `cli:"flannel-external-ip"`
	EgressSelectorMode    string       `cli:"egress-selector-mode"`
	ServiceIPRange        *net.IPNet   `cli:"service-cidr"`
	ServiceIPRanges       []*net.IPNet `cli:"service-cidr"`
}

// Config is the part of Control in pkg/daemons/config/types.go that GET /v1-k3s/config shows.
type Config struct {
	Critical
	HTTPSPort                int
	SupervisorPort           int
	APIServerPort            int
	AdvertisePort            int
	AdvertiseIP              string
	BindAddress              string
	SANs                     []string
	PrivateIP                string
	ServerNodeName           string
	Disables                 map[string]bool
	Skips                    map[string]bool
	DisableAPIServer         bool
	DisableControllerManager bool
	DisableETCD              bool
	DisableKubeProxy         bool
	DisableScheduler         bool
	DisableAgent             bool
	SystemDefaultRegistry    string
	DefaultLocalStoragePath  string
	ServiceNodePortRange     string `json:"-"`
	ClusterInit              bool
	JoinURL                  string
	EtcdExposeMetrics        bool `json:"-"`

	DataDir           string   // <data-dir>/server
	Token             string   `json:"-"`
	AgentToken        string   `json:"-"`
	DatastoreEndpoint string   `json:"-"`
	NodeIPs           []net.IP `json:"-"`
}

// FromOptions reads the network part of the configuration (pkg/cli/server/server.go).
func (c *Config) FromOptions(o *options.Options) error {
	var err error
	if c.ClusterIPRanges, err = networks("cluster-cidr", o.List("cluster-cidr")); err != nil {
		return err
	}
	if c.ServiceIPRanges, err = networks("service-cidr", o.List("service-cidr")); err != nil {
		return err
	}
	c.ClusterIPRange, c.ServiceIPRange = c.ClusterIPRanges[0], c.ServiceIPRanges[0]
	for _, text := range o.List("cluster-dns") {
		address := net.ParseIP(text)
		if address == nil {
			return fmt.Errorf("invalid cluster-dns address %s", text)
		}
		c.ClusterDNSs = append(c.ClusterDNSs, address)
	}
	if len(c.ClusterDNSs) == 0 {
		c.ClusterDNSs = []net.IP{Nth(c.ServiceIPRange, 10)}
	}
	c.ClusterDNS = c.ClusterDNSs[0]
	c.ClusterDomain = o.Text("cluster-domain")
	c.DisableCCM, c.DisableNPC = o.Bool("disable-cloud-controller"), o.Bool("disable-network-policy")
	c.DisableHelmController, c.EncryptSecrets = o.Bool("disable-helm-controller"), o.Bool("secrets-encryption")
	c.EmbeddedRegistry, c.FlannelIPv6Masq = o.Bool("embedded-registry"), o.Bool("flannel-ipv6-masq")
	c.FlannelExternalIP, c.FlannelBackend = o.Bool("flannel-external-ip"), o.Text("flannel-backend")
	switch c.EgressSelectorMode = o.Text("egress-selector-mode"); c.EgressSelectorMode {
	case "agent", "cluster", "pod", "disabled":
	default:
		return fmt.Errorf("invalid egress-selector-mode %s", c.EgressSelectorMode)
	}
	c.Skips, c.Disables = map[string]bool{}, map[string]bool{}
	for _, name := range o.List("disable") {
		c.Skips[name], c.Disables[name] = true, true
	}
	c.DisableServiceLB = c.Disables["servicelb"]
	if c.DisableCCM && c.DisableServiceLB {
		c.Skips["ccm"], c.Disables["ccm"] = true, true
	}
	return nil
}

func networks(name string, texts []string) ([]*net.IPNet, error) {
	var result []*net.IPNet
	for _, text := range texts {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			return nil, fmt.Errorf("invalid %s %s: %w", name, text, err)
		}
		result = append(result, network)
	}
	if len(result) == 0 {
		return nil, fmt.Errorf("invalid %s: empty", name)
	}
	return result, nil
}

// Nth returns an address of a network by its number.
func Nth(network *net.IPNet, number byte) net.IP {
	address := append(net.IP{}, network.IP.To4()...)
	if len(address) == 0 {
		address = append(net.IP{}, network.IP...)
	}
	address[len(address)-1] += number
	return address
}

// Mismatches returns the options in which two servers differ (compareConfig in pkg/cluster/bootstrap.go).
func Mismatches(one, other Critical) []string {
	if other.EgressSelectorMode == "" {
		other.EgressSelectorMode = one.EgressSelectorMode
	}
	var result []string
	left, right := reflect.ValueOf(one), reflect.ValueOf(other)
	for i := range left.NumField() {
		name := left.Type().Field(i).Tag.Get("cli")
		if fmt.Sprint(left.Field(i).Interface()) != fmt.Sprint(right.Field(i).Interface()) && !strings.Contains(strings.Join(result, "\n"), name) {
			result = append(result, name)
		}
	}
	return result
}
