{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}
{{- if .Values.worker.enable }}
{{- $name := printf "%s-worker" (include "nfd.fullname" .) }}
{{- $conf := printf "%s-conf" $name }}
{{- $args := list (printf "-owner-refs=%s" (join "," .Values.worker.ownerRefs)) (printf "-port=%v" (.Values.worker.port | default 8080)) }}
{{- range $gate, $value := .Values.featureGates }}
{{- $args = append $args (printf "-feature-gates=%s=%v" $gate $value) }}
{{- end }}
{{- $host := dict "boot" "/boot" "sys" "/sys" "lib" "/lib" "usr-lib" "/usr/lib" "os-release" "/etc/os-release" "proc-swaps" "/proc/swaps" }}
{{- if .Values.worker.mountUsrSrc }}
{{- $_ := set $host "usr-src" "/usr/src" }}
{{- end }}
{{- $mounts := list (dict "name" "nfd-worker-conf" "mountPath" "/etc/kubernetes/node-feature-discovery" "readOnly" true) }}
{{- $volumes := list (dict "name" "nfd-worker-conf" "configMap" (dict "name" $conf)) }}
{{- range $volume, $path := $host }}
{{- $mounts = append $mounts (dict "name" (printf "host-%s" $volume) "mountPath" (printf "/host-%s" (trimPrefix "/" $path)) "readOnly" true) }}
{{- $volumes = append $volumes (dict "name" (printf "host-%s" $volume) "hostPath" (dict "path" $path)) }}
{{- end }}
{{- $features := "/etc/kubernetes/node-feature-discovery/features.d/" }}
{{- $mounts = append $mounts (dict "name" "features-d" "mountPath" $features "readOnly" true) }}
{{- $volumes = append $volumes (dict "name" "features-d" "hostPath" (dict "path" $features)) }}
{{- $account := include "nfd.serviceAccount" (dict "root" . "part" "worker" "name" $name) }}
{{- $part := dict "root" . "part" "worker" "role" "worker" "account" $account "command" "nfd-worker" "args" $args }}
{{- $_ := set $part "mounts" $mounts }}
{{- $_ := set $part "volumes" $volumes }}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ $name }}
  namespace: {{ include "nfd.namespace" . }}
  labels:
    {{- include "nfd.labels" . | nindent 4 }}
    role: worker
  {{- with .Values.worker.daemonsetAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  revisionHistoryLimit: {{ .Values.worker.revisionHistoryLimit }}
  {{- with .Values.worker.updateStrategy }}
  updateStrategy:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "nfd.selector" . | nindent 6 }}
      role: worker
  template:
    {{- include "nfd.template" $part | nindent 4 }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $conf }}
  namespace: {{ include "nfd.namespace" . }}
  labels:
    {{- include "nfd.labels" . | nindent 4 }}
data:
  nfd-worker.conf: |-
    {{- .Values.worker.config | toYaml | nindent 4 }}
{{- end }}
