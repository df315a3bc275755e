# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Run a command inside a pod that is there, over a websocket."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError, Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError

try:
    from kubernetes import client as kubernetes_client
    from kubernetes.client.exceptions import ApiException
    from kubernetes.stream import stream
    from websocket import WebSocketException

    IMPORT_ERROR: t.Optional[Exception] = None
except ImportError as import_error:
    IMPORT_ERROR = import_error

# On this channel the server says, last of all, how the command ended.
ENDING = 3


def execute(connection: Connection, namespace: str, pod: str, container: str, command: t.Sequence[str], timeout: float) -> t.Tuple[int, str]:
    """Return exit code and output (both streams) of a command in a container.

    Raises: ApiError when server, node or container runtime refuse or fail, with what the command had said in C(details["output"]);
        GpuOpsError when the command does not end in time.
    """
    if IMPORT_ERROR is not None:
        raise GpuOpsError("The Python packages kubernetes and websocket-client are needed: %s. Fix: pip install kubernetes." % IMPORT_ERROR)
    # A client of its own: the stream replaces the client's way to send, which other threads may be using.
    api = kubernetes_client.CoreV1Api(kubernetes_client.ApiClient(connection.configuration))
    options = {"container": container, "command": list(command), "stdin": False, "stdout": True, "stderr": True, "tty": False}

    def failed(status: int, why: str, output: str = "") -> ApiError:
        path = "/api/v1/namespaces/%s/pods/%s/exec" % (namespace, pod)
        error = ApiError(status, "ExecFailed", "GET", path, "exec in pod %s/%s: %s" % (namespace, pod, why))
        error.details["output"] = output
        return error

    try:
        session = stream(api.connect_get_namespaced_pod_exec, pod, namespace, _preload_content=False, _request_timeout=timeout, **options)
    except ApiException as problem:
        raise failed(problem.status or 0, (problem.reason or "").strip() or str(problem.status))
    try:
        session.run_forever(timeout=timeout)
        told = None if session.is_open() else session.read_channel(ENDING)
        output = session.read_all()
    except (WebSocketException, OSError) as problem:
        raise failed(0, "the connection was lost: %s" % problem)
    finally:
        session.close()
    if told is None:
        raise GpuOpsError("exec in pod %s/%s: %s has not ended after %g s" % (namespace, pod, " ".join(command), timeout))
    code, status, why = ending(told)
    if code is None:
        raise failed(status, why, output)
    return code, output


def ending(told: str) -> t.Tuple[t.Optional[int], int, str]:
    """Return the exit code that a Status tells of; where it tells of something else, None, the HTTP status and the reason."""
    try:
        status = json.loads(told)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        return None, 0, told.strip() or "the connection ended before the command did"
    if status.get("status") == "Success":
        return 0, 0, ""
    causes = (status.get("details") or {}).get("causes") or []
    code = next((cause.get("message") or "" for cause in causes if cause.get("reason") == "ExitCode"), "")
    return int(code) if code.isdigit() else None, status.get("code") or 0, status.get("message") or told
