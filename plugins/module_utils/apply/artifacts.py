# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Fetch the files of a release by their checksums, through proxies whose passwords show nowhere. Standard library only."""

from __future__ import annotations

import base64
import hashlib
import http.client
import ipaddress
import os
import ssl
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.host_lock import locked
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError, Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.kube_text import split, without_credentials
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.kube_node import checksum

Params = t.Dict[str, t.Any]

# In the stage, because not everybody who fetches is root.
LOCK = ".lock"
# Seconds for which another run may go on fetching.
LOCKED = 1800.0
ATTEMPTS = 3
# Seconds between two attempts, and until a server that says nothing counts as gone.
PAUSE = 3.0
PATIENCE = 60.0
BLOCK = 1 << 20
# What stores of artefacts answer for a file that they do not have.
ABSENT = (403, 404)


class Passing(Exception):
    """What may be another time: a server that is not there or breaks off."""


class Proxies(urllib.request.ProxyHandler):
    """The proxies that are given, and none of the environment; C(direct) as services written in Go take NO_PROXY: names, domains and networks."""

    def __init__(self, proxies: t.Dict[str, str], direct: t.Sequence[str]) -> None:
        super().__init__({scheme: url for scheme, url in proxies.items() if url})
        self._direct = direct

    def proxy_open(self, req: t.Any, proxy: str, type: str) -> t.Any:  # pylint: disable=redefined-builtin
        return None if is_direct(req.host, self._direct) else super().proxy_open(req, proxy, type)


def is_direct(host: str, direct: t.Sequence[str]) -> bool:
    """Return whether a host, with or without its port, is reached without a proxy."""
    name = urllib.parse.urlsplit("//" + host).hostname or ""
    for entry in direct:
        plain = entry.lstrip("*").lstrip(".").lower()
        if entry == "*" or name == plain or name.endswith("." + plain):
            return True
        try:
            if ipaddress.ip_address(name) in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


def provide(params: Params, check_mode: bool) -> dict:
    """Return texts of the release, and have its files on the host, each under its SHA-256.

    Raises: GpuOpsError when a file cannot be had, or is another one than its checksum says.
    """
    source = Source(params)
    texts = {name: source.text(name) for name in params["texts"]}
    missing = lacking(params)
    if missing and not check_mode:
        # What a killed run has started goes on, and would write to the same files.
        os.makedirs(params["stage"], mode=0o700, exist_ok=True)
        with locked(os.path.join(params["stage"], LOCK), LOCKED):
            missing = lacking(params)
            for name, total in missing.items():
                source.fetch(name, total, os.path.join(params["stage"], total))
    return {
        "changed": bool(missing),
        "actions": ["fetch %s" % name for name in missing],
        "texts": texts,
        "diff": [{"before_header": name, "after_header": name, "before": "", "after": "sha256:%s\n" % total} for name, total in missing.items()],
    }


def lacking(params: Params) -> t.Dict[str, str]:
    """Return the files that are not on the host, or are others there."""
    return {name: total for name, total in sorted((params["files"] or {}).items()) if checksum(os.path.join(params["stage"], total)) != total}


class Source:
    """The place of the artefacts."""

    def __init__(self, params: Params) -> None:
        self._url = params["artifact_url"].rstrip("/")
        self._prefix = params["prefix"]
        context = ssl.create_default_context()
        if params["ca_certificates"]:
            context.load_verify_locations(cadata=params["ca_certificates"])
        proxies = {"http": params["http_proxy"] or "", "https": params["https_proxy"] or ""}
        self._opener = urllib.request.build_opener(Proxies(proxies, split(params["no_proxy"])), urllib.request.HTTPSHandler(context=context))
        self._opener.addheaders = [("User-Agent", "gpuops.kubernetes")]
        self._authorization = ""
        if params["artifact_user"]:
            pair = "%s:%s" % (params["artifact_user"], params["artifact_password"] or "")
            self._authorization = "Basic " + base64.b64encode(pair.encode("utf-8")).decode("ascii")

    def text(self, name: str) -> str:
        """Return a small file's text, empty for one that is not there."""
        return self._again(name, lambda answer: answer.read().decode("utf-8", "replace"), True)

    def fetch(self, name: str, total: str, path: str) -> None:
        """Keep a file at a path, if its SHA-256 is right."""
        partial = path + ".part"
        try:
            found = self._again(name, lambda answer: save(answer, partial), False)
            if found != total:
                rule = "its SHA-256 is %s, and has to be %s" % (found, total)
                raise self._problem(name, rule, "find out why it is another file, then replace it there or correct the list of checksums; it was not kept")
            os.replace(partial, path)
        finally:
            if os.path.exists(partial):
                os.unlink(partial)

    def _again(self, name: str, work: t.Callable[[t.Any], t.Any], may_be_absent: bool) -> t.Any:
        """Return what becomes of an answer; try again where that may help."""
        reason = ""
        for attempt in range(ATTEMPTS):
            time.sleep(PAUSE if attempt else 0.0)
            try:
                return self._once(name, work, may_be_absent)
            except Passing as problem:
                reason = str(problem)
        reach = "see that it runs and that this host reaches it (%(p)shttp_proxy, %(p)shttps_proxy, %(p)sno_proxy)" % {"p": self._prefix}
        raise self._problem(name, "%s, %d times" % (reason, ATTEMPTS), reach + ", or name a mirror or a directory on the controller")

    def _once(self, name: str, work: t.Callable[[t.Any], t.Any], may_be_absent: bool) -> t.Any:
        try:
            request = urllib.request.Request("%s/%s" % (self._url, name))
            if self._authorization:
                # Not for whomever the answer leads to.
                request.add_unredirected_header("Authorization", self._authorization)
            with self._opener.open(request, timeout=PATIENCE) as answer:
                return work(answer)
        except urllib.error.HTTPError as problem:
            if may_be_absent and problem.code in ABSENT:
                return ""
            if problem.code >= 500:
                raise Passing("it answers with status %d" % problem.code) from None
            fix = "name a version that is there, or another place"
            if problem.code in (401, 407):
                fix = "correct user and password in the address" + " of the proxy" * (problem.code == 407)
            raise self._problem(name, "it answers with status %d" % problem.code, fix) from None
        except (OSError, http.client.HTTPException) as problem:
            reason = getattr(problem, "reason", problem)
            if isinstance(reason, ssl.SSLCertVerificationError):
                fix = "set %sca_file if a private CA has signed it, or name another place" % self._prefix
                raise self._problem(name, "its certificate is not trusted (%s)" % reason.verify_message, fix) from None
            raise Passing(getattr(reason, "strerror", "") or str(reason) or type(reason).__name__) from None

    def _problem(self, name: str, rule: str, fix: str) -> GpuOpsError:
        return GpuOpsError(Problem(self._prefix + "artifact_url", without_credentials("%s/%s" % (self._url, name)), rule, fix).text())


def save(answer: t.Any, path: str) -> str:
    """Write what comes to a file for its owner alone, and return its SHA-256.

    Raises: Passing when less came than was announced.
    """
    digest, length = hashlib.sha256(), 0
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        for block in iter(lambda: answer.read(BLOCK), b""):
            stream.write(block)
            digest.update(block)
            length += len(block)
    announced = answer.headers.get("Content-Length")
    if announced is not None and length < int(announced):
        raise Passing("it broke off after %d of %s bytes" % (length, announced))
    return digest.hexdigest()
