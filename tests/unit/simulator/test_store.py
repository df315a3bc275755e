# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the simulator keeps of the cluster, its queue, its settings and the events that it writes."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator import events, node as nodes, settings, store, work
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator.components import PLUGIN

from . import objects


def versioned(item, version):
    item["metadata"]["resourceVersion"] = str(version)
    return item


@pytest.fixture
def touched():
    return []


@pytest.fixture
def known(touched):
    return store.Store(touched.append)


def look(known, name="n1"):
    return known.surroundings(name, now=0.0, pace=1.0, delay=None)


def test_a_node_and_its_pods(known, touched):
    known.replace_nodes([objects.node_object()])
    known.replace_pods([versioned(objects.component(PLUGIN), 1), versioned(objects.consumer("c", 1, phase="Running"), 1)])
    node, pods, around = look(known)
    assert (node.name, len(pods), around.master) == ("n1", 2, False)
    assert touched == ["n1"] * 3
    known.change_pod("DELETED", versioned(objects.component(PLUGIN), 2))
    assert len(look(known)[1]) == 1


def test_only_simulated_nodes_are_looked_at(known, touched):
    known.replace_nodes([objects.node_object("real", fake=False)])
    assert (known.node_names(), touched) == ([], [])


def test_an_older_state_does_not_come_back(known):
    known.change_node("MODIFIED", versioned(objects.node_object(labels={"a": "new"}), 5))
    known.change_node("MODIFIED", versioned(objects.node_object(labels={"a": "old"}), 4))
    assert look(known)[0].labels == {"a": "new"}


def test_what_changes_nothing_for_us_touches_nobody(known, touched):
    known.change_node("ADDED", versioned(objects.node_object(), 1))
    heartbeat = versioned(objects.node_object(), 2)
    heartbeat["status"]["conditions"] = [{"type": "Ready"}]
    known.change_node("MODIFIED", heartbeat)
    assert touched == ["n1"]


def test_a_list_removes_what_is_not_in_it(known):
    known.replace_nodes([objects.node_object("n1"), objects.node_object("n2")])
    known.replace_pods([versioned(objects.component(PLUGIN), 1)])
    known.replace_nodes([objects.node_object("n2")])
    known.replace_pods([])
    assert known.node_names() == ["n2"]
    assert look(known)[:2] == (None, [])


def test_a_pod_that_is_being_deleted_is_gone(known):
    known.change_pod("ADDED", versioned(objects.component(PLUGIN), 1))
    leaving = versioned(objects.component(PLUGIN), 2)
    leaving["metadata"]["deletionTimestamp"] = "now"
    known.change_pod("MODIFIED", leaving)
    assert look(known)[1] == []


def test_an_nfd_master_anywhere_concerns_every_node(known, touched):
    known.replace_nodes([objects.node_object("n1"), objects.node_object("n2")])
    del touched[:]
    known.change_pod("ADDED", versioned(objects.plain("nfd-master", "m", node="other"), 1))
    assert sorted(set(touched)) == ["n1", "n2", "other"]
    assert look(known)[2].master
    known.change_pod("DELETED", objects.plain("nfd-master", "m", node="other"))
    assert not look(known)[2].master


def test_a_prune_job_is_remembered_after_it_is_gone(known):
    job = objects.plain("nfd-master", "prune", arguments=["-prune"])
    known.change_pod("ADDED", versioned(job, 1))
    known.change_pod("DELETED", job)
    around = look(known)[2]
    assert (around.prunes, around.master) == ({"uid-prune"}, False)


def test_a_config_map_concerns_the_nodes_whose_pods_mount_it(known, touched):
    key = (objects.NAMESPACE, objects.CONFIG_MAP)
    known.replace_nodes([objects.node_object("n1"), objects.node_object("n2")])
    known.change_pod("ADDED", versioned(objects.component(PLUGIN), 1))
    assert known.mounts() == {key}
    assert look(known)[2].config_maps == {}
    del touched[:]
    known.change_config_map(key, {"a": "1"})
    known.change_config_map(key, {"a": "1"})
    assert touched == ["n1"]
    assert look(known)[2].config_maps == {key: {"a": "1"}}
    known.change_config_map(key, None)
    assert look(known)[2].config_maps == {key: None}


