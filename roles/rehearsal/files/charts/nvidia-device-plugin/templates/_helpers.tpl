{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}

{{- define "plugin.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "plugin.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $both := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $both .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "plugin.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "plugin.podLabels" -}}
app.kubernetes.io/name: {{ include "plugin.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Values.selectorLabelsOverride }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "plugin.labels" -}}
helm.sh/chart: {{ printf "%s-%s" (include "plugin.name" .) .Chart.Version | replace "+" "_" | trunc 63 }}
{{ include "plugin.podLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "plugin.image" -}}
{{- printf "%s:%s" .Values.image.repository (default (printf "v%s" .Chart.AppVersion) .Values.image.tag) -}}
{{- end -}}

{{- /* The ConfigMap that the pods mount, or nothing. */ -}}
{{- define "plugin.configMap" -}}
{{- if .Values.config.name -}}
{{- .Values.config.name -}}
{{- else if .Values.config.map -}}
{{- include "plugin.fullname" . }}-configs
{{- end -}}
{{- end -}}

{{- /* "true" when some configuration may have MIG devices, or mounts volumes: SYS_ADMIN is needed then. */ -}}
{{- define "plugin.mayUseMig" -}}
{{- if .Values.migStrategy -}}
{{- ne .Values.migStrategy "none" -}}
{{- else -}}
{{- ne (include "plugin.configMap" .) "" -}}
{{- end -}}
{{- end -}}

{{- define "plugin.sysAdmin" -}}
{{- $mounts := "false" -}}
{{- if .Values.deviceListStrategy -}}
{{- $mounts = contains "volume-mounts" .Values.deviceListStrategy | toString -}}
{{- end -}}
{{- if or (eq (include "plugin.mayUseMig" .) "true") (eq $mounts "true") -}}
capabilities: {add: [SYS_ADMIN]}
{{- else -}}
{allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
{{- end -}}
{{- end -}}

{{- define "plugin.securityContext" -}}
{{- if .Values.securityContext -}}
{{ toYaml .Values.securityContext }}
{{- else if .Values.compatWithCPUManager -}}
privileged: true
{{- else -}}
{{ include "plugin.sysAdmin" . }}
{{- end -}}
{{- end -}}

{{- define "plugin.gfdSecurityContext" -}}
{{- if .Values.gfd.securityContext -}}
{{ toYaml .Values.gfd.securityContext }}
{{- else -}}
{{ include "plugin.sysAdmin" . }}
{{- end -}}
{{- end -}}

{{- /* Pods restart when the chart's own ConfigMap changes; nothing marks a change of an external one. */ -}}
{{- define "plugin.annotations" -}}
{{- $annotations := deepCopy .Values.podAnnotations -}}
{{- if and .Values.config.map (not (hasKey $annotations "checksum/config")) -}}
{{- $_ := set $annotations "checksum/config" (toYaml .Values.config.map | sha256sum) -}}
{{- end -}}
{{- toYaml $annotations -}}
{{- end -}}

{{- /* What the three DaemonSets have in common in metadata and spec. */ -}}
{{- define "plugin.daemonSet" -}}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ printf "%s%s" (include "plugin.fullname" .root) .suffix | trunc 63 | trimSuffix "-" }}
  namespace: {{ include "plugin.namespace" .root }}
  labels:
    {{- include "plugin.labels" .root | nindent 4 }}
spec:
  # All three select the same labels, as in the real chart; the controller tells their pods apart by owner.
  selector:
    matchLabels:
      {{- if .root.Values.selectorLabelsOverride }}
      {{- toYaml .root.Values.selectorLabelsOverride | nindent 6 }}
      {{- else }}
      {{- include "plugin.podLabels" .root | nindent 6 }}
      {{- end }}
  {{- with .root.Values.updateStrategy }}
  updateStrategy:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  template:
    metadata:
      labels:
        {{- include "plugin.podLabels" .root | nindent 8 }}
      annotations:
        {{- include "plugin.annotations" .root | nindent 8 }}
    spec:
      {{- include "plugin.pod" .root | nindent 6 }}
{{- end -}}

{{- define "plugin.pod" -}}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
serviceAccountName: {{ include "plugin.fullname" . }}-service-account
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* A config-manager container: {root, name, oneshot, process, security}. */ -}}
{{- define "plugin.configManager" -}}
- name: {{ .name }}
  image: {{ include "plugin.image" .root }}
  command: [config-manager]
  env:
    - {name: ONESHOT, value: {{ .oneshot | quote }}}
    - {name: KUBECONFIG, value: ""}
    - name: NODE_NAME
      valueFrom:
        fieldRef:
          fieldPath: spec.nodeName
    - {name: NODE_LABEL, value: nvidia.com/device-plugin.config}
    - {name: CONFIG_FILE_SRCDIR, value: /available-configs}
    - {name: CONFIG_FILE_DST, value: /config/config.yaml}
    - {name: DEFAULT_CONFIG, value: {{ .root.Values.config.default | quote }}}
    - {name: FALLBACK_STRATEGIES, value: {{ join "," .root.Values.config.fallbackStrategies | quote }}}
    - {name: SEND_SIGNAL, value: {{ ternary "false" "true" .oneshot | quote }}}
    - {name: SIGNAL, value: {{ ternary "" "1" .oneshot | quote }}}
    - {name: PROCESS_TO_SIGNAL, value: {{ ternary "" .process .oneshot | quote }}}
  volumeMounts:
    - {name: available-configs, mountPath: /available-configs}
    - {name: config, mountPath: /config}
  {{- with .security }}
  securityContext:
    {{- . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "plugin.configVolume" -}}
- name: available-configs
  configMap:
    name: {{ include "plugin.configMap" . }}
{{- end -}}

{{- /* Environment variables of values that are set: a list of [variable, value, kind]. */ -}}
{{- define "plugin.environment" -}}
{{- range . }}
{{- if typeIs (index . 2) (index . 1) }}
- {name: {{ index . 0 }}, value: {{ index . 1 | quote }}}
{{- end }}
{{- end }}
{{- end -}}
