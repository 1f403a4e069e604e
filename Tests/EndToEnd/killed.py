"""The payment daemon is killed with SIGKILL, over and over and at drawn moments, while customers pay, merchants review,
capture, release and give back, and webhooks come. Then the provider's books are held against ours.

`PEERS` names the folder of the doubles: then the provider is the double of Stripe; otherwise it is the sandbox.
`REFRAIN_TEST_SEED` repeats the draws."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial

from deploy.demo.cards import good_card
from deploy.demo.client import JSON
from deploy.local.probes import unready

from .crowd import Crowd
from .harness import Case, World, eventually
from .stripe_double import StripeDouble, configured

DAEMON = "payment-1"
STORM_SECONDS = 75.0
LONGEST_STORM_SECONDS = 3 * STORM_SECONDS
LEAST_KILLS = 10
LONGEST_LIFE_SECONDS = 0.8
READY_SECONDS = 30.0
PATIENCE_SECONDS = 90.0
SETTLE_SECONDS = 60.0
SETTLED = ("succeeded", "failed", "authorized", "canceled")
CUSTOMERS = 8
WORKERS = 6


class Shop(Crowd):
    """Clients that play stories of payments and send again, under the same key, what got no answer."""

    def __init__(self, world: World, double: StripeDouble | None, seed: int) -> None:
        super().__init__(world, PATIENCE_SECONDS)
        self.seed = seed
        self.provider = "stripe" if double else "sandbox"
        self.payers = [self.payer(double, number) for number in range(CUSTOMERS)]
        self.orders: dict[str, str] = {}
        self.said: Counter[str] = Counter()

    def payer(self, double: StripeDouble | None, number: int) -> JSON:
        """A customer with a method of their own: risk rules count attempts by card."""
        body = {"email": "test@example.com", "name": "Test", "country": "US"}
        customer = self.client.post("/v1/customers", body)["id"]
        if double:
            method: JSON = {"provider": "stripe", "token": double.CARDS[number]}
        else:
            method = {"card": {"number": good_card(), "exp_month": 12, "exp_year": 2049, "cvc": "123"}}
        attach = {"customer_id": customer, "type": "card", **method}
        answer = eventually(
            lambda: self.client.settled("POST", "/v1/payment_methods", attach).body,
            lambda body: body.get("status") == "active",
            READY_SECONDS,
            "the method is not kept",
        )
        return {"customer_id": customer, "payment_method_id": answer["id"]}

    def start(self) -> None:
        draws = [random.Random(f"{self.seed}/{number}") for number in range(WORKERS)]
        self.begin(*(partial(self.story, draw) for draw in draws))

    def story(self, draw: random.Random) -> None:
        key, amount, manual = str(uuid.UUID(int=draw.getrandbits(128))), draw.randint(1_000, 9_000), draw.random() < 0.5
        body = {
            "amount": amount,
            "currency": "USD",
            "capture_method": "manual" if manual else "automatic",
            "description": key,
            **draw.choice(self.payers),
        }
        payment = self.ask("payments", body, key)
        self.orders[key] = payment
        status = self.settled(payment)
        if status == "authorized" and self.reviewed(draw, payment):
            status = self.settled(payment, besides="" if manual else "authorized")
        if status == "authorized":
            status = self.take(draw, payment, amount)
        if status == "succeeded":
            for _ in range(draw.randint(0, 2)):
                self.ask("refunds", {"payment_id": payment, "amount": draw.randint(1, 400)}, str(uuid.uuid4()))

    def reviewed(self, draw: random.Random, payment: str) -> bool:
        """Whether the payment was held for review, which ends here: a fast machine pays often with the same card."""
        if self.client.get(f"/v1/payments/{payment}").get("review_status") != "pending":
            return False
        decision = "approve" if draw.random() < 0.8 else "decline"
        self.ask(f"payments/{payment}/review", {"decision": decision}, str(uuid.uuid4()))
        return True

    def take(self, draw: random.Random, payment: str, amount: int) -> str:
        if draw.random() < 0.25:
            self.ask(f"payments/{payment}/cancel", {}, str(uuid.uuid4()))
        elif draw.random() < 0.8:
            part = {"amount": draw.randint(900, amount)} if draw.random() < 0.5 else {}
            self.ask(f"payments/{payment}/captures", {"final": True, **part}, str(uuid.uuid4()))
        else:
            return "authorized"
        return self.settled(payment, besides="authorized")

    def ask(self, what: str, body: JSON, key: str) -> str:
        answer = self.client.wanted("POST", f"/v1/{what}", body, key, prefer="wait=1")
        self.said[f"{what.split('/')[-1]} {answer.status}"] += 1
        ident: str = answer.body["id"]
        return ident

    def settled(self, payment: str, besides: str = "") -> str:
        status: str = eventually(
            lambda: self.client.get(f"/v1/payments/{payment}")["status"],
            lambda status: status in SETTLED and status != besides,
            PATIENCE_SECONDS,
            f"{payment} does not settle",
        )
        return status


def killed(world: World) -> None:
    # It may come after a case that has failed with daemons down.
    world.start()
    seed = int(os.environ.get("REFRAIN_TEST_SEED") or random.SystemRandom().randint(1, 999_999_999))
    print(f"     REFRAIN_TEST_SEED={seed}", flush=True)
    draw = random.Random(seed)
    others = {row[0] for row in still_open(world)}
    with at_provider(world) as double:
        shop = Shop(world, double, seed)
        shop.start()
        kills = 0
        interrupted: Counter[str] = Counter()
        begun = time.monotonic()
        # A slow machine takes longer for as many.
        while not shop.errors and time.monotonic() - begun < (STORM_SECONDS if kills >= LEAST_KILLS else LONGEST_STORM_SECONDS):
            if double and draw.random() < 0.3:
                double.disturb(draw)
            interrupted += kill(world, draw.uniform(0, LONGEST_LIFE_SECONDS), others)
            kills += 1
        ready(world)
        if double:
            double.calm()
        shop.finish()
        eventually(lambda: still_open(world, others), lambda rows: not rows, SETTLE_SECONDS, "not known")
        world.assert_consistent(SETTLE_SECONDS)
        compare(world, shop, double)
    print(f"     {kills} kills in the middle of {dict(interrupted)}")
    print(f"     {shop.client.repeats} requests repeated, {dict(sorted(shop.said.items()))}")
    assert kills >= LEAST_KILLS and interrupted, f"only {kills} kills"


@contextlib.contextmanager
def at_provider(world: World) -> Iterator[StripeDouble | None]:
    """The double of Stripe, which the payment daemon speaks to meanwhile; nothing where there are no doubles."""
    if not os.environ.get("PEERS"):
        yield None
        return
    with StripeDouble(world.stack.gateway_url) as double, configured(world, DAEMON, double.environment):
        yield double


def ready(world: World) -> int:
    """Waits until the daemon takes requests; returns its pid."""
    eventually(lambda: unready(world.stack.service_url("payment")), lambda why: not why, READY_SECONDS, "not ready")
    return world.supervisor.pid(DAEMON)


def kill(world: World, after: float, others: Collection[str]) -> Counter[str]:
    """Kills the daemon some time after it has begun to take requests; returns what it has left in the middle."""
    pid = ready(world)
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    left = Counter(" ".join(row[1:]) for row in still_open(world, others))
    eventually(lambda: world.supervisor.pid(DAEMON), lambda now: now not in (0, pid), READY_SECONDS, "it stays down")
    return left


def still_open(world: World, others: Collection[str] = ()) -> list[list[str]]:
    """What has no outcome yet, besides what was open before the storm: customers of other cases who never came back."""
    rows = world.sql(
        "SELECT id, 'payment', status FROM payment.payments"
        " WHERE status IN ('created', 'processing', 'canceling', 'requires_action')"
        " UNION ALL SELECT id, 'capture', status FROM payment.captures WHERE status = 'processing'"
        " UNION ALL SELECT id, 'refund', status FROM payment.refunds WHERE status = 'processing'"
        " UNION ALL SELECT event_id, 'webhook', state FROM payment.inbound_webhooks WHERE state <> 'done'"
    )
    return [row for row in rows if row[0] not in others]


def compare(world: World, shop: Shop, double: StripeDouble | None) -> None:
    """Each order is one payment, and the double has of each what we have."""
    made = dict(world.sql("SELECT id, description FROM payment.payments WHERE description IS NOT NULL"))
    lost = [key for key, payment in shop.orders.items() if made.get(payment) != key]
    assert not lost, f"answered and not there: {lost[:3]}"
    counted = Counter(key for key in made.values() if key in shop.orders)
    assert all(number == 1 for number in counted.values()), f"paid twice under one key: {counted.most_common(3)}"
    unbalanced = world.sql("SELECT entry_id FROM payment.journal_lines GROUP BY 1 HAVING sum(amount) <> 0")
    assert not unbalanced, f"entries that do not balance: {unbalanced[:3]}"
    if double is None:
        return  # Its books are part of the consistency check.
    rows = world.sql(
        "SELECT p.id, p.amount_captured, coalesce(sum(r.amount) FILTER (WHERE r.status = 'succeeded'), 0),"
        " (p.status = 'authorized')::int FROM payment.payments p LEFT JOIN payment.refunds r ON r.payment_id = p.id"
        " WHERE p.provider = 'stripe' GROUP BY p.id"
    )
    ours = {row[0]: tuple(int(cell) for cell in row[1:]) for row in rows}
    theirs = double.books()
    twice = {payment: account.charges for payment, account in theirs.items() if account.charges > 1}
    assert not twice, f"charged more than once: {twice}"
    apart = {
        payment: (ours.get(payment), theirs[payment].sums if payment in theirs else None)
        for payment in ours.keys() | theirs.keys()
        if ours.get(payment, (0, 0, 0)) != (theirs[payment].sums if payment in theirs else (0, 0, 0))
    }
    assert not apart, f"here and at the double: {dict(list(apart.items())[:5])} of {len(apart)}"
    booked = world.sql("SELECT sum(amount) FROM payment.journal_lines WHERE account = 'assets:provider:stripe'")
    held = sum(account.captured - account.refunded for account in theirs.values())
    assert booked == [[str(held)]], f"the ledger has {booked}, the double {held}"
    assert not double.control("violations"), double.control("violations")


CASES: list[Case] = [
    ("the payment daemon is killed at drawn moments: each payment is taken once, known and booked as the provider has it", killed)
]
