// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package logging writes lines in the form of logrus' text formatter on a stream that is no terminal.
package logging

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

var (
	lock    sync.Mutex
	secrets []string
	Debug   bool
)

// Hide keeps a secret out of all further lines.
func Hide(secret string) {
	if len(secret) > 3 {
		lock.Lock()
		secrets = append(secrets, secret)
		lock.Unlock()
	}
}

func write(level, format string, arguments ...any) {
	lock.Lock()
	defer lock.Unlock()
	message := fmt.Sprintf(format, arguments...)
	for _, secret := range secrets {
		message = strings.ReplaceAll(message, secret, "********")
	}
	fmt.Fprintf(os.Stderr, "time=%q level=%s msg=%q\n", time.Now().UTC().Format(time.RFC3339), level, message)
}

// Debugf is written with --debug only.
func Debugf(format string, arguments ...any) {
	if Debug {
		write("debug", format, arguments...)
	}
}

// Infof writes one line.
func Infof(format string, arguments ...any) { write("info", format, arguments...) }

// Warnf writes one line.
func Warnf(format string, arguments ...any) { write("warning", format, arguments...) }

// Errorf writes one line.
func Errorf(format string, arguments ...any) { write("error", format, arguments...) }

// Fatalf writes one line and ends the process with status 1, as logrus does.
func Fatalf(format string, arguments ...any) {
	write("fatal", format, arguments...)
	os.Exit(1)
}
