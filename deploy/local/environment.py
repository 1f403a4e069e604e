"""The environment of every daemon, written as files that `scripts/service` loads."""

from __future__ import annotations

import shlex

from .layout import ROOT, SERVICES, Stack, write_private
from .secrets import read

DATABASE = "refrain"
CONFIG = ROOT / "deploy/config/refrain.yaml"


def write(stack: Stack) -> None:
    stack.env.mkdir(mode=0o700, parents=True, exist_ok=True)
    for service, instance in stack.daemons:
        write_private(stack.env / f"{service}-{instance}.env", render(daemon(stack, service, instance)))
    admin = {"REFRAIN_ADMIN_DB_URL": stack.admin_url(DATABASE)}
    write_private(stack.env / "admin.env", render(admin))


def daemon(stack: Stack, service: str, instance: int) -> dict[str, str]:
    values = {
        "REFRAIN_MODE": "sandbox",
        "REFRAIN_INSTANCE": f"{service}-{instance}",
        "REFRAIN_HOME": str(ROOT),
        "REFRAIN_BINARY": str(stack.binaries / f"{service}-service"),
        "BILLING_DB_URL": f"postgresql:///{DATABASE}?host={stack.postgres_home}&port={stack.postgres_port}",
        "REFRAIN_DB_PASSWORD": read(stack, f"db_{service}"),
        "KAFKA_BROKERS": f"127.0.0.1:{stack.kafka_port}",
        "REDIS_BILLING_URL": f"redis://127.0.0.1:{stack.redis_port}",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(stack.service_port(service, instance)),
        "REFRAIN_PUBLIC_URL": stack.gateway_url,
        "REFRAIN_PEERS": ",".join(f"{peer}={stack.service_url(peer)}" for peer in SERVICES),
        # One instance reads all partitions alone: with several, a batch would only arrive in pieces, and each piece costs
        # a pass through the services.
        "REFRAIN_KAFKA_PARTITIONS": "1" if stack.options.instances == 1 else "4",
        "REFRAIN_LOG_LEVEL": "info",
        # Past the supervisor, which would be woken for every line.
        "REFRAIN_LOG_FILE": str(stack.logs / f"{service}-{instance}.log"),
        # One heap for every thread would keep what each of them once needed.
        "MALLOC_ARENA_MAX": "2",
    }
    if service == "payment":
        values["ENCRYPTION_KEY_PATH"] = str(stack.secrets / "encryption_key")
    if CONFIG.exists():
        values["REFRAIN_CONFIG"] = str(CONFIG)
    if stack.options.library_path:
        values["LD_LIBRARY_PATH"] = stack.options.library_path
    return values | stack.options.daemon_env


def render(values: dict[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
