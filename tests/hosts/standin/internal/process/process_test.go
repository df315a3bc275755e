// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package process

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain plays the parent that is killed when the test asks for it.
func TestMain(m *testing.M) {
	if directory := os.Getenv("STANDIN_TEST_PARENT"); directory != "" {
		child, err := Start("sleep", filepath.Join(directory, "sleep.log"), []string{"600"}, nil, nil)
		if err != nil {
			panic(err)
		}
		fmt.Println(child.cmd.Process.Pid)
		select {}
	}
	os.Exit(m.Run())
}

func TestChildrenDieWithAKilledParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "STANDIN_TEST_PARENT="+t.TempDir())
	output, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child := filepath.Join("/proc", strings.TrimSpace(line), "stat")
	if !alive(child) {
		t.Fatal("the child does not run")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for deadline := time.Now().Add(30 * time.Second); alive(child); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the child outlived its parent")
		}
	}
}

// alive is false for a child that is gone, and for one that its new parent has not buried yet.
func alive(stat string) bool {
	content, err := os.ReadFile(stat)
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(content), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestProgram(t *testing.T) {
	directory := t.TempDir()
	t.Setenv("STANDIN_BIN", directory)
	if _, err := Program("no-such-program"); err == nil {
		t.Error("found what is not there")
	}
	for _, path := range []string{"tool-1.0/tool", "tool"} {
		path = filepath.Join(directory, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
		if found, err := Program("tool"); err != nil || found != path {
			t.Errorf("%s: %v", found, err)
		}
	}
}
