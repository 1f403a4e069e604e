"""What a local stack needs to be paid in coins on its play chains (`coin_chain.py`, `ether_chain.py`): accounts' public keys, and
Payment's configuration for networks that have no money on them."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import urllib.error
import urllib.request

from .ether_chain import CHAIN_ID, CONTRACT
from .layout import Stack, write_private
from .wallet_keys import openssl

SECRET, ETHER_SECRET = "coin_account", "ether_account"
# BIP-32, `xpub`, and SLIP-132, `vpub`: segwit addresses of test networks.
XPUB, VPUB = bytes.fromhex("0488b21e"), bytes.fromhex("045f1cf6")
# An account is three steps from its root, the last one hardened.
DEPTH, CHILD = b"\x03", bytes.fromhex("80000000")
DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SECONDS = 10


def ensure(stack: Stack) -> None:
    """Makes the accounts' keys, unless there are some."""
    for name, version in ((SECRET, VPUB), (ETHER_SECRET, XPUB)):
        path = stack.secrets / name
        if not path.exists():
            write_private(path, _account(version) + "\n")


def _account(version: bytes) -> str:
    """An extended public key (BIP-32), whose private one is kept nowhere: nobody can spend what is paid."""
    private = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")
    point = openssl("pkey", "-pubout", "-outform", "DER", given=private)[-64:]
    public = bytes([2 + point[-1] % 2]) + point[:32]
    key = version + DEPTH + secrets.token_bytes(4) + CHILD + secrets.token_bytes(32) + public
    key += hashlib.sha256(hashlib.sha256(key).digest()).digest()[:4]
    number, text = int.from_bytes(key, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = DIGITS[digit] + text
    return text


def are_ours(stack: Stack, given: dict[str, str]) -> bool:
    """Whether Payment is to follow the play chains: not where it is given another, or a configuration of a test's own."""
    return "REFRAIN_CONFIG" not in stack.options.daemon_env and not any(name.startswith("CRYPTO_") for name in given)


def environment(stack: Stack, account: str, ether_account: str) -> dict[str, str]:
    return {
        "CRYPTO_BITCOIN_XPUB": account,
        "CRYPTO_BITCOIN_URL": stack.chain_url,
        "CRYPTO_EVM_XPUB": ether_account,
        "CRYPTO_EVM_URL": f"{stack.chain_url}/ether",
        "REFRAIN_CONFIG": str(stack.run / "payment.yaml"),
    }


def write_config(stack: Stack, tunables: str) -> None:
    """What all daemons are given, but for the networks, which have no money on them, how they are read, and a token."""
    others = re.sub(r"^ {6}(?:network|node|chain_id): .*\n|^ {4}tokens:\n(?: {6}.*\n)*", "", tunables, flags=re.M)
    bitcoin = "    bitcoin:\n      network: regtest\n      node: esplora"
    token = f'    tokens:\n      usdc:\n        contract: "{CONTRACT}"\n        decimals: 6\n        rates: {{usd: 1}}'
    ours, found = re.subn(r"^ {4}bitcoin:$", bitcoin, others, flags=re.M)
    ours, also = re.subn(r"^ {4}ethereum:$", f"{token}\n    ethereum:\n      chain_id: {CHAIN_ID}", ours, flags=re.M)
    if (found, also) != (1, 1):
        raise SystemExit("stack: the tunables have no payment.crypto.bitcoin or .ethereum")
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
        raise SystemExit(f"stack: '{stack.name}' has no play chains that run: make stop, make up") from None
