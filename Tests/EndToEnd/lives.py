"""Customers live drawn lives: they keep and lose cards, sign up, move between plans, pay, are given back, dispute, pay by
instalments, while the clock jumps and daemons are killed. Whatever they did, the books agree in the end.

`REFRAIN_TEST_SEED` repeats the draws, `REFRAIN_LIVES_SECONDS` is how long they live."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from deploy.demo import cards
from deploy.demo.catalog import PLANS, load_catalog
from deploy.demo.client import Answer, Client, JSON
from deploy.demo.clock import advance, business_time
from deploy.local.layout import SERVICES

from .crowd import Crowd
from .harness import Case, World, eventually
from .killed import still_open

LIFE_SECONDS = float(os.environ.get("REFRAIN_LIVES_SECONDS", "30"))
WORKERS = 4
PATIENCE_SECONDS = 90.0
CLOCK_SECONDS = 240.0
SETTLE_SECONDS = 90.0
BACK_SECONDS = 60.0
DISPUTED = ("4000000000000259", "4000000000002685", "4000000000001976")
TROUBLE = (cards.INSUFFICIENT_FUNDS, cards.FAILS_ON_CHARGE, cards.AUTHENTICATION_REQUIRED, "4000009900000020", *DISPUTED)
JUMP_HOURS = (1, 2, 20, 24 * 3, 24 * 8)
RESTLESS_HOURS = 2
TERMS = ("pay_in_3", "pay_in_4", "pay_in_6", "pay_in_12")
COUNTRIES = {"USD": "US", "EUR": "DE", "GBP": "GB", "JPY": "JP", "KWD": "KW"}


class Life:
    """One customer. Every step is drawn; an answer may say no, but never that something broke."""

    def __init__(self, client: Client, draw: random.Random, said: Counter[str]) -> None:
        self.client, self.draw, self.said = client, draw, said
        self.currency = draw.choice(list(COUNTRIES))
        self.country = COUNTRIES[self.currency]
        body = {"email": "test@example.com", "name": "Test", "country": self.country, "currency": self.currency}
        self.customer: str = self.client.post("/v1/customers", body)["id"]
        self.methods: list[str] = []
        self.payments: list[str] = []
        self.plans: list[str] = []
        self.subscriptions: list[str] = []

    def step(self) -> None:
        steps: list[tuple[Callable[[], None], int]] = [
            (self.keep_card, 1 if self.methods else 20),
            (self.detach, 1 if len(self.methods) > 2 else 0),
            (self.subscribe, 2 if self.methods and len(self.subscriptions) < 3 else 0),
            (self.change_plan, 4 if self.subscriptions else 0),
            (self.leave, 1 if self.subscriptions else 0),
            (self.pay, 3 if self.methods else 0),
            (self.act_on_payment, 6 if self.payments else 0),
            (self.buy_in_parts, 1 if self.methods else 0),
            (self.act_on_plan, 2 if self.plans else 0),
            (self.answer_dispute, 2),
            (self.use_link, 1),
        ]
        self.draw.choices([step for step, _ in steps], [weight for _, weight in steps])[0]()

    def keep_card(self) -> None:
        number = cards.good_card() if self.draw.random() < 0.6 else self.draw.choice(TROUBLE)
        card = {"number": number, "exp_month": 12, "exp_year": 2049, "cvc": "123"}
        body = {"customer_id": self.customer, "type": "card", "card": card, "default": self.draw.random() < 0.7}
        if made := self.ask("payment_methods", body):
            self.methods.append(made["id"])

    def detach(self) -> None:
        self.ask(f"payment_methods/{self.methods.pop(self.draw.randrange(len(self.methods)))}/detach", {})

    def subscribe(self) -> None:
        body: JSON = {"customer_id": self.customer, "plan_id": self.plan()}
        if self.draw.random() < 0.4:
            body["trial_days"] = self.draw.choice((1, 7, 30))
        if made := self.ask("subscriptions", body):
            self.subscriptions.append(made["id"])

    def plan(self) -> str:
        mine = [plan.id for plan in PLANS.values() if plan.currency == self.currency]
        return self.draw.choice(mine if self.draw.random() < 0.95 else list(PLANS))

    def change_plan(self) -> None:
        subscription = self.draw.choice(self.subscriptions)
        body = {"plan_id": self.plan(), "proration": self.draw.choice(("immediate", "immediate", "none"))}
        self.ask(f"subscriptions/{subscription}", body, method="PATCH")

    def leave(self) -> None:
        subscription = self.draw.choice(self.subscriptions)
        self.ask(f"subscriptions/{subscription}/cancel", {"at_period_end": self.draw.random() < 0.6})

    def pay(self) -> None:
        body: JSON = {
            "amount": self.draw.randint(60, 900_000),
            "currency": self.currency,
            "customer_id": self.customer,
            "capture_method": self.draw.choice(("automatic", "manual")),
        }
        if self.draw.random() < 0.4:
            body["payment_method_id"] = self.draw.choice(self.methods)
        if self.draw.random() < 0.2:
            body["confirm"] = False
        if made := self.ask("payments", body):
            self.payments.append(made["id"])

    def act_on_payment(self) -> None:
        if self.draw.random() < 0.2:
            self.payments = [payment["id"] for payment in self.client.list("/v1/payments", customer_id=self.customer)]
        payment = self.draw.choice(self.payments[-8:])
        found = self.client.get(f"/v1/payments/{payment}")
        amount: int = found["amount"]
        part = {"amount": self.draw.randint(1, amount)} if self.draw.random() < 0.7 else {}
        acts: list[tuple[str, JSON]] = [
            (f"payments/{payment}/captures", {**part, "final": self.draw.random() < 0.5}),
            (f"payments/{payment}/cancel", {}),
            (f"payments/{payment}/confirm", {"challenge": self.draw.choice(("passed", "passed", "failed"))}),
            (f"payments/{payment}/confirm", self.draw.choice(({}, {"payment_method_id": self.draw.choice(self.methods)}))),
            (f"payments/{payment}/review", {"decision": self.draw.choice(("approve", "decline"))}),
            (f"payments/{payment}/sync", {}),
            ("refunds", {"payment_id": payment, **part}),
        ]
        fitting = {"authorized": (0, 0, 1, 3), "requires_action": (2, 2, 2, 1), "succeeded": (5,)}
        what, body = acts[self.draw.choice(fitting.get(found["status"], range(len(acts))))]
        self.ask(what, body)

    def buy_in_parts(self) -> None:
        body = {
            "customer_id": self.customer,
            "amount": self.draw.randint(5_000, 300_000),
            "currency": self.currency,
            "terms": self.draw.choice(TERMS),
        }
        if made := self.ask("instalment_plans", body):
            self.plans.append(made["id"])

    def act_on_plan(self) -> None:
        plan = self.draw.choice(self.plans)
        body = {"amount": self.draw.randint(1, 20_000)}
        act = self.draw.choice(("settle", "reduce", "reduce", "cancel"))
        self.ask(f"instalment_plans/{plan}/{act}", body if act == "reduce" else {})

    def answer_dispute(self) -> None:
        for dispute in self.client.list("/v1/disputes", customer_id=self.customer)[:2]:
            if self.draw.random() < 0.5:
                text = self.draw.choice(("winning_evidence", "losing_evidence", "as agreed"))
                self.ask(f"disputes/{dispute['id']}/evidence", {"uncategorized_text": text, "submit": self.draw.random() < 0.7})
            else:
                self.ask(f"disputes/{dispute['id']}/accept", {})

    def use_link(self) -> None:
        body = {"amount": self.draw.randint(60, 90_000), "currency": self.currency, "customer_id": self.customer}
        if (made := self.ask("payment_links", body)) and self.draw.random() < 0.5:
            self.ask(f"payment_links/{made['id']}/deactivate", {})

    def ask(self, what: str, body: JSON, method: str = "POST") -> JSON | None:
        """What was made or changed; nothing when the answer is no."""
        answer: Answer = self.client.settled(method, f"/v1/{what}", body, prefer="wait=2")
        parts = what.split("/")
        verb = f"{parts[0]} {parts[2]}" if len(parts) > 2 else parts[0]
        self.said[f"{verb} {answer.status}" + (f" {answer.code}" if answer.status >= 400 else "")] += 1
        assert answer.status < 500, f"{method} {what} {body} -> {answer.status} {answer.raw[:500]!r}"
        found: JSON | None = answer.body if answer.status < 300 else None
        return found


class Lives(Crowd):
    """Customers that live at once."""

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(world, PATIENCE_SECONDS)
        self.said: Counter[str] = Counter()
        self.may_act = threading.Event()
        self.may_act.set()
        self.begin(*(partial(self.live, random.Random(f"{seed}/{number}"), []) for number in range(WORKERS)))

    def live(self, draw: random.Random, lives: list[Life]) -> None:
        self.may_act.wait(PATIENCE_SECONDS)
        if not lives or len(lives) < 12 and draw.random() < 0.1:
            lives.append(Life(self.client, draw, self.said))
        draw.choice(lives).step()


def kill_now_and_then(world: World, draw: random.Random, lives: Lives, kills: Counter[str]) -> None:
    """Kills a drawn daemon every few seconds, as long as customers live."""
    while not lives.enough.wait(draw.uniform(1, 4)):
        name = f"{draw.choice(SERVICES)}-1"
        pid = eventually(lambda name=name: world.supervisor.pid(name), bool, BACK_SECONDS, f"{name} is down")
        # It may have died since it was looked at.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            kills[name] += 1


def options() -> dict[str, Any]:
    return {"daemon_env": {"REFRAIN_KAFKA_PARTITIONS": "4"}}


def lived(world: World) -> None:
    world.start()
    seed = int(os.environ.get("REFRAIN_TEST_SEED") or random.SystemRandom().randint(1, 999_999_999))
    print(f"     REFRAIN_TEST_SEED={seed}", flush=True)
    draw = random.Random(seed)
    load_catalog(world.client)
    lives = Lives(world, seed)
    kills: Counter[str] = Counter()
    lives.begin(partial(kill_now_and_then, world, draw, lives, kills))
    # Whoever moves the clock is killed in the middle of it, again and again.
    clock = Client(world.stack.gateway_url, world.stack.demo_key, patience=CLOCK_SECONDS)
    jumps = 0
    end = time.monotonic() + LIFE_SECONDS
    try:
        while time.monotonic() < end and not lives.errors:
            hours = draw.choice(JUMP_HOURS)
            # Short jumps go on while customers act, long ones while they wait: the system would never be at rest.
            if hours > RESTLESS_HOURS:
                lives.may_act.clear()
            advance(clock, business_time(clock) + timedelta(hours=hours))
            lives.may_act.set()
            jumps += 1
    finally:
        lives.enough.set()
        lives.may_act.set()
    lives.finish()
    print(f"     {dict(kills)} kills, {jumps} jumps, {lives.client.repeats} requests repeated", flush=True)
    print(f"     {dict(sorted(lives.said.items()))}", flush=True)
    assert kills, "nothing was killed"
    advance(clock, business_time(clock) + timedelta(days=31))
    world.assert_consistent(SETTLE_SECONDS)
    eventually(
        lambda: [row for row in still_open(world) if row[2] != "requires_action"],
        lambda rows: not rows,
        SETTLE_SECONDS,
        "not known",
    )


CASES: list[Case] = [("drawn lives end with books that agree, whatever was done and killed", lived)]
