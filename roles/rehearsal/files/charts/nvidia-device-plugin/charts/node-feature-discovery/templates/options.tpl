{{- /* SPDX-License-Identifier: GPL-3.0-or-later: what is off unless somebody asks for it. */ -}}
{{- $root := . }}
{{- range $part := list "master" "worker" "gc" }}
{{- $values := get $root.Values $part }}
{{- $selector := printf "%s\nrole: %s" (include "nfd.selector" $root) $part }}
{{- $name := printf "%s-%s" (include "nfd.fullname" $root) $part }}
{{- with $values.podDisruptionBudget }}
{{- if .enable }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  namespace: {{ include "nfd.namespace" $root }}
  labels:
    {{- include "nfd.labels" $root | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
  {{- toYaml (omit . "enable") | nindent 2 }}
{{- end }}
{{- end }}
{{- with $values.networkPolicy }}
{{- if .enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $name }}
  namespace: {{ include "nfd.namespace" $root }}
  labels:
    {{- include "nfd.labels" $root | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- $selector | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- toYaml (omit . "enabled") | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.prometheus.enable }}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ include "nfd.fullname" . }}
  namespace: {{ include "nfd.namespace" . }}
  labels:
    {{- include "nfd.selector" . | nindent 4 }}
    {{- with .Values.prometheus.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "nfd.selector" . | nindent 6 }}
  podMetricsEndpoints:
    - {port: http, path: /metrics, interval: {{ .Values.prometheus.scrapeInterval }}, honorLabels: true}
{{- end }}
