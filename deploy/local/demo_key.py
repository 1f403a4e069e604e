"""The demo API key: made by the Subscription service once, kept in the stack's secrets."""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request

from .layout import ROOT, Stack, write_private
from .probes import wait

SCOPES = os.environ.get("REFRAIN_DEMO_SCOPES", "*")
PROBES = ("/v1/payments", "/v1/plans", "/v1/invoices", "/v1/fraud/assessments", "/v1/analytics/summary")
ACCEPT_SECONDS = 30


def ensure_demo_key(stack: Stack) -> None:
    """Makes the key when there is none or the stack refuses the one there is, and waits until all services know it."""
    if not (stack.demo_key_file.exists() and _accepted(stack, PROBES[1])):
        write_private(stack.demo_key_file, create_key(stack, "demo", SCOPES) + "\n")
    wait("the demo key", lambda: all(_accepted(stack, path) for path in PROBES), ACCEPT_SECONDS, "see make logs")


def create_key(stack: Stack, name: str, scopes: str) -> str:
    """Makes an API key and returns its secret, which is shown only this once."""
    command = [str(ROOT / "scripts/service"), "subscription", "keys", "create", "--name", name, "--scopes", scopes]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=os.environ | {"REFRAIN_STACK": stack.name}
    )
    if done.returncode != 0:
        raise SystemExit(f"stack: no API key: {done.stderr.strip()}")
    return done.stdout.strip().splitlines()[-1]


def _accepted(stack: Stack, path: str) -> bool:
    request = urllib.request.Request(
        stack.gateway_url + path, headers={"Authorization": f"Bearer {stack.demo_key}"}, method="GET"
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            answer.read()
            return True
    except urllib.error.HTTPError as error:
        return error.code not in (401, 403, 404, 500, 502, 503, 504)
    except OSError:
        return False
