"""Everything is killed at once in the middle of work, and started again."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from datetime import timedelta

from deploy.demo.clock import advance, business_time, parse

from .harness import Case, World, eventually
from .killing import kill_everything
from .paying import Payer

WORKERS = 4
SETTLE_SECONDS = 90.0
BEFORE_KILL = 40
RESTARTS = 3
BACK_SECONDS = 60.0


def power_cut(world: World) -> None:
    payer = Payer(world, WORKERS)
    eventually(lambda: len(payer.answers), lambda count: count >= BEFORE_KILL, 60, "payments before the cut")
    killed = kill_everything(world)
    assert killed >= 9, f"only {killed} processes were there to kill"
    world.start()
    payer.finish()
    world.assert_consistent(SETTLE_SECONDS)
    payer.assert_one_payment_for_each_key()


def first_answer(world: World) -> None:
    """What a daemon does first after its start goes by the sandbox's time, too."""
    client = world.client
    advance(client, business_time(client) + timedelta(days=1))
    body = json.dumps({"email": "test@example.com", "name": "Test", "country": "DE"}).encode()

    def made() -> str:
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        answer = client.send("POST", "/v1/customers", headers, body)
        return answer.body["created_at"] if answer.status == 201 else ""

    for _ in range(RESTARTS):
        before = business_time(client)
        os.kill(world.supervisor.pid("subscription-1"), signal.SIGKILL)
        deadline = time.monotonic() + BACK_SECONDS
        # Without a pause: the first answers are what is looked at.
        while not (first := made()):
            assert time.monotonic() < deadline, "nobody answers"
        assert parse(first) >= before, f"made at {first}, after {before}"
    world.assert_consistent(SETTLE_SECONDS)


CASES: list[Case] = [
    ("everything is killed at work and started again: each payment is there once", power_cut),
    ("a daemon that starts again goes by the sandbox's time from its first answer on", first_answer),
]
