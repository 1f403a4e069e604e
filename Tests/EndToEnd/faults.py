"""The main job while every part is killed in turn."""

from __future__ import annotations

import threading
import time

from deploy.demo.client import Client
from deploy.demo.job import Job, play
from deploy.demo.verify import verify
from deploy.local.layout import SERVICES

from .harness import Case, World
from .killing import kill
from .main_job import print_nothing
from .paying import Payer

TARGETS = (*(f"{service}-1" for service in SERVICES), "broker", "broker-front", "broker-trim", "redis", "postgres")
BETWEEN_KILLS_SECONDS = 2.0
PATIENCE_SECONDS = 180.0
SETTLE_SECONDS = 120.0
LONGEST_SECONDS = 300.0


class Player(threading.Thread):
    """Plays main jobs in the background until told to finish the one at hand."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        client = Client(world.stack.gateway_url, world.stack.demo_key, patience=PATIENCE_SECONDS)
        self.client = client
        self.jobs: list[Job] = []
        self.enough = threading.Event()
        self.error: BaseException | None = None

    def verify(self, job: Job) -> None:
        """Holds the year against the calendar, before the next one adds to it."""
        invoices = {member.customer_id: job.invoices(member) for member in job.members}
        payments = {member.customer_id: job.payments(member) for member in job.members}
        verify(job, invoices, payments)

    def run(self) -> None:
        try:
            while not self.enough.is_set():
                job = Job(self.client, print_nothing, patience=PATIENCE_SECONDS)
                self.jobs.append(job)
                play(job)
                self.verify(job)
        except BaseException as error:  # told to the test, which runs in another thread
            self.error = error


def killed_in_turn(world: World) -> None:
    player = Player(world)
    player.start()
    for target in TARGETS:
        time.sleep(BETWEEN_KILLS_SECONDS)
        if player.error:
            break
        kill(world, target)
    player.enough.set()
    player.join(LONGEST_SECONDS)
    assert not player.is_alive(), f"the main job hangs: {len(player.jobs)} begun"
    if player.error:
        raise AssertionError(f"the main job broke off: {player.error!r}") from player.error
    world.assert_consistent(SETTLE_SECONDS)
    for job in player.jobs:
        assert not job.failures, "\n".join(job.failures)
    proofs(world)
    print(f"     {len(TARGETS)} kills, {len(player.jobs)} main jobs, {player.client.repeats} requests repeated")


def payments_while_killed(world: World) -> None:
    """The same under clients that pay through the API all the time, each payment under a key of its own."""
    payer = Payer(world, workers=4)
    for target in TARGETS:
        time.sleep(BETWEEN_KILLS_SECONDS / 2)
        kill(world, target)
    time.sleep(BETWEEN_KILLS_SECONDS)
    payer.finish()
    world.assert_consistent(SETTLE_SECONDS)
    payer.assert_one_payment_for_each_key()
    proofs(world)
    print(f"     {len(TARGETS)} kills, {len(payer.answers)} payments, {payer.client.repeats} requests repeated")


def proofs(world: World) -> None:
    """What the books must show, read from the tables and not from the services."""
    unbalanced = world.sql(
        "SELECT currency, sum(amount) FROM payment.journal_lines GROUP BY currency HAVING sum(amount) <> 0"
    )
    assert not unbalanced, f"the ledger does not balance in {unbalanced}"
    doubled = world.sql(
        "SELECT invoice_id FROM payment.payments WHERE status = 'succeeded' AND invoice_id IS NOT NULL"
        " GROUP BY invoice_id HAVING count(*) > 1"
    )
    assert not doubled, f"invoices paid twice: {doubled}"
    twice = world.sql("SELECT event_id FROM analytics.event_history GROUP BY event_id HAVING count(*) > 1")
    assert not twice, f"events applied twice: {twice}"


CASES: list[Case] = [
    ("every part is killed in turn: nothing is lost, doubled or out of balance", killed_in_turn),
    ("clients pay all the time while every part is killed: each payment is there once", payments_while_killed),
]
