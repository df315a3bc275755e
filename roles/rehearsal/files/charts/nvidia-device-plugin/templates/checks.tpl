{{- /* SPDX-License-Identifier: GPL-3.0-or-later: what the real chart refuses, refused here too. */ -}}
{{- $here := .Values.allowDefaultNamespace -}}
{{- if .Values.namespace -}}
{{- fail "the value 'namespace' is no longer supported: name the namespace with helm's option --namespace" -}}
{{- end -}}
{{- if and (eq .Release.Namespace "default") (not $here) -}}
{{- fail "running in the 'default' namespace is not recommended: choose another one with --namespace, or set allowDefaultNamespace=true" -}}
{{- end -}}
{{- if and .Values.config.name .Values.config.map -}}
{{- fail "only one of 'config.name' (a ConfigMap that exists) and 'config.map' (one that the chart makes) may be set" -}}
{{- end -}}
{{- if and .Values.config.map (not .Values.config.default) -}}
{{- $named := and (has "named" .Values.config.fallbackStrategies) (hasKey .Values.config.map "default") -}}
{{- $single := and (has "single" .Values.config.fallbackStrategies) (eq (len .Values.config.map) 1) -}}
{{- if not (or $named $single (has "empty" .Values.config.fallbackStrategies)) -}}
{{- fail "a default config must be provided when 'config.map' has more than one: set 'config.default', or a fallback strategy that finds one" -}}
{{- end -}}
{{- end -}}
