"""Moves the sandbox's business time."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from .client import Answer, Client

DONE_SECONDS = 300
POLL_SECONDS = 0.2


def business_time(client: Client) -> datetime:
    return parse(client.get("/v1/test_clock")["now"])


def advance(client: Client, to: datetime) -> None:
    """Moves all five services to a time and returns when all work due by then is done.

    The service that moves the clock may die on the way, or find another one dead: then it is asked again.
    """
    text = to.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    deadline = time.monotonic() + DONE_SECONDS
    last = ""
    while True:
        state = client.get("/v1/test_clock")
        if state["status"] != "advancing":
            if parse(state["now"]) >= to:
                return
            answer = client.settled("POST", "/v1/test_clock/advance", {"to": text}, prefer="wait=60")
            last = answer.raw[:300].decode(errors="replace")
            if answer.status == 200:
                return
            if _is_final(answer):
                raise AssertionError(f"the clock does not go to {text}: {answer.status} {last}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the work due by {text} is not done after {DONE_SECONDS} s: {last}")
        time.sleep(POLL_SECONDS)


def _is_final(answer: Answer) -> bool:
    """Whether asking again makes no sense."""
    return 400 <= answer.status < 500 and answer.code != "test_clock_busy" and answer.status != 422


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
