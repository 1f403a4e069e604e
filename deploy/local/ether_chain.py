"""A play chain beside bitcoin's (`coin_chain.py`): as much of an Ethereum development network as Payment asks a node for, and one
ERC-20 token on it.

Nothing in it is worth anything: coins come from nowhere, and contracts are not run. Names and shapes are those of the Ethereum
execution API (github.com/ethereum/execution-apis).
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .layout import write_private

CHAIN_ID = 1337
# Digits alone, so that its capitals need no checksum (EIP-55).
CONTRACT = "0x2000000000000000000000000000000000000001"
# ERC-20: the event `Transfer(address,address,uint256)` and the call `transfer(address,uint256)`, both hashed.
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
CALL = "0xa9059cbb"
NOBODY = "0x" + "0" * 40
SUPPLY = 1 << 120
# Always the same: Payment takes a chain that begins anew, before its first block was kept, for another one.
GENESIS = {"number": 0, "hash": f"0x{1:064x}", "parentHash": f"0x{0:064x}", "timestamp": 1438269973}
METHOD_NOT_FOUND, INVALID_PARAMETERS = -32601, -32602

Record = dict[str, Any]


class EtherChain:
    """Blocks and transfers, kept in a file so that a restart goes on with them."""

    def __init__(self, path: Path) -> None:
        known = json.loads(path.read_text()) if path.exists() else {"blocks": [GENESIS], "transfers": []}
        self.path = path
        self.blocks: list[Record] = known["blocks"]
        # In the order in which they came; `height` of those that wait is None.
        self.transfers: list[Record] = known["transfers"]

    def pay(self, address: str, amount: int, token: bool) -> str:
        """A transaction that waits for a block."""
        if not re.fullmatch(r"0x[0-9a-fA-F]{40}", address):
            raise ValueError(f"'{address[:100]}' is no address of the play chain (0x…)")
        if not 0 < amount <= SUPPLY:
            raise ValueError(f"the amount is 1 to {SUPPLY} of the smallest units")
        # Written out, since 2^53 is the most that every reader of JSON keeps exact.
        made = {"hash": _hash(), "payee": address.lower(), "amount": str(amount), "token": token, "height": None}
        self.transfers.append(made)
        self._save()
        return str(made["hash"])

    def mine(self, count: int) -> int:
        """The first of the blocks takes everything that waits; returns the height of the last."""
        for _ in range(count):
            last = self.blocks[-1]
            self.blocks.append(_block(last["number"] + 1, last["hash"], last["timestamp"]))
            for one in self.transfers:
                one["height"] = last["number"] + 1 if one["height"] is None else one["height"]
        self._save()
        return len(self.blocks) - 1

    def call(self, request: Record) -> Record:
        """The answer to one JSON-RPC call."""
        answer = {"jsonrpc": "2.0", "id": request.get("id")}
        method = METHODS.get(str(request.get("method")))
        if method is None:
            return answer | {"error": {"code": METHOD_NOT_FOUND, "message": "there is no such method here"}}
        try:
            return answer | {"result": method(self, request.get("params") or [])}
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            return answer | {"error": {"code": INVALID_PARAMETERS, "message": f"{error}"}}

    def block(self, parameters: Sequence[Any]) -> Record | None:
        name, whole = parameters
        if name == "pending":
            last = self.blocks[-1]
            waiting = _block(last["number"] + 1, last["hash"], last["timestamp"]) | {"hash": None}
            return self._shown(waiting, None, whole)
        found = [block for block in self.blocks if name in (block["hash"], hex(block["number"]))]
        return self._shown(found[0], found[0]["number"], whole) if found else None

    def balance(self, parameters: Sequence[Any]) -> str:
        address, height = parameters[0].lower(), int(parameters[1], 16)
        if height >= len(self.blocks):
            raise ValueError("there is no such block yet")
        ours = (one for one in self.transfers if one["payee"] == address and not one["token"])
        return hex(sum(int(one["amount"]) for one in ours if one["height"] is not None and one["height"] <= height))

    def logs(self, parameters: Sequence[Any]) -> list[Record]:
        asked = parameters[0]
        if "blockHash" in asked:
            heights = [block["number"] for block in self.blocks if block["hash"] == asked["blockHash"]]
            if not heights:
                raise ValueError("there is no such block")
        else:
            heights = list(range(int(asked["fromBlock"], 16), min(int(asked["toBlock"], 16) + 1, len(self.blocks))))
        payees = asked["topics"][2]
        if asked["address"] != CONTRACT or asked["topics"][0] != TRANSFER:
            return []
        logs = [self._log(one) for one in self.transfers if one["token"] and one["height"] in heights]
        return [log for log in logs if log["topics"][2] in payees]

    def receipt(self, parameters: Sequence[Any]) -> Record | None:
        one = self._placed(parameters[0])
        if one is None:
            return None
        return {
            "transactionHash": one["hash"], "status": "0x1", "logs": [self._log(one)] if one["token"] else [],
            "blockNumber": hex(one["height"]), "blockHash": self.blocks[one["height"]]["hash"],
        }  # fmt: skip

    def transaction(self, parameters: Sequence[Any]) -> Record | None:
        one = next((one for one in self.transfers if one["hash"] == parameters[0]), None)
        return None if one is None else _transaction(one)

    def _placed(self, name: str) -> Record | None:
        return next((one for one in self.transfers if one["hash"] == name and one["height"] is not None), None)

    def _shown(self, block: Record, height: int | None, whole: bool) -> Record:
        inside = [one for one in self.transfers if one["height"] == height]
        numbers = {"number": hex(block["number"]), "timestamp": hex(block["timestamp"])}
        return block | numbers | {"transactions": [_transaction(one) if whole else one["hash"] for one in inside]}

    def _log(self, one: Record) -> Record:
        inside = [other for other in self.transfers if other["token"] and other["height"] == one["height"]]
        return {
            "address": CONTRACT, "topics": [TRANSFER, _word(NOBODY), _word(one["payee"])],
            "data": f"0x{int(one['amount']):064x}", "transactionHash": one["hash"], "removed": False,
            "logIndex": hex([other["hash"] for other in inside].index(one["hash"])),
            "blockNumber": hex(one["height"]), "blockHash": self.blocks[one["height"]]["hash"],
        }  # fmt: skip

    def _save(self) -> None:
        write_private(self.path, json.dumps({"blocks": self.blocks, "transfers": self.transfers}))


METHODS = {
    "eth_chainId": lambda chain, _: hex(CHAIN_ID),
    "eth_blockNumber": lambda chain, _: hex(len(chain.blocks) - 1),
    "eth_getBlockByNumber": EtherChain.block,
    "eth_getBlockByHash": EtherChain.block,
    "eth_getBalance": EtherChain.balance,
    "eth_getLogs": EtherChain.logs,
    "eth_getTransactionReceipt": EtherChain.receipt,
    "eth_getTransactionByHash": EtherChain.transaction,
}


def _block(number: int, parent: str, after: int) -> Record:
    return {"number": number, "hash": _hash(), "parentHash": parent, "timestamp": max(int(time.time()), after)}


def _hash() -> str:
    return "0x" + secrets.token_hex(32)


def _word(address: str) -> str:
    return "0x" + address[2:].rjust(64, "0")


def _transaction(one: Record) -> Record:
    amount = int(one["amount"])
    if one["token"]:
        return {
            "hash": one["hash"], "to": CONTRACT, "value": "0x0", "input": f"{CALL}{_word(one['payee'])[2:]}{amount:064x}"
        }  # fmt: skip
    return {"hash": one["hash"], "to": one["payee"], "value": hex(amount), "input": "0x"}
