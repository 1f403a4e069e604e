"""Kills parts of a stack with SIGKILL and waits for them to come back."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from deploy.local import leftovers

from .harness import World, eventually

BACK_SECONDS = 60


def kill(world: World, name: str) -> None:
    """Kills one part, without a chance to tidy up. Waits first until it runs."""
    pid = eventually(lambda: world.supervisor.pid(name), bool, BACK_SECONDS, f"{name} is down")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: world.supervisor.pid(name), lambda now: now not in (0, pid), BACK_SECONDS, f"{name} stays down")


def kill_for_good(world: World, name: str) -> None:
    """Kills a part that the supervisor does not restart."""
    pid = world.supervisor.pid(name)
    assert pid, f"{name} does not run"
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: world.supervisor.pid(name), lambda now: now == 0, BACK_SECONDS, f"{name} came back")


def kill_everything(world: World) -> int:
    """Kills the supervisor and then all it ran; returns how many processes there were."""
    supervisor = int((world.stack.run / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    killed: set[int] = set()
    deadline = time.monotonic() + BACK_SECONDS
    # What was born in between is found by the next look.
    while (pids := leftovers.find(world.stack)) and time.monotonic() < deadline:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.update(pids)
        time.sleep(0.1)
    assert not pids, f"still there: {pids}"
    return len(killed)
