"""Everything is killed at once in the middle of work, and started again."""

from __future__ import annotations

import threading
import uuid

from deploy.demo.cards import good_card
from deploy.demo.client import Client, JSON

from .harness import Case, World, eventually
from .killing import kill_everything

WORKERS = 4
SETTLE_SECONDS = 90.0
BEFORE_KILL = 40


def power_cut(world: World) -> None:
    payer = Payer(world)
    threads = [threading.Thread(target=payer.work, daemon=True) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(payer.answers), lambda count: count >= BEFORE_KILL, 60, "payments before the cut")
    killed = kill_everything(world)
    assert killed >= 9, f"only {killed} processes were there to kill"
    world.start()
    payer.enough.set()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a client hangs after the restart"
    assert not payer.errors, payer.errors[0]
    world.assert_consistent(SETTLE_SECONDS)
    payer.assert_one_payment_for_each_key()


class Payer:
    """Clients that pay one thing after another and send again, under the same key, what got no answer."""

    def __init__(self, world: World) -> None:
        self.client = Client(world.stack.gateway_url, world.stack.demo_key, patience=120)
        self.customer = new_customer(self.client)
        self.answers: dict[str, str] = {}
        self.errors: list[str] = []
        self.enough = threading.Event()

    def work(self) -> None:
        while not self.enough.is_set():
            key = str(uuid.uuid4())
            body = {"amount": 500, "currency": "USD", "customer_id": self.customer, "description": key}
            try:
                self.answers[key] = self.client.post("/v1/payments", body, key=key)["id"]
            except Exception as error:  # told to the test, which runs in another thread
                self.errors.append(f"{type(error).__name__}: {error}")
                return

    def assert_one_payment_for_each_key(self) -> None:
        payments: list[JSON] = self.client.list("/v1/payments", customer_id=self.customer)
        by_key: dict[str, set[str]] = {}
        for payment in payments:
            by_key.setdefault(payment["description"], set()).add(payment["id"])
        doubled = {key: ids for key, ids in by_key.items() if len(ids) > 1}
        assert not doubled, f"paid twice under one key: {doubled}"
        lost = [key for key, ident in self.answers.items() if by_key.get(key) != {ident}]
        assert not lost, f"{len(lost)} answered payments are not there: {lost[:3]}"


def new_customer(client: Client, card: str = "") -> str:
    """A customer with a card that Payment knows; returns the id."""
    body = {"email": "test@example.com", "name": "Test", "country": "US"}
    customer: str = client.post("/v1/customers", body)["id"]
    fields = {"number": card or good_card(), "exp_month": 12, "exp_year": 2049, "cvc": "123"}
    attach = {"customer_id": customer, "type": "card", "card": fields}
    eventually(
        lambda: client.settled("POST", "/v1/payment_methods", attach).status,
        lambda status: status == 201,
        30,
        "the card is not attached",
    )
    return customer


CASES: list[Case] = [
    ("everything is killed at work and started again: each payment is there once", power_cut),
]
