"""Customers with cards, and clients that pay without a pause."""

from __future__ import annotations

import threading
import uuid

from deploy.demo.cards import good_card
from deploy.demo.client import Client, JSON

from .harness import World, eventually

PATIENCE_SECONDS = 120.0


def new_customer(client: Client, card: str = "", seconds: float = 30) -> str:
    """A customer with a card that Payment knows; returns the id."""
    body = {"email": "test@example.com", "name": "Test", "country": "US"}
    customer: str = client.post("/v1/customers", body)["id"]
    fields = {"number": card or good_card(), "exp_month": 12, "exp_year": 2049, "cvc": "123"}
    attach = {"customer_id": customer, "type": "card", "card": fields}
    eventually(
        lambda: client.settled("POST", "/v1/payment_methods", attach).status,
        lambda status: status == 201,
        seconds,
        "the card is not attached",
    )
    return customer


class Payer:
    """Clients that pay one thing after another and send again, under the same key, what got no answer."""

    def __init__(self, world: World, workers: int) -> None:
        self.client = Client(world.stack.gateway_url, world.stack.demo_key, patience=PATIENCE_SECONDS)
        self.customer = new_customer(self.client)
        self.answers: dict[str, str] = {}
        self.errors: list[str] = []
        self.enough = threading.Event()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(workers)]
        for thread in self.threads:
            thread.start()

    def finish(self) -> None:
        """Lets every client end the payment at hand. Fails when one gave up or hangs."""
        self.enough.set()
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "a client hangs"
        assert not self.errors, self.errors[0]

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
