"""Runs the end to end tests: `python3 -m Tests.EndToEnd [images gateway operations main_job api_documents hostile_input poison payment_page page_elsewhere page_instalments page_trouble page_wallets examples faults restart killed takeover]`."""

from __future__ import annotations

import sys
import time
import traceback

from deploy.local.__main__ import reset, stop

from . import api_documents, examples, faults, gateway, hostile_input, images, killed, main_job, operations, page_elsewhere, page_instalments, page_trouble, page_wallets, payment_page, poison, restart, takeover
from .harness import Case, World, free_stack, ordinary_stack

MODULES: dict[str, list[Case]] = {
    "images": images.CASES,
    "gateway": gateway.CASES,
    "operations": operations.CASES,
    "main_job": main_job.CASES,
    "api_documents": api_documents.CASES,
    "hostile_input": hostile_input.CASES,
    "poison": poison.CASES,
    "payment_page": payment_page.CASES,
    "page_elsewhere": page_elsewhere.CASES,
    "page_instalments": page_instalments.CASES,
    "page_trouble": page_trouble.CASES,
    "page_wallets": page_wallets.CASES,
    "examples": examples.CASES,
    "faults": faults.CASES,
    "restart": restart.CASES,
    "killed": killed.CASES,
}


def main() -> int:
    wanted = sys.argv[1:] or [*MODULES, "takeover"]
    unknown = [name for name in wanted if name not in MODULES and name != "takeover"]
    if unknown:
        raise SystemExit(f"no such tests: {', '.join(unknown)}; there are {', '.join([*MODULES, 'takeover'])}")
    passed = failed = 0
    shared = [name for name in wanted if name in MODULES]
    if shared:
        world = World(ordinary_stack())
        world.start()
        for name in shared:
            for case in MODULES[name]:
                good = attempt(name, case, world)
                passed, failed = passed + good, failed + (not good)
        stop(world.stack)
    if "takeover" in wanted:
        world = World(free_stack("takeover", **takeover.options()))
        reset(world.stack)
        for case in takeover.CASES:
            good = attempt("takeover", case, world)
            passed, failed = passed + good, failed + (not good)
        stop(world.stack)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


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
