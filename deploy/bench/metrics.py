"""Reads the daemons' own measurements and their memory."""

from __future__ import annotations

import re
import threading
import urllib.request
from collections import Counter

from deploy.local.layout import SERVICES, Stack
from deploy.local.supervisor import Supervisor

BUCKET = re.compile(r'^event_delay_seconds_bucket\{.*le="([^"]+)".*\} ([0-9.e+]+)$')
HANDLED = re.compile(r"^events_handled_total\{.*\} ([0-9.e+]+)$")
SAMPLE_SECONDS = 0.5


class Snapshot:
    """Event counters and delay buckets of all services at one moment."""

    def __init__(self, stack: Stack) -> None:
        self.buckets: Counter[float] = Counter()
        self.handled = 0.0
        for service, instance in stack.daemons:
            with urllib.request.urlopen(f"{stack.service_url(service, instance)}/metrics", timeout=10) as answer:
                for line in answer.read().decode().splitlines():
                    if match := BUCKET.match(line):
                        bound = float("inf") if match.group(1) == "+Inf" else float(match.group(1))
                        self.buckets[bound] += int(float(match.group(2)))
                    elif match := HANDLED.match(line):
                        self.handled += float(match.group(1))

    def delay_ms(self, before: Snapshot, share: float) -> float:
        """A quantile of the delays since a moment before, interpolated within its bucket."""
        cumulative = sorted((bound, count - before.buckets[bound]) for bound, count in self.buckets.items())
        if not cumulative or cumulative[-1][1] == 0:
            raise SystemExit("bench: the daemons measured no event delay")
        wanted = cumulative[-1][1] * share
        low_bound, low_count = 0.0, 0
        for bound, count in cumulative:
            if count >= wanted:
                if bound == float("inf"):
                    return low_bound * 1000
                part = (wanted - low_count) / max(count - low_count, 1)
                return (low_bound + (bound - low_bound) * part) * 1000
            low_bound, low_count = bound, count
        return low_bound * 1000


def memory_mb(stack: Stack) -> dict[str, float]:
    """Resident memory of each daemon."""
    found: dict[str, float] = {}
    supervisor = Supervisor(stack)
    for service in SERVICES:
        with open(f"/proc/{supervisor.pid(f'{service}-1')}/status", encoding="ascii") as file:
            kilobytes = next(line.split()[1] for line in file if line.startswith("VmRSS"))
        found[service] = int(kilobytes) / 1024
    return found


class MemoryPeak:
    """Samples memory in the background and keeps the highest."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.peak = {service: 0.0 for service in SERVICES}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> MemoryPeak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            for service, megabytes in memory_mb(self.stack).items():
                self.peak[service] = max(self.peak[service], megabytes)
