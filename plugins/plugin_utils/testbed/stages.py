# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What KWOK plays on the simulated nodes: nodes get ready, pods run, jobs end, deleted pods go."""

from __future__ import annotations

SELECTOR = "kwok.x-k8s.io/node=fake"
# A pod with this annotation (a duration such as 30s) ends with success after that time; pods of Jobs end after a second.
RUN_TIME = "gpuops.kubernetes/simulated-run-time"

# The clients of 5,000 nodes' pods wait for these: the defaults (4) leave a machine idle and the fleet late.
_CONFIGURATION = """\
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  nodePlayStageParallelism: 16
  podPlayStageParallelism: 16
  podsOnNodeSyncParallelism: 4
"""

# Conditions only: capacity and allocatable belong to whoever made the node, and to the GPU simulator.
# A node that somebody set to not ready (False) is left so; Unknown is what the controller manager writes
# when a sleeping laptop missed the heartbeats.
_NODE = """\
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: node-{name}
spec:
  resourceRef:
    apiGroup: v1
    kind: Node
  selector:
    matchExpressions:
      - jq:
          key: '.status.conditions[]? | select(.type == "Ready") | .status'
          operator: {operator}
          values: [{values}]
  delay:
    durationMilliseconds: {delay}
    jitterDurationMilliseconds: {jitter}
  steps:
    - patch:
        subresource: status
        root: status
        type: strategic
        template: |
          {{{{- $now := Now }}}}
          conditions:
          {{{{- range NodeConditions }}}}
            - type: {{{{ .type }}}}
              status: {{{{ .status | Quote }}}}
              reason: {{{{ .reason }}}}
              message: {{{{ .message | Quote }}}}
              lastHeartbeatTime: {{{{ $now | Quote }}}}
              {since}
          {{{{- end }}}}
"""

# Only a pod that nobody has reported on yet: a status the GPU simulator wrote (CrashLoopBackOff, say) stays.
_POD_RUNS = """\
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: pod-runs
spec:
  resourceRef:
    apiGroup: v1
    kind: Pod
  selector:
    matchExpressions:
      - jq: {key: .metadata.deletionTimestamp, operator: DoesNotExist}
      - jq: {key: .status.phase, operator: In, values: [Pending]}
      - jq: {key: .status.containerStatuses, operator: DoesNotExist}
  steps:
    - patch:
        subresource: status
        root: status
        type: strategic
        template: |
          {{- $now := Now }}
          {{- $gates := .spec.readinessGates }}
          {{- $ip := PodIPWith .spec.nodeName (or .spec.hostNetwork false) (or .metadata.uid "") .metadata.name .metadata.namespace }}
          phase: Running
          startTime: {{ $now | Quote }}
          {{- with NodeIPWith .spec.nodeName }}
          hostIP: {{ . | Quote }}
          hostIPs:
            - ip: {{ . | Quote }}
          {{- end }}
          {{- with $ip }}
          podIP: {{ . | Quote }}
          podIPs:
            - ip: {{ . | Quote }}
          {{- end }}
          conditions:
          {{- range list "PodReadyToStartContainers" "Initialized" "ContainersReady" "Ready" }}
            - type: {{ . }}
              status: "True"
              lastTransitionTime: {{ $now | Quote }}
          {{- end }}
          {{- range $gates }}
            - type: {{ .conditionType | Quote }}
              status: "True"
              lastTransitionTime: {{ $now | Quote }}
          {{- end }}
          {{- with .spec.initContainers }}
          initContainerStatuses:
          {{- range . }}
            - name: {{ .name }}
              image: {{ .image | Quote }}
              imageID: ""
              ready: true
              restartCount: 0
              {{- if eq (or .restartPolicy "") "Always" }}
              started: true
              state:
                running:
                  startedAt: {{ $now | Quote }}
              {{- else }}
              started: false
              state:
                terminated:
                  exitCode: 0
                  reason: Completed
                  startedAt: {{ $now | Quote }}
                  finishedAt: {{ $now | Quote }}
              {{- end }}
          {{- end }}
          {{- end }}
          containerStatuses:
          {{- range .spec.containers }}
            - name: {{ .name }}
              image: {{ .image | Quote }}
              imageID: ""
              ready: true
              started: true
              restartCount: 0
              state:
                running:
                  startedAt: {{ $now | Quote }}
          {{- end }}
"""

_POD_ENDS = """\
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: pod-ends
spec:
  resourceRef:
    apiGroup: v1
    kind: Pod
  selector:
    matchExpressions:
      - jq: {key: .metadata.deletionTimestamp, operator: DoesNotExist}
      - jq: {key: .status.phase, operator: In, values: [Running]}
      - jq:
          key: >-
            any(.metadata.ownerReferences[]?; .kind == "Job") or .metadata.annotations["RUN_TIME"] != null
          operator: In
          values: ["true"]
      - jq:
          key: '.status.conditions[]? | select(.type == "Ready") | .status'
          operator: In
          values: ["True"]
  delay:
    durationMilliseconds: 1000
    durationFrom:
      jq:
        expression: .metadata.annotations["RUN_TIME"]
  steps:
    - patch:
        subresource: status
        root: status
        type: strategic
        template: |
          {{- $now := Now }}
          {{- $began := .status.startTime }}
          phase: Succeeded
          conditions:
          {{- range list "ContainersReady" "Ready" }}
            - type: {{ . }}
              status: "False"
              reason: PodCompleted
              lastTransitionTime: {{ $now | Quote }}
          {{- end }}
          containerStatuses:
          {{- range .spec.containers }}
            - name: {{ .name }}
              image: {{ .image | Quote }}
              imageID: ""
              ready: false
              started: false
              restartCount: 0
              state:
                terminated:
                  exitCode: 0
                  reason: Completed
                  startedAt: {{ $began | Quote }}
                  finishedAt: {{ $now | Quote }}
          {{- end }}
"""

_POD_GOES = """\
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: pod-goes
spec:
  resourceRef:
    apiGroup: v1
    kind: Pod
  selector:
    matchExpressions:
      - jq: {key: .metadata.deletionTimestamp, operator: Exists}
  steps:
    - delete: true
"""


def kwok_configuration():
    """Return the content of KWOK's configuration file."""
    ready = _NODE.format(
        name="ready", operator="NotIn", values='"True", "False"', delay=0, jitter=0, since="lastTransitionTime: {{ $now | Quote }}"
    )
    # Four to six hours: the controller manager allows a day (see control_plane.py).
    heartbeat = _NODE.format(name="heartbeat", operator="In", values='"True"', delay=14400000, jitter=21600000, since="")
    ends = _POD_ENDS.replace("RUN_TIME", RUN_TIME)
    return "---\n" + "---\n".join((_CONFIGURATION, ready, heartbeat, _POD_RUNS, ends, _POD_GOES))
