"""Test keys of the wallets of a local stack: what stands for Google's and Apple's roots, and the merchant's own keys.

Made once with `openssl` and kept among the stack's secrets. No wallet signs with them: whoever trusts them trusts whoever
can read them, so only the daemons of a local stack, which run in sandbox mode, are given them.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from pathlib import Path

from .layout import ROOT, Stack, write_private

CERTIFICATES = ROOT / "deploy/local/wallets.cnf"
# Longer than anybody moves the sandbox's clock.
DAYS = 36_500
GOOGLE_MERCHANT = "12345678901234567890"
APPLE_MERCHANT = "merchant.example.refrain"
# Certificates by whose key signs them, in the order in which they are made.
ISSUERS = {"apple_root": "apple_root", "apple_intermediate": "apple_root", "apple_leaf": "apple_intermediate"}
KEYS = ("google_root", "google_intermediate", "google_merchant", *ISSUERS, "apple_merchant")


def ensure(stack: Stack) -> None:
    """Makes what is missing and leaves the rest as it is."""
    home = directory(stack)
    home.mkdir(mode=0o700, exist_ok=True)
    for name in KEYS:
        key, public = home / f"{name}.pem", home / f"{name}.pub"
        if not key.exists():
            write_private(key, openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256").decode())
        if not public.exists():
            write_private(public, openssl("pkey", "-in", key, "-pubout").decode())
    for name, issuer in ISSUERS.items():
        certificate = home / f"{name}.crt"
        if not certificate.exists():
            write_private(certificate, _certificate(home, name, issuer))
    roots = home / "google_roots.json"
    if not roots.exists():
        expiration = str(int(time.time() + DAYS * 86_400) * 1_000)
        key = base64.b64encode(der(home / "google_root.pub")).decode()
        entry = {"keyValue": key, "protocolVersion": "ECv2", "keyExpiration": expiration}
        write_private(roots, json.dumps({"keys": [entry]}) + "\n")


def environment(stack: Stack, given: dict[str, str]) -> dict[str, str]:
    """What Payment needs to open these wallets' tokens; nothing for a wallet of which it is given something else."""
    home = directory(stack)
    ours = {
        "GOOGLE_PAY_KEYS_PATH": str(home / "google_merchant.pem"),
        "GOOGLE_PAY_ROOT_KEYS_PATH": str(home / "google_roots.json"),
        "GOOGLE_PAY_MERCHANT_ID": GOOGLE_MERCHANT,
        "APPLE_PAY_KEYS_PATH": str(home / "apple_merchant.pem"),
        "APPLE_PAY_ROOTS_PATH": str(home / "apple_root.crt"),
        "APPLE_PAY_MERCHANT_ID": APPLE_MERCHANT,
    }
    others = {wallet for wallet in ("GOOGLE_PAY_", "APPLE_PAY_") if any(name.startswith(wallet) for name in given)}
    return {name: value for name, value in ours.items() if not name.startswith(tuple(others))}


def directory(stack: Stack) -> Path:
    return stack.secrets / "wallets"


def der(pem: Path) -> bytes:
    """The key or certificate of a file in PEM."""
    return base64.b64decode("".join(line for line in pem.read_text().splitlines() if not line.startswith("-----")))


def openssl(*arguments: str | Path, given: bytes = b"") -> bytes:
    """What `openssl` writes."""
    return subprocess.run(["openssl", *map(str, arguments)], check=True, input=given, stdout=subprocess.PIPE).stdout


def _certificate(home: Path, name: str, issuer: str) -> str:
    signer = [] if name == issuer else ["-CA", home / f"{issuer}.crt", "-CAkey", home / f"{issuer}.pem"]
    subject = f"/CN=Local test {name.replace('_', ' ')}"
    made = openssl(
        "req", "-x509", "-new", "-sha256", "-config", CERTIFICATES, "-extensions", name.removeprefix("apple_"),
        "-key", home / f"{name}.pem", "-subj", subject, "-days", str(DAYS), *signer,
    )  # fmt: skip
    return made.decode()
