// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package datadir lays out what the real executable unpacks from itself (extract in cmd/k3s/main.go): the directories
// and links only, as nothing is packed into this one.
package datadir

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
)

// Prepare makes data/<digest of the executable>/bin, and the links current and previous, which tell an upgrade.
func Prepare(directory string) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, file); err != nil {
		return err
	}
	data := filepath.Join(directory, "data")
	release := filepath.Join(data, hex.EncodeToString(digest.Sum(nil)))
	for _, each := range []string{filepath.Join(release, "bin"), filepath.Join(data, "cni")} {
		if err := os.MkdirAll(each, 0o755); err != nil {
			return err
		}
	}
	current, previous := filepath.Join(data, "current"), filepath.Join(data, "previous")
	if target, err := os.Readlink(current); err == nil {
		if target == release {
			return nil
		}
		_ = os.Remove(previous)
		if err := os.Rename(current, previous); err != nil {
			return err
		}
	}
	return os.Symlink(release, current)
}
