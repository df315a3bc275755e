{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}
{{- if .Values.config.map }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "plugin.configMap" . }}
  namespace: {{ include "plugin.namespace" . }}
  labels:
    {{- include "plugin.labels" . | nindent 4 }}
data:
  {{- range $name, $text := .Values.config.map }}
  {{ $name }}: |-
    {{- $text | nindent 4 }}
  {{- end }}
{{- end }}
