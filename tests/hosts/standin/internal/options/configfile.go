// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package options

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v2"

	"standin/internal/distribution"
	"standin/internal/logging"
)

// readConfiguration returns config.yaml and config.yaml.d as flags (pkg/configfilearg/parser.go).
func readConfiguration(command string, arguments []string) ([]string, error) {
	path := configurationPath(arguments)
	if path == "" {
		return nil, nil
	}
	files, err := dropIns(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err == nil {
		files = append([]string{path}, files...)
	} else if !os.IsNotExist(err) {
		return nil, err
	}
	merged, err := merge(files)
	if err != nil {
		return nil, err
	}
	return known(command, merged.arguments()), nil
}

func configurationPath(arguments []string) string {
	current := distribution.Current()
	if path := os.Getenv(current.Environment + "_CONFIG_FILE"); path != "" {
		return path
	}
	for i, argument := range arguments {
		for _, name := range []string{"--config", "-c"} {
			if argument == name {
				if i+1 < len(arguments) {
					return arguments[i+1]
				}
				return "" // the flag parser says what is wrong
			}
			if path, found := strings.CutPrefix(argument, name+"="); found {
				return path
			}
		}
	}
	return current.ConfigFile()
}

// dropIns returns the files of the .d directory in lexical order.
func dropIns(path string) ([]string, error) {
	entries, err := os.ReadDir(path + ".d")
	if os.IsNotExist(err) {
		return nil, nil
	}
	var files []string
	for _, entry := range entries {
		extension := strings.ToLower(filepath.Ext(entry.Name()))
		if !entry.IsDir() && (extension == ".yaml" || extension == ".yml") {
			files = append(files, filepath.Join(path+".d", entry.Name()))
		}
	}
	return files, err
}

// layers holds the keys of all files in the order in which they first appeared.
type layers struct {
	order  []string
	values map[string]any
}

func merge(files []string) (*layers, error) {
	result := &layers{values: map[string]any{}}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		// YAML 1.1 as upstream reads it: an unquoted 0644 is the number 420.
		data := yaml.MapSlice{}
		if err := yaml.Unmarshal(content, &data); err != nil {
			return nil, err
		}
		for _, item := range data {
			result.add(asText(item.Key), item.Value)
		}
	}
	return result, nil
}

// add replaces the value of a key; "key+" appends to what earlier files said.
func (l *layers) add(key string, value any) {
	name, appends := strings.CutSuffix(key, "+")
	old, present := l.values[name]
	if !present {
		l.order = append(l.order, name)
	}
	if present && appends {
		value = append(asList(old), asList(value)...)
	}
	l.values[name] = value
}

func (l *layers) arguments() []string {
	var result []string
	for _, name := range l.order {
		dashes := "--"
		if len(name) == 1 {
			dashes = "-"
		}
		items, isList := l.values[name].([]any)
		if !isList {
			items = []any{l.values[name]}
		}
		for _, item := range items {
			result = append(result, dashes+name+"="+asText(item))
		}
	}
	return result
}

// known drops unknown keys with a warning. Upstream does so for servers only (ValidFlags in
// pkg/configfilearg/defaultparser.go): an agent ends with "flag provided but not defined".
func known(command string, arguments []string) []string {
	if command != "server" {
		return arguments
	}
	names := map[string]bool{}
	for _, each := range table(command) {
		names[each.name], names[each.alias] = true, true
	}
	var result []string
	for _, argument := range arguments {
		name, _, _ := strings.Cut(argument, "=")
		if names[strings.TrimLeft(name, "-")] {
			result = append(result, argument)
		} else {
			logging.Warnf("Unknown flag %s found in config.yaml, skipping\n", name)
		}
	}
	return result
}

func asList(value any) []any {
	switch typed := value.(type) {
	case []any:
		return typed
	case nil:
		return nil
	}
	if text := strings.TrimSpace(asText(value)); text != "" {
		return []any{text}
	}
	return nil
}

func asText(value any) string {
	switch typed := value.(type) {
	case nil:
		return ""
	case string:
		return typed
	case []byte:
		return string(typed)
	}
	return fmt.Sprint(value)
}
