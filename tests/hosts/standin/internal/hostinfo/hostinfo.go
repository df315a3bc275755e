// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package hostinfo reads what the node reports about its host.
package hostinfo

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

const routes = "/proc/net/route"

// DefaultAddress returns the address of the interface with the default route
// (ChooseHostInterface in k8s.io/apimachinery/pkg/util/net/interface.go).
func DefaultAddress() (net.IP, error) {
	name, err := defaultInterface()
	if err != nil {
		return nil, err
	}
	address, err := InterfaceAddress(name)
	if err != nil {
		return nil, errors.New("unable to select an IP from default routes.")
	}
	return address, nil
}

func defaultInterface() (string, error) {
	file, err := os.Open(routes)
	if err != nil {
		return "", err
	}
	defer file.Close()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 8 || fields[1] != "00000000" || fields[7] != "00000000" {
			continue
		}
		if gateway, err := hex.DecodeString(fields[2]); err == nil && len(gateway) == 4 && binary.LittleEndian.Uint32(gateway) != 0 {
			return fields[0], nil
		}
	}
	return "", fmt.Errorf("no default routes found in %q or %q", routes, "/proc/net/ipv6_route")
}

// InterfaceAddress returns the first IPv4 address of an interface.
func InterfaceAddress(name string) (net.IP, error) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	addresses, err := link.Addrs()
	if err != nil {
		return nil, err
	}
	for _, each := range addresses {
		if network, ok := each.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.To4(), nil
		}
	}
	return nil, fmt.Errorf("unable to find IPv4 address on interface %s", name)
}

// NameAndAddresses returns the node's name and addresses (GetHostnameAndIPs in pkg/util/net.go).
func NameAndAddresses(name string, given []string) (string, []net.IP, error) {
	var addresses []net.IP
	for _, text := range given {
		address := net.ParseIP(text)
		if address == nil {
			return "", nil, fmt.Errorf("invalid node-ip: invalid ip format '%s'", text)
		}
		addresses = append(addresses, address)
	}
	if len(addresses) == 0 {
		address, err := DefaultAddress()
		if err != nil {
			return "", nil, err
		}
		addresses = append(addresses, address)
	}
	if name == "" {
		hostname, err := os.Hostname()
		if err != nil {
			return "", nil, err
		}
		name = hostname
	}
	return strings.ToLower(name), addresses, nil
}

// Join writes addresses with commas in between.
func Join(addresses []net.IP) string {
	texts := make([]string, len(addresses))
	for i, address := range addresses {
		texts[i] = address.String()
	}
	return strings.Join(texts, ",")
}

// Capacity returns the resources that a kubelet would report.
func Capacity(pods string, directory string) map[string]string {
	result := map[string]string{"cpu": strconv.Itoa(runtime.NumCPU()), "pods": pods, "hugepages-2Mi": "0", "hugepages-1Gi": "0"}
	result["memory"] = firstField("/proc/meminfo", "MemTotal:") + "Ki"
	var disk syscall.Statfs_t
	if syscall.Statfs(directory, &disk) == nil {
		result["ephemeral-storage"] = strconv.FormatUint(disk.Blocks*uint64(disk.Bsize)/1024, 10) + "Ki"
	}
	return result
}

// NodeInfo returns a node's status.nodeInfo.
func NodeInfo(kubelet, containerd string) map[string]any {
	read := func(path string) string {
		content, _ := os.ReadFile(path)
		return strings.TrimSpace(string(content))
	}
	return map[string]any{
		"machineID": read("/etc/machine-id"), "systemUUID": read("/etc/machine-id"), "bootID": read("/proc/sys/kernel/random/boot_id"),
		"kernelVersion": read("/proc/sys/kernel/osrelease"), "osImage": prettyName(), "operatingSystem": runtime.GOOS,
		"architecture": runtime.GOARCH, "containerRuntimeVersion": containerd, "kubeletVersion": kubelet, "kubeProxyVersion": "",
	}
}

func prettyName() string {
	name := strings.TrimPrefix(firstField("/etc/os-release", "PRETTY_NAME="), "PRETTY_NAME=")
	content, _ := os.ReadFile("/etc/os-release")
	for _, line := range strings.Split(string(content), "\n") {
		if value, found := strings.CutPrefix(line, "PRETTY_NAME="); found {
			name = strings.Trim(value, `"`)
		}
	}
	return name
}

func firstField(path, key string) string {
	content, _ := os.ReadFile(path)
	for _, line := range strings.Split(string(content), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == key {
			return fields[1]
		}
	}
	return ""
}
