# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A second KWOK, which plays the kubelet of a node that does not call itself simulated: its pods end, have logs, and run commands."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import subprocess

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import stages, state

ENDS = """\
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: check-{name}
spec:
  resourceRef:
    apiGroup: v1
    kind: Pod
  selector:
    matchExpressions:
      - jq: {{key: .metadata.deletionTimestamp, operator: DoesNotExist}}
      - jq: {{key: .status.phase, operator: In, values: [Running]}}
      - jq: {{key: .metadata.namespace, operator: In, values: [{namespaces}]}}
  steps:
    - patch:
        subresource: status
        root: status
        type: merge
        template: |
          phase: {phase}
          containerStatuses:
            - name: check
              image: check
              imageID: ""
              ready: false
              restartCount: 0
              state:
                terminated: {{exitCode: {code}, reason: {reason}, finishedAt: {{{{ Now | Quote }}}}}}
"""
LOGS = """\
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata:
  name: {namespace}
spec:
  selector:
    matchNamespaces: [{namespace}]
  logs:
    - logsFile: {path}
"""
EXEC = """\
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterExec
metadata:
  name: exec
spec:
  execs:
    - local: {}
"""
# KWOK's own defaults hold only where there is no KwokConfiguration. The testbed has one, which leaves logs and exec off.
DEBUGGING = """\
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  enableDebuggingHandlers: true
"""
SAID = {
    "good": ["[Vector addition of 50000 elements]", "Test PASSED", "Done"],
    "empty": ["[Vector addition of 50000 elements]", "no CUDA-capable device is detected"],
    "broken": ["error while loading shared libraries: libcuda.so.1"],
}
ANNOTATION = {"test.gpuops/kubelet": "double"}


@contextlib.contextmanager
def kubelet(made, directory):
    """Serve nodes with the annotation; yield the port, and the folder of the programs that the pods have."""
    programs = directory / "bin"
    programs.mkdir()
    documents = [stages.kwok_configuration(), DEBUGGING, EXEC]
    documents.append(ENDS.format(name="ends", namespaces="good, empty", phase="Succeeded", code=0, reason="Completed"))
    documents.append(ENDS.format(name="breaks", namespaces="broken", phase="Failed", code=127, reason="Error"))
    for namespace, lines in SAID.items():
        log = directory / (namespace + ".log")
        log.write_text("".join("2026-01-01T00:00:00.000000000Z stdout F %s\n" % line for line in lines))
        documents.append(LOGS.format(namespace=namespace, path=log))
    (directory / "kwok.yml").write_text("\n---\n".join(documents))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    pki = pathlib.Path(made.directory) / "pki"
    command = [state.load(pathlib.Path(made.directory))["programs"]["kwok"], "--kubeconfig=" + made.kubeconfig, "--config=%s" % (directory / "kwok.yml")]
    command += ["--manage-nodes-with-annotation-selector=%s=%s" % pair for pair in ANNOTATION.items()]
    command += ["--node-lease-duration-seconds=0", "--cidr=10.96.0.0/16"]
    command += ["--server-address=127.0.0.1:%d" % port, "--node-ip=127.0.0.1", "--node-port=%d" % port]
    command += ["--tls-cert-file=%s" % (pki / "apiserver.crt"), "--tls-private-key-file=%s" % (pki / "apiserver.key")]
    # KWOK looks for a pod's program where it would look for its own.
    options = {"stdin": subprocess.DEVNULL, "env": dict(os.environ, PATH=str(programs))}
    with open(directory / "kwok.log", "w", encoding="utf-8") as log, subprocess.Popen(command, stdout=log, stderr=log, **options) as process:
        try:
            yield port, programs
        finally:
            process.terminate()
