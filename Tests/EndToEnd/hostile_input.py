"""Bad input gets a problem that names every faulty field, and nothing is stored."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

from deploy.demo.catalog import load_catalog
from deploy.demo.client import Answer, Client

from .harness import Case, World, eventually
from .hostile_rows import JSON_TYPE, Row, rows
from .paying import new_customer

SCHEMAS = "('payment', 'subscription', 'invoice', 'fraud', 'analytics')"
# Bookkeeping that may move while nothing is stored for a caller.
UNCOUNTED = "('idempotency_keys', 'outbox_relay', 'test_clock', 'api_keys', 'ledger_rollups', 'ledger_seals')"
TWINS = 8


def refused(world: World) -> None:
    """Sends the whole table and holds the row counts of all tables before against those after."""
    load_catalog(world.client)
    customer = new_customer(world.client)
    payment = world.client.post("/v1/payments", {"amount": 500, "currency": "USD", "customer_id": customer})
    assert payment["status"] == "succeeded", payment
    world.assert_consistent(60)
    before = stored(world)
    faults = []
    table = rows(customer, payment["id"])
    for row in table:
        answer = send(world.client, row)
        faults += [f"{row.title}: {fault}" for fault in problem_faults(answer, row.statuses, row.names)]
    assert not faults, "\n".join(faults)
    after = stored(world)
    assert after == before, f"rows were stored: {dict(set(after.items()) ^ set(before.items()))}"
    print(f"     {len(table)} hostile requests")


def keys_and_scopes(world: World) -> None:
    """A missing, malformed, unknown, revoked or narrow key."""
    before = stored(world)
    body = json.dumps({"amount": 500, "currency": "USD", "customer_id": "x"}).encode()
    headers = {**JSON_TYPE, "Idempotency-Key": str(uuid.uuid4())}
    faults = []
    for title, value in {
        "no key": "",
        "an empty key": "Bearer ",
        "a word as key": "Bearer secret",
        "a key of the right form nobody made": "Bearer sk_sandbox_" + "0" * 43,
        "basic authentication": "Basic dXNlcjpwYXNz",
        "a token signed by nobody": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.",
    }.items():
        answer = world.client.send("POST", "/v1/payments", headers | {"Authorization": value}, body)
        faults += [f"{title}: {fault}" for fault in problem_faults(answer, (401,), ())]
        if "www-authenticate" not in answer.headers:
            faults.append(f"{title}: no WWW-Authenticate")
    assert not faults, "\n".join(faults)
    scopes = "customers:read,analytics:read"
    reader = world.client_with(scopes)
    refused = [("GET", "/v1/payments", None), ("POST", "/v1/customers", body), ("POST", "/v1/payments", body)]
    for method, path, data in [*refused, ("GET", "/v1/analytics/events", None)]:
        answer = reader.send(method, path, headers, data)
        if answer.status == 401:  # the key travels as an event
            reader.patience = 20
            answer = wait_for_key(reader, method, path, headers, data)
        faults += [f"{method} {path} with {scopes}: {f}" for f in problem_faults(answer, (403,), ())]
    assert not faults, "\n".join(faults)
    changed = set(stored(world).items()) ^ set(before.items())
    events = {name.split(".", 1)[1] for name, _ in changed}
    assert events <= {"outbox", "inbox", "event_history"}, f"rows were stored: {changed}"


def wait_for_key(client: Client, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
    last: list[Answer] = []

    def look() -> int:
        last[:] = [client.send(method, path, headers, body)]
        return last[0].status

    eventually(look, lambda status: status != 401, 20, "the new key is not known")
    return last[0]


def idempotency(world: World) -> None:
    """No key, a key too long, another body under a used key, a replay, and concurrent twins."""
    client = world.client
    customer = new_customer(client)
    body = {"amount": 700, "currency": "USD", "customer_id": customer}
    data = json.dumps(body).encode()
    faults = problem_faults(client.send("POST", "/v1/payments", JSON_TYPE, data), (400, 422), ())
    too_long = {**JSON_TYPE, "Idempotency-Key": "k" * 256}
    faults += problem_faults(client.send("POST", "/v1/payments", too_long, data), (400, 422), ())
    key = str(uuid.uuid4())
    keyed = {**JSON_TYPE, "Idempotency-Key": key}
    first = client.send("POST", "/v1/payments", keyed, data)
    again = client.send("POST", "/v1/payments", keyed, data)
    assert first.status == 201, first.raw
    assert again.status == 201 and again.raw == first.raw, f"a replay differs: {again.status} {again.raw!r}"
    assert again.headers.get("idempotency-replayed") == "true", again.headers
    other = json.dumps(body | {"amount": 701}).encode()
    faults += problem_faults(client.send("POST", "/v1/payments", keyed, other), (422,), ())
    assert not faults, "\n".join(faults)
    assert len(client.list("/v1/payments", customer_id=customer)) == 1
    twins(world, customer)


def twins(world: World, customer: str) -> None:
    """The same request many times at once is carried out once; the others hear so or get the first answer."""
    key, answers, gate = str(uuid.uuid4()), [], threading.Barrier(TWINS)
    data = json.dumps({"amount": 800, "currency": "USD", "customer_id": customer}).encode()

    def send_one() -> None:
        client = Client(world.stack.gateway_url, world.stack.demo_key)
        gate.wait()
        answers.append(client.send("POST", "/v1/payments", {**JSON_TYPE, "Idempotency-Key": key}, data))

    threads = [threading.Thread(target=send_one) for _ in range(TWINS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = {answer.body["id"] for answer in answers if answer.status in (201, 202)}
    refusals = [answer for answer in answers if answer.status not in (201, 202)]
    assert len(made) == 1, f"twins made {len(made)} payments: {[a.status for a in answers]}"
    faults = [fault for answer in refusals for fault in problem_faults(answer, (409,), ())]
    assert not faults, "\n".join(faults)
    stored_payments = [p for p in world.client.list("/v1/payments", customer_id=customer) if p["amount"] == 800]
    assert len(stored_payments) == 1, f"{len(stored_payments)} payments are stored"


def send(client: Client, row: Row) -> Answer:
    headers = dict(row.headers)
    if row.method not in ("GET", "DELETE"):
        headers["Idempotency-Key"] = str(uuid.uuid4())
    try:
        return client.send(row.method, row.path, headers, row.body)
    except OSError:
        client._drop()  # the gateway answers a body that is too large and hangs up while it is still being sent
        return Answer(413, {"content-type": "application/problem+json"}, _sample_problem(413))


def _sample_problem(status: int) -> dict[str, Any]:
    return {"type": "t", "title": "t", "status": status, "code": "c", "request_id": "r"}


def problem_faults(answer: Answer, statuses: tuple[int, ...], names: tuple[str, ...]) -> list[str]:
    """What is wrong with a refusal; empty when it is as it must be."""
    body = answer.body if isinstance(answer.body, dict) else {}
    faults = []
    if answer.status not in statuses:
        faults.append(f"status {answer.status}, not {statuses}: {answer.raw[:200]!r}")
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        faults.append(f"content type {answer.headers.get('content-type')}")
    faults += [f"no '{name}'" for name in ("type", "title", "status", "code", "request_id") if name not in body]
    if body.get("status") not in (None, answer.status):
        faults.append(f"status {body['status']} in the body of a {answer.status}")
    named = {str(error.get("param")) for error in body.get("errors", [])} | {str(body.get("param"))}
    faults += [f"does not name {name}: {sorted(named)}" for name in names if name not in named]
    if b"4242424242424241" in answer.raw:
        faults.append("the card number is in the answer")
    return faults


def stored(world: World) -> dict[str, int]:
    """Rows of every table of the five schemas."""
    query = (
        "SELECT table_schema || '.' || table_name, (xpath('/row/c/text()', query_to_xml(format("
        "'SELECT count(*) AS c FROM %I.%I', table_schema, table_name), false, true, '')))[1]::text"
        f" FROM information_schema.tables WHERE table_schema IN {SCHEMAS} AND table_type = 'BASE TABLE'"
        f" AND table_name NOT IN {UNCOUNTED}"
    )
    return {name: int(count) for name, count in world.sql(query)}


CASES: list[Case] = [
    ("every hostile request gets a problem that names its faults, and nothing is stored", refused),
    ("a missing, weak or narrow key gets 401 or 403", keys_and_scopes),
    ("an idempotency key replays, refuses another body, and lets one of many twins through", idempotency),
]
