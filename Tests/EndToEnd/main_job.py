"""The main job through the gateway, twice: the second run meets the data of the first."""

from __future__ import annotations

from datetime import timedelta

from deploy.demo.clock import advance, business_time
from deploy.demo.job import Job, play
from deploy.demo.verify import verify

from .harness import Case, World

SETTLE_SECONDS = 60


def year(world: World) -> None:
    run(world, Job(world.client, print_nothing))


def second_year(world: World) -> None:
    """The clock has moved on by a year; old customers go on being billed beside the new ones."""
    run(world, Job(world.client, print_nothing))


def impatient(world: World) -> None:
    """The clock goes on for a month of renewals while its caller, who waits for nothing, has an answer already."""
    to = business_time(world.client) + timedelta(days=31)
    body = {"to": to.strftime("%Y-%m-%dT%H:%M:%SZ")}
    answer = world.client.wanted("POST", "/v1/test_clock/advance", body, prefer="wait=0")
    assert answer.status == 202 and answer.body["status"] == "advancing", answer.raw
    advance(world.client, to.replace(microsecond=0))
    world.assert_consistent(SETTLE_SECONDS)


def run(world: World, job: Job) -> None:
    """Plays a job and holds its outcome against the calendar and the books against each other."""
    play(job)
    invoices = {member.customer_id: job.invoices(member) for member in job.members}
    payments = {member.customer_id: job.payments(member) for member in job.members}
    verify(job, invoices, payments)
    assert not job.failures, "\n".join(job.failures)
    world.assert_consistent(SETTLE_SECONDS)


def print_nothing(_: str) -> None:
    """A test says only how it ended."""


CASES: list[Case] = [
    ("thirty customers are billed for a year as the calendar says", year),
    ("a second run on the same data is right too", second_year),
    ("who does not wait for the clock is answered while it goes", impatient),
]
