# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Run a command inside a pod that is there, over a websocket."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError, Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError

try:
    from kubernetes import client as kubernetes_client
    from kubernetes.client.exceptions import ApiException
    from kubernetes.stream import stream

    IMPORT_ERROR: t.Optional[Exception] = None
except ImportError as import_error:
    IMPORT_ERROR = import_error


def execute(connection: Connection, namespace: str, pod: str, container: str, command: t.Sequence[str], timeout: float) -> t.Tuple[int, str]:
    """Return exit code and output (both streams) of a command in a container.

    Raises: ApiError when the server or the node refuses, GpuOpsError when the command does not end in time.
    """
    if IMPORT_ERROR is not None:
        raise GpuOpsError("The Python packages kubernetes and websocket-client are needed: %s. Fix: pip install kubernetes." % IMPORT_ERROR)
    # A client of its own: the stream replaces the client's way to send, which other threads may be using.
    api = kubernetes_client.CoreV1Api(kubernetes_client.ApiClient(connection.configuration))
    path = "/api/v1/namespaces/%s/pods/%s/exec" % (namespace, pod)
    options = {"container": container, "command": list(command), "stdin": False, "stdout": True, "stderr": True, "tty": False}
    try:
        session = stream(api.connect_get_namespaced_pod_exec, pod, namespace, _preload_content=False, _request_timeout=timeout, **options)
    except ApiException as problem:
        message = "exec in pod %s/%s: %s" % (namespace, pod, (problem.reason or "").strip() or problem.status)
        raise ApiError(problem.status or 0, "ExecFailed", "GET", path, message)
    try:
        session.run_forever(timeout=timeout)
        code = session.returncode
        output = session.read_all()
    finally:
        session.close()
    if code is None:
        raise GpuOpsError("exec in pod %s/%s: %s has not ended after %g s" % (namespace, pod, " ".join(command), timeout))
    return code, output
