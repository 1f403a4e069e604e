"""What operators rely on; no stack is needed for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from deploy.local import environment
from deploy.local.layout import ROOT, Options, Stack
from deploy.local.start import stage_docs

from .harness import Case, World

CONSISTENCY = [sys.executable, str(ROOT / "scripts/consistency.py")]


def consistency_waits_as_long_as_a_daemon_may_take(world: World) -> None:
    source = (ROOT / "Shared/ServiceKit/ServiceCommand.swift").read_text()
    limit = re.search(r"statementTimeout = \.seconds\((\d+)\)", source)
    told = subprocess.run([*CONSISTENCY, "--help"], check=True, capture_output=True, text=True).stdout
    default = re.search(r"how long one service may take to answer \(default: (\d+)\)", " ".join(told.split()))
    assert limit and default and int(default[1]) > int(limit[1]), "it gives up before the daemon does"


def consistency_says_who_was_too_slow(world: World) -> None:
    command = [*CONSISTENCY, "--timeout", "0.5", "--command", "sleep 30"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "PROBLEM    payment does not answer within 0.5 s: see --timeout" in done.stdout, done.stdout
    for value in ("0", "-1", "soon", "nan"):
        done = subprocess.run([*CONSISTENCY, f"--timeout={value}"], check=False, capture_output=True, text=True)
        assert done.returncode == 2 and "--timeout" in done.stderr, f"{value} is taken for a time"


def documents_of_a_closed_checkout_are_served(world: World) -> None:
    stack = Stack("closed", Options())
    with patch("deploy.local.layout.reachable_by_postgres", return_value=False):
        home = stack.gateway_home
        # Its own user needs no other place.
        assert home.is_relative_to(ROOT) == (os.getuid() != 0)
        try:
            documents = [stage_docs(stack) / name for name in ("openapi.json", "index.html", "swagger-ui.css")]
            assert all(can_be_read(path) for path in documents), "nginx's workers cannot read the API's documents"
        finally:
            shutil.rmtree(home)
            shutil.rmtree(stack.directory, ignore_errors=True)


def can_be_read(path: Path) -> bool:
    """Whether the user of nginx's workers can read a file."""
    test = ["test", "-r", str(path)]
    command = ["runuser", "-u", "www-data", "--", *test] if os.getuid() == 0 else test
    return subprocess.run(command, check=False).returncode == 0


def payment_alone_is_given_what_providers_need(world: World) -> None:
    manifest = (ROOT / "deploy/kubernetes/config.yaml").read_text()
    named = set(re.findall(r"\b(?:STRIPE|PAYPAL|CRYPTO|GOOGLE_PAY|APPLE_PAY)_[A-Z_]+", manifest))
    assert named and named <= environment.OUTSIDE, f"a local stack does not pass on {named - environment.OUTSIDE}"
    shell = dict.fromkeys([*environment.OUTSIDE, "STRIPE_OTHER"], "given") | {"PAYPAL_API_URL": ""}

    def given(stack: str, service: str) -> set[str]:
        values = environment.daemon(Stack(stack, Options()), service, 1)
        return {name for name, value in values.items() if value == "given"}

    with patch.dict(os.environ, shell), patch("deploy.local.environment.read", return_value="password"):
        assert given("main", "payment") == environment.OUTSIDE - {"PAYPAL_API_URL"}
        assert not given("main", "invoice"), "a daemon has keys that it does not need"
        assert not given("test", "payment"), "tests would ask real providers"


def test_keys_of_wallets_make_way_for_others(world: World) -> None:
    def wallets(service: str, **given: str) -> dict[str, str]:
        shell = {name: value for name, value in os.environ.items() if name not in environment.OUTSIDE} | given
        with patch.dict(os.environ, shell, clear=True), patch("deploy.local.environment.read", return_value="password"):
            values = environment.daemon(Stack("main", Options()), service, 1)
        return {name: value for name, value in values.items() if "E_PAY_" in name}

    ours = wallets("payment")
    apple = {name: value for name, value in ours.items() if name.startswith("APPLE_PAY_")}
    assert len(apple) == 3 and len(ours) == 6, ours
    assert not wallets("invoice"), "a daemon has keys that it does not need"
    theirs = {"GOOGLE_PAY_KEYS_PATH": "/elsewhere.pem", "GOOGLE_PAY_GATEWAY_ID": "gateway"}
    assert wallets("payment", **theirs) == apple | theirs, "keys of two sets are mixed"


def play_chains_make_way_for_another(world: World) -> None:
    def coins(service: str, options: Options, **given: str) -> dict[str, str]:
        shell = {name: value for name, value in os.environ.items() if name not in environment.OUTSIDE} | given
        with patch.dict(os.environ, shell, clear=True), patch("deploy.local.environment.read", return_value="account"):
            values = environment.daemon(Stack("main", options), service, 1)
        return {name: value for name, value in values.items() if name.startswith("CRYPTO_") or name == "REFRAIN_CONFIG"}

    ours, plain = coins("payment", Options()), {"REFRAIN_CONFIG": str(environment.CONFIG)}
    for chain in ("BITCOIN", "EVM"):
        assert ours[f"CRYPTO_{chain}_URL"].startswith("http://127.0.0.1:"), ours
        assert ours[f"CRYPTO_{chain}_XPUB"] == "account", ours
    assert ours["REFRAIN_CONFIG"] != plain["REFRAIN_CONFIG"], "real money's network"
    assert coins("invoice", Options()) == plain, "a daemon has a chain that it does not need"
    for theirs in (
        {"CRYPTO_BITCOIN_XPUB": "zpub", "CRYPTO_BITCOIN_URL": "https://node.example"},
        {"CRYPTO_EVM_XPUB": "xpub", "CRYPTO_EVM_URL": "https://node.example"},
    ):
        assert coins("payment", Options(), **theirs) == plain | theirs, "play money's networks are mixed with real ones"
    own = {"REFRAIN_CONFIG": "/elsewhere.yaml"}
    assert coins("payment", Options(daemon_env=own)) == own, "a play chain is followed under another network's name"


CASES: list[Case] = [
    ("the consistency check waits as long as a daemon may take", consistency_waits_as_long_as_a_daemon_may_take),
    ("the consistency check says which service was too slow", consistency_says_who_was_too_slow),
    ("a local stack hands providers' variables to Payment, and no others", payment_alone_is_given_what_providers_need),
    ("a local stack's test keys of a wallet make way for others", test_keys_of_wallets_make_way_for_others),
    ("a local stack's play chains make way for another", play_chains_make_way_for_another),
    ("the gateway serves the API's documents where root's checkout is closed to others", documents_of_a_closed_checkout_are_served),
]
