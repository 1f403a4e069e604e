"""Moves the sandbox's business time."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from .client import Client

DONE_SECONDS = 300


def business_time(client: Client) -> datetime:
    return parse(client.get("/v1/test_clock")["now"])


def advance(client: Client, to: datetime) -> None:
    """Moves all five services to a time and returns when all work due by then is done."""
    text = to.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if business_time(client) >= to:
        return
    answer = client.post("/v1/test_clock/advance", {"to": text}, prefer="wait=60")
    deadline = time.monotonic() + DONE_SECONDS
    while answer["status"] != "done":
        if time.monotonic() > deadline:
            raise TimeoutError(f"the work due by {text} is not done after {DONE_SECONDS} s")
        time.sleep(0.2)
        answer = client.get("/v1/test_clock")


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
