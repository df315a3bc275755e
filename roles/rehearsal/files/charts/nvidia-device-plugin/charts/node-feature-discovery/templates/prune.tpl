{{- /* SPDX-License-Identifier: GPL-3.0-or-later: after an uninstall, a Job takes the labels off the nodes. */ -}}
{{- if .Values.postDeleteCleanup }}
{{- $name := printf "%s-prune" (include "nfd.fullname" .) }}
{{- $hook := dict "helm.sh/hook" "post-delete" "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ include "nfd.namespace" . }}
  labels:
    {{- include "nfd.labels" . | nindent 4 }}
  annotations:
    {{- toYaml $hook | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name }}
  labels:
    {{- include "nfd.labels" . | nindent 4 }}
  annotations:
    {{- toYaml $hook | nindent 4 }}
rules:
  - {apiGroups: [""], resources: [nodes, nodes/status], verbs: [get, patch, update, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels:
    {{- include "nfd.labels" . | nindent 4 }}
  annotations:
    {{- toYaml $hook | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ include "nfd.namespace" . }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $name }}
  namespace: {{ include "nfd.namespace" . }}
  labels:
    {{- include "nfd.labels" . | nindent 4 }}
  annotations:
    {{- toYaml $hook | nindent 4 }}
spec:
  ttlSecondsAfterFinished: 3600
  template:
    metadata:
      labels:
        {{- include "nfd.labels" . | nindent 8 }}
        role: prune
    spec:
      serviceAccountName: {{ $name }}
      restartPolicy: Never
      containers:
        - name: nfd-master
          image: {{ include "nfd.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          command: [nfd-master]
          args: ["-prune"{{ with .Values.master.instance }}, "-instance={{ . }}"{{ end }}]
          securityContext:
            {{- toYaml .Values.master.securityContext | nindent 12 }}
          resources:
            {{- toYaml .Values.master.resources | nindent 12 }}
      {{- range $key := list "nodeSelector" "affinity" "tolerations" }}
      {{- with get $.Values.master $key }}
      {{ $key }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
{{- end }}
