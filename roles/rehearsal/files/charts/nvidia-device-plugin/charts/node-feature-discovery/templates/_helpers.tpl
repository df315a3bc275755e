{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}

{{- define "nfd.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "nfd.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $both := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $both .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "nfd.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "nfd.selector" -}}
app.kubernetes.io/name: {{ include "nfd.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "nfd.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{ include "nfd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "nfd.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{- /* The service account of a part: {root, part, name} with the name that is made when none is given. */ -}}
{{- define "nfd.serviceAccount" -}}
{{- $account := (get .root.Values .part).serviceAccount -}}
{{- default (ternary .name "default" $account.create) $account.name -}}
{{- end -}}

{{- /* The pod template of a part: {root, part, role, account, command, args, mounts, volumes}. */ -}}
{{- define "nfd.template" -}}
{{- $values := get .root.Values .part -}}
metadata:
  labels:
    {{- include "nfd.selector" .root | nindent 4 }}
    {{- with $values.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    role: {{ .role }}
  annotations:
    {{- if hasKey $values "config" }}
    checksum/config: {{ $values.config | toYaml | sha256sum }}
    {{- end }}
    {{- with $values.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ .account }}
  dnsPolicy: {{ $values.dnsPolicy }}
  hostNetwork: {{ $values.hostNetwork }}
  {{- if kindIs "bool" $values.hostUsers }}
  hostUsers: {{ $values.hostUsers }}
  {{- end }}
  {{- with $values.priorityClassName | default .root.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .root.Values.imagePullSecrets | default .root.Values.global.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $values.podSecurityContext | nindent 4 }}
  {{- with $values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .role }}
      image: {{ include "nfd.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: [{{ .command }}]
      args:
        {{- range .args }}
        - {{ . | quote }}
        {{- end }}
        {{- with $values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        - name: NODE_NAME
          valueFrom:
            fieldRef:
              fieldPath: spec.nodeName
        {{- with $values.extraEnvs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: http, containerPort: {{ $values.port | default 8080 }}}
      {{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
      {{- with get $values $probe }}
      {{ $probe }}:
        httpGet: {path: /healthz, port: http}
        {{- range $key, $value := . }}
        {{- if $value }}
        {{ $key }}: {{ $value }}
        {{- end }}
        {{- end }}
      {{- end }}
      {{- end }}
      securityContext:
        {{- toYaml (default .root.Values.worker.securityContext $values.securityContext) | nindent 8 }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      {{- with .mounts }}
      volumeMounts:
        {{- toYaml . | nindent 8 }}
      {{- end }}
  {{- with .volumes }}
  volumes:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- range $key := list "nodeSelector" "affinity" "tolerations" }}
  {{- with get $values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}
