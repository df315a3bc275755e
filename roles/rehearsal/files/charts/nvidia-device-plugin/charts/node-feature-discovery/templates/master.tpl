{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}
{{- if .Values.master.enable }}
{{- $name := printf "%s-master" (include "nfd.fullname" .) }}
{{- $conf := printf "%s-conf" $name }}
{{- $args := list (printf "-port=%v" (.Values.master.port | default 8080)) }}
{{- range $flag, $value := dict "instance" .Values.master.instance "resync-period" .Values.master.resyncPeriod "nfd-api-parallelism" .Values.master.nfdApiParallelism }}
{{- if $value }}
{{- $args = append $args (printf "-%s=%v" $flag $value) }}
{{- end }}
{{- end }}
{{- range $flag, $value := dict "extra-label-ns" .Values.master.extraLabelNs "deny-label-ns" .Values.master.denyLabelNs }}
{{- if $value }}
{{- $args = append $args (printf "-%s=%s" $flag (join "," $value)) }}
{{- end }}
{{- end }}
{{- if .Values.master.enableTaints }}
{{- $args = append $args "-enable-taints" }}
{{- end }}
{{- if gt (int .Values.master.replicaCount) 1 }}
{{- $args = append $args "-enable-leader-election" }}
{{- end }}
{{- range $gate, $value := .Values.featureGates }}
{{- $args = append $args (printf "-feature-gates=%s=%v" $gate $value) }}
{{- end }}
{{- $account := include "nfd.serviceAccount" (dict "root" . "part" "master" "name" (include "nfd.fullname" .)) }}
{{- $part := dict "root" . "part" "master" "role" "master" "account" $account "command" "nfd-master" "args" $args }}
{{- $_ := set $part "mounts" (list (dict "name" "nfd-master-conf" "mountPath" "/etc/kubernetes/node-feature-discovery" "readOnly" true)) }}
{{- $_ := set $part "volumes" (list (dict "name" "nfd-master-conf" "configMap" (dict "name" $conf))) }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  namespace: {{ include "nfd.namespace" . }}
  labels:
    {{- include "nfd.labels" . | nindent 4 }}
    role: master
  {{- with .Values.master.deploymentAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  replicas: {{ .Values.master.replicaCount }}
  revisionHistoryLimit: {{ .Values.master.revisionHistoryLimit }}
  selector:
    matchLabels:
      {{- include "nfd.selector" . | nindent 6 }}
      role: master
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
  nfd-master.conf: |-
    {{- .Values.master.config | toYaml | nindent 4 }}
{{- end }}
