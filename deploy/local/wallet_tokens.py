"""Tokens such as Google Pay and Apple Pay give, signed by a local stack's own test roots.

Sources: developers.google.com/pay/api/web/guides/resources/payment-data-cryptography, and Apple, "Payment token format
reference". What a wallet would not have, the merchant's private keys, is not read.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import json
import secrets
import struct
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from .layout import ROOT
from .wallet_keys import APPLE_MERCHANT, GOOGLE_MERCHANT, der, openssl

LIFE_SECONDS = 600
CRYPTOGRAM = "AgAAAAAABk4DWZ4C28yUQAAAAAA="
# Object identifiers in DER, without tag and length.
SIGNED_DATA, DATA = bytes.fromhex("2a864886f70d010702"), bytes.fromhex("2a864886f70d010701")
SHA256, ECDSA_SHA256 = bytes.fromhex("608648016503040201"), bytes.fromhex("2a8648ce3d040302")
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = (bytes.fromhex(f"2a864886f70d01090{n}") for n in (3, 4, 5))


def google_pay(home: Path, number: str, amount: int, currency: str, now: datetime) -> dict[str, Any]:
    """Google's says nothing of the amount."""
    expiration = str(int(now.timestamp() + LIFE_SECONDS) * 1_000)
    card = {"pan": number, "expirationYear": 2049, "expirationMonth": 12}
    message = {
        "messageExpiration": expiration, "messageId": secrets.token_urlsafe(24), "paymentMethod": "CARD",
        "paymentMethodDetails": card | {"authMethod": "CRYPTOGRAM_3DS", "cryptogram": CRYPTOGRAM, "eciIndicator": "05"},
    }  # fmt: skip
    ephemeral, secret = _agree(home / "google_merchant.pub")
    point = ephemeral[-65:]
    keys = _hkdf(point + secret, b"Google", 64)
    encrypted = _ctr(keys[:32], bytes(16), json.dumps(message).encode())
    tag = hmac.digest(keys[32:], encrypted, "sha256")
    signed_message = json.dumps(
        {"encryptedMessage": _text(encrypted), "ephemeralPublicKey": _text(point), "tag": _text(tag)}
    )
    signed_key = json.dumps({"keyValue": _text(der(home / "google_intermediate.pub")), "keyExpiration": expiration})
    key_signature = _sign(home / "google_root.pem", _prefixed("Google", "ECv2", signed_key))
    recipient = f"merchant:{GOOGLE_MERCHANT}"
    signature = _sign(home / "google_intermediate.pem", _prefixed("Google", recipient, "ECv2", signed_message))
    return {
        "protocolVersion": "ECv2", "signature": _text(signature), "signedMessage": signed_message,
        "intermediateSigningKey": {"signedKey": signed_key, "signatures": [_text(key_signature)]},
    }  # fmt: skip


def apple_pay(home: Path, number: str, amount: int, currency: str, now: datetime) -> dict[str, Any]:
    """Apple's is good for the amount that its sheet has shown, and no other."""
    payment = {
        "applicationPrimaryAccountNumber": number, "applicationExpirationDate": "491231",
        "currencyCode": _numeric(currency), "transactionAmount": amount, "paymentDataType": "3DSecure",
        "paymentData": {"onlinePaymentCryptogram": CRYPTOGRAM, "eciIndicator": "05"},
    }  # fmt: skip
    ephemeral, secret = _agree(home / "apple_merchant.pub")
    # NIST SP 800-56A, one round; the vector that goes with it is zero.
    party = hashlib.sha256(APPLE_MERCHANT.encode()).digest()
    key = hashlib.sha256(b"\0\0\0\1" + secret + b"\x0did-aes256-GCM" + b"Apple" + party).digest()
    data = _gcm(key, json.dumps(payment).encode())
    transaction = secrets.token_bytes(32)
    return {
        "version": "EC_v1", "data": _text(data), "signature": _text(_cms(home, ephemeral + data + transaction, now)),
        "header": {
            "ephemeralPublicKey": _text(ephemeral), "transactionId": transaction.hex(),
            "publicKeyHash": _text(hashlib.sha256(der(home / "apple_merchant.pub")).digest()),
        },
    }  # fmt: skip


WALLETS: dict[str, Callable[[Path, str, int, str, datetime], dict[str, Any]]] = {
    "google_pay": google_pay,
    "apple_pay": apple_pay,
}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _numeric(currency: str) -> str:
    with (ROOT / "docs/data/currencies.csv").open(newline="") as facts:
        facts.readline()
        codes = {row["code"]: row["numeric"] for row in csv.DictReader(facts)}
    if currency not in codes:
        raise SystemExit(f"stack: there is no currency '{currency}'")
    return codes[currency]


