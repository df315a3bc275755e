{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}
{{- if .Values.gc.enable }}
{{- $name := printf "%s-gc" (include "nfd.fullname" .) }}
{{- $args := list }}
{{- with .Values.gc.interval }}
{{- $args = append $args (printf "-gc-interval=%s" .) }}
{{- end }}
{{- $account := include "nfd.serviceAccount" (dict "root" . "part" "gc" "name" $name) }}
{{- $part := dict "root" . "part" "gc" "role" "gc" "account" $account "command" "nfd-gc" "args" $args }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  namespace: {{ include "nfd.namespace" . }}
  labels:
    {{- include "nfd.labels" . | nindent 4 }}
    role: gc
  {{- with .Values.gc.deploymentAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  replicas: {{ .Values.gc.replicaCount | default 1 }}
  revisionHistoryLimit: {{ .Values.gc.revisionHistoryLimit }}
  selector:
    matchLabels:
      {{- include "nfd.selector" . | nindent 6 }}
      role: gc
  template:
    {{- include "nfd.template" $part | nindent 4 }}
{{- end }}
