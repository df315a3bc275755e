// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package process runs the real programs as children that never outlive this process.
package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"standin/internal/logging"
)

// Child is a running program.
type Child struct {
	Name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

var (
	starts  = make(chan func())
	once    sync.Once
	lock    sync.Mutex
	running []*Child
	ending  bool
)

// Program returns the path of a real program: in STANDIN_BIN (/opt/standin/bin), in a directory right below it, as in the
// cache of the project's testbed, or on PATH.
func Program(name string) (string, error) {
	directory := os.Getenv("STANDIN_BIN")
	if directory == "" {
		directory = "/opt/standin/bin"
	}
	found, _ := filepath.Glob(filepath.Join(directory, "*", name))
	for _, path := range append([]string{filepath.Join(directory, name)}, found...) {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		if self, _ := os.Executable(); self != resolved(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("stand-in: the program %s is neither in %s nor on PATH; set STANDIN_BIN", name, directory)
}

func resolved(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// Start runs a program whose output goes to log, and calls ended (if any) when it ends unasked.
func Start(name, log string, arguments, environment []string, ended func(error)) (*Child, error) {
	program, err := Program(name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		return nil, err
	}
	// Each start its own log: what the previous one said is kept once.
	_ = os.Rename(log, log+".previous")
	output, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	child := &Child{Name: name, cmd: exec.Command(program, arguments...), done: make(chan struct{})}
	child.cmd.Stdout, child.cmd.Stderr = output, output
	child.cmd.Env = append(os.Environ(), environment...)
	// KillMode=process in the vendor's unit: systemd leaves children alone, so that they must die with their parent,
	// also when it is killed; else the next start would find ports taken.
	child.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	lock.Lock()
	defer lock.Unlock()
	if ending {
		return nil, context.Canceled
	}
	result := make(chan error)
	once.Do(func() { go starter() })
	starts <- func() { result <- child.cmd.Start() }
	if err := <-result; err != nil {
		return nil, err
	}
	running = append(running, child)
	go func() {
		child.err = child.cmd.Wait()
		close(child.done)
		lock.Lock()
		quiet := ending
		lock.Unlock()
		if !quiet && ended != nil {
			ended(fmt.Errorf("%s exited: %v", name, child.err))
		}
	}()
	return child, nil
}

// starter forks all children from one thread that lives as long as the process:
// the kernel sends Pdeathsig when the thread that forked ends.
func starter() {
	runtime.LockOSThread()
	for start := range starts {
		start()
	}
}

// Stop ends a child, with SIGKILL after grace.
func (c *Child) Stop(signal syscall.Signal, grace time.Duration) {
	_ = c.cmd.Process.Signal(signal)
	select {
	case <-c.done:
	case <-time.After(grace):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// StopAll ends all children, etcd last and gently, so that its log is closed.
func StopAll() {
	lock.Lock()
	ending = true
	children := append([]*Child{}, running...)
	lock.Unlock()
	for _, child := range children {
		if child.Name != "etcd" {
			child.Stop(syscall.SIGKILL, time.Second)
		}
	}
	for _, child := range children {
		if child.Name == "etcd" {
			child.Stop(syscall.SIGTERM, 5*time.Second)
		}
	}
	logging.Debugf("all children have ended")
}
