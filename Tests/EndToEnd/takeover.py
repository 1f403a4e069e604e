"""Two instances of each daemon on a broker that expires dead members: one of each dies, the other takes over."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from deploy.demo import expected
from deploy.demo.catalog import load_catalog
from deploy.demo.clock import advance, business_time
from deploy.local.layout import ROOT, SERVICES

from .harness import Case, World, eventually
from .killing import kill_for_good
from .paying import new_customer

CUSTOMERS = 12
PLAN = "premium_monthly"
TAKEOVER_SECONDS = 150.0
SETTLE_SECONDS = 120.0


def options() -> dict[str, Any]:
    return {
        "broker": "tansu",
        "instances": 2,
        "spares_stay_dead": True,
        "library_path": str(newer_librdkafka()),
        # This broker keeps a dead static member's partitions for it; a dynamic member's go to the others.
        "daemon_env": {"REFRAIN_CONFIG": str(ROOT / "Tests/EndToEnd/takeover.yaml")},
    }


def newer_librdkafka() -> Path:
    """A directory in which `librdkafka.so.1` is the one that the confluent-kafka wheel carries.

    Debian's 2.0.2 does not get on with this broker.
    """
    found = sorted((ROOT / ".local/venv/lib").glob("python3*/site-packages/confluent_kafka.libs/librdkafka*"))
    if not found:
        raise SystemExit("takeover: run scripts/setup --takeover first")
    directory = ROOT / ".local/venv-takeover/librdkafka"
    directory.mkdir(exist_ok=True)
    link = directory / "librdkafka.so.1"
    link.unlink(missing_ok=True)
    link.symlink_to(found[0])
    return directory


def both_work(world: World) -> None:
    world.start()
    load_catalog(world.client)
    subscribe(world, CUSTOMERS)
    world.assert_consistent(SETTLE_SECONDS)


def one_dies(world: World) -> None:
    for service in SERVICES:
        kill_for_good(world, f"{service}-2")
    customers = subscribe(world, CUSTOMERS)
    # A day more than two months: periods end at the time of day at which they began.
    until = expected.add_months(business_time(world.client).date(), 2) + timedelta(days=1)
    advance(world.client, expected.at(until, 23))
    for customer in customers:
        eventually(
            lambda c=customer: [i["status"] for i in world.client.list("/v1/invoices", customer_id=c)],
            lambda statuses: statuses == ["paid"] * 3,
            TAKEOVER_SECONDS,
            f"{customer} has not paid three invoices",
        )
    world.assert_consistent(SETTLE_SECONDS)
    dead = [name for name, info in world.supervisor.processes().items() if info["statename"] != "RUNNING"]
    assert sorted(dead) == sorted(f"{service}-2" for service in SERVICES), f"not running: {dead}"


def subscribe(world: World, count: int) -> list[str]:
    """Signs up customers and waits until each is active: their keys are spread over all partitions."""
    customers = [new_customer(world.client, seconds=TAKEOVER_SECONDS) for _ in range(count)]
    subscriptions = [
        world.client.post("/v1/subscriptions", {"customer_id": c, "plan_id": PLAN}, prefer="wait=0")["id"]
        for c in customers
    ]
    for subscription in subscriptions:
        eventually(
            lambda s=subscription: world.client.get(f"/v1/subscriptions/{s}")["status"],
            lambda status: status == "active",
            TAKEOVER_SECONDS,
            f"{subscription} is not active",
        )
    return customers


CASES: list[Case] = [
    ("two instances of each daemon share the work", both_work),
    ("one instance of each is killed for good and the other takes over", one_dies),
]
