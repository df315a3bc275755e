# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small Kubernetes API client for the testbed and its simulator; modules use module_utils/cluster instead."""

from __future__ import annotations

import json
from urllib.parse import urlencode

try:
    import urllib3
except ImportError:  # said when a client is made: importing this file must work everywhere
    urllib3 = None

from .errors import TestbedError

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiError(TestbedError):
    """The API server refused (status is the HTTP code), or no answer came (status is 0)."""

    def __init__(self, status, reason, message):
        self.status = status
        self.reason = reason
        self.message = message
        super().__init__("%s %s: %s" % (status or "no answer", reason, message))


class Client:
    """Requests to one API server; may be used from many threads at once."""

    def __init__(self, server, token, ca_file, connections=16, timeout=30.0, user_agent="gpuops-testbed"):
        if urllib3 is None:
            raise TestbedError("the testbed needs the Python package urllib3; fix: install the package kubernetes, which brings it")
        self._server = server.rstrip("/")
        self._headers = {"Authorization": "Bearer " + token, "Accept": JSON, "User-Agent": user_agent}
        self._timeout = timeout
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False, cert_reqs="CERT_REQUIRED", ca_certs=str(ca_file))

    def request(self, method, path, body=None, content_type=JSON, query=None):
        """Send one request and return the parsed answer ({} when it is empty or not JSON); ApiError otherwise."""
        response = self._send(method, path, body, content_type, query, self._timeout, True)
        data = _parsed(response.data)
        if response.status >= 400:
            raise ApiError(response.status, data.get("reason") or response.reason or "", data.get("message") or _text(response.data))
        return data

    def list_pages(self, path, limit=500, query=None):
        """Yield the pages of a list, each as the server sent it."""
        query = dict(query or {}, limit=limit)
        while True:
            page = self.request("GET", path, query=query)
            yield page
            token = page.get("metadata", {}).get("continue")
            if not token:
                return
            query["continue"] = token

    def watch(self, path, resource_version, query=None, timeout=300):
        """Yield watch events until the server ends the watch after `timeout` seconds; ApiError (410: list again) on errors."""
        query = dict(query or {}, watch="true", resourceVersion=resource_version, timeoutSeconds=timeout)
        query.setdefault("allowWatchBookmarks", "true")
        response = self._send("GET", path, None, JSON, query, timeout + 30.0, False)
        try:
            if response.status >= 400:
                data = _parsed(response.read())
                raise ApiError(response.status, data.get("reason", ""), data.get("message", ""))
            for line in _lines(response):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise ApiError(status.get("code", 0), status.get("reason", ""), status.get("message", ""))
                yield event
        finally:
            # A half-read response must not go back to the pool.
            response.close()
            response.release_conn()

    def _send(self, method, path, body, content_type, query, timeout, preload):
        url = self._server + path
        if query:
            url += ("&" if "?" in path else "?") + urlencode(query)
        headers, data = self._headers, None
        if body is not None:
            headers = dict(headers, **{"Content-Type": content_type})
            data = json.dumps(body).encode()
        try:
            return self._pool.request(
                method, url, body=data, headers=headers, preload_content=preload, timeout=urllib3.Timeout(connect=10.0, read=timeout)
            )
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(0, "Unreachable", "%s %s: %s" % (method, url, error)) from error


def _lines(response):
    """Yield the lines of a streamed answer as they arrive."""
    rest = b""
    try:
        for chunk in response.stream(65536):
            rest += chunk
            *lines, rest = rest.split(b"\n")
            for line in lines:
                if line:
                    yield line
    except urllib3.exceptions.HTTPError as error:
        raise ApiError(0, "Unreachable", "the watch broke off: %s" % error) from error


def _parsed(data):
    try:
        parsed = json.loads(data) if data else {}
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _text(data):
    return data.decode("utf-8", "replace").strip()[:500]