def _prefixed(*texts: str) -> bytes:
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def _sign(key: Path, content: bytes) -> bytes:
    return openssl("dgst", "-sha256", "-sign", key, given=content)


# Encryption for the merchant


def _agree(merchant: Path) -> tuple[bytes, bytes]:
    """A key of this one token: its public half in DER, and the secret that it shares with the merchant's."""
    with tempfile.TemporaryDirectory() as folder:
        own, public = Path(folder) / "own.pem", Path(folder) / "own.pub"
        own.write_bytes(openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"))
        public.write_bytes(openssl("pkey", "-in", own, "-pubout"))
        return der(public), openssl("pkeyutl", "-derive", "-inkey", own, "-peerkey", merchant)


def _hkdf(material: bytes, info: bytes, count: int) -> bytes:
    """RFC 5869 with SHA-256 and no salt."""
    key, block, out = hmac.digest(bytes(32), material, "sha256"), b"", b""
    for number in range(1, -(-count // 32) + 1):
        block = hmac.digest(key, block + info + bytes([number]), "sha256")
        out += block
    return out[:count]


def _ctr(key: bytes, start: bytes, plain: bytes) -> bytes:
    return openssl("enc", "-aes-256-ctr", "-K", key.hex(), "-iv", start.hex(), given=plain)


def _gcm(key: bytes, plain: bytes) -> bytes:
    """AES in GCM with a vector of 16 zero bytes, the tag at the end (NIST SP 800-38D); `openssl enc` has no GCM."""
    subkey = int.from_bytes(_ctr(key, bytes(16), bytes(16)), "big")
    start = _ghash(subkey, bytes(24) + struct.pack(">Q", 128))
    # The block before the first of the text masks the tag.
    sealed = _ctr(key, start, bytes(16) + plain)
    mask, cipher = sealed[:16], sealed[16:]
    lengths = struct.pack(">QQ", 0, len(cipher) * 8)
    tag = _ghash(subkey, cipher + bytes(-len(cipher) % 16) + lengths)
    return cipher + bytes(left ^ right for left, right in zip(tag, mask, strict=True))


def _ghash(subkey: int, blocks: bytes) -> bytes:
    state = 0
    for at in range(0, len(blocks), 16):
        left, right, state = state ^ int.from_bytes(blocks[at : at + 16], "big"), subkey, 0
        for bit in range(127, -1, -1):
            if left >> bit & 1:
                state ^= right
            right = right >> 1 ^ (0xE1 << 120 if right & 1 else 0)
    return state.to_bytes(16, "big")


# Apple's signature: CMS (RFC 5652) by hand, as `openssl cms` signs at no other time than the machine's


def _cms(home: Path, content: bytes, now: datetime) -> bytes:
    leaf, intermediate = (der(home / f"apple_{name}.crt") for name in ("leaf", "intermediate"))
    _, serial, _, issuer, *_ = _inside(_inside(leaf)[0])
    digest = _der(0x30, _der(0x06, SHA256))
    time = _der(0x18, now.strftime("%Y%m%d%H%M%SZ").encode())
    attributes = sorted(
        _der(0x30, _der(0x06, name) + _der(0x31, value))
        for name, value in (
            (CONTENT_TYPE, _der(0x06, DATA)),
            (MESSAGE_DIGEST, _der(0x04, hashlib.sha256(content).digest())),
            (SIGNING_TIME, time),
        )
    )
    signature = _sign(home / "apple_leaf.pem", _der(0x31, b"".join(attributes)))
    signer = _der(0x02, b"\1") + _der(0x30, issuer + serial) + digest + _der(0xA0, b"".join(attributes))
    signer += _der(0x30, _der(0x06, ECDSA_SHA256)) + _der(0x04, signature)
    signed = _der(0x02, b"\1") + _der(0x31, digest) + _der(0x30, _der(0x06, DATA))
    signed += _der(0xA0, leaf + intermediate) + _der(0x31, _der(0x30, signer))
    return _der(0x30, _der(0x06, SIGNED_DATA) + _der(0xA0, _der(0x30, signed)))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    if size < 0x100:
        return bytes([tag, 0x81, size]) + content
    return bytes([tag, 0x82]) + struct.pack(">H", size) + content


def _inside(value: bytes) -> list[bytes]:
    """The values inside one, whole."""
    starts = [_header(value, 0)[0]]
    while starts[-1] < len(value):
        start, size = _header(value, starts[-1])
        starts.append(start + size)
    return [value[start:end] for start, end in zip(starts, starts[1:], strict=False)]


def _header(value: bytes, at: int) -> tuple[int, int]:
    """Where the content of the value at a place begins, and how long it is."""
    first, start = value[at + 1], at + 2
    if first < 0x80:
        return start, first
    end = start + (first & 0x7F)
    return end, int.from_bytes(value[start:end], "big")
