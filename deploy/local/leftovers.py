"""Finds processes of a stack whose supervisor is gone, for instance after everything was killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from .layout import SERVICES, Stack

# Debian's redis-server is a link to redis-check-rdb, which is the name the kernel shows.
NAMES = {
    "postgres", "redis-server", "redis-check-rdb", "nginx", "noida-db", "tansu", "broker-front",
    "deploy.local.broker_trim", "deploy.local.coin_chain", "supervisord", *(f"{s}-service" for s in SERVICES),
}
TERM_SECONDS = 15


def find(stack: Stack) -> list[int]:
    """Pids of the stack's own programs: by their working directory below the stack's and by what they execute."""
    roots = (stack.directory, stack.postgres_home)
    return [pid for pid in _pids() if _belongs(pid, roots)]


def end(stack: Stack) -> int:
    """Ends leftovers, first politely; returns how many there were."""
    first = find(stack)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in find(stack):
            _signal(pid, _polite(pid) if number == signal.SIGTERM else number)
        deadline = time.monotonic() + TERM_SECONDS
        while find(stack) and time.monotonic() < deadline:
            time.sleep(0.1)
    return len(first)


def end_old_gateway(directory: Path) -> None:
    """Ends nginx workers that outlived their master: they would keep the port."""
    for pid in _pids():
        if _belongs(pid, (directory,)) and _executable(pid) == "nginx":
            _signal(pid, signal.SIGKILL)


def _polite(pid: int) -> int:
    """Postgres waits for its clients on TERM and not on INT."""
    return signal.SIGINT if _executable(pid) == "postgres" else signal.SIGTERM


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and int(entry) != os.getpid()]


def _belongs(pid: int, roots: tuple[Path, ...]) -> bool:
    try:
        directory = Path(os.readlink(f"/proc/{pid}/cwd"))
    except OSError:
        return False
    return any(directory.is_relative_to(root) for root in roots) and _executable(pid) in NAMES


def _executable(pid: int) -> str:
    """The program's name; of Python's, the script's or the module's."""
    try:
        name = os.path.basename(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)"))
        if not name.startswith("python"):
            return name
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        script = words[2:3] if words[1:2] == [b"-m"] else words[1:2]
        return os.path.basename(script[0].decode()) if script else name
    except OSError:
        return ""


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
