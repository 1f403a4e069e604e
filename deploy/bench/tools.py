"""Runs the outside tools of the benchmark and reads what they say."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import postgres
from deploy.local.layout import ROOT, Stack
from deploy.local.programs import POSTGRES_BIN
from deploy.local.secrets import read

REFERENCE = "reference"
SCRIPTS = ROOT / "deploy/bench"


def wrk(stack: Stack, script: str, connections: int, seconds: int, *arguments: str) -> dict[str, Any]:
    """Runs wrk with one thread and returns the object that the script prints."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(SCRIPTS / script)]
    command += [stack.gateway_url, "--", stack.demo_key, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said: list[str] = []
    for line in process.stderr or ():
        said.append(line)
        if line == "complete\n":
            process.send_signal(signal.SIGINT)
    lines = [line for line in said if line.startswith("{")]
    if process.wait() != 0 or not lines:
        raise SystemExit(f"bench: wrk failed: {''.join(said)[-800:]}")
    result: dict[str, Any] = json.loads(lines[-1])
    return result


@dataclass(frozen=True)
class Reference:
    """What pgbench measured."""

    per_second: float
    p50_ms: float
    p99_ms: float


def pgbench(stack: Stack, script: Path, clients: int, seconds: int, customers: int, rate: float = 0) -> Reference:
    """Runs a script in the reference database, which has the same tables and no services. Its tables are vacuumed when it is
    over: autovacuum would do that for a minute and a half, during what is measured next."""
    with tempfile.TemporaryDirectory() as logs:
        command = [str(POSTGRES_BIN / "pgbench"), "-n", "-M", "prepared", "-f", str(script)]
        command += ["-c", str(clients), "-j", "2", "-T", str(seconds), "-D", f"customers={customers}"]
        command += ["-l", f"--log-prefix={logs}/log", *([f"--rate={rate:.1f}"] if rate else [])]
        command += ["-h", str(stack.postgres_home), "-p", str(stack.postgres_port), "-U", "postgres", REFERENCE]
        # Triggers name their tables as the services do: by the search path.
        environment = os.environ | {"PGPASSWORD": read(stack, "db_admin"), "PGOPTIONS": "-c search_path=payment"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        match = re.search(r"tps = ([0-9.]+)", done.stdout)
        if done.returncode != 0 or not match:
            raise SystemExit(f"bench: pgbench failed: {done.stdout[-500:]}{done.stderr[-800:]}")
        postgres.run_sql(stack, REFERENCE, "VACUUM (ANALYZE)")
        latencies = sorted(
            int(line.split()[2]) for path in Path(logs).iterdir() for line in path.read_text().splitlines()
        )
    middle, slow = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
    return Reference(float(match.group(1)), middle / 1000, slow / 1000)


def make_reference_database(stack: Stack, customers: int) -> None:
    """The services' tables, indexes and triggers, with the accounts that the script books on and the customers it charges."""
    environment = os.environ | {"PGPASSWORD": read(stack, "db_admin")}
    where = ["-h", "127.0.0.1", "-p", str(stack.postgres_port), "-U", "postgres"]
    postgres.run_sql(stack, "postgres", f"DROP DATABASE IF EXISTS {REFERENCE}")
    postgres.run_sql(stack, "postgres", f"CREATE DATABASE {REFERENCE}")
    dump = subprocess.run(
        [str(POSTGRES_BIN / "pg_dump"), "--schema-only", "--no-owner", "--no-privileges", *where, "refrain"],
        check=True,
        capture_output=True,
        env=environment,
    )
    subprocess.run(
        [str(POSTGRES_BIN / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *where, REFERENCE],
        input=dump.stdout,
        check=True,
        capture_output=True,
        env=environment,
    )
    postgres.run_sql(
        stack,
        REFERENCE,
        f"""
        SET search_path = payment;
        INSERT INTO payment.ledger_chart (pattern) VALUES ('assets:provider:{{name}}'), ('income:customer_payments');
        INSERT INTO payment.customers (id, created_at) SELECT 'bench_' || n, now() FROM generate_series(1, {customers}) n;
        INSERT INTO payment.payment_methods (id, customer_id, type, brand, last4, exp_month, exp_year, fingerprint, provider,
            provider_token, is_default, created_at)
        SELECT 'pm_' || n, 'bench_' || n, 'card', 'visa', '4242', 12, 2049, md5(n::text), 'sandbox',
            'tok_sandbox_success', true, now()
        FROM generate_series(1, {customers}) n;
        ANALYZE
        """,
    )
