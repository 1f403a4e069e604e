"""Customers with cards, and clients that pay without a pause."""

from __future__ import annotations

import uuid

from deploy.demo.cards import good_card
from deploy.demo.client import Client, JSON

from .crowd import Crowd
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


class Payer(Crowd):
    """Clients that pay one thing after another and send again, under the same key, what got no answer."""

    def __init__(self, world: World, workers: int) -> None:
        super().__init__(world, PATIENCE_SECONDS)
        self.customer = new_customer(self.client)
        self.answers: dict[str, str] = {}
        self.begin(*[self.pay] * workers)

    def pay(self) -> None:
        key = str(uuid.uuid4())
        body = {"amount": 500, "currency": "USD", "customer_id": self.customer, "description": key}
        self.answers[key] = self.client.post("/v1/payments", body, key=key)["id"]

    def assert_one_payment_for_each_key(self) -> None:
        payments: list[JSON] = self.client.list("/v1/payments", customer_id=self.customer)
        by_key: dict[str, set[str]] = {}
        for payment in payments:
            by_key.setdefault(payment["description"], set()).add(payment["id"])
        doubled = {key: ids for key, ids in by_key.items() if len(ids) > 1}
        assert not doubled, f"paid twice under one key: {doubled}"
        lost = [key for key, ident in self.answers.items() if by_key.get(key) != {ident}]
        assert not lost, f"{len(lost)} answered payments are not there: {lost[:3]}"
