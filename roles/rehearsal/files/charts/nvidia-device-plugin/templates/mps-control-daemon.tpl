{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}
{{- if .Values.devicePlugin.enabled }}
{{- $configured := include "plugin.configMap" . }}
{{ include "plugin.daemonSet" (dict "root" . "suffix" "-mps-control-daemon") }}
      {{- if .Values.mps.enableHostNetwork }}
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      {{- end }}
      {{ ternary "hostPID" "shareProcessNamespace" .Values.mps.enableHostPID }}: true
      nodeSelector:
        # Only GPU feature discovery sets it, and only under a config with MPS.
        nvidia.com/mps.capable: "true"
        {{- with .Values.nodeSelector }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      initContainers:
        - name: mps-control-daemon-mounts
          image: {{ include "plugin.image" . }}
          command: [mps-control-daemon, mount-shm]
          securityContext: {privileged: true}
          volumeMounts:
            - {name: mps-root, mountPath: /mps, mountPropagation: Bidirectional}
        {{- if $configured }}
        {{- include "plugin.configManager" (dict "root" . "name" "mps-control-daemon-init" "oneshot" true "process" "") | nindent 8 }}
        {{- end }}
      containers:
        {{- if $configured }}
        {{- /* This path is no process's name, in the real chart too: its sidecar finds nobody to signal (k8s-device-plugin#1827). */}}
        {{- $sidecar := dict "root" . "name" "mps-control-daemon-sidecar" "oneshot" false "process" "/usr/bin/mps-control-daemon" }}
        {{- include "plugin.configManager" $sidecar | nindent 8 }}
        {{- end }}
        - name: mps-control-daemon-ctr
          image: {{ include "plugin.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          command: [mps-control-daemon]
          env:
            - name: NODE_NAME
              valueFrom:
                fieldRef:
                  fieldPath: spec.nodeName
            {{- include "plugin.environment" (list (list "MIG_STRATEGY" .Values.migStrategy "string")) | nindent 12 }}
            {{- if $configured }}
            - {name: CONFIG_FILE, value: /config/config.yaml}
            {{- end }}
            {{- if eq (include "plugin.mayUseMig" .) "true" }}
            - {name: NVIDIA_MIG_MONITOR_DEVICES, value: all}
            {{- end }}
            - {name: NVIDIA_VISIBLE_DEVICES, value: all}
            - {name: NVIDIA_DRIVER_CAPABILITIES, value: "compute,utility"}
          securityContext: {privileged: true}
          volumeMounts:
            - {name: mps-shm, mountPath: /dev/shm}
            - {name: mps-root, mountPath: /mps}
            {{- if $configured }}
            - {name: available-configs, mountPath: /available-configs}
            - {name: config, mountPath: /config}
            {{- end }}
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
      volumes:
        - {name: mps-root, hostPath: {path: {{ .Values.mps.root | quote }}, type: DirectoryOrCreate}}
        - {name: mps-shm, hostPath: {path: {{ printf "%s/shm" .Values.mps.root | quote }}}}
        {{- if $configured }}
        {{- include "plugin.configVolume" . | nindent 8 }}
        - {name: config, emptyDir: {}}
        {{- end }}
{{- end }}
