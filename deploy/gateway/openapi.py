"""Merges the five services' OpenAPI documents into the one the gateway serves (`docs/openapi.json`)."""

from __future__ import annotations

import json
from typing import Any

DESCRIPTION = (
    "Recurring billing in five services behind one address. Every write takes an `Idempotency-Key`; lists page by "
    "cursor; every fault is a problem of RFC 9457 that names all faulty fields."
)


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
            paths[path] = operations
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


def render(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
