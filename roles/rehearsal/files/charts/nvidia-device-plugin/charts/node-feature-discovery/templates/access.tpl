{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}
{{- $root := . }}
{{- $full := include "nfd.fullname" . }}
{{- $nodes := dict "apiGroups" (list "") "resources" (list "nodes" "nodes/status") "verbs" (list "get" "list" "watch" "patch" "update") }}
{{- $features := dict "apiGroups" (list "nfd.k8s-sigs.io") "resources" (list "nodefeatures" "nodefeaturerules" "nodefeaturegroups") "verbs" (list "get" "list" "watch" "create" "update" "delete") }}
{{- $pods := dict "apiGroups" (list "") "resources" (list "pods") "verbs" (list "get") }}
{{- $parts := dict "master" (list $full (list $nodes $features)) "worker" (list (printf "%s-worker" $full) (list $features $pods)) "gc" (list (printf "%s-gc" $full) (list $nodes $features)) }}
{{- range $part, $what := $parts }}
{{- $values := get $root.Values $part }}
{{- if $values.enable }}
{{- $account := include "nfd.serviceAccount" (dict "root" $root "part" $part "name" (index $what 0)) }}
{{- if $values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $account }}
  namespace: {{ include "nfd.namespace" $root }}
  labels:
    {{- include "nfd.labels" $root | nindent 4 }}
  {{- with $values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- if $values.rbac.create }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ index $what 0 }}
  labels:
    {{- include "nfd.labels" $root | nindent 4 }}
rules:
  {{- toYaml (index $what 1) | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ index $what 0 }}
  labels:
    {{- include "nfd.labels" $root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ index $what 0 }}
subjects:
  - kind: ServiceAccount
    name: {{ $account }}
    namespace: {{ include "nfd.namespace" $root }}
{{- end }}
{{- end }}
{{- end }}
