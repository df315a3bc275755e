{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "plugin.fullname" . }}-service-account
  namespace: {{ include "plugin.namespace" . }}
  labels:
    {{- include "plugin.labels" . | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ include "plugin.fullname" . }}-role
  labels:
    {{- include "plugin.labels" . | nindent 4 }}
rules:
  - {apiGroups: [""], resources: [nodes], verbs: [get, list, watch]}
  {{- if .Values.gfd.enabled }}
  - {apiGroups: [nfd.k8s-sigs.io], resources: [nodefeatures], verbs: [get, list, watch, create, update]}
  - {apiGroups: [""], resources: [pods], verbs: [get]}
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ include "plugin.fullname" . }}-role-binding
  labels:
    {{- include "plugin.labels" . | nindent 4 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "plugin.fullname" . }}-service-account
    namespace: {{ include "plugin.namespace" . }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ include "plugin.fullname" . }}-role
