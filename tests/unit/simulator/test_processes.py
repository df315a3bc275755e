# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is recognised in pods, and how kubelet runs a component's containers."""

from __future__ import annotations

import types

import pytest

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator import pods as podviews, processes, status
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator.components import GFD, MPS_DAEMON, PLUGIN, Exit

from . import objects

FILES = types.MappingProxyType({"default": "text of default", "ts4": "text of ts4"})


@pytest.mark.parametrize("program", [PLUGIN, GFD, MPS_DAEMON])
def test_a_component_is_known_by_its_command(program):
    seen = objects.view(objects.component(program))
    assert (seen.program, podviews.mounted(seen), seen.owner) == (program, objects.CONFIG_MAP, "ds-" + program)
    assert [each.program for each in seen.containers] == ["config-manager", "config-manager", program]
    assert "NODE_NAME" not in podviews.main_container(seen).environment


@pytest.mark.parametrize(
    "container, program",
    [
        ({"command": ["/usr/bin/nvidia-device-plugin", "--mig-strategy=none"]}, PLUGIN),
        ({"image": "nvcr.io/nvidia/k8s-device-plugin:v0.20.0"}, PLUGIN),
        ({"image": "nvcr.io/nvidia/k8s-device-plugin:v0.20.0", "args": ["gpu-feature-discovery"]}, GFD),
        ({"image": "nvcr.io/nvidia/k8s-device-plugin:v0.20.0", "args": ["--mig-strategy=single"]}, PLUGIN),
        ({"image": "nginx"}, None),
        ({"command": ["sh", "-c", "nvidia-device-plugin"]}, None),
    ],
)
def test_containers_of_other_manifests(container, program):
    pod = {"metadata": {"name": "p", "namespace": "d", "uid": "u"}, "spec": {"nodeName": "n", "containers": [dict({"name": "c"}, **container)]}}
    seen = objects.view(pod)
    assert (seen.program if seen else None) == program


def test_pods_that_ask_for_gpus_and_pods_that_do_not():
    assert objects.view(objects.consumer("c", 2)).requests == ({"nvidia.com/gpu": 2},)
    assert objects.view(objects.consumer("c", 2, resource="amd.com/gpu")) is None


def test_the_job_that_takes_labels_off():
    assert podviews.is_prune(objects.view(objects.plain("nfd-master", "m", arguments=["-prune"])))
    assert not podviews.is_prune(objects.view(objects.plain("nfd-master", "m", arguments=["-port=8080"])))


class Pod:
    """A component's pod and its state, moved on step by step."""

    def __init__(self, program=PLUGIN, files=FILES, refused=(), **options):
        self.view = objects.view(objects.component(program, **options))
        self.state = processes.PodState(spec_hash=self.view.spec_hash)
        self.world = processes.World(now=100.0, pace=1.0, label="", start=self._start, config_map=files)
        self.refused = refused
        self.started = []

    def _start(self, pod, text):
        assert pod is self.view
        self.started.append(text)
        if text in self.refused:
            raise Exit("refused: %s" % text)
        return {"text": text}

    def after(self, seconds=0.0, **changes):
        """Advance to a later moment, under changed circumstances."""
        for name, value in dict(changes, now=self.world.now + seconds).items():
            setattr(self.world, name, value)
        processes.advance(self.view, self.state, self.world)
        return self

    @property
    def text(self):
        """Return the config that the main program runs with, None while it does not run."""
        return self.state.result["text"] if self.state.result else None

    @property
    def restarts(self):
        """Return how often init container, sidecar and main program were restarted."""
        return self.state.init.restarts, self.state.sidecar.restarts, self.state.main.restarts

    @property
    def runs(self):
        """Tell of sidecar and main program whether they run."""
        return self.state.sidecar.state == processes.RUNNING, self.state.main.state == processes.RUNNING


def test_a_pod_starts_with_the_default():
    pod = Pod().after()
    assert (pod.text, pod.runs, pod.restarts) == ("text of default", (True, True), (0, 0, 0))
    assert status.wanted(pod.view, pod.state) is None, "KWOK's own report is right"


def test_a_pod_without_config_starts_without_one():
    assert Pod(config_map=None).after().started == [None]


def test_a_label_costs_a_new_pod_one_restart_of_its_sidecar():
    """The sidecar looks at the label before the main program runs, finds nobody to signal, and ends."""
    pod = Pod().after(label="ts4")
    assert (pod.text, pod.runs, pod.restarts) == ("text of ts4", (True, True), (0, 1, 0))


def test_a_change_of_the_label_is_followed_at_once():
    pod = Pod().after().after(label="ts4")
    assert (pod.text, pod.restarts) == ("text of ts4", (0, 0, 0))
    assert pod.after(label="").text == "text of default"


def test_a_changed_config_map_does_nothing_but_reach_the_volume():
    pod = Pod().after(label="ts4")
    changed = dict(FILES, ts4="new")
    pod.after(config_map=changed)
    assert processes.next_event(pod.state) == pod.world.now + 75.0
    assert pod.after(74.0).state.files == FILES
    assert pod.after(1.0).state.files == changed
    assert pod.text == "text of ts4", "the plugin reads its file when it starts"
    assert pod.after(label="").after(label="ts4").text == "new"


def test_a_config_map_changed_again_before_it_arrives():
    pod = Pod().after().after(config_map={"default": "second"}).after(10.0, config_map={"default": "third"}).after(65.0)
    assert pod.state.files == {"default": "third"}
    assert pod.after(config_map={"default": "fourth"}).after(1.0, config_map={"default": "third"}).state.refresh_at is None


