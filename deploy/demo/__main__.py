"""Plays the main job on a local stack, prints what happened, and holds the books against each other."""

from __future__ import annotations

import os
import subprocess
import sys

from deploy.local.layout import ROOT, Stack
from deploy.local.probes import Progress

from . import report
from .client import Client, JSON
from .job import Job, play
from .verify import verify

SETTLE_SECONDS = 60


def main() -> int:
    stack = Stack.load(os.environ.get("REFRAIN_STACK", "main"))
    job = Job(Client(stack.gateway_url, stack.demo_key), Progress())
    play(job)
    print_outcome(job)
    command = [sys.executable, str(ROOT / "scripts/consistency.py"), "--wait", str(SETTLE_SECONDS)]
    agreed = subprocess.run(command, check=False).returncode == 0
    for failure in job.failures:
        print(f"NOT AS EXPECTED: {failure}")
    if job.failures or not agreed:
        print("main job: FAILED")
        return 1
    print(f"main job: every one of {len(job.members)} customers was billed as the calendar says")
    return 0


def print_outcome(job: Job) -> None:
    """Verifies, then prints the tables."""
    invoices: dict[str, list[JSON]] = {member.customer_id: job.invoices(member) for member in job.members}
    payments: dict[str, list[JSON]] = {member.customer_id: job.payments(member) for member in job.members}
    verify(job, invoices, payments)
    print(f"\n{report.months(job, invoices, payments)}\n\n{report.stories(job)}\n\n{report.success_rate(job)}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
