# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The containers of one component's pod as kubelet runs them: volume, init container, sidecar, main program; pure.

`advance` moves a PodState on to a moment. Kubelet's clocks: a restart at once after the first crash, then after 10 s,
doubled up to 300 s; a changed ConfigMap reaches the volume after its period, or with the next update of the pod object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from . import config_manager
from .components import Exit
from .pods import main_container, managers

FIRST_BACKOFF, LONGEST_BACKOFF, FORGIVEN = 10.0, 300.0, 600.0
WAITING, RUNNING, BACKOFF, DONE = "waiting", "running", "backoff", "done"


@dataclass
class Process:
    """One container: its state, and what it printed when it last ended."""

    state: str = WAITING
    restarts: int = 0
    error: str = ""
    since: float = 0.0
    retry_at: float = 0.0
    delay: float = 0.0

    def crash(self, error, now, pace):
        """End with an error; kubelet waits before it starts the container again."""
        if self.state == RUNNING and now - self.since >= FORGIVEN * pace:
            self.delay = 0.0
        self.state, self.error, self.since = BACKOFF, error, now
        self.retry_at = now + self.delay
        self.delay = min(max(self.delay * 2, FIRST_BACKOFF * pace), LONGEST_BACKOFF * pace)

    def start(self, now, state=RUNNING):
        """Run (or, as an init container, be done)."""
        if self.state == BACKOFF:
            self.restarts += 1
        self.state, self.since = state, now

    def due(self, now):
        """Tell whether kubelet would start the container now."""
        return self.state == WAITING or (self.state == BACKOFF and now >= self.retry_at)


@dataclass
class PodState:
    """What the simulator remembers of a component's pod."""

    files: Optional[dict] = None  # the content of its ConfigMap volume; None while the ConfigMap is missing
    refresh_at: Optional[float] = None
    spec_hash: str = ""
    link: Optional[str] = None
    label: Optional[str] = None  # what the sidecar saw last
    init: Process = field(default_factory=Process)
    sidecar: Process = field(default_factory=Process)
    main: Process = field(default_factory=Process)
    result: Any = None  # what the main program runs with
    held: str = ""  # why kubelet cannot start the pod at all
    written: bool = False  # its status is ours, no longer KWOK's
    serving: bool = False  # the plugin has registered
    register_at: float = 0.0


@dataclass
class World:
    """What a pod's processes meet at one moment."""

    now: float
    pace: float  # 1.0 is real time
    label: str
    start: Callable  # (pod, text) -> what the main program runs with; Exit
    config_map: Optional[dict] = None  # the data as it is in the API server; None: there is none
    delay: Callable = lambda: 75.0  # seconds until kubelet's next look at the volume
    hold: str = ""
    crash: str = ""


def advance(pod, state, world):
    """Bring a pod's processes to this moment."""
    _mount(pod, state, world)
    if world.hold or state.held:
        state.held = world.hold or state.held
        _stop(state)
        return
    if _initialised(pod, state, world):
        # A first crash is followed by a restart at once, and the sidecar starts before the main program.
        for unused in range(3):
            _follow_label(pod, state, world)
            _run_main(pod, state, world)


def next_event(state):
    """Return when time alone will change the pod, or None."""
    times = [state.refresh_at] + [each.retry_at for each in (state.init, state.sidecar, state.main) if each.state == BACKOFF]
    if state.result is not None and getattr(state.result, "needs_mps", False) and not state.serving:
        times.append(state.register_at)
    return min((each for each in times if each is not None), default=None)


def _mount(pod, state, world):
    """Let kubelet look at the ConfigMap volume."""
    if not any(each.config_map for each in pod.containers):
        state.files, state.held = {}, ""
        return
    updated = state.spec_hash != pod.spec_hash
    state.spec_hash = pod.spec_hash
    if state.files is None or updated:
        # A volume whose ConfigMap is gone keeps what it had; a new pod waits for it.
        state.files = state.files if world.config_map is None else dict(world.config_map)
        state.refresh_at = None
    elif world.config_map is None or world.config_map == state.files:
        state.refresh_at = None
    elif state.refresh_at is None:
        state.refresh_at = world.now + world.delay()
    elif world.now >= state.refresh_at:
        state.files, state.refresh_at = dict(world.config_map), None
    state.held = "" if state.files is not None else 'MountVolume.SetUp failed for volume: configmap "%s" not found' % next(
        each.config_map for each in pod.containers if each.config_map
    )


def _stop(state):
    state.init, state.sidecar, state.main = Process(), Process(), Process()
    state.link, state.label, state.result, state.serving = None, None, None, False


def _initialised(pod, state, world):
    """Run the config-manager init container until it is done; return whether the others may run."""
    init, unused = managers(pod)
    if init is None or state.init.state == DONE:
        return True
    while state.init.due(world.now):
        # Its first look at the label shows none, and it looks once.
        link, unused, error = config_manager.follow(init.manager, [""], state.link, state.files, running=False)
        state.init.start(world.now, DONE)
        state.link = link
        if error is None:
            return True
        state.init.crash(error, world.now, world.pace)
    return False


def _follow_label(pod, state, world):
    """Let the config-manager sidecar start, or follow a change of the label."""
    unused, sidecar = managers(pod)
    if sidecar is None:
        return
    if state.sidecar.due(world.now):
        state.sidecar.start(world.now)
        values = ["", world.label]
    elif state.sidecar.state == RUNNING and state.label != world.label:
        values = [world.label]
    else:
        return
    state.label = world.label
    there = state.main.state == RUNNING and pod.shares_processes and main_container(pod).command == sidecar.manager.process
    state.link, signalled, error = config_manager.follow(sidecar.manager, values, state.link, state.files, there)
    if signalled:
        _start_main(pod, state, world)
    if error is not None:
        state.sidecar.crash(error, world.now, world.pace)


def _run_main(pod, state, world):
    if state.main.state == RUNNING and world.crash:
        state.main.crash(world.crash, world.now, world.pace)
        state.result, state.serving = None, False
    while state.main.due(world.now):
        state.main.start(world.now)
        _start_main(pod, state, world)


def _start_main(pod, state, world):
    """Start the main program, or let it read its config again after a signal."""
    state.result, state.serving, state.register_at = None, False, world.now
    try:
        if world.crash:
            raise Exit(world.crash)
        state.result = world.start(pod, _config_text(pod, state))
    except Exit as error:
        state.main.crash(str(error), world.now, world.pace)


def _config_text(pod, state):
    """Return the text of the config file, None without one."""
    if state.link is None:
        return None
    if state.link and state.link not in state.files:
        target = next(each.manager.target for each in managers(pod) if each is not None)
        text = "unable to load config: unable to finalize config: unable to parse config file: error opening config file: open %s"
        raise Exit((text + ": no such file or directory") % target)
    return state.files[state.link] if state.link else ""
