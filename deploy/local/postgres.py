"""Sets up a stack's Postgres cluster: files, owner, password, database."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from .environment import DATABASE
from .layout import ROOT, Stack
from .programs import POSTGRES_BIN
from .secrets import read
from .templates import fill

SOCKET_PATH_LIMIT = 90
MEMORY = "memory"
MEMORY_BYTES = 2 * 1024**3


def prepare(stack: Stack) -> None:
    """Makes the cluster when there is none, and writes its configuration afresh."""
    home = stack.postgres_home
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    _own(home)
    data = home / "data"
    if not (data / "PG_VERSION").exists():
        if not home.is_relative_to(ROOT):
            print(f"stack: user postgres cannot reach {ROOT}: the database lives in {home}", flush=True)
        _initialise(stack, data)
    values = {
        "REFRAIN_POSTGRES_DATA": str(data),
        "REFRAIN_POSTGRES_PID_FILE": str(home / "postgres.pid"),
        "REFRAIN_POSTGRES_PORT": str(stack.postgres_port),
        "REFRAIN_POSTGRES_SOCKET_DIRECTORY": str(home) if len(str(home)) <= SOCKET_PATH_LIMIT else "",
    }
    config = home / "postgresql.conf"
    config.write_text(fill(ROOT / "deploy/local/postgresql.conf", values))
    _own(config)


def _initialise(stack: Stack, data: Path) -> None:
    if data.exists():
        shutil.rmtree(data)  # a first start that was cut off: no database has ever run here
    password = data.parent / "initdb.password"
    descriptor = os.open(password, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(read(stack, "db_admin"))
    _own(password)
    command = [
        str(POSTGRES_BIN / "initdb"),
        f"--pgdata={data}.new",
        "--username=postgres",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--data-checksums",
    ]
    if os.getuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    shutil.rmtree(f"{data}.new", ignore_errors=True)
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=data.parent)
        if done.returncode != 0:
            raise SystemExit(f"stack: initdb failed\n{done.stdout}{done.stderr}")
    finally:
        password.unlink()
    Path(f"{data}.new").rename(data)


def answers(stack: Stack) -> bool:
    """Whether Postgres takes queries, not only connections."""
    return run_sql(stack, "postgres", "SELECT 1", check=False).returncode == 0


def create_database(stack: Stack) -> None:
    """Makes the billing database when it is missing; nobody but the owner may create objects in it."""
    exists = run_sql(stack, "postgres", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'").stdout.strip()
    if not exists:
        run_sql(stack, "postgres", f"CREATE DATABASE {DATABASE}")
        run_sql(stack, DATABASE, f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC")


def keep_new_databases_in_memory(stack: Stack) -> None:
    """Has the server make new databases in memory, where there is enough of it: each needs a thousand files. Those that
    are there stay on disk, WAL too."""
    home = stack.memory_home
    made = bool(run_sql(stack, "postgres", f"SELECT 1 FROM pg_tablespace WHERE spcname = '{MEMORY}'").stdout.strip())
    if made or not home.parent.is_dir() or shutil.disk_usage(home.parent).free < MEMORY_BYTES:
        return
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    _own(home)
    run_sql(stack, "postgres", f"CREATE TABLESPACE {MEMORY} LOCATION '{home}'")
    run_sql(stack, "postgres", f"ALTER DATABASE template1 SET TABLESPACE {MEMORY}")


def has_lost_memory(stack: Stack) -> bool:
    """Whether the machine was started anew since databases were made in memory: the cluster is of no use then."""
    return (stack.postgres_home / "data/pg_tblspc").is_dir() and any(
        not link.exists() for link in (stack.postgres_home / "data/pg_tblspc").iterdir()
    )


def run_sql(stack: Stack, database: str, sql: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs SQL as the superuser; the password travels in the environment, not in the command line."""
    environment = os.environ | {"PGPASSWORD": read(stack, "db_admin"), "PGCONNECT_TIMEOUT": "3"}
    command = [
        str(POSTGRES_BIN / "psql"),
        *("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"),
        *("-h", "127.0.0.1", "-p", str(stack.postgres_port), "-U", "postgres", "-d", database, "-c", sql),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if check and done.returncode != 0:
        raise SystemExit(f"stack: SQL failed: {done.stderr.strip()}")
    return done


def _own(path: Path) -> None:
    if os.getuid() == 0:
        entry = pwd.getpwnam("postgres")
        os.chown(path, entry.pw_uid, entry.pw_gid)
