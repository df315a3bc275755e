# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""One connection to a Kubernetes API server: authentication and TLS by the Python client, raw JSON by us.

The client's typed models are left out on purpose: they cost four times the time and eight times the memory of the raw pages.
"""

from __future__ import annotations

import json
import os
import random
import time
import typing as t
import urllib.parse

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError

try:
    import urllib3
    import yaml
    from kubernetes import client as kubernetes_client
    from kubernetes.config import kube_config

    IMPORT_ERROR: t.Optional[Exception] = None
except ImportError as import_error:
    IMPORT_ERROR = import_error

FIELD_MANAGER = "gpuops"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

# 429 is API priority and fairness; the others are what a restarting or overloaded server or its load balancer answers.
PASSING = (429, 500, 502, 503, 504)

FIXES = {
    401: ". Fix: the credentials of this context have expired or are unknown to the cluster; fetch its kubeconfig again.",
    403: ". Fix: give the user of this context a role that allows it, or use another context.",
}

CLUSTER_ARGS: t.Dict[str, t.Any] = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str", "required": True},
    "retry_for": {"type": "float", "default": 30.0},
}


class ApiError(GpuOpsError):
    """The API server said no, or nothing at all (C(status) 0)."""

    def __init__(self, status: int, reason: str, verb: str, path: str, message: str) -> None:
        super().__init__(message, status=status, reason=reason, request="%s %s" % (verb, path))
        self.status = status
        self.reason = reason


class NoObject(ValueError):
    """A body that is no JSON object, which no API server sends: a proxy's, or not all of it."""

    def __init__(self, payload: bytes) -> None:
        super().__init__("no JSON object")
        self.payload = payload


def parse(payload: bytes) -> t.Dict[str, t.Any]:
    """Return the JSON object that the body of an answer holds.

    Raises: NoObject
    """
    try:
        answer = json.loads(payload)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NoObject(payload)
    return answer


def read_body(response: t.Any) -> bytes:
    try:
        return response.read()
    finally:
        response.release_conn()


def _parsed(response: t.Any) -> t.Dict[str, t.Any]:
    return parse(read_body(response))


