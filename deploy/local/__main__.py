"""`scripts/stack`: start, stop, status, logs, url, reset, wallet, coin."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

from deploy.demo.client import Client
from deploy.demo.clock import business_time

from . import coins, leftovers, wallet_keys
from .layout import Options, Stack, port_base_from_environment
from .probes import Progress, unready
from .start import start, start_infrastructure_only
from .supervisor import Supervisor
from .wallet_tokens import WALLETS


def main() -> int:
    arguments = _parse()
    stack = Stack.load(arguments.stack)
    match arguments.command:
        case "start":
            supervisor_runs = Supervisor(stack).is_running
            if not supervisor_runs:
                stack = Stack(stack.name, replace(stack.options, port_base=_port_base(stack.options)))
            (start_infrastructure_only if arguments.infrastructure else start)(stack, Progress())
        case "stop":
            stop(stack)
        case "reset":
            reset(stack)
        case "url":
            print(stack.gateway_url)
        case "status":
            return status(stack)
        case "logs":
            return logs(stack, arguments.program, arguments.follow)
        case "wallet":
            print(json.dumps(wallet_token(stack, arguments)))
        case "coin":
            print(coin(stack, arguments))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/stack", description="Runs a whole Refrain on this machine.")
    parser.add_argument("--stack", default=os.environ.get("REFRAIN_STACK", "main"), help="name (default: main)")
    commands = parser.add_subparsers(dest="command", required=True)
    begin = commands.add_parser("start", help="start everything, or what is missing")
    begin.add_argument("--infrastructure", action="store_true", help="Postgres, Redis and the broker only")
    commands.add_parser("stop", help="stop everything; the data stays")
    commands.add_parser("reset", help="stop and delete the stack's data")
    commands.add_parser("url", help="the gateway's address")
    commands.add_parser("status", help="what runs; exit 1 unless everything is ready")
    show = commands.add_parser("logs", help="the last lines of every log, or of one")
    show.add_argument("program", nargs="?", default="")
    show.add_argument("-f", "--follow", action="store_true")
    token = commands.add_parser("wallet", help="a fresh token of Google Pay or Apple Pay, by the stack's test keys")
    token.add_argument("type", choices=sorted(WALLETS))
    token.add_argument("--amount", type=int, required=True, help="in minor units: what Apple Pay's customer agrees to")
    token.add_argument("--currency", required=True)
    token.add_argument("--number", default="4242424242424242", help="of the card (default: one that succeeds)")
    coins_parser = commands.add_parser("coin", help="the play chains that bitcoin, ether and a stablecoin are paid on")
    doings = coins_parser.add_subparsers(dest="doing", required=True)
    pay = doings.add_parser("pay", help="send coins that nobody has; prints the transaction's id")
    pay.add_argument("address")
    pay.add_argument("amount", type=int, help="in the smallest units, as a payment's next_action has it")
    pay.add_argument("--token", action="store_true", help="the stablecoin, not the chain's own coin")
    mine = doings.add_parser("mine", help="make blocks, the first of which takes what was sent; prints the last ones' heights")
    mine.add_argument("blocks", type=int, nargs="?", default=1)
    return parser.parse_args()


def _port_base(options: Options) -> int:
    return port_base_from_environment() if "REFRAIN_PORT_BASE" in os.environ else options.port_base


def stop(stack: Stack) -> None:
    """Ends the stack's own processes, and only those."""
    supervisor = Supervisor(stack)
    progress = Progress()
    if supervisor.is_running:
        supervisor.shutdown()
        progress("stopped")
    elif not leftovers.find(stack):
        progress("nothing runs")
    leftovers.end(stack)


def reset(stack: Stack) -> None:
    stop(stack)
    for directory in {stack.postgres_home, stack.memory_home, stack.gateway_home, stack.directory}:
        if directory.exists():
            shutil.rmtree(directory)


def status(stack: Stack) -> int:
    supervisor = Supervisor(stack)
    if not supervisor.is_running:
        print(f"stack '{stack.name}' is not running")
        return 1
    urls = {f"{service}-{n}": stack.service_url(service, n) for service, n in stack.daemons}
    good = True
    print(f"{'PROGRAM':<16} {'STATE':<10} {'PID':>8} {'UP':>9} {'MEMORY':>9}  ANSWER")
    for name, info in supervisor.processes().items():
        running = info["statename"] == "RUNNING"
        answer = (unready(urls[name]) or "ready") if name in urls and running else ""
        good = good and running and answer in ("", "ready")
        up = f"{info['now'] - info['start']} s" if running else ""
        print(f"{name:<16} {info['statename']:<10} {info['pid']:>8} {up:>9} {_memory(info['pid']):>9}  {answer}")
    print(f"gateway {stack.gateway_url}   logs {stack.logs}")
    return 0 if good else 1


def _memory(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            kilobytes = next((line.split()[1] for line in file if line.startswith("VmRSS")), "0")
        return f"{int(kilobytes) / 1024:.0f} MB"
    except OSError:
        return ""


def logs(stack: Stack, program: str, follow: bool) -> int:
    names = sorted(path.stem for path in stack.logs.glob("*.log"))
    chosen = [name for name in names if not program or name == program or name.startswith(f"{program}-")]
    if not chosen:
        print(f"no such log; there are: {', '.join(names) or 'none yet'}")
        return 1
    files = [str(stack.logs / f"{name}.log") for name in chosen]
    lines = "40" if program else "8"
    try:
        return subprocess.run(["tail", "-n", lines, *(["-F"] if follow else []), *files], check=False).returncode
    except KeyboardInterrupt:
        return 0


def wallet_token(stack: Stack, arguments: argparse.Namespace) -> dict[str, object]:
    """A token that is fresh by the stack's business clock."""
    home = wallet_keys.directory(stack)
    if not home.exists() or not Supervisor(stack).is_running:
        raise SystemExit(f"stack: '{stack.name}' has no wallets' keys or does not run: make stop, make up")
    now = business_time(Client(stack.gateway_url, stack.demo_key, patience=5))
    return WALLETS[arguments.type](home, arguments.number, arguments.amount, arguments.currency, now)


def coin(stack: Stack, arguments: argparse.Namespace) -> str:
    if arguments.doing == "pay":
        return coins.ask(stack, "/pay", {"address": arguments.address, "amount": arguments.amount, "token": arguments.token})
    return coins.ask(stack, "/mine", {"blocks": arguments.blocks})


if __name__ == "__main__":
    sys.exit(main())
