"""Runs the end to end tests: `python3 -m Tests.EndToEnd [images gateway operations main_job faults restart api_documents hostile_input poison payment_page page_elsewhere page_form page_instalments page_told page_trouble page_wallets examples killed lives takeover]`."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deploy.local.__main__ import reset, stop

from . import api_documents, examples, faults, gateway, hostile_input, images, killed, lives, main_job, operations, page_elsewhere, page_form, page_instalments, page_told, page_trouble, page_wallets, payment_page, poison, restart, takeover
from .harness import Case, World, free_stack, ordinary_stack

MODULES: dict[str, list[Case]] = {
    "images": images.CASES,
    "gateway": gateway.CASES,
    "operations": operations.CASES,
    "main_job": main_job.CASES,
    # Before the pages leave instalments that every later year of the clock has to stop at.
    "faults": faults.CASES,
    "restart": restart.CASES,
    "api_documents": api_documents.CASES,
    "hostile_input": hostile_input.CASES,
    "poison": poison.CASES,
    "payment_page": payment_page.CASES,
    "page_elsewhere": page_elsewhere.CASES,
    "page_form": page_form.CASES,
    "page_instalments": page_instalments.CASES,
    "page_told": page_told.CASES,
    "page_trouble": page_trouble.CASES,
    "page_wallets": page_wallets.CASES,
    "examples": examples.CASES,
    "killed": killed.CASES,
}


# On stacks of their own, which begin with nothing and which the cases start; beside the others.
ALONE: dict[str, tuple[list[Case], Callable[[], dict[str, Any]]]] = {
    "lives": (lives.CASES, lives.options),
    "takeover": (takeover.CASES, takeover.options),
}


def main() -> int:
    wanted = sys.argv[1:] or [*MODULES, *ALONE]
    unknown = [name for name in wanted if name not in MODULES and name not in ALONE]
    if unknown:
        raise SystemExit(f"no such tests: {', '.join(unknown)}; there are {', '.join([*MODULES, *ALONE])}")
    # The longest case of the first lane runs on the stack of the lives: the second is over minutes before the first.
    after_lives = ["killed"] if {"killed", "lives"} <= set(wanted) else []
    with ThreadPoolExecutor(max_workers=2) as pool:
        runs = [
            pool.submit(together, [name for name in wanted if name in MODULES and name not in after_lives]),
            pool.submit(alone, [name for name in wanted if name in ALONE], after_lives),
        ]
        ends = [good for run in runs for good in run.result()]
    print(f"{ends.count(True)} passed, {ends.count(False)} failed", flush=True)
    return 0 if all(ends) else 1


def together(names: list[str]) -> list[bool]:
    """Runs modules one after the other on one stack."""
    if not names:
        return []
    world = World(ordinary_stack())
    world.start()
    ends = [attempt(name, case, world) for name in names for case in MODULES[name]]
    stop(world.stack)
    return ends


def alone(names: list[str], after_lives: list[str]) -> list[bool]:
    """Runs modules one after the other, each on a stack of its own; what comes after the lives on theirs."""
    ends: list[bool] = []
    for name in names:
        cases, options = ALONE[name]
        world = World(free_stack(name, **options()))
        reset(world.stack)
        ends += [attempt(name, case, world) for case in cases]
        if name == "lives":
            ends += [attempt(more, case, world) for more in after_lives for case in MODULES[more]]
        stop(world.stack)
    return ends


def attempt(module: str, case: Case, world: World) -> bool:
    """Runs one case and prints how it ended."""
    title, body = case
    began = time.monotonic()
    try:
        body(world)
    except (Exception, SystemExit) as error:
        where = "" if isinstance(error, (AssertionError, SystemExit)) else traceback.format_exc()
        print(f"FAIL {module}: {title} ({time.monotonic() - began:.1f} s)\n{error}\n{where}", flush=True)
        return False
    print(f"ok   {module}: {title} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
