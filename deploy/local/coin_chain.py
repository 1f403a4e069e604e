"""A play chain: as much of a Bitcoin test network (regtest) as Payment asks Esplora for.

Nothing in it is worth anything: transactions have no inputs, blocks no work, and whoever reaches the port makes both, with
`POST /pay` and `POST /mine` (`scripts/stack coin`). The rest is the Esplora HTTP API (github.com/Blockstream/esplora, API.md),
and `POST /ether`, where a chain for ether and a token is asked (`ether_chain.py`).

    python -m deploy.local.coin_chain PORT DIRECTORY
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .ether_chain import EtherChain
from .layout import write_private

GENESIS = {
    "id": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206", "height": 0, "timestamp": 1296688602,
    "previousblockhash": None,
}  # fmt: skip
PREFIX = "bcrt"
LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
SUPPLY = 2_100_000_000_000_000
PAGE = 25
MAX_WAITING = 50
MAX_BLOCKS_AT_ONCE = 200
MAX_BODY_BYTES = 10_000

Record = dict[str, Any]


class Chain:
    """Blocks and transactions, kept in a file so that a restart goes on with them."""

    def __init__(self, path: Path) -> None:
        known = json.loads(path.read_text()) if path.exists() else {"blocks": [GENESIS], "transactions": []}
        self.path = path
        self.blocks: list[Record] = known["blocks"]
        # In the order in which they came; `height` of those that wait is None.
        self.transactions: list[Record] = known["transactions"]

    def pay(self, address: str, amount: int) -> str:
        """A transaction that waits for a block."""
        if not 0 < amount <= SUPPLY:
            raise ValueError(f"the amount is 1 to {SUPPLY} satoshi")
        made = {"txid": secrets.token_hex(32), "script": script(address), "amount": amount, "height": None}
        self.transactions.append(made)
        self._save()
        return str(made["txid"])

    def mine(self, count: int) -> int:
        """The first of the blocks takes everything that waits; returns the height of the last."""
        for _ in range(count):
            last, height = self.blocks[-1], len(self.blocks)
            waiting = [one for one in self.transactions if one["height"] is None]
            block = {
                "height": height, "timestamp": max(int(time.time()), last["timestamp"]), "previousblockhash": last["id"]
            }  # fmt: skip
            content = json.dumps([block, [one["txid"] for one in waiting]]).encode()
            self.blocks.append({"id": hashlib.sha256(hashlib.sha256(content).digest()).hexdigest()} | block)
            for one in waiting:
                one["height"] = height
        self._save()
        return len(self.blocks) - 1

    def answer(self, path: str) -> str | Record | list[Record] | None:
        """What Esplora says; `None` of what there is not."""
        match path.strip("/").split("/"):
            case ["blocks", "tip", "height"]:
                return str(len(self.blocks) - 1)
            case ["block-height", height] if height.isdecimal() and int(height) < len(self.blocks):
                return str(self.blocks[int(height)]["id"])
            case ["block", name]:
                return next((block for block in self.blocks if block["id"] == name), None)
            case ["tx", name]:
                return next((self._shown(one) for one in self.transactions if one["txid"] == name), None)
            case ["address", address, "txs"]:
                waiting, placed = self._history(address)
                return [self._shown(one) for one in waiting[:MAX_WAITING] + placed[:PAGE]]
            case ["address", address, "txs", "chain", last]:
                placed = self._history(address)[1]
                after = next((place + 1 for place, one in enumerate(placed) if one["txid"] == last), len(placed))
                return [self._shown(one) for one in placed[after : after + PAGE]]
        return None

    def _history(self, address: str) -> tuple[list[Record], list[Record]]:
        """The transactions to an address, the newest first: those that wait, and those in blocks."""
        wanted = script(address)
        found = [one for one in reversed(self.transactions) if one["script"] == wanted]
        placed = sorted((one for one in found if one["height"] is not None), key=lambda one: -int(one["height"]))
        return [one for one in found if one["height"] is None], placed

    def _shown(self, one: Record) -> Record:
        status: Record = {"confirmed": one["height"] is not None}
        if status["confirmed"]:
            block = self.blocks[one["height"]]
            status |= {"block_height": block["height"], "block_hash": block["id"], "block_time": block["timestamp"]}
        output = {"scriptpubkey": one["script"], "value": one["amount"]}
        return {"txid": one["txid"], "vin": [], "vout": [output], "status": status}

    def _save(self) -> None:
        write_private(self.path, json.dumps({"blocks": self.blocks, "transactions": self.transactions}))


def script(address: str) -> str:
    """Whom an address pays, in hexadecimal digits (BIP-173, witness version 0)."""
    head, _, data = address.partition("1")
    if head != PREFIX or not data.startswith("q") or not set(data) <= set(LETTERS):
        raise ValueError(f"'{address[:100]}' is no address of the play chain ({PREFIX}1q…)")
    values = [LETTERS.index(letter) for letter in data]
    bits = "".join(f"{value:05b}" for value in values[1:-6])
    length = len(bits) // 8
    if length not in (20, 32) or _checksum(values) != 1:
        raise ValueError(f"'{address[:100]}' is mistyped")
    return f"00{length:02x}{int(bits[: 8 * length], 2):0{2 * length}x}"


def _checksum(values: list[int]) -> int:
    state = 1
    for value in [*(ord(letter) >> 5 for letter in PREFIX), 0, *(ord(letter) & 31 for letter in PREFIX), *values]:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            state ^= generator if top >> bit & 1 else 0
    return state


class Handler(BaseHTTPRequestHandler):
    """One request at a time has the chain."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    chain: Chain
    ether: EtherChain
    lock = threading.Lock()

    def do_GET(self) -> None:
        try:
            with self.lock:
                answer = self.chain.answer(self.path)
        except ValueError as error:
            return self._send(400, str(error))
        return self._send(404, "not found") if answer is None else self._send(200, answer)

    def do_POST(self) -> None:
        try:
            body = json.loads(self.rfile.read(min(int(self.headers["Content-Length"] or 0), MAX_BODY_BYTES)))
            with self.lock:
                match self.path:
                    case "/ether":
                        return self._send(200, self.ether.call(body))
                    case "/pay":
                        return self._send(200, self._pay(str(body["address"]), int(body["amount"]), bool(body["token"])))
                    case "/mine":
                        return self._send(200, self._mine(int(body["blocks"])))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return self._send(400, str(error))
        return self._send(404, "not found")

    def _pay(self, address: str, amount: int, token: bool) -> str:
        if token or address.startswith("0x"):
            return self.ether.pay(address, amount, token)
        return self.chain.pay(address, amount)

    def _mine(self, count: int) -> str:
        if not 0 < count <= MAX_BLOCKS_AT_ONCE:
            raise ValueError(f"1 to {MAX_BLOCKS_AT_ONCE} blocks are made at once")
        return f"{self.chain.mine(count)} {self.ether.mine(count)}"

    def _send(self, status: int, answer: str | Record | list[Record]) -> None:
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: Payment asks every few seconds."""


if __name__ == "__main__":
    Handler.chain, Handler.ether = Chain(Path(sys.argv[2]) / "chain.json"), EtherChain(Path(sys.argv[2]) / "ether.json")
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
