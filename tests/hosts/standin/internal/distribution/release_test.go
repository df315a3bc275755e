// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package distribution

import "testing"

func TestReleaseRules(t *testing.T) {
	for _, each := range []struct {
		version                                     string
		two, onPath, toolkitFirst, classes, imports bool
	}{
		{"v1.26.11+k3s1", false, false, false, false, false},
		{"v1.28.5+k3s1", false, false, false, true, false},
		{"v1.28.7+k3s1", false, true, false, true, false},
		{"v1.30.5+k3s1", false, true, false, true, false},
		{"v1.30.6+k3s1", false, true, true, true, false},
		{"v1.31.5+k3s1", false, true, true, true, false},
		{"v1.31.6+k3s1", true, true, true, true, false},
		{"v1.32.1+k3s1", false, true, true, true, false},
		{"v1.32.2-rc1+k3s1", true, true, true, true, false},
		{"v1.33.0+k3s1", true, true, true, true, false},
		{"v1.35.6+k3s1", true, true, true, true, true},
		{"v1.36.0+rke2r1", true, true, true, true, true},
	} {
		release, err := Parse(each.version)
		if err != nil {
			t.Fatal(err)
		}
		found := []bool{release.ContainerdTwo(), release.RuntimesOnPath(), release.ToolkitBeforePath(), release.RuntimeClasses(), release.ContainerdImports()}
		for i, wanted := range []bool{each.two, each.onPath, each.toolkitFirst, each.classes, each.imports} {
			if found[i] != wanted {
				t.Errorf("%s: rule %d is %t", each.version, i, found[i])
			}
		}
	}
	if _, err := Parse("1.35.6"); err == nil {
		t.Error("a version without v is none")
	}
}

func TestDistributionFollowsTheVersion(t *testing.T) {
	defer func(old string) { Version = old }(Version)
	for version, name := range map[string]string{"v1.35.6+k3s1": "k3s", "v1.35.6+rke2r1": "rke2"} {
		Version = version
		current := Current()
		if current.Name != name || current.ConfigFile() != "/etc/rancher/"+name+"/config.yaml" || current.DataDirectory() != "/var/lib/rancher/"+name {
			t.Errorf("%s: %+v", version, current)
		}
	}
}
