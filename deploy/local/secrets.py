"""Passwords and keys of a local stack: made once, readable by their owner only, never printed."""

from __future__ import annotations

import os
import secrets

from . import coins, wallet_keys
from .layout import SERVICES, Stack, write_private

ENCRYPTION_KEY_BYTES = 32


def ensure(stack: Stack) -> None:
    """Makes what is missing and leaves the rest as it is."""
    stack.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("db_admin", *(f"db_{service}" for service in SERVICES)):
        path = stack.secrets / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
    key = stack.secrets / "encryption_key"
    if not key.exists():
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(ENCRYPTION_KEY_BYTES))
    wallet_keys.ensure(stack)
    coins.ensure(stack)


def read(stack: Stack, name: str) -> str:
    return (stack.secrets / name).read_text().strip()
