// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package distribution

import (
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// Release is a version in numbers.
type Release struct{ Major, Minor, Patch int }

var pattern = regexp.MustCompile(`^v(\d+)\.(\d+)\.(\d+)`)

// Parse reads the numbers of a version such as v1.35.6+k3s1.
func Parse(version string) (Release, error) {
	match := pattern.FindStringSubmatch(version)
	if match == nil {
		return Release{}, fmt.Errorf("invalid version %q", version)
	}
	var numbers [3]int
	for i := range numbers {
		numbers[i], _ = strconv.Atoi(match[i+1])
	}
	return Release{numbers[0], numbers[1], numbers[2]}, nil
}

// Running returns the release of this executable.
func Running() Release {
	release, err := Parse(Version)
	if err != nil {
		panic(err)
	}
	return release
}

// AtLeast tells whether the release has what came with these patches of its minor version: minor → first patch.
// A minor version above all listed ones has it from the start, one below them never got it.
func (r Release) AtLeast(first map[int]int) bool {
	if patch, listed := first[r.Minor]; listed {
		return r.Patch >= patch
	}
	highest := 0
	for minor := range first {
		highest = max(highest, minor)
	}
	return r.Minor > highest
}

// ContainerdTwo tells whether the release ships containerd 2, which reads version 3 of the configuration
// (docs.k3s.io, advanced options: February 2025).
func (r Release) ContainerdTwo() bool { return r.AtLeast(map[int]int{31: 6, 32: 2}) }

// ContainerdVersion is what the node reports as its runtime.
func (r Release) ContainerdVersion() string {
	switch {
	case r.Minor >= 36:
		return "2.3.2-k3s1"
	case r.Minor >= 33:
		return "2.2.6-k3s1"
	case r.ContainerdTwo():
		return "2.0.5-k3s1"
	}
	return "1.7.23-k3s2"
}

// RuntimesOnPath tells whether runtimes are looked for on PATH (k3s-io/k3s#9311) or in two fixed directories.
func (r Release) RuntimesOnPath() bool { return r.AtLeast(map[int]int{26: 14, 27: 11, 28: 7, 29: 2}) }

// ToolkitBeforePath tells whether the directory of the GPU operator's toolkit precedes PATH (k3s-io/k3s#10761),
// and whether the runtime nvidia-cdi is known (k3s-io/k3s#11065, the same releases).
func (r Release) ToolkitBeforePath() bool {
	return r.AtLeast(map[int]int{28: 15, 29: 10, 30: 6, 31: 2})
}

// DefaultRuntime tells whether --default-runtime exists; k3s-io/k3s#9311 brought it.
func (r Release) DefaultRuntime() bool { return r.RuntimesOnPath() }

// RuntimeClasses tells whether manifests/runtimes.yaml is shipped (December 2023).
func (r Release) RuntimeClasses() bool { return r.AtLeast(map[int]int{26: 12, 27: 9, 28: 5, 29: 0}) }

// ContainerdImports tells whether the rendered configuration imports a drop-in directory (k3s-io/k3s#13680, February 2026).
func (r Release) ContainerdImports() bool { return r.AtLeast(map[int]int{32: 12, 33: 8, 34: 5, 35: 2}) }

// VersionText is the output of --version (pkg/cli/cmds/root.go).
func VersionText() string {
	return fmt.Sprintf("%s version %s (%s)\ngo version %s\n", Current().Name, Version, Commit, runtime.Version())
}

// APIVersion returns what GET /version reports.
func APIVersion() map[string]any {
	release := Running()
	return map[string]any{
		"major": strconv.Itoa(release.Major), "minor": strconv.Itoa(release.Minor),
		"gitVersion": Version, "gitCommit": strings.Repeat(Commit, 5), "gitTreeState": "clean",
		"goVersion": runtime.Version(), "compiler": "gc", "platform": runtime.GOOS + "/" + runtime.GOARCH,
	}
}
