"""Figures that need no stack: printed by the tests that also hold their limits, in the release build."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass

from deploy.local.layout import ROOT

TARGETS = "PaymentWalletsTests,PaymentRoutingTests"
SUITES = "ThroughputTests|RoutingSpeedTests"
TOKENS = re.compile(r"wallet tokens per second of one core, (\w+): (\d+)")
ROUTING = re.compile(r"routing_us: ([0-9.]+)")


@dataclass(frozen=True)
class Inside:
    """What one thread computes."""

    routing_us: float
    tokens_per_second: dict[str, float]
    """By kind of token; `reference` is two signatures and a key agreement."""


def measure() -> Inside:
    """Builds those tests alone and runs them, one after the other."""
    environment = os.environ | {"REFRAIN_ONLY_TESTS": TARGETS}
    subprocess.run([str(ROOT / "scripts/build"), "--tests"], check=True, env=environment, stdout=subprocess.DEVNULL)
    scratch = os.environ.get("REFRAIN_SCRATCH", ".build")
    command = ["swift", "test", "--no-parallel", "-c", "release", "--scratch-path", scratch, "--skip-build"]
    done = subprocess.run(
        [*command, "--filter", SUITES], check=False, capture_output=True, text=True, env=environment, cwd=ROOT
    )
    routing = ROUTING.search(done.stdout)
    tokens = {name: float(rate) for name, rate in TOKENS.findall(done.stdout)}
    if done.returncode != 0 or not routing or len(tokens) < 2:
        raise SystemExit(f"bench: the measuring tests failed: {done.stdout[-800:]}{done.stderr[-800:]}")
    return Inside(float(routing.group(1)), tokens)
