// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The stand-in for k3s in tests: real etcd, API server, scheduler and controller manager behind the distribution's own
// command line, files, tokens, certificates and ports; nodes on which KWOK plays the pods. See README.md.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"standin/internal/agent"
	"standin/internal/datadir"
	"standin/internal/distribution"
	"standin/internal/logging"
	"standin/internal/options"
	"standin/internal/process"
	"standin/internal/server"
)

func main() {
	name := filepath.Base(os.Args[0])
	arguments := os.Args[1:]
	// A multicall program: what it is called as comes first (cmd/k3s/main.go).
	if name == "kubectl" || name == "crictl" || name == "ctr" {
		arguments = append([]string{name}, arguments...)
	}
	if len(arguments) == 0 {
		arguments = []string{"--help"}
	}
	if err := run(arguments[0], arguments[1:]); err != nil {
		logging.Fatalf("Error: %v", err)
	}
}

func run(command string, arguments []string) error {
	switch command {
	case "--version", "-v", "version":
		fmt.Print(distribution.VersionText())
		return nil
	case "--help", "-h", "help":
		fmt.Printf("NAME:\n   %[1]s - Kubernetes, but small and simple (stand-in for tests)\n\nUSAGE:\n   %[1]s [global options] command\n\n"+
			"COMMANDS:\n   server   Run management server\n   agent    Run node agent\n   kubectl  Run kubectl\n   crictl   Run crictl\n   ctr      Run ctr\n",
			distribution.Current().Name)
		return nil
	case "kubectl":
		return kubectl(arguments)
	case "crictl", "ctr":
		return containers(command, arguments)
	case "server":
		return runServer(arguments)
	case "agent":
		return runAgent(arguments)
	}
	return fmt.Errorf("No help topic for '%s'", command)
}

// kubectl runs the real one with the administrator's kubeconfig (pkg/kubectl/main.go).
func kubectl(arguments []string) error {
	program, err := process.Program("kubectl")
	if err != nil {
		return err
	}
	if os.Getenv("KUBECONFIG") == "" {
		path := distribution.Current().KubeconfigFile()
		if home, err := os.UserHomeDir(); err == nil {
			if _, err := os.Stat(path); err != nil {
				path = filepath.Join(home, ".kube", "config")
			}
		}
		os.Setenv("KUBECONFIG", path)
	}
	return syscall.Exec(program, append([]string{"kubectl"}, arguments...), os.Environ())
}

// containers answers for crictl and ctr: there is no container runtime behind the stand-in.
func containers(command string, arguments []string) error {
	if len(arguments) > 0 && (arguments[0] == "--version" || arguments[0] == "-v") {
		fmt.Printf("%s version %s (stand-in)\n", command, distribution.Version)
		return nil
	}
	return fmt.Errorf("stand-in: %s is not supported, no container runtime is running", command)
}

func parse(command string, arguments []string) (*options.Options, error) {
	parsed, err := options.Parse(command, arguments)
	if err != nil {
		return nil, err
	}
	logging.Debug = parsed.Bool("debug")
	if os.Getuid() != 0 && !(command == "server" && parsed.Bool("disable-agent")) {
		if command == "agent" {
			return nil, fmt.Errorf("agent must be run as root, or with --rootless")
		}
		return nil, fmt.Errorf("server must run as root, or with --rootless and/or --disable-agent")
	}
	directory := parsed.Text("data-dir")
	if directory == "" {
		directory = distribution.Current().DataDirectory()
	}
	if directory, err = filepath.Abs(directory); err != nil {
		return nil, err
	}
	parsed.Set("data-dir", directory)
	return parsed, datadir.Prepare(directory)
}

// runServer follows run() in pkg/cli/server/server.go.
func runServer(arguments []string) error {
	parsed, err := parse("server", arguments)
	if err != nil {
		return err
	}
	plane, err := server.New(parsed)
	if err != nil {
		return err
	}
	logging.Infof("Starting %s %s (%s)", distribution.Current().Name, distribution.Version, distribution.Commit)
	notify := notifier()
	ctx := untilSignal()
	if err := plane.Start(ctx, notify); err != nil {
		return err
	}
	token, err := plane.AgentToken()
	if err != nil {
		return err
	}
	node := &agent.Agent{Options: parsed, ServerURL: plane.URL(), Token: token, IsServer: true}
	return end(ctx, node.Run(ctx, func() {}))
}

// runAgent follows Run() in pkg/cli/agent/agent.go.
func runAgent(arguments []string) error {
	parsed, err := parse("agent", arguments)
	if err != nil {
		return err
	}
	token, err := server.Secret(parsed, "token")
	if err != nil {
		return err
	}
	if token == "" {
		return fmt.Errorf("--token is required")
	}
	if parsed.Text("server") == "" {
		return fmt.Errorf("--server is required")
	}
	logging.Infof("Starting %s agent %s (%s)", distribution.Current().Name, distribution.Version, distribution.Commit)
	notify := notifier()
	ctx := untilSignal()
	node := &agent.Agent{Options: parsed, ServerURL: parsed.Text("server"), Token: token}
	return end(ctx, node.Run(ctx, func() {
		logging.Infof("%s agent is up and running", distribution.Current().Name)
		notify()
	}))
}

// end waits for the signal that ends the process, and ends the children.
func end(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil {
		return err
	}
	<-ctx.Done()
	process.StopAll()
	return nil
}

func untilSignal() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	return ctx
}

// notifier returns what tells systemd that the service is ready; children never see the socket.
func notifier() func() {
	path := os.Getenv("NOTIFY_SOCKET")
	os.Unsetenv("NOTIFY_SOCKET")
	return func() {
		if path == "" {
			return
		}
		connection, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			logging.Warnf("Failed to notify systemd: %v", err)
			return
		}
		defer connection.Close()
		_, _ = connection.Write([]byte("READY=1\n"))
		runtime.KeepAlive(connection)
	}
}
