"""The main job: thirty customers, twelve months, and four stories, played over HTTP through the gateway."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from . import expected
from .cards import good_card
from .catalog import PEOPLE, Person, load_catalog
from .client import Client, JSON
from .clock import advance, business_time

SETTLED = ("active", "trialing", "past_due", "canceled", "incomplete_expired")


@dataclass
class Member:
    """A person who signed up."""

    person: Person
    number: int
    customer_id: str = ""
    subscription_id: str = ""


@dataclass
class Job:
    """One run of the main job. `failures` holds every expectation that was not met."""

    client: Client
    say: Callable[[str], None]
    patience: float = 30.0
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    start: date = date.min
    members: list[Member] = field(default_factory=list)
    story_lines: dict[str, list[str]] = field(default_factory=dict)
    refunds: list[JSON] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    before: JSON = field(default_factory=dict)

    # Time

    def moment(self, month: int, day: int, hour: int = expected.NOON) -> datetime:
        """A time in the job's calendar; months count from 0."""
        first = expected.add_months(self.start, month)
        return expected.at(first.replace(day=day), hour)

    def go_to(self, moment: datetime) -> None:
        advance(self.client, moment)

    def month_end(self, month: int) -> datetime:
        return expected.at(expected.add_months(self.start, month + 1))

    # Acts

    def prepare(self) -> None:
        made = load_catalog(self.client)
        self.say(f"catalog: {len(made)} plans made" if made else "catalog: all plans are there")
        self.start = expected.first_month(business_time(self.client))
        self.before = self.client.get("/v1/analytics/summary")
        self.say(f"business time moves to {self.start}; the year ends on {expected.add_months(self.start, 12)}")

    def sign_up_everybody(self) -> None:
        for number, person in enumerate(PEOPLE):
            self.go_to(expected.signed_up(person, self.start))
            member = Member(person, number)
            self._sign_up(member)
            self.members.append(member)
        trials = sum(bool(member.person.trial_days) for member in self.members)
        self.say(f"{len(self.members)} customers signed up, {trials} of them with a trial")

    def _sign_up(self, member: Member) -> None:
        person = member.person
        customer = self.post(
            "/v1/customers",
            {
                "email": f"{person.name.lower().replace(' ', '.')}.{self.run}@example.com",
                "name": person.name,
                "country": person.country,
                "time_zone": person.time_zone,
                "metadata": {"run": self.run},
            },
            f"customer-{member.number}",
        )
        member.customer_id = customer["id"]
        self.attach(member, good_card(), "first-card")
        body: JSON = {"customer_id": member.customer_id, "plan_id": person.plan, "metadata": {"run": self.run}}
        if person.trial_days:
            body["trial_days"] = person.trial_days
        subscription = self.post("/v1/subscriptions", body, f"subscription-{member.number}", prefer="wait=10")
        member.subscription_id = subscription["id"]
        wanted = "trialing" if person.trial_days else "active"
        status = self.until(lambda: self.status(member), lambda found: found == wanted)
        self.expect(status == wanted, f"{person.name}: {status} after signing up, not {wanted}")

    def attach(self, member: Member, number: str, what: str) -> JSON:
        """Makes a card the customer's default."""
        card = {"number": number, "exp_month": 12, "exp_year": self.start.year + 4, "cvc": "123"}
        body = {"customer_id": member.customer_id, "type": "card", "card": card}
        # The customer reaches the Payment service as an event: right after signing up it may not be known there yet.
        deadline = time.monotonic() + self.patience
        while True:
            answer = self.client.settled("POST", "/v1/payment_methods", body, f"{self.run}-{what}-{member.number}")
            unknown = answer.status in (404, 422) and b"customer" in answer.raw
            if not unknown or time.monotonic() > deadline:
                break
            time.sleep(0.05)
            what += "+"
        if answer.status >= 300:
            raise AssertionError(f"{member.person.name}: no card: {answer.status} {answer.raw.decode(errors='replace')}")
        method: JSON = answer.body
        return method

    def post(self, path: str, body: JSON, what: str, prefer: str = "") -> JSON:
        return self.client.post(path, body, key=f"{self.run}-{what}", prefer=prefer)

    # Looking

    def member(self, story: str) -> Member:
        return next(member for member in self.members if member.person.story == story)

    def status(self, member: Member) -> str:
        return str(self.client.get(f"/v1/subscriptions/{member.subscription_id}")["status"])

    def invoices(self, member: Member) -> list[JSON]:
        """Oldest first."""
        return sorted(
            self.client.list("/v1/invoices", customer_id=member.customer_id),
            key=lambda invoice: (invoice["issued_at"] or "", invoice["id"]),
        )

    def payments(self, member: Member) -> list[JSON]:
        """Oldest first."""
        return sorted(
            self.client.list("/v1/payments", customer_id=member.customer_id),
            key=lambda payment: (payment["created_at"], payment["id"]),
        )

    def until(self, look: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
        """Looks again and again until it is good or patience ends; returns what was seen last."""
        deadline = time.monotonic() + self.patience
        while True:
            seen = look()
            if good(seen) or time.monotonic() > deadline:
                return seen
            time.sleep(0.05)

    # Noting

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.failures.append(otherwise)
            self.say(f"NOT AS EXPECTED: {otherwise}")

    def tell(self, story: str, moment: datetime, text: str) -> None:
        self.story_lines.setdefault(story, []).append(f"{moment:%Y-%m-%d}  {text}")


def play(job: Job) -> None:
    """Plays the whole year."""
    from . import stories

    job.prepare()
    job.sign_up_everybody()
    steps = sorted(stories.plan(job), key=lambda step: step[0])
    for month in range(expected.MONTHS):
        end = job.month_end(month)
        while steps and steps[0][0] < end:
            moment, act = steps.pop(0)
            job.go_to(moment)
            act()
        job.go_to(end)
        job.say(f"{end - timedelta(days=1):%Y-%m} is over ({month + 1} of {expected.MONTHS})")
