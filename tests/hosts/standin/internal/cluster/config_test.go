// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package cluster

import (
	"encoding/json"
	"strings"
	"testing"

	"standin/internal/options"
)

func config(t *testing.T, arguments ...string) *Config {
	t.Helper()
	parsed, err := options.Parse("server", append([]string{"--config=/nonexistent"}, arguments...))
	if err != nil {
		t.Fatal(err)
	}
	result := &Config{}
	if err := result.FromOptions(parsed); err != nil {
		t.Fatal(err)
	}
	return result
}

func TestMismatches(t *testing.T) {
	for arguments, wanted := range map[string]string{
		"":                    "",
		"--tls-san=x":         "",
		"--disable=traefik":   "",
		"--disable=servicelb": "disable-service-lb",
		"--cluster-cidr=10.9.0.0/16 --flannel-backend=none": "cluster-cidr flannel-backend",
		"--service-cidr=10.8.0.0/16":                        "cluster-dns service-cidr",
		"--secrets-encryption --disable-network-policy":     "disable-network-policy secrets-encryption",
	} {
		// As it travels: through JSON.
		content, err := json.Marshal(config(t, strings.Fields(arguments)...))
		if err != nil {
			t.Fatal(err)
		}
		other := Config{}
		if err := json.Unmarshal(content, &other); err != nil {
			t.Fatal(err)
		}
		if found := strings.Join(Mismatches(config(t).Critical, other.Critical), " "); found != wanted {
			t.Errorf("%q: %q", arguments, found)
		}
	}
}

func TestWrongNetworks(t *testing.T) {
	for argument, wanted := range map[string]string{
		"--cluster-cidr=10.42.0.0": "invalid cluster-cidr 10.42.0.0", "--service-cidr=x": "invalid service-cidr x",
		"--cluster-dns=name": "invalid cluster-dns address name", "--egress-selector-mode=never": "invalid egress-selector-mode never",
	} {
		parsed, err := options.Parse("server", []string{"--config=/nonexistent", argument})
		if err != nil {
			t.Fatal(err)
		}
		if err := (&Config{}).FromOptions(parsed); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s: %v", argument, err)
		}
	}
}

func TestSecretsAreNotTold(t *testing.T) {
	secret := config(t)
	secret.Token, secret.AgentToken, secret.DatastoreEndpoint = "hush", "hush", "https://user:hush@db"
	content, err := json.Marshal(secret)
	if err != nil || strings.Contains(string(content), "hush") {
		t.Errorf("%s, %v", content, err)
	}
}
