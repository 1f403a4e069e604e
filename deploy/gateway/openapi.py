"""Merges the five services' OpenAPI documents into the one the gateway serves (`docs/openapi.json`)."""

from __future__ import annotations

import json
from typing import Any

DESCRIPTION = (
    "Recurring billing in five services behind one address. Every write that is not harmless to repeat takes an "
    "`Idempotency-Key`; lists page by cursor; every fault is a problem of RFC 9457 that names all faulty fields.\n\n"
    "Limits, as they are set by default: 5,000 requests a second and 10,000 at once by one key to each service, 128 under way from one "
    "address at each instance of the gateway (429 past either); bodies of 1 MiB, JSON nested 32 deep; pages of 100. "
    "`X-Request-Timeout` tells after how many whole seconds an answer is of no use any more, 120 at most: a payment or a "
    "sign-up is waited for until half a second before, while a call to a provider that has begun (captures, refunds, "
    "cancellations, reviews, methods to keep) is waited for all the same.\n\n"
    "Integers are written plainly: neither with a point nor with an exponent."
)

RETRY_AFTER = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
# What the gateway says where a service says nothing, beside HTTP's own refusals (nginx.conf).
ITS_OWN = {
    "429": ("rate_limited", "Too many requests"),
    "502": ("bad_gateway", "The service is not reachable or broke off"),
    "504": ("gateway_timeout", "The service did not answer in time"),
}


def merge(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One document of all paths, sorted.

    Raises `ValueError` when two services serve the same path or mean different things by one component: the gateway
    could then route it to only one of them.
    """
    paths: dict[str, Any] = {}
    components: dict[str, dict[str, Any]] = {}
    for service, document in documents.items():
        for path, operations in document["paths"].items():
            if path in paths:
                raise ValueError(f"{path} is served by {service} and by another service")
            paths[path] = {method: through_gateway(operation) for method, operation in operations.items()}
        for kind, members in document["components"].items():
            for name, member in members.items():
                if components.setdefault(kind, {}).setdefault(name, member) != member:
                    raise ValueError(f"{service} means something else by components/{kind}/{name} than another service")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Refrain", "version": "1.0.0", "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": components,
    }


def through_gateway(operation: dict[str, Any]) -> dict[str, Any]:
    """The operation with the gateway's own answers among its own."""
    responses = dict(operation["responses"])
    for status, (code, title) in ITS_OWN.items():
        told = responses.get(status, {"description": f"{title}:", "content": PROBLEM})
        words = told["description"]
        if f"`{code}`" not in words:
            words += f"{'' if words.endswith(':') else ','} `{code}`"
        responses[status] = told | {"description": words, "headers": RETRY_AFTER | told.get("headers", {})}
    return operation | {"responses": dict(sorted(responses.items()))}


def render(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
