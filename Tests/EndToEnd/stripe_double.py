"""The double of Stripe as a process of its own, and a payment daemon that speaks to it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from deploy.local import environment
from deploy.local.layout import Stack

from .harness import World, eventually

API_VERSION = "2026-10-28.endive"
START_SECONDS = 30.0
CALL_SECONDS = 30.0


@dataclass
class Account:
    """What the double has in its books about one payment of ours."""

    charges: int = 0
    captured: int = 0
    refunded: int = 0
    is_held: bool = False

    @property
    def sums(self) -> tuple[int, int, int]:
        return self.captured, self.refunded, int(self.is_held)


class StripeDouble:
    """A double that delivers its webhooks to a gateway."""

    CARDS = (
        "pm_card_visa", "pm_card_mastercard", "pm_card_amex", "pm_card_visa_debit", "pm_card_bypassPending",
        "pm_card_threeDSecureOptional", "pm_card_createDisputeInquiry", "pm_card_chargeCustomerFail",
    )  # fmt: skip
    FAULTS = ("429", "503", "reset_before", "reset_after", "timeout_before", "timeout_after", "slow", "html", "malformed")

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        self.port = free_port()
        self.key = "sk_test_" + "x" * 12

    def __enter__(self) -> Self:
        program = Path(os.environ["PEERS"]) / "stripe-mock/stripe_mock.py"
        command = [sys.executable, str(program), "--port", str(self.port), "--strict"]
        # It says a lot of connections that end with the daemon.
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self.answers, bool, START_SECONDS, "the double does not answer")
        self.control("webhooks/config", {"duplicate": 1, "retries": 8})
        hook = {"url": f"{self.gateway}/v1/webhooks/stripe", "enabled_events[]": "*"}
        self.secret: str = self.post("webhook_endpoints", hook)["secret"]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def environment(self) -> dict[str, str]:
        """What a daemon needs to take it for Stripe."""
        return {
            "STRIPE_SECRET_KEY": self.key,
            "STRIPE_API_URL": f"http://127.0.0.1:{self.port}",
            "STRIPE_WEBHOOK_SECRET": self.secret,
        }

    def answers(self) -> bool:
        try:
            return self.control("violations") == []
        except OSError:
            return False

    def control(self, path: str, body: Any = None, method: str = "") -> Any:
        """Reads one of the double's controls or, with a body, sets one."""
        return self.call(f"_mock/{path}", None if body is None else json.dumps(body).encode(), {}, method)

    def post(self, path: str, form: dict[str, str]) -> Any:
        headers = {"Authorization": f"Bearer {self.key}", "Stripe-Version": API_VERSION, "Idempotency-Key": path}
        return self.call(f"v1/{path}", urllib.parse.urlencode(form).encode(), headers)

    def call(self, path: str, body: bytes | None, headers: dict[str, str], method: str = "") -> Any:
        url = f"http://127.0.0.1:{self.port}/{path}"
        request = urllib.request.Request(url, body, headers, method=method or None)
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
            return json.load(answer)

    def disturb(self, draw: random.Random) -> None:
        """Some of the next requests go wrong."""
        fault = {"kind": draw.choice(self.FAULTS), "times": draw.randint(1, 4), "path": "^/v1/", "ms": 400}
        self.control("faults", fault)

    def calm(self) -> None:
        self.control("faults", method="DELETE")

    def books(self) -> dict[str, Account]:
        """What it has of each payment of ours, by our id."""
        books: dict[str, Account] = {}
        payments: dict[str, str] = {}
        for intent in self.control("objects?payment_intent"):
            payment = payments[intent["id"]] = intent["metadata"].get("payment_id", intent["id"])
            account = books.setdefault(payment, Account())
            account.is_held = account.is_held or intent["status"] == "requires_capture"
        for charge in self.control("objects?charge"):
            if charge["status"] == "succeeded":
                account = books[payments[charge["payment_intent"]]]
                account.charges += 1
                account.captured += charge["amount_captured"]
        for refund in self.control("objects?refund"):
            if refund["status"] == "succeeded":
                books[payments[refund["payment_intent"]]].refunded += refund["amount"]
        return books


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def configured(world: World, daemon: str, variables: dict[str, str]) -> Iterator[None]:
    """A daemon that runs with more variables meanwhile."""
    options = world.stack.options
    more = dataclasses.replace(options, daemon_env=options.daemon_env | variables)

    def restart(stack: Stack) -> None:
        environment.write(stack)
        world.supervisor.stop(daemon)
        world.start()

    restart(Stack(world.stack.name, more))
    try:
        yield
    finally:
        restart(world.stack)