def test_an_update_of_the_pod_object_brings_the_config_map_at_once():
    pod = Pod().after().after(config_map={"default": "new"})
    pod.view = pod.view._replace(spec_hash="other")
    assert pod.after().state.files == {"default": "new"}


def test_a_label_without_a_file_leaves_the_default_running():
    pod = Pod().after(label="ts4").after(label="gone")
    assert (pod.text, pod.runs) == ("text of ts4", (False, True))
    pod.after(10.1)
    assert pod.runs == (False, True)
    assert pod.text == "text of default", "the sidecar that starts again goes back to the default, and signals"
    assert pod.state.sidecar.error == "specified config gone does not exist"
    goal = status.wanted(pod.view, pod.state)
    assert goal[:2] == ("Running", "False")
    assert ("nvidia-device-plugin-sidecar", False, 2, "waiting", "CrashLoopBackOff") == goal[2][1][:5]


def test_a_crashing_sidecar_is_started_after_ten_seconds_then_twenty():
    pod = Pod().after(label="gone")
    seen = [pod.restarts[1]]
    for seconds in (9.9, 0.2, 19.7, 0.4, 39.7, 0.4):
        seen.append(pod.after(seconds).restarts[1])
    assert seen == [1, 1, 2, 2, 3, 3, 4]
    assert processes.next_event(pod.state) == pod.state.sidecar.retry_at


def test_it_heals_when_the_label_is_right_again():
    pod = Pod().after(label="gone").after(1.0, label="ts4")
    assert pod.runs == (False, True), "kubelet waits before it starts the sidecar again"
    pod.after(10.0)
    assert (pod.text, pod.runs) == ("text of ts4", (True, True))
    goal = status.wanted(pod.view, pod.state)
    assert goal[:2] == ("Running", "True")
    assert [part[2] for part in goal[2]] == [0, 2, 0]


def test_it_heals_when_the_volume_has_the_file():
    pod = Pod().after(label="gone").after(1.0, config_map=dict(FILES, gone="found"))
    assert pod.after(74.9).text == "text of default"
    pod.after(0.2).after(300.0)
    assert (pod.text, pod.runs) == ("found", (True, True))


def test_without_a_default_the_init_container_never_ends():
    """It looks once, before it has read the node: even the right label does not help."""
    pod = Pod(files={"a": "1", "b": "2"}).after(label="a")
    assert pod.started == []
    assert pod.state.init.error == "no config was set, no default was provided, and all fallbacks failed"
    goal = status.wanted(pod.view, pod.state)
    assert goal[0] == "Pending"
    assert [part[4] for part in goal[2]] == ["CrashLoopBackOff", "PodInitializing", "PodInitializing"]
    pod.after(500.0, config_map={"a": "1", "b": "2", "default": "3"}).after(100.0).after(300.0)
    assert pod.text == "1"


def test_a_broken_config_crashes_the_plugin_alone():
    pod = Pod(refused=("text of ts4",)).after().after(label="ts4")
    assert (pod.text, pod.runs) == (None, (True, False))
    assert pod.state.main.error == "refused: text of ts4"
    pod.after(11.0)
    assert pod.restarts == (0, 0, 2)


def test_while_the_plugin_is_down_the_sidecar_finds_nobody():
    pod = Pod(refused=("text of ts4",)).after().after(label="ts4").after(1.0, label="")
    assert pod.state.sidecar.error == "error finding pid: no process found"
    assert (pod.runs, pod.restarts[1]) == ((True, False), 1)
    pod.after(30.0)
    assert (pod.text, pod.runs) == ("text of default", (True, True))


def test_a_plugin_that_ran_long_is_started_again_at_once():
    pod = Pod().after()
    pod.after(700.0, crash="fault").after(0.0)
    assert pod.state.main.delay == 20.0, "once at once, then after ten seconds"


def test_the_mps_daemons_sidecar_never_finds_its_process():
    """The chart names a path that is no process's name: the daemon keeps the config with which it was started."""
    pod = Pod(MPS_DAEMON, signals="/usr/bin/mps-control-daemon").after(label="ts4")
    assert (pod.text, pod.runs) == ("text of ts4", (False, True))
    for unused in range(5):
        pod.after(320.0)
    assert (pod.text, pod.runs, len(pod.started)) == ("text of ts4", (False, True), 1)


def test_a_file_that_is_gone_from_the_volume():
    pod = Pod().after(label="ts4").after(config_map={"default": "text of default"}).after(80.0)
    assert pod.runs == (True, True)
    pod.after(label="")
    assert pod.state.sidecar.error.startswith("error creating symlink: ")
    pod.after(1.0, crash="fault").after(1.0, crash="").after(20.0)
    assert pod.state.main.error.endswith("error opening config file: open /config/config.yaml: no such file or directory")


def test_a_missing_config_map_holds_the_pod():
    pod = Pod(files=None).after()
    goal = status.wanted(pod.view, pod.state)
    assert goal[0] == "Pending"
    assert goal[2][0][4:6] == ("ContainerCreating", 'MountVolume.SetUp failed for volume: configmap "gpu-sharing" not found')
    assert pod.after(5.0, config_map=FILES).text == "text of default"


def test_a_held_pod_starts_from_nothing_when_it_is_let_go():
    pod = Pod().after(label="ts4").after(hold="no runtime")
    assert (pod.text, pod.runs) == (None, (False, False))
    assert status.wanted(pod.view, pod.state)[:2] == ("Pending", "False")
    assert pod.after(hold="").text == "text of ts4"


def test_faster_clocks():
    pod = Pod()
    pod.world.pace = 0.1
    pod.after(label="gone")
    assert pod.state.sidecar.retry_at == pod.world.now + 1.0
