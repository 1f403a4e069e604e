"""What the gateway serves for people who write against the API."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

from deploy.gateway.openapi import merge, render
from deploy.local.layout import ROOT, SERVICES

from .harness import Case, World

FILE = ROOT / "docs/openapi.json"
APPLE = "/.well-known/apple-developer-merchantid-domain-association"
# Of parts that this stack has no settings for: the document tells of them all the same.
UNCONFIGURED = (
    "/v1/crypto/payments/{payment_id}", "/v1/crypto/rates", "/v1/crypto/held", "/v1/crypto/held/{attempt_id}/complete",
    "/v1/crypto/unexplained/{attempt_id}/count", "/v1/crypto/chains/{id}/restart",
    "/v1/crypto/refund_instructions/{id}/sent", "/v1/payments/{id}/authentication", "/v1/three_d_secure/results",
    "/pay/{code}/apple_pay/session",
)  # fmt: skip


def get(world: World, path: str) -> tuple[str, bytes]:
    with urllib.request.urlopen(f"{world.stack.gateway_url}{path}", timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read()


def document_is_current(world: World) -> None:
    merged = merge({service: json.loads(get(world, f"/openapi/{service}.json")[1]) for service in SERVICES})
    if os.environ.get("REFRAIN_UPDATE_DOCS"):
        FILE.write_text(render(merged))
        return  # the gateway takes it up when it starts next
    assert FILE.read_text() == render(merged), "docs/openapi.json is old: run this test with REFRAIN_UPDATE_DOCS=1"
    check_references(merged)
    missing = [path for path in UNCONFIGURED if path not in merged["paths"]]
    assert not missing, f"the document lacks {missing}"
    kind, body = get(world, "/openapi.json")
    assert kind == "application/json"
    assert json.loads(body) == json.loads(FILE.read_text()), "the gateway serves another document"


def check_references(document: dict[str, Any]) -> None:
    """Every reference leads somewhere, every operation has a name of its own and tells of the gateway's answers."""
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names)) > 20, "operations share a name"
    for path in document["paths"].values():
        for operation in path.values():
            told = [operation["responses"][status]["description"] for status in ("429", "502", "504")]
            for code, words in zip(("rate_limited", "bad_gateway", "gateway_timeout"), told, strict=True):
                assert f"`{code}`" in words, f"{operation['operationId']} does not tell of {code}"
            for status in ("429", "502", "503", "504"):
                headers = operation["responses"][status].get("headers", {})
                assert "Retry-After" in headers, f"{operation['operationId']} tells no Retry-After of {status}"

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                target: Any = document
                for step in value["$ref"].removeprefix("#/").split("/"):
                    assert step in target, f"{value['$ref']} leads nowhere"
                    target = target[step]
            for member in value.values():
                walk(member)
        elif isinstance(value, list):
            for member in value:
                walk(member)

    walk(document)


def page_is_served(world: World) -> None:
    kind, body = get(world, "/docs")
    assert kind.startswith("text/html") and b"start.js" in body
    for name, wanted in (("start.js", "javascript"), ("swagger-ui-bundle.js", "javascript"), ("swagger-ui.css", "css")):
        kind, body = get(world, f"/docs/{name}")
        assert wanted in kind and len(body) > 100, f"/docs/{name} is {kind} of {len(body)} bytes"


def apple_file_is_served(world: World) -> None:
    """Apple reads the file before it lets the pages' domain show Apple Pay."""
    try:
        raise AssertionError(f"{APPLE} is there without being configured: {get(world, APPLE)}")
    except urllib.error.HTTPError as error:
        assert error.code == 404, error.code
    file = world.stack.directory / "apple-association"
    file.write_bytes(b"7B227073704964223A22" * 450 + b"\n")
    environment = world.stack.env / "payment-1.env"
    before = environment.read_text()
    try:
        environment.write_text(f"{before}APPLE_PAY_DOMAIN_ASSOCIATION_PATH='{file}'\n")
        restart_payment(world)
        kind, body = get(world, APPLE)
        assert body == file.read_bytes() and kind.startswith("text/plain"), (kind, body[:100])
    finally:
        environment.write_text(before)
        restart_payment(world)


def restart_payment(world: World) -> None:
    world.supervisor.stop("payment-1")
    world.start()


CASES: list[Case] = [
    ("the merged API document is what the services serve", document_is_current),
    ("Apple's file for the pages' domain is served as it is configured, and not there else", apple_file_is_served),
    ("the page that shows it is served with all its parts", page_is_served),
]
