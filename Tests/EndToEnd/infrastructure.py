"""Starts Postgres, Redis and the broker of the test stack and prints the variables that the Swift tests read."""

from __future__ import annotations

import shlex
import sys

from deploy.local import postgres
from deploy.local.__main__ import reset
from deploy.local.layout import ROOT
from deploy.local.probes import Progress
from deploy.local.programs import site_packages
from deploy.local.start import start_infrastructure_only

from .harness import ordinary_stack


def main() -> int:
    stack = ordinary_stack()
    if postgres.has_lost_memory(stack):
        reset(stack)
    start_infrastructure_only(stack, Progress(quiet=True))
    postgres.keep_new_databases_in_memory(stack)
    values = {
        "REFRAIN_TEST_POSTGRES": stack.admin_url("postgres"),
        "REFRAIN_TEST_REDIS": f"127.0.0.1:{stack.redis_port}",
        "REFRAIN_TEST_KAFKA": f"127.0.0.1:{stack.kafka_port}",
        "REFRAIN_TEST_NOIDA": str(site_packages("venv") / "noida_db" / "noida-db"),
        "REFRAIN_HOME": str(ROOT),
    }
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
