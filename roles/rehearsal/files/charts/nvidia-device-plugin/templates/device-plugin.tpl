{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}
{{- if .Values.devicePlugin.enabled }}
{{- $configured := include "plugin.configMap" . }}
{{- $security := include "plugin.securityContext" . }}
{{ include "plugin.daemonSet" (dict "root" . "suffix" "") }}
      {{- if .Values.devicePlugin.enableHostNetwork }}
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
        {{- include "plugin.configManager" (dict "root" . "name" "nvidia-device-plugin-init" "oneshot" true "process" "") | nindent 8 }}
      {{- end }}
      containers:
        {{- if $configured }}
        {{- $sidecar := dict "root" . "name" "nvidia-device-plugin-sidecar" "oneshot" false "process" "nvidia-device-plugin" }}
        {{- include "plugin.configManager" (set $sidecar "security" $security) | nindent 8 }}
        {{- end }}
        - name: nvidia-device-plugin-ctr
          image: {{ include "plugin.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          command: [nvidia-device-plugin]
          env:
            - {name: MPS_ROOT, value: {{ .Values.mps.root | quote }}}
            {{- include "plugin.environment" (list
              (list "MIG_STRATEGY" .Values.migStrategy "string")
              (list "FAIL_ON_INIT_ERROR" .Values.failOnInitError "bool")
              (list "PASS_DEVICE_SPECS" .Values.compatWithCPUManager "bool")
              (list "DEVICE_LIST_STRATEGY" .Values.deviceListStrategy "string")
              (list "DEVICE_ID_STRATEGY" .Values.deviceIDStrategy "string")
              (list "NVIDIA_DRIVER_ROOT" .Values.nvidiaDriverRoot "string")
              (list "NVIDIA_DEV_ROOT" .Values.nvidiaDevRoot "string")
              (list "NVIDIA_CDI_HOOK_PATH" .Values.cdi.nvidiaHookPath "string")
              (list "CDI_FEATURE_FLAGS" .Values.cdi.featureFlags "string")
              (list "GDRCOPY_ENABLED" .Values.gdrcopyEnabled "bool")
              (list "GDS_ENABLED" .Values.gdsEnabled "bool")
              (list "MOFED_ENABLED" .Values.mofedEnabled "bool")
              (list "DEVICE_DISCOVERY_STRATEGY" .Values.deviceDiscoveryStrategy "string")) | nindent 12 }}
            {{- if $configured }}
            - {name: CONFIG_FILE, value: /config/config.yaml}
            {{- end }}
            {{- if eq (include "plugin.mayUseMig" .) "true" }}
            - {name: NVIDIA_MIG_MONITOR_DEVICES, value: all}
            {{- end }}
            - {name: NVIDIA_VISIBLE_DEVICES, value: all}
            - {name: NVIDIA_DRIVER_CAPABILITIES, value: "compute,utility"}
          securityContext:
            {{- $security | nindent 12 }}
          volumeMounts:
            - {name: kubelet-device-plugins-dir, mountPath: /var/lib/kubelet/device-plugins}
            {{- if typeIs "string" .Values.nvidiaDriverRoot }}
            - {name: driver-root, mountPath: /driver-root, readOnly: true}
            {{- end }}
            - {name: mps-shm, mountPath: /dev/shm}
            - {name: mps-root, mountPath: /mps}
            - {name: cdi-root, mountPath: /var/run/cdi}
            {{- if $configured }}
            - {name: available-configs, mountPath: /available-configs}
            - {name: config, mountPath: /config}
            {{- end }}
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
      volumes:
        - {name: kubelet-device-plugins-dir, hostPath: {path: /var/lib/kubelet/device-plugins, type: Directory}}
        - {name: mps-root, hostPath: {path: {{ .Values.mps.root | quote }}, type: DirectoryOrCreate}}
        - {name: mps-shm, hostPath: {path: {{ printf "%s/shm" .Values.mps.root | quote }}}}
        {{- if typeIs "string" .Values.nvidiaDriverRoot }}
        - {name: driver-root, hostPath: {path: {{ .Values.nvidiaDriverRoot | quote }}, type: Directory}}
        {{- end }}
        - {name: cdi-root, hostPath: {path: /var/run/cdi, type: DirectoryOrCreate}}
        {{- if $configured }}
        {{- include "plugin.configVolume" . | nindent 8 }}
        - {name: config, emptyDir: {}}
        {{- end }}
{{- end }}
