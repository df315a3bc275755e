# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a release from a mirror that has them, does not have them, breaks off, or has others."""

from __future__ import annotations

import base64
import hashlib
import http.server
import threading

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import artifacts
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.modules import gpu_artifacts

CONTENT = b"program" * 100000
TOTAL = hashlib.sha256(CONTENT).hexdigest()


class Mirror(http.server.BaseHTTPRequestHandler):
    """Answers with what the server's C(files) has: content, status or, as a pair, content and how much of it is announced."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Proxy-Authorization") or self.headers.get("Authorization")))
        found = self.server.files.get(self.path.rpartition("/")[2], 404)
        if isinstance(found, list):
            found = found.pop(0)
        if isinstance(found, int):
            self.send_error(found)
            return
        content, announced = found if isinstance(found, tuple) else (found, len(found))
        self.send_response(200)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_words):  # pylint: disable=arguments-differ
        pass


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setattr(artifacts, "PAUSE", 0.0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.files, server.seen = {}, []
    server.url = "http://127.0.0.1:%d/v1" % server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with server:
        yield server
        server.shutdown()


def provide(mirror, stage, check_mode=False, **options):
    options = dict({"artifact_url": mirror.url, "stage": str(stage), "prefix": "k3s_"}, **options)
    validated = ArgumentSpecValidator(gpu_artifacts.argument_spec()).validate(options)
    assert not validated.error_messages
    return artifacts.provide(validated.validated_parameters, check_mode)


def refusal(*arguments, **options):
    with pytest.raises(GpuOpsError) as caught:
        provide(*arguments, **options)
    assert caught.value.message.startswith("k3s_artifact_url: 'http://127.0.0.1") and "; fix: " in caught.value.message
    return caught.value.message


def test_a_file_is_fetched_once_and_kept_for_root_alone(mirror, tmp_path):
    stage = tmp_path / "stage"
    mirror.files["k3s"] = CONTENT
    assert provide(mirror, stage, check_mode=True, files={"k3s": TOTAL})["actions"] == ["fetch k3s"]
    assert not stage.exists() and mirror.seen == []
    assert provide(mirror, stage, files={"k3s": TOTAL})["changed"]
    assert [(path.name, path.stat().st_mode & 0o777) for path in stage.iterdir()] == [(TOTAL, 0o600)]
    assert not provide(mirror, stage, files={"k3s": TOTAL})["changed"] and len(mirror.seen) == 1


def test_a_file_that_is_another_one_is_refused_at_once_and_not_kept(mirror, tmp_path):
    mirror.files["k3s"] = CONTENT + b"!"
    assert "has to be %s" % TOTAL in refusal(mirror, tmp_path, files={"k3s": TOTAL})
    assert list(tmp_path.iterdir()) == [] and len(mirror.seen) == 1


def test_a_mirror_that_breaks_off_is_tried_again(mirror, tmp_path):
    mirror.files["k3s"] = [(CONTENT[:1000], len(CONTENT)), 503, CONTENT]
    assert provide(mirror, tmp_path, files={"k3s": TOTAL})["changed"]
    assert [path.name for path in tmp_path.iterdir()] == [TOTAL]


def test_a_mirror_that_goes_on_breaking_off_is_given_up(mirror, tmp_path):
    mirror.files["k3s"] = (CONTENT[:1000], len(CONTENT))
    assert "broke off after 1000 of %d bytes, 3 times" % len(CONTENT) in refusal(mirror, tmp_path, files={"k3s": TOTAL})
    assert list(tmp_path.iterdir()) == [] and len(mirror.seen) == 3


def test_a_mirror_that_is_not_there_is_named(mirror, tmp_path):
    message = refusal(mirror, tmp_path, artifact_url="http://127.0.0.1:9/v1", texts=["list"])
    assert "'http://127.0.0.1:9/v1/list': Connection refused, 3 times" in message and "k3s_no_proxy" in message


def test_a_password_goes_to_the_mirror_alone(mirror, tmp_path):
    mirror.files["list"] = [b"for those who are known", 401]
    who = {"artifact_user": "user", "artifact_password": "hidden", "texts": ["list"]}
    provide(mirror, tmp_path, **who)
    assert mirror.seen == [("/v1/list", "Basic " + base64.b64encode(b"user:hidden").decode())]
    message = refusal(mirror, tmp_path, **who)
    assert "status 401" in message and "password" in message and "hidden" not in message


def test_texts_that_are_not_there_are_empty_and_files_that_are_not_there_are_refused(mirror, tmp_path):
    mirror.files["list"] = b"a list\n"
    assert provide(mirror, tmp_path, texts=["list", "other"])["texts"] == {"list": "a list\n", "other": ""}
    assert "status 404" in refusal(mirror, tmp_path, files={"k3s": TOTAL})


def test_a_proxy_is_used_with_its_password_unless_the_host_is_direct(mirror, tmp_path):
    mirror.files["list"] = b"through the proxy\n"
    proxy = "http://user:hidden@127.0.0.1:%d" % mirror.server_port
    found = provide(mirror, tmp_path, artifact_url="http://elsewhere.example.com/v1", http_proxy=proxy, texts=["list"])
    assert found["texts"] == {"list": "through the proxy\n"}
    assert mirror.seen == [("http://elsewhere.example.com/v1/list", "Basic " + base64.b64encode(b"user:hidden").decode())]
    provide(mirror, tmp_path, http_proxy="http://127.0.0.1:9", no_proxy=["127.0.0.0/8"], texts=["list"])


@pytest.mark.parametrize(("host", "direct", "found"), [
    ("a.example.com:8080", ["example.com"], True),
    ("a.example.com", [".example.com"], True),
    ("a.example.com", ["*.example.com"], True),
    ("notexample.com", ["example.com"], False),
    ("192.0.2.7:80", ["192.0.2.0/24"], True),
    ("192.0.2.7", ["192.0.2.7"], True),
    ("192.0.3.7", ["192.0.2.0/24", "b"], False),
    ("[2001:db8::1]:80", ["2001:db8::/32"], True),
    ("a", ["*"], True),
    ("a", [], False),
])
def test_what_is_direct_is_read_as_go_reads_it(host, direct, found):
    assert artifacts.is_direct(host, direct) is found
