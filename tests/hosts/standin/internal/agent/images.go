// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"standin/internal/logging"
)

// importImages takes note of the archives in agent/images, of which the real one imports the content (PreloadImages in
// pkg/agent/containerd/containerd.go). The list, agent/images-imported.json, is our own file.
func (a *Agent) importImages() error {
	entries, err := os.ReadDir(a.path("images"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	imported := []string{}
	for _, entry := range entries {
		name := strings.ToLower(entry.Name())
		for _, suffix := range []string{".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.bz2", ".tbz", ".tar.lz4"} {
			if !entry.IsDir() && strings.HasSuffix(name, suffix) {
				logging.Infof("Importing images from %s", filepath.Join(a.path("images"), entry.Name()))
				imported = append(imported, entry.Name())
				break
			}
		}
	}
	sort.Strings(imported)
	content, err := json.MarshalIndent(imported, "", "  ")
	if err != nil {
		return err
	}
	return write(a.path("images-imported.json"), append(content, '\n'))
}
