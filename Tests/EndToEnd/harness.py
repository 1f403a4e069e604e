"""What the end to end tests share: cases, a stack of their own, and waiting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deploy.demo.client import Client
from deploy.local import postgres
from deploy.local.demo_key import create_key
from deploy.local.environment import DATABASE
from deploy.local.layout import ROOT, Options, Stack
from deploy.local.probes import Progress, accepts
from deploy.local.start import start
from deploy.local.supervisor import Supervisor

POLL_SECONDS = 0.1
FIRST_TEST_PORT_BASE = 17000


@dataclass
class World:
    """A running stack and a client with every scope."""

    stack: Stack
    patience: float = 60.0
    _client: Client | None = field(default=None, repr=False)

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = Client(self.stack.gateway_url, self.stack.demo_key, patience=self.patience)
        return self._client

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.stack)

    def client_with(self, scopes: str) -> Client:
        return Client(self.stack.gateway_url, create_key(self.stack, "test", scopes))

    def start(self) -> None:
        start(self.stack, Progress(quiet=True))

    def sql(self, query: str) -> list[list[str]]:
        """Rows as text, read as the superuser."""
        done = postgres.run_sql(self.stack, DATABASE, query)
        return [line.split("|") for line in done.stdout.splitlines() if line]

    def service(self, name: str, *arguments: str) -> str:
        """Output of a daemon's command."""
        command = [str(ROOT / "scripts/service"), name, *arguments]
        environment = os.environ | {"REFRAIN_STACK": self.stack.name}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} -> {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def assert_consistent(self, seconds: float) -> None:
        """Waits until the five services' books agree; fails with the differences."""
        command = [sys.executable, str(ROOT / "scripts/consistency.py"), "--wait", str(seconds)]
        environment = os.environ | {"REFRAIN_STACK": self.stack.name}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, f"the books disagree:\n{done.stdout}{done.stderr}"


Case = tuple[str, Callable[[World], None]]


def eventually(look: Callable[[], Any], good: Callable[[Any], bool], seconds: float, what: str) -> Any:
    """Looks until it is good; fails with what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if good(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: after {seconds:.0f} s still {json.dumps(seen, default=str)[:500]}")
        time.sleep(POLL_SECONDS)


def ordinary_stack() -> Stack:
    """The stack of all tests but the takeover's. With several partitions, so that what holds per key is seen to hold."""
    return free_stack("test", daemon_env={"REFRAIN_KAFKA_PARTITIONS": "4"})


def free_stack(name: str, **options: Any) -> Stack:
    """A stack whose ports nobody uses, and which no other stack of this process may be about to use; the one that runs under
    this name, if any."""
    existing = Stack.load(name)
    with choosing:
        if Supervisor(existing).is_running:
            chosen.add(existing.options.port_base)
            return existing
        for base in range(FIRST_TEST_PORT_BASE, 30000, 1500):
            stack = Stack(name, Options(port_base=base, **options))
            ports = [stack.gateway_port, stack.postgres_port, stack.redis_port, stack.kafka_port, stack.chain_port]
            ports += [stack.hidden_kafka_port, *(stack.service_port(*daemon) for daemon in stack.daemons)]
            if base not in chosen and not any(accepts(port) for port in ports):
                chosen.add(base)
                return stack
    raise SystemExit("no free ports between 17000 and 30000")


choosing = threading.Lock()
chosen: set[int] = set()
