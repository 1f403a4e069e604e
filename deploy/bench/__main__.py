"""`make bench`: measures a stack of its own, each figure beside a reference measured in the same run.

    REFRAIN_BENCH_SECONDS     length of each run (default 30)
    REFRAIN_BENCH_RENEWALS    subscriptions due at once (default 20000)
    REFRAIN_BENCH_PAYMENTS    payments over which memory has to be flat (default 100000)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from deploy.demo.catalog import load_catalog
from deploy.demo.client import Client
from deploy.demo.clock import business_time
from deploy.local import postgres
from deploy.local.__main__ import reset, stop
from deploy.local.environment import DATABASE
from deploy.local.layout import ROOT, SERVICES
from deploy.local.probes import Progress
from deploy.local.start import start, start_infrastructure_only
from Tests.EndToEnd.harness import free_stack

from .inside import measure
from .metrics import MemoryPeak, Snapshot, memory_mb
from .tools import SCRIPTS, make_reference_database, pgbench, wrk

SECONDS = int(os.environ.get("REFRAIN_BENCH_SECONDS", "30"))
RENEWALS = int(os.environ.get("REFRAIN_BENCH_RENEWALS", "20000"))
PAYMENTS = int(os.environ.get("REFRAIN_BENCH_PAYMENTS", "100000"))
CUSTOMERS = 1000
SLOW_CUSTOMERS = 100
LATEST = ROOT / ".local/bench/latest.json"
IDLE_SECONDS = 10
REST_SECONDS = 40
PROBE_SECONDS = 5
RENEWAL_SECONDS = 600
SETTLE_SECONDS = 120


@dataclass(frozen=True)
class Figure:
    """One measured value; `ratio` is value / reference."""

    name: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None


class Bench:
    """The runs, in order; figures gather in `figures`."""

    def __init__(self) -> None:
        self.say = Progress()
        self.stack = free_stack("bench-stack", daemon_env={"REFRAIN_CONFIG": str(ROOT / "deploy/bench/bench.yaml")})
        self.figures: list[Figure] = []
        self.peak = {service: 0.0 for service in SERVICES}
        self.references: dict[int, float] = {}

    def note(self, name: str, value: float, unit: str, reference: float | None = None) -> None:
        ratio = round(value / reference, 3) if reference else None
        figure = Figure(name, round(value, 2), unit, None if reference is None else round(reference, 2), ratio)
        self.figures.append(figure)
        beside = "" if reference is None else f"   reference {figure.reference} {unit}, ratio {ratio}"
        self.say(f"{name:<28} {figure.value:>10} {unit}{beside}")

    def run(self) -> None:
        self.inside()
        reset(self.stack)
        start(self.stack, Progress(quiet=True))
        self.cold_start()
        time.sleep(IDLE_SECONDS)
        for service, megabytes in memory_mb(self.stack).items():
            self.note(f"rss_idle_mb_{service}", megabytes, "MB")
        self.client = Client(self.stack.gateway_url, self.stack.demo_key)
        load_catalog(self.client)
        self.seed("bench_", CUSTOMERS)
        make_reference_database(self.stack, CUSTOMERS)
        rates = {connections: self.payments(connections) for connections in (32, 64)}
        best = max(rates, key=lambda connections: rates[connections])
        top = rates[best]
        self.note("payments_vs_pgbench", top, "payments/s", self.references[best])
        self.half_load("half_load", top / 2)
        self.half_load("half_reference", self.references[best] / 2)
        self.events(top / 10)
        self.added_latency()
        self.renewals()
        self.flat_memory(top)
        for service, megabytes in self.peak.items():
            self.note(f"rss_load_mb_{service}", megabytes, "MB")
        self.consistent()
        time.sleep(REST_SECONDS)
        for service, megabytes in memory_mb(self.stack).items():
            self.note(f"rss_rest_mb_{service}", megabytes, "MB")

    def inside(self) -> None:
        """What needs no stack: a routing decision, and wallet tokens by the slowest kind."""
        found = measure()
        self.note("routing_us", found.routing_us, "µs")
        reference = found.tokens_per_second.pop("reference")
        self.note("wallet_tokens_per_second", min(found.tokens_per_second.values()), "tokens/s", reference)

    def cold_start(self) -> None:
        """From nothing running to everything ready, data and build being there; beside Postgres, Redis and broker alone."""
        stop(self.stack)
        began = time.monotonic()
        start_infrastructure_only(self.stack, Progress(quiet=True))
        infrastructure = time.monotonic() - began
        stop(self.stack)
        began = time.monotonic()
        environment = os.environ | {"REFRAIN_STACK": self.stack.name}
        subprocess.run([str(ROOT / "scripts/run"), "--no-job"], check=True, env=environment, capture_output=True)
        self.note("ready_seconds", time.monotonic() - began, "s", infrastructure)

    def payments(self, connections: int) -> float:
        reference = pgbench(self.stack, SCRIPTS / "payment_reference.sql", connections, SECONDS, CUSTOMERS)
        before = Snapshot(self.stack)
        began = time.monotonic()
        with MemoryPeak(self.stack) as memory:
            found = self.wrk(connections, 0)
        self.keep_peak(memory)
        rate = found["succeeded"] / found["seconds"]
        self.references[connections] = reference.per_second
        self.note(f"payments_per_second_{connections}", rate, "payments/s", reference.per_second)
        self.note(f"payments_p50_ms_{connections}", found["p50_ms"], "ms")
        self.note(f"payments_p99_ms_{connections}", found["p99_ms"], "ms", reference.p99_ms)
        events = Snapshot(self.stack).handled - before.handled
        self.note(f"events_per_second_{connections}", events / (time.monotonic() - began), "events/s")
        return rate

    def half_load(self, name: str, rate: float) -> None:
        """Payments at half of a rate: of our top, and of what the reference does one payment at a time."""
        connections = 64
        pause = self.pause(connections, rate)
        reference = pgbench(self.stack, SCRIPTS / "payment_reference.sql", connections, SECONDS, CUSTOMERS, rate=rate)
        found = self.wrk(connections, pause)
        self.say(f"{name}: {found['succeeded'] / found['seconds']:.0f} payments/s of {rate:.0f} wanted")
        self.note(f"payments_p99_ms_{name}", found["p99_ms"], "ms", reference.p99_ms)
        self.note(f"payments_p50_ms_{name}", found["p50_ms"], "ms")

    def events(self, rate: float) -> None:
        connections = 16
        pause = self.pause(connections, rate)
        before = Snapshot(self.stack)
        self.wrk(connections, pause)
        after = Snapshot(self.stack)
        self.note("event_delay_p99_ms", after.delay_ms(before, 0.99), "ms")
        self.note("event_delay_p50_ms", after.delay_ms(before, 0.50), "ms")

    def added_latency(self) -> None:
        """What we add to the provider's own time: payments by a card over which it takes three seconds and more. Each answer
        says how long that was. The reference's statements at the same rate say what the machine gives."""
        self.make("customers", "slow_", SLOW_CUSTOMERS)
        self.wait_rows("payment.customers WHERE id LIKE 'slow\\_%'", SLOW_CUSTOMERS)
        self.make("slow_cards", "slow_", SLOW_CUSTOMERS)
        found = wrk(self.stack, "payments.lua", 64, SECONDS, str(SLOW_CUSTOMERS), "1000", "slow_", "added", "3000")
        added = sorted(found["added_ms"])
        if found["refused"] or not added or len(added) != found["succeeded"]:
            raise SystemExit(f"bench: slow cards: {found}")
        self.say(f"{found['succeeded']} payments by slow cards, {found['pending']} answered before their end")
        rate = found["succeeded"] / found["seconds"]
        reference = pgbench(self.stack, SCRIPTS / "payment_reference.sql", 16, SECONDS, CUSTOMERS, rate=rate)
        self.note("added_latency_p99_ms", added[int(len(added) * 0.99)], "ms", reference.p99_ms)
        self.note("added_latency_p50_ms", added[len(added) // 2], "ms", reference.p50_ms)

    def flat_memory(self, rate: float) -> None:
        """Memory after many payments beside memory before them: as large then as it was after the first runs."""
        before = memory_mb(self.stack)
        paid = 0
        while paid < PAYMENTS:
            paid += self.wrk(64, 0, max(1, round(min(PAYMENTS - paid, PAYMENTS / 2) / rate)))["succeeded"]
        for service, megabytes in memory_mb(self.stack).items():
            self.note(f"rss_after_{PAYMENTS}_payments_mb_{service}", megabytes, "MB", before[service])

    def renewals(self) -> None:
        """Trials of many customers that end at once: each becomes an invoice, a payment, an active subscription."""
        self.seed("renew_", RENEWALS)
        self.wait_rows("subscription.customers WHERE id LIKE 'renew\\_%'", RENEWALS)
        self.make("trials", "renew_", RENEWALS)
        self.wait_rows("subscription.subscriptions WHERE status = 'trialing'", RENEWALS)
        self.consistent()
        due = business_time(self.client) + timedelta(days=31)
        paid = self.rows("invoice.invoices WHERE status = 'paid'")
        began = time.monotonic()
        with MemoryPeak(self.stack) as memory:
            text = due.strftime("%Y-%m-%dT%H:%M:%SZ")
            self.client.post("/v1/test_clock/advance", {"to": text}, prefer="wait=0")
            self.wait_rows("invoice.invoices WHERE status = 'paid'", paid + RENEWALS)
        self.keep_peak(memory)
        self.note("renewals_per_second", RENEWALS / (time.monotonic() - began), "renewals/s")

    # Helpers

    def pause(self, connections: int, rate: float) -> float:
        """The mean pause in ms at which so many connections pay at a rate: found by short runs."""
        pause = connections / rate * 1000
        for _ in range(3):
            found = self.wrk(connections, pause, PROBE_SECONDS)
            pause = max(1.0, pause + (connections / rate - connections * found["seconds"] / found["succeeded"]) * 1000)
        return pause

    def wrk(self, connections: int, pause: float, seconds: int = SECONDS) -> dict[str, Any]:
        found = wrk(self.stack, "payments.lua", connections, seconds, str(CUSTOMERS), f"{pause:.1f}")
        bad = found["refused"] + found["socket_errors"]
        if bad:
            self.say(f"WARNING: {bad} payments were refused or broke off: {found['reason']}")
        if not found["succeeded"]:
            raise SystemExit(f"bench: no payment succeeded: {found}")
        return found

    def seed(self, prefix: str, count: int) -> None:
        """Customers with a card each, through the gateway."""
        began = time.monotonic()
        self.make("customers", prefix, count)
        self.wait_rows(f"payment.customers WHERE id LIKE '{prefix[:-1]}\\_%'", count)
        self.make("cards", prefix, count)
        self.say(f"{count} customers with cards in {time.monotonic() - began:.1f} s")

    def make(self, kind: str, prefix: str, count: int) -> None:
        found = wrk(self.stack, "seed.lua", 32, RENEWAL_SECONDS, kind, str(count), prefix)
        if found["refused"]:
            raise SystemExit(f"bench: {found['refused']} {kind} were refused: {found['reason']}")

    def rows(self, what: str) -> int:
        return int(postgres.run_sql(self.stack, DATABASE, f"SELECT count(*) FROM {what}").stdout)

    def wait_rows(self, what: str, count: int) -> None:
        deadline = time.monotonic() + RENEWAL_SECONDS
        while (seen := self.rows(what)) < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"bench: {seen} of {count} {what}")
            time.sleep(0.25)

    def keep_peak(self, memory: MemoryPeak) -> None:
        self.peak = {service: max(self.peak[service], memory.peak[service]) for service in SERVICES}

    def consistent(self) -> None:
        command = [sys.executable, str(ROOT / "scripts/consistency.py"), "--wait", str(SETTLE_SECONDS)]
        environment = os.environ | {"REFRAIN_STACK": self.stack.name}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise SystemExit(f"bench: the books disagree:\n{done.stdout}{done.stderr}")
        self.say("the books agree")


def main() -> int:
    bench = Bench()
    try:
        bench.run()
    finally:
        stop(bench.stack)
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    LATEST.write_text(json.dumps([asdict(figure) for figure in bench.figures], indent=2) + "\n")
    print(f"written to {LATEST.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
