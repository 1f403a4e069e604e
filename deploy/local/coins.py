"""What a local stack needs to be paid in bitcoin on its play chain (`coin_chain.py`): an account's public key, and Payment's
configuration for a test network."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import urllib.error
import urllib.request

from .layout import Stack, write_private
from .wallet_keys import openssl

SECRET = "coin_account"
# SLIP-132, `vpub`: segwit addresses of test networks. An account is three steps from its root, the last one hardened.
VERSION, DEPTH, CHILD = bytes.fromhex("045f1cf6"), b"\x03", bytes.fromhex("80000000")
DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SECONDS = 10


def ensure(stack: Stack) -> None:
    """Makes the account's key, unless there is one."""
    path = stack.secrets / SECRET
    if not path.exists():
        write_private(path, _account() + "\n")


def _account() -> str:
    """An extended public key (BIP-32), whose private one is kept nowhere: nobody can spend what is paid."""
    private = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")
    point = openssl("pkey", "-pubout", "-outform", "DER", given=private)[-64:]
    public = bytes([2 + point[-1] % 2]) + point[:32]
    key = VERSION + DEPTH + secrets.token_bytes(4) + CHILD + secrets.token_bytes(32) + public
    key += hashlib.sha256(hashlib.sha256(key).digest()).digest()[:4]
    number, text = int.from_bytes(key, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = DIGITS[digit] + text
    return text


def are_ours(stack: Stack, given: dict[str, str]) -> bool:
    """Whether Payment is to follow the play chain: not where it is given another, or a configuration of a test's own."""
    return "REFRAIN_CONFIG" not in stack.options.daemon_env and not any(name.startswith("CRYPTO_BITCOIN_") for name in given)


def environment(stack: Stack, account: str) -> dict[str, str]:
    return {
        "CRYPTO_BITCOIN_XPUB": account,
        "CRYPTO_BITCOIN_URL": stack.chain_url,
        "REFRAIN_CONFIG": str(stack.run / "payment.yaml"),
    }


def write_config(stack: Stack, tunables: str) -> None:
    """What all daemons are given, but for the network, which has no money on it, and how it is read."""
    others = re.sub(r"^ {6}(?:network|node): .*\n", "", tunables, flags=re.M)
    ours, found = re.subn(r"^( {4}bitcoin:)$", r"\1\n      network: regtest\n      node: esplora", others, flags=re.M)
    if found != 1:
        raise SystemExit("stack: the tunables have no payment.crypto.bitcoin")
    (stack.run / "payment.yaml").write_text(ours)


def ask(stack: Stack, path: str, body: dict[str, str | int]) -> str:
    """Has the play chain do something, and returns what came of it."""
    request = urllib.request.Request(
        stack.chain_url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        raise SystemExit(f"stack: {error.read().decode()}") from None
    except OSError:
        raise SystemExit(f"stack: '{stack.name}' has no play chain that runs: make stop, make up") from None
