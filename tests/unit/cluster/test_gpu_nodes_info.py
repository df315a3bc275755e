# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries of gpu_nodes_info: an expression that cannot be used is named, where possible before anything is read."""

from __future__ import annotations

import types

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.modules import gpu_nodes_info

from .fakes import Answer, connection

NODE = {"metadata": {"name": "a", "labels": {"nvidia.com/gpu.present": "true"}}, "spec": {}, "status": {"capacity": {"nvidia.com/gpu": "2"}}}


@pytest.fixture
def ask(monkeypatch):
    """Return ask(query), which gives the result of the module on a cluster of one node; ask.requests lists what was sent."""
    server, pool, _unused = connection(lambda verb, url, body: Answer(body={"metadata": {}, "items": [NODE] if "/nodes" in url else []}))
    monkeypatch.setattr(gpu_nodes_info, "connect", lambda params: server)

    def ask(query):
        return gpu_nodes_info.read(types.SimpleNamespace(params={"selector": "", "query": query}))

    ask.requests = pool.requests
    return ask


def test_a_query_reduces_the_answer(ask):
    assert ask("nodes[?capacity.\"nvidia.com/gpu\" > `1`].name") == {"changed": False, "result": ["a"]}


@pytest.mark.parametrize("query", ["", "nodes[", "lenght(nodes)", "length()", "nodes[?lenght(name) > `1`] | lenght(@)"])
def test_what_no_answer_could_make_right_is_refused_before_anything_is_read(ask, query):
    with pytest.raises(GpuOpsError) as caught:
        ask(query)
    assert caught.value.message.startswith("query: %r: not a JMESPath expression: " % query) and "Fix: " in caught.value.message
    assert ask.requests == []


UNFIT = {
    "a value that is not there": "length(totals.x)",
    "an unknown function inside a projection": "nodes[].lenght(@)",
    "text compared with a number": "nodes[?name > `0`]",
    "a step of zero": "nodes[::0]",
}


@pytest.mark.parametrize("name", sorted(UNFIT))
def test_a_query_that_does_not_fit_the_answer_is_an_error_of_the_query(ask, name):
    with pytest.raises(GpuOpsError) as caught:
        ask(UNFIT[name])
    assert caught.value.message.startswith("query: %r: cannot be applied to the answer: " % UNFIT[name]) and "Fix: " in caught.value.message
