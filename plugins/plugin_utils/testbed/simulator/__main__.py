# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the GPU simulator of one testbed instance: python -m ...testbed.simulator --state-dir DIR."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time

from . import settings
from .engine import Engine, NotOurs

_RECORD_SECONDS = 5.0


def main(arguments=None):
    """Return the exit code: 0 when asked to end, 1 when the cluster is another one, 2 when there is no instance."""
    parser = argparse.ArgumentParser(prog="simulator", description="Plays the GPU components of a testbed cluster.")
    parser.add_argument("--state-dir", required=True, help="directory of the testbed instance")
    options = parser.parse_args(arguments)
    try:
        known = settings.load(options.state_dir)
    except (OSError, ValueError, KeyError) as error:
        print("%s is not the directory of a running testbed instance: %r" % (options.state_dir, error), file=sys.stderr)
        return 2
    engine = Engine(known, _log)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *unused: engine.stop())
    threading.Thread(target=_end_with_instance, args=(engine, known), daemon=True).start()
    try:
        engine.run()
    except NotOurs as error:
        _log("ended: %s" % error)
        return 1
    return 0


def _end_with_instance(engine, known):
    """End when the record of the instance goes away or becomes another's: nobody else would end this process then."""
    misses = 0
    # One miss may be a record that is being written.
    while misses < 3:
        time.sleep(_RECORD_SECONDS)
        try:
            misses = 0 if settings.load(known.directory).instance == known.instance else misses + 1
        except (OSError, ValueError, KeyError):
            misses += 1
    engine.stop()


def _log(text):
    print("%s %s" % (time.strftime("%H:%M:%S"), text), flush=True)


if __name__ == "__main__":
    sys.exit(main())