def test_daemon_sets_that_go_concern_every_node(known, touched):
    known.replace_nodes([objects.node_object()])
    owner = {"metadata": {"uid": "ds"}}
    known.replace_owners([owner])
    assert look(known)[2].owners == {"ds"}
    del touched[:]
    known.change_owner("MODIFIED", owner)
    known.change_owner("DELETED", owner)
    assert touched == ["n1"]
    assert look(known)[2].owners == frozenset()


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_the_queue_holds_each_node_once_and_never_twice_at_work():
    queue = work.Work(Clock())
    for name in ("a", "b", "a"):
        queue.put(name)
    assert [queue.take(), queue.take()] == ["a", "b"]
    queue.put("a")
    queue.put("a")
    queue.put("c")
    assert queue.take() == "c", "a is still being worked on"
    queue.done("a")
    assert queue.take() == "a"
    queue.close()
    assert queue.take() is None


def test_a_node_comes_back_at_the_time_that_was_asked_for_last():
    clock = Clock()
    queue = work.Work(clock)
    queue.at("late", 200.0)
    queue.at("moved", 110.0)
    queue.at("moved", 150.0)
    queue.at("cancelled", 120.0)
    queue.at("cancelled", None)
    clock.now = 160.0
    assert queue.take() == "moved"
    queue.at("moved", 161.0)
    clock.now = 250.0
    assert queue.take() == "late"
    queue.done("moved")
    assert queue.take() == "moved"


@pytest.mark.parametrize("options, pace", [({}, 1.0), ({"configmap_delay": [1.0, 2.0]}, 0.02), ({"configmap_delay": [0, 0]}, 0.01)])
def test_a_short_config_map_delay_speeds_up_all_of_kubelets_clocks(tmp_path, options, pace):
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "token").write_text("secret\n")
    state = {"instance": "abc", "ports": {"kube-apiserver": 1234}, "options": options}
    (tmp_path / "state.json").write_text(json.dumps(state))
    found = settings.load(tmp_path)
    assert (found.server, found.token, found.instance) == ("https://127.0.0.1:1234", "secret", "abc")
    assert found.pace == pytest.approx(pace)


def test_a_directory_that_is_no_instance(tmp_path):
    with pytest.raises(OSError):
        settings.load(tmp_path)


POD = objects.view(objects.component(PLUGIN))


@pytest.mark.parametrize(
    "kind, content, reason, words",
    [
        (nodes.REJECT, "Pod was rejected: because", "UnexpectedAdmissionError", "Pod was rejected: because"),
        (
            nodes.STATUS,
            ("Running", "False", (("c", False, 2, "waiting", "CrashLoopBackOff", "back-off", "last words"),)),
            "BackOff",
            "Back-off restarting failed container c: last words",
        ),
        (
            nodes.STATUS,
            ("Pending", "False", (("c", False, 0, "waiting", "ContainerCreating", 'MountVolume.SetUp failed for volume: configmap "x"', ""),)),
            "FailedMount",
            "MountVolume.SetUp failed",
        ),
        (
            nodes.STATUS,
            ("Pending", "False", (("c", False, 0, "waiting", "ContainerCreating", "Failed to create pod sandbox: no", ""),)),
            "FailedCreatePodSandBox",
            "no",
        ),
        (nodes.STATUS, ("Running", "True", (("c", True, 1, "running", "", "", "last words"),)), None, None),
        (nodes.RELEASE, None, None, None),
    ],
)
def test_events(kind, content, reason, words):
    event = events.of(nodes.PodWrite(POD, kind, content), 0.0)
    assert (event["reason"] if event else None) == reason
    if event:
        assert words in event["message"]
        assert event["involvedObject"]["uid"] == POD.uid
