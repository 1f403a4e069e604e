"""Everything is killed at once in the middle of work, and started again."""

from __future__ import annotations

from .harness import Case, World, eventually
from .killing import kill_everything
from .paying import Payer

WORKERS = 4
SETTLE_SECONDS = 90.0
BEFORE_KILL = 40


def power_cut(world: World) -> None:
    payer = Payer(world, WORKERS)
    eventually(lambda: len(payer.answers), lambda count: count >= BEFORE_KILL, 60, "payments before the cut")
    killed = kill_everything(world)
    assert killed >= 9, f"only {killed} processes were there to kill"
    world.start()
    payer.finish()
    world.assert_consistent(SETTLE_SECONDS)
    payer.assert_one_payment_for_each_key()


CASES: list[Case] = [
    ("everything is killed at work and started again: each payment is there once", power_cut),
]
