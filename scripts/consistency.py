#!/usr/bin/env python3
"""Holds the five services' books against each other. Prints a table; exit 1 and the differences when they disagree.

Each service answers for its part with `<service> consistency`, which reads one consistent state of its own schema. How
to ask is configuration, so the same check runs on a local stack and in production:

    scripts/consistency.py                          the local stack REFRAIN_STACK (default main)
    scripts/consistency.py --wait 60                tries again until the books agree, for 60 s at most
    scripts/consistency.py --command 'kubectl exec -n refrain {service}-0 -- refrain-service consistency'
    scripts/consistency.py --facts DIRECTORY        reads payment.json, subscription.json, … taken before
    scripts/consistency.py --timeout 1800           waits longer for a service whose books are large (see the daemon's
                                                    own limit, 600 s for a statement)

Services that are at work answer for slightly different moments: without --wait, run it when nothing is under way.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from deploy.consistency.books import SERVICES, compare  # noqa: E402

# A little more than a statement of a daemon's commands may take.
ASK_SECONDS = 660.0
POLL_SECONDS = 1.0


def main() -> int:
    arguments = parse()
    deadline = time.monotonic() + arguments.wait
    while True:
        facts, problems = gather(arguments)
        checks = compare(facts) if not problems else []
        agreed = not problems and all(check.agrees for check in checks)
        if agreed or time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    if arguments.json:
        print(json.dumps({"agreed": agreed, "problems": problems, "checks": [vars(check) for check in checks]}))
    else:
        report(checks, problems, agreed, arguments.verbose)
    return 0 if agreed else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Holds the five services' books against each other.")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="try again until they agree")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=ASK_SECONDS,
        metavar="SECONDS",
        help="how long one service may take to answer (default: %(default).0f)",
    )
    parser.add_argument(
        "--command",
        default=os.environ.get("REFRAIN_CONSISTENCY_COMMAND", f"{ROOT}/scripts/service {{service}} consistency"),
        help="how to ask a service; {service} is replaced (or set REFRAIN_CONSISTENCY_COMMAND)",
    )
    parser.add_argument("--facts", type=Path, help="a directory with answers taken before")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every check, not only a summary")
    return parser.parse_args()


def seconds(text: str) -> float:
    """A number of seconds above zero."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above zero")
    return number


def gather(arguments: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Every service's answer, and what kept one from answering."""
    facts: dict[str, Any] = {}
    problems: list[str] = []
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        for service, answer in zip(SERVICES, pool.map(lambda name: ask(name, arguments), SERVICES)):
            if isinstance(answer, str):
                problems.append(answer)
            else:
                facts[service] = answer
    return facts, problems


def ask(service: str, arguments: argparse.Namespace) -> dict[str, Any] | str:
    try:
        if arguments.facts:
            text = (arguments.facts / f"{service}.json").read_text()
        else:
            command = shlex.split(arguments.command.replace("{service}", service))
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=arguments.timeout)
            if done.returncode != 0:
                return f"{service} does not answer (exit {done.returncode}): {last_line(done.stderr)}"
            text = done.stdout
        answer = json.loads(text)
    except subprocess.TimeoutExpired:
        return f"{service} does not answer within {arguments.timeout:g} s: see --timeout"
    except (OSError, ValueError) as error:
        return f"{service} does not answer: {error}"
    return answer if isinstance(answer, dict) else f"{service} does not answer with an object"


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"


def report(checks: list[Any], problems: list[str], agreed: bool, verbose: bool) -> None:
    groups: dict[str, list[Any]] = {}
    for check in checks:
        groups.setdefault(check.group, []).append(check)
    if checks:
        print(f"{'CHECK':<34} {'COMPARED':>9} {'DIFFERENT':>10}")
    for group, members in groups.items():
        different = sum(not member.agrees for member in members)
        print(f"{group:<34} {len(members):>9} {different:>10}")
        if verbose:
            for member in members:
                print(f"    {'ok  ' if member.agrees else 'DIFF'} {member.subject}: {member.left}")
    for problem in problems:
        print(f"PROBLEM    {problem}")
    for check in checks:
        if not check.agrees:
            print(f"DIFFERENCE {check.subject}\n    {check.left}\n    {check.right}")
    print("consistency: everything agrees" if agreed else "consistency: THE BOOKS DISAGREE")


if __name__ == "__main__":
    sys.exit(main())
