// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"standin/internal/client"
	"standin/internal/distribution"
	"standin/internal/etcd"
	"standin/internal/logging"
	"standin/internal/token"
)

// chooseDatastore decides as assignManagedDriver in pkg/cluster/managed.go: embedded etcd once it was used, on
// cluster-init, or to join; else sqlite, whose place a real etcd on loopback takes here.
func (s *Server) chooseDatastore() error {
	embedded, own, marker := s.paths.file("db/etcd"), s.paths.file("db/standin"), s.paths.file("db/state.db")
	s.etcd = &etcd.Etcd{Address: s.config.NodeIPs[0].String(), Directory: embedded, Embedded: true, TLS: s.paths.tls("etcd"), Log: s.paths.log("etcd"),
		Metrics: s.config.EtcdExposeMetrics, Extra: s.options.Raw("etcd-arg")}
	external := s.config.DatastoreEndpoint != ""
	wanted := s.config.ClusterInit || s.config.JoinURL != "" || distribution.Current().EtcdRole
	if external || (!wanted && !s.etcd.Initialized()) {
		s.etcd.Embedded, s.etcd.Directory = false, own
		if external {
			return nil
		}
		// Upstream's file, so that what looks for it finds it.
		if err := os.WriteFile(marker, []byte("stand-in: the data is in db/standin\n"), 0o600); err != nil {
			return err
		}
	} else if _, err := os.Stat(own); err == nil && !s.etcd.Initialized() && s.config.JoinURL == "" {
		// migrateFromSQLite in pkg/etcd/etcd.go
		logging.Infof("Migrating content from sqlite to etcd")
		if err := os.RemoveAll(embedded); err != nil {
			return err
		}
		if err := os.Rename(own, embedded); err != nil {
			return err
		}
		if err := os.Rename(marker, marker+".migrated"); err != nil {
			return err
		}
	}
	if err := s.forgetRemoved(); err != nil {
		return err
	}
	return s.etcd.SetName(s.config.ServerNodeName)
}

// forgetRemoved sets the data of a removed member aside, so that this server joins anew (ETCD.Register).
func (s *Server) forgetRemoved() error {
	directory := s.etcd.Directory
	if _, err := os.Stat(filepath.Join(directory, "tombstone")); err != nil {
		return nil
	}
	logging.Infof("tombstone file has been detected, removing data dir to rejoin the cluster")
	return os.Rename(directory, fmt.Sprintf("%s-old-%d", directory, time.Now().Unix()))
}

// etcdEnded leaves a tombstone where this member was removed, and waits to be restarted (pkg/daemons/executor/etcd.go).
func (s *Server) etcdEnded(err error) {
	content, _ := os.ReadFile(s.etcd.Log)
	if !bytes.Contains(content, []byte("permanently removed from the cluster")) {
		logging.Fatalf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(s.etcd.Directory, "tombstone"), nil, 0o600); err != nil {
		logging.Fatalf("failed to write tombstone file: %v", err)
	}
	logging.Infof("this node has been removed from the cluster please restart %s to rejoin the cluster", program())
}

// sameToken refuses another token than the one that this data was written with, before the passwords are replaced.
func (s *Server) sameToken() error {
	stored := s.passwords()["server"]
	if stored == "" || s.config.Token == "" || !s.etcd.Initialized() {
		return nil
	}
	given, err := token.Normalize(s.config.Token)
	if err != nil {
		return err
	}
	if given == stored {
		return nil
	}
	failure := errors.New("bootstrap data already found and encrypted with different token")
	if s.etcd.Embedded {
		logging.Fatalf("Failed to reconcile with temporary etcd: %v", failure)
	}
	return fmt.Errorf("failed to bootstrap cluster data: %w", failure)
}

// startEtcd runs the member and waits until it votes.
func (s *Server) startEtcd(ctx context.Context, info *client.Info) error {
	var members []string
	for info != nil {
		var err error
		if members, err = s.etcd.Join(info, s.config.ServerNodeName); err == nil {
			break
		}
		if !etcd.Temporary(err) {
			return fmt.Errorf("etcd cluster join failed: %w", err)
		}
		logging.Infof("Waiting for other members to finish joining etcd cluster: %v", err)
		time.Sleep(time.Second)
	}
	if err := s.etcd.Start(members, s.etcdEnded); err != nil {
		return err
	}
	said := time.Now()
	for {
		err := s.etcd.Test()
		if err == nil {
			break
		}
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			logging.Infof("Failed to test etcd connection: %v", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	if err := s.stored(); err != nil {
		return fmt.Errorf("Failed to reconcile with temporary etcd: %w", err)
	}
	return s.save()
}
