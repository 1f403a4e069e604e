"""Waits for parts of a stack to answer, with a deadline and with progress."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from .layout import Stack

POLL_SECONDS = 0.1


class Progress:
    """Prints what happens, with the time since the start."""

    def __init__(self, quiet: bool = False) -> None:
        self.began = time.monotonic()
        self.quiet = quiet

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def __call__(self, text: str) -> None:
        if not self.quiet:
            print(f"[{self.elapsed:6.1f} s] {text}", flush=True)


def wait(what: str, ready: Callable[[], bool], seconds: float, hint: str) -> None:
    """Polls until `ready`; ends the command with the hint when the deadline passes."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"stack: {what} is not ready after {seconds:.0f} s; {hint}")
        time.sleep(POLL_SECONDS)


def accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def redis_answers(stack: Stack) -> bool:
    """Redis answers PONG only when it has loaded its data."""
    try:
        with socket.create_connection(("127.0.0.1", stack.redis_port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def broker_answers(stack: Stack) -> bool:
    ports = {stack.kafka_port, stack.kafka_port if stack.options.broker == "tansu" else stack.hidden_kafka_port}
    return all(accepts(port) for port in ports)


def unready(url: str) -> str:
    """Why a daemon is not ready; empty when it is."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=3) as answer:
            answer.read()
            return ""
    except urllib.error.HTTPError as error:
        return compact(error.read())
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))


def compact(body: bytes) -> str:
    """An answer of `/readyz` on one line."""
    try:
        return json.dumps(json.loads(body), separators=(",", ":"))[:300]
    except ValueError:
        return body.decode(errors="replace")[:300]
