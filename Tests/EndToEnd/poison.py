"""Events that can never work are parked with their reason, and the partition moves on."""

from __future__ import annotations

import base64
import json
import subprocess
import uuid
from typing import Any

from deploy.local.layout import ROOT

from .harness import Case, World, eventually
from .paying import new_customer

TOPIC = "refrain.payments"
PARK_SECONDS = 30.0


def parked(world: World) -> None:
    customer = new_customer(world.client)
    produce(world, poison(customer))
    payment = world.client.post("/v1/payments", {"amount": 900, "currency": "USD", "customer_id": customer})
    assert payment["status"] == "succeeded", f"the partition does not move on: {payment}"
    wanted = {"fraud": 1, "analytics": 4}
    for service, least in wanted.items():
        found = eventually(
            lambda s=service: open_parked(world, s), lambda rows: len(rows) >= least, PARK_SECONDS, f"parked at {service}"
        )
        assert all(reason for _, reason in found), f"{service} parks without a reason: {found}"
        listed = world.service(service, "parked", "list")
        for ident, _ in found:
            assert ident in listed, f"{service} parked list does not show {ident}"
    for service in ("payment", "subscription", "invoice", "fraud", "analytics"):
        for ident, _ in open_parked(world, service):
            world.service(service, "parked", "discard", "--foreign", ident)
    world.assert_consistent(60)


def poison(customer: str) -> list[dict[str, Any]]:
    """Broken JSON, JSON of the wrong shape, a type nobody knows, and no headers at all."""

    def record(value: bytes, kind: str = "") -> dict[str, Any]:
        headers = {
            "ce_id": f"evt_forged{uuid.uuid4().hex[:20]}",
            "ce_type": kind,
            "ce_source": "test",
            "ce_specversion": "1.0",
            "ce_time": "2026-01-01T00:00:00Z",
        }
        return {"key": customer, "headers": headers if kind else {}, "value": base64.b64encode(value).decode()}

    return [
        record(b"{broken", "payment.created.v1"),
        record(b'{"payment_id": 7}', "payment.created.v1"),
        record(b"{}", "payment.exploded.v1"),
        record(b"\xff\xfe"),
    ]


def produce(world: World, records: list[dict[str, Any]]) -> None:
    command = [
        str(ROOT / ".local/venv/bin/python3"),
        str(ROOT / "Tests/EndToEnd/produce_raw.py"),
        f"127.0.0.1:{world.stack.kafka_port}",
        TOPIC,
    ]
    done = subprocess.run(command, input=json.dumps(records), text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"not produced: {done.stderr}"


def open_parked(world: World, service: str) -> list[list[str]]:
    return world.sql(f"SELECT id, reason FROM {service}.parked_events WHERE status = 'parked' ORDER BY id")


CASES: list[Case] = [
    ("malformed and unknown events are parked and the partition moves on", parked),
]
