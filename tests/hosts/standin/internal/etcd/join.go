// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"standin/internal/client"
	"standin/internal/logging"
)

// joinTimeout is upstream's: another member may be joining, and the cluster without a leader for a while.
const joinTimeout = 20 * time.Second

// Info is the answer of GET /db/info.
type Info struct {
	Members []Member `json:"members"`
}

// Join adds this server to the cluster as a learner and returns the members to start with (ETCD.join).
func (e *Etcd) Join(info *client.Info, node string) ([]string, error) {
	content, err := info.Get("/db/info")
	if err != nil {
		return nil, fmt.Errorf("failed to get MemberList from server: %w", err)
	}
	known := Info{}
	if err := json.Unmarshal(content, &known); err != nil {
		return nil, fmt.Errorf("failed to get MemberList from server: %w", err)
	}
	var cluster, clients []string
	add := true
	for _, member := range known.Members {
		if len(member.PeerURLs) == 0 {
			continue
		}
		address, err := url.Parse(member.PeerURLs[0])
		if err != nil {
			return nil, err
		}
		// A member that was added and never started has no name; with our address it is us.
		if member.Name == "" && address.Hostname() == e.Address {
			member.Name = e.Name
		}
		if member.Name == e.Name && address.Hostname() == e.Address {
			add = false
		}
		cluster = append(cluster, member.Name+"="+member.PeerURLs[0])
		if !member.IsLearner { // a learner does not take requests
			clients = append(clients, member.ClientURLs...)
		}
		if member.Name != e.Name && nodeOf(member.Name) == node {
			return nil, errors.New("duplicate node name found, please use a unique name for this node")
		}
	}
	if !add {
		return cluster, nil
	}
	logging.Infof("Adding member %s=%s to etcd cluster %v", e.Name, e.PeerURL(), cluster)
	err = errors.New("no etcd client URLs found")
	for _, server := range clients {
		request := map[string]any{"peerURLs": []string{e.PeerURL()}, "isLearner": true}
		if err = e.callWithin(joinTimeout, server, "/v3/cluster/member/add", request, nil); err == nil {
			return append(cluster, e.Name+"="+e.PeerURL()), nil
		}
	}
	return nil, err
}

// Temporary tells whether joining may work a little later (rpctypes.ErrTooManyLearners, ErrUnhealthy, ErrMemberListFailed).
func Temporary(err error) bool {
	text := err.Error()
	for _, part := range []string{"too many learner", "unhealthy", "MemberList", "not strictly enough", "leader changed", "connection refused"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// PromoteLearners turns learners that have caught up into voters (ETCD.manageLearners); etcd refuses the others.
func (e *Etcd) PromoteLearners() {
	members, err := e.Members()
	if err != nil {
		return
	}
	for _, member := range members {
		if !member.IsLearner || member.Name == "" {
			continue
		}
		if err := e.Call(e.ClientURL(), "/v3/cluster/member/promote", map[string]any{"ID": member.ID}, nil); err == nil {
			logging.Infof("Promoted learner %s", member.Name)
		}
	}
}

// nodeOf is the node in a member's name.
func nodeOf(member string) string {
	if hyphen := strings.LastIndex(member, "-"); hyphen > 1 {
		return member[:hyphen]
	}
	return member
}

// Remove takes the member of a removed node out of the cluster (member_controller.go, which knows it by an annotation,
// and so misses a node that is removed right after it came).
func (e *Etcd) Remove(node string) error {
	members, err := e.Members()
	if err != nil {
		return err
	}
	for _, member := range members {
		if nodeOf(member.Name) == node {
			logging.Infof("Removing name=%s id=%s address=%s from etcd", member.Name, member.ID, strings.Join(member.PeerURLs, ","))
			err := e.Call(e.ClientURL(), "/v3/cluster/member/remove", map[string]any{"ID": member.ID}, nil)
			if err != nil && strings.Contains(err.Error(), "member not found") {
				return nil // another server was faster
			}
			return err
		}
	}
	return nil
}
