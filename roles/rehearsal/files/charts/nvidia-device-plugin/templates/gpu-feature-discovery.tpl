{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}
{{- if .Values.gfd.enabled }}
{{- $configured := include "plugin.configMap" . }}
{{- $security := include "plugin.gfdSecurityContext" . }}
{{ include "plugin.daemonSet" (dict "root" . "suffix" "-gpu-feature-discovery") }}
      {{- if .Values.gfd.enableHostNetwork }}
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      {{- end }}
      {{- with .Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if $configured }}
      shareProcessNamespace: true
      initContainers:
        {{- include "plugin.configManager" (dict "root" . "name" "gpu-feature-discovery-init" "oneshot" true "process" "") | nindent 8 }}
      {{- end }}
      containers:
        {{- if $configured }}
        {{- $sidecar := dict "root" . "name" "gpu-feature-discovery-sidecar" "oneshot" false "process" "gpu-feature-discovery" }}
        {{- include "plugin.configManager" (set $sidecar "security" $security) | nindent 8 }}
        {{- end }}
        - name: gpu-feature-discovery-ctr
          image: {{ include "plugin.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          command: [gpu-feature-discovery]
          env:
            {{- range $name, $path := dict "NODE_NAME" "spec.nodeName" "NAMESPACE" "metadata.namespace" "POD_NAME" "metadata.name" }}
            - name: {{ $name }}
              valueFrom:
                fieldRef:
                  fieldPath: {{ $path }}
            {{- end }}
            {{- /* The real chart reads noTimestamp and sleepInterval at the top, not gfd.noTimestamp and gfd.sleepInterval. */}}
            {{- include "plugin.environment" (list
              (list "MIG_STRATEGY" .Values.migStrategy "string")
              (list "FAIL_ON_INIT_ERROR" .Values.failOnInitError "bool")
              (list "GFD_NO_TIMESTAMP" .Values.noTimestamp "bool")
              (list "GFD_SLEEP_INTERVAL" .Values.sleepInterval "string")
              (list "DEVICE_DISCOVERY_STRATEGY" .Values.deviceDiscoveryStrategy "string")) | nindent 12 }}
            {{- if $configured }}
            - {name: CONFIG_FILE, value: /config/config.yaml}
            {{- end }}
            {{- if eq (include "plugin.mayUseMig" .) "true" }}
            - {name: NVIDIA_MIG_MONITOR_DEVICES, value: all}
            {{- end }}
          securityContext:
            {{- $security | nindent 12 }}
          volumeMounts:
            - {name: output-dir, mountPath: /etc/kubernetes/node-feature-discovery/features.d}
            - {name: host-sys, mountPath: /sys}
            {{- if $configured }}
            - {name: available-configs, mountPath: /available-configs}
            {{- end }}
            - {name: config, mountPath: /config}
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
      volumes:
        - {name: output-dir, hostPath: {path: /etc/kubernetes/node-feature-discovery/features.d, type: DirectoryOrCreate}}
        - {name: host-sys, hostPath: {path: /sys, type: Directory}}
        - {name: driver-root, hostPath: {path: {{ default "/" .Values.nvidiaDriverRoot | quote }}, type: Directory}}
        {{- if $configured }}
        {{- include "plugin.configVolume" . | nindent 8 }}
        {{- end }}
        - {name: config, emptyDir: {}}
{{- end }}