class Connection:
    """Requests to one API server. Safe for use by several threads.

    :param retry_for: seconds for which a passing failure (no connection, 429, 5xx) is tried again.
    """

    def __init__(self, api_client: t.Any, name: str, retry_for: float = 30.0, clock: t.Any = time) -> None:
        self.configuration = api_client.configuration
        self._pool = api_client.rest_client.pool_manager
        self.server = api_client.configuration.host.rstrip("/")
        self.name = name
        self._retry_for = retry_for
        self._clock = clock

    def request(
        self,
        verb: str,
        path: str,
        query: t.Optional[t.Dict[str, t.Any]] = None,
        body: t.Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> t.Any:
        """Return the parsed answer of one request.

        Raises: ApiError for every answer but a JSON object with 2xx, after passing failures were tried again.
        """
        return self.fetch(verb, path, query, body, content_type, accept, _parsed)

    def fetch(
        self,
        verb: str,
        path: str,
        query: t.Optional[t.Dict[str, t.Any]] = None,
        body: t.Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        take: t.Callable[[t.Any], t.Any] = read_body,
    ) -> t.Any:
        """Return what C(take) makes of a 2xx response, by default the bytes of its body.

        C(take) reads the response and releases it. It gets a new one when the connection breaks off meanwhile, or when it raises NoObject.

        A write whose answer got lost is sent again and may meet its own effect: 409 for a creation, 404 for a deletion, 422 for a JSON Patch
        with a test. Callers take that for success, or observe and plan again.
        """
        url = self.server + path + ("?" + urllib.parse.urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        deadline = self._clock.monotonic() + self._retry_for
        attempt = 0
        while True:
            headers = self._headers(accept, content_type if data is not None else "")
            response = None
            try:
                response = self._pool.request(
                    verb, url, body=data, headers=headers, preload_content=False, retries=False, timeout=urllib3.Timeout(connect=10, read=60)
                )
                if response.status < 300:
                    return take(response)
                payload = read_body(response)
                if response.status < 400:
                    raise NoObject(payload)
                error = self._refused(verb, path, response.status, payload)
            except NoObject as problem:
                error = self._strange(verb, path, response, problem.payload)
            except (urllib3.exceptions.HTTPError, OSError) as problem:
                error = self._unreachable(verb, path, response, problem)
            attempt += 1
            pause = self._pause(response, attempt)
            if error.status not in (0,) + PASSING or self._clock.monotonic() + pause > deadline:
                raise error
            self._clock.sleep(pause)

    def _headers(self, accept: str, content_type: str) -> t.Dict[str, str]:
        headers = {"Accept": accept, "User-Agent": "gpuops.kubernetes"}
        if content_type:
            headers["Content-Type"] = content_type
        for setting in self.configuration.auth_settings().values():
            if setting.get("in") == "header" and setting.get("value"):
                headers[setting["key"]] = setting["value"]
        return headers

    def _unreachable(self, verb: str, path: str, response: t.Any, problem: Exception) -> ApiError:
        text = problem.args[0] if problem.args and isinstance(problem.args[0], str) else problem
        message = "The API server %s (%s) cannot be reached: %s %s: %s%s. Fix: check that the cluster runs and that kubeconfig and context name it." % (
            self.server,
            self.name,
            verb,
            path,
            "its answer broke off: " if response is not None else "",
            text,
        )
        return ApiError(0, "Unreachable", verb, path, message)

    def _strange(self, verb: str, path: str, response: t.Any, payload: bytes) -> ApiError:
        kind = ("%d %s" % (response.status, response.headers.get("Content-Type", ""))).strip()
        message = "The server %s (%s) answered %s %s with %s and no JSON object, %r. Fix: %s." % (
            self.server,
            self.name,
            verb,
            path,
            kind,
            " ".join(payload[:200].decode("utf-8", "replace").split()),
            "check that the server of this context is a Kubernetes API server, and which proxies are on the way to it",
        )
        return ApiError(0, "NoApiServer", verb, path, message)

    def _refused(self, verb: str, path: str, status: int, payload: bytes) -> ApiError:
        try:
            answer = json.loads(payload)
        except ValueError:
            answer = {}
        answer = answer if isinstance(answer, dict) else {}
        reason = answer.get("reason") or ""
        text = answer.get("message") or payload.decode("utf-8", "replace").strip() or "no message"
        message = "%s %s on %s (%s): %d %s: %s" % (verb, path, self.server, self.name, status, reason, text)
        return ApiError(status, reason, verb, path, message + FIXES.get(status, ""))

    @staticmethod
    def _pause(response: t.Any, attempt: int) -> float:
        asked = response.headers.get("Retry-After", "") if response is not None else ""
        if asked.isdigit():
            return min(float(asked), 10.0)
        # Spread, so that sixteen writers do not come back to a restarted server in step.
        return min(0.2 * 2**attempt, 5.0) * random.uniform(0.5, 1.0)


def connect(params: t.Dict[str, t.Any], connections: int = 16) -> Connection:
    """Connect to the cluster that C(kubeconfig) and C(context) name; the ambient current-context is never used.

    Raises: GpuOpsError when the file, the context or the Python client is missing.
    """
    if IMPORT_ERROR is not None:
        raise GpuOpsError(
            "The Python package kubernetes is needed on the host that runs this module: %s. Fix: pip install kubernetes for %s."
            % (IMPORT_ERROR, "the interpreter that ansible_python_interpreter names")
        )
    path, context = params["kubeconfig"], params["context"]
    if not os.path.isfile(path):
        raise GpuOpsError("kubeconfig: %r: there is no such file on the host that runs this module. Fix: give the path of the cluster's kubeconfig." % path)
    configuration = kubernetes_client.Configuration()
    configuration.connection_pool_maxsize = connections
    try:
        kube_config.load_kube_config(config_file=path, context=context, client_configuration=configuration, persist_config=False)
    except Exception as problem:  # the loader raises ConfigException, yaml errors and KeyError alike
        raise GpuOpsError(
            "kubeconfig: %r: context %r cannot be used: %s. Fix: name a context that the file defines (it defines: %s)."
            % (path, context, problem, ", ".join(_contexts(path)) or "none")
        )
    api_client = kubernetes_client.ApiClient(configuration)
    return Connection(api_client, "context %s of %s" % (context, path), params.get("retry_for") or 0.0)


def _contexts(path: str) -> t.List[str]:
    try:
        with open(path, encoding="utf-8") as stream:
            return sorted(context["name"] for context in yaml.safe_load(stream)["contexts"])
    except (OSError, yaml.YAMLError, TypeError, KeyError):
        return []
