// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package options

import (
	goflag "flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"standin/internal/distribution"
	"standin/internal/logging"
)

// Options are the final values of one server or agent.
type Options struct {
	Command   string
	Arguments []string // flags and configuration in one list, as the node-args annotation has them
	values    map[string][]string
	given     map[string]bool
}

// Parse merges configuration files, flags and environment: flags win over files, files over the environment.
func Parse(command string, arguments []string) (*Options, error) {
	fromFiles, err := readConfiguration(command, arguments)
	if err != nil {
		logging.Fatalf("%v", err) // MustParse in pkg/configfilearg/defaultparser.go
	}
	options := &Options{Command: command, Arguments: append(fromFiles, arguments...), values: map[string][]string{}, given: map[string]bool{}}
	// urfave/cli, which the real one uses, is built on this package: the messages are the same.
	set := goflag.NewFlagSet(command, goflag.ContinueOnError)
	set.SetOutput(io.Discard)
	for _, each := range table(command) {
		value := &value{option: each, options: options}
		if fallback := each.fallback; fallback != "" {
			options.values[each.name] = []string{fallback}
		}
		if variable := each.variable(); variable != "" && os.Getenv(variable) != "" {
			options.values[each.name] = []string{os.Getenv(variable)}
			options.given[each.name] = true
		}
		set.Var(value, each.name, "")
		if each.alias != "" {
			set.Var(value, each.alias, "")
		}
	}
	if err := set.Parse(options.Arguments); err != nil {
		fmt.Printf("Incorrect Usage: %v\n\n", err)
		return nil, err
	}
	return options, nil
}

func (o option) variable() string {
	if strings.HasPrefix(o.environment, "=") {
		return o.environment[1:]
	}
	if o.environment == "" {
		return ""
	}
	return distribution.Current().Environment + "_" + o.environment
}

// value is one flag while the arguments are read.
type value struct {
	option  option
	options *Options
	seen    bool
}

func (v *value) String() string   { return "" }
func (v *value) IsBoolFlag() bool { return v.option.kind == flag }

func (v *value) Set(text string) error {
	switch v.option.kind {
	case flag:
		parsed, err := strconv.ParseBool(text)
		if err != nil {
			return err
		}
		text = strconv.FormatBool(parsed)
	case number:
		parsed, err := strconv.ParseInt(text, 0, 64)
		if err != nil {
			return err
		}
		text = strconv.FormatInt(parsed, 10)
	case duration:
		if _, err := time.ParseDuration(text); err != nil {
			return err
		}
	}
	values := v.options.values
	if v.option.kind == list && v.seen {
		values[v.option.name] = append(values[v.option.name], text)
	} else {
		values[v.option.name] = []string{text}
	}
	v.seen, v.options.given[v.option.name] = true, true
	return nil
}

// Text returns one value, or nothing.
func (o *Options) Text(name string) string {
	if values := o.values[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// Bool returns a switch.
func (o *Options) Bool(name string) bool { return o.Text(name) == "true" }

// Number returns an integer, or zero.
func (o *Options) Number(name string) int {
	result, _ := strconv.Atoi(o.Text(name))
	return result
}

// Raw returns a list whose items may hold commas (arguments of components).
func (o *Options) Raw(name string) []string { return o.values[name] }

// List returns a list; commas separate items (util.SplitStringSlice in pkg/util/net.go).
func (o *Options) List(name string) []string {
	var result []string
	for _, each := range o.values[name] {
		for _, item := range strings.Split(each, ",") {
			if item = strings.TrimSpace(item); item != "" {
				result = append(result, item)
			}
		}
	}
	return result
}

// Given tells whether the user set an option.
func (o *Options) Given(name string) bool { return o.given[name] }

// Set replaces a value (what one component decides for another).
func (o *Options) Set(name, text string) { o.values[name] = []string{text} }
