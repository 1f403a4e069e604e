"""The examples of `docs/payment/examples.md`, run as they stand there and held against what the document says of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from deploy.local.layout import ROOT

from .harness import Case, World

DOCUMENT = ROOT / "docs/payment/examples.md"
BLOCK = re.compile(
    r"^## (?P<title>[^\n]+)$|^```sh\n(?P<block>.*?)^```$|^Answers (?P<answers>(?:\d{3}(?:, )?)+)(?P<words>(?: `[^`]+`)*)",
    re.M | re.S,
)
TIMEOUT_SECONDS = 65
# Writes the status of each answer down, for the test only: the commands stay what people type.
CURL = """#!/bin/sh
exec {curl} "$@" --write-out '%{{stderr}}%{{http_code}}\\n' 2>>"$EXAMPLES_STATUSES"
"""


@dataclass
class Example:
    """A block of commands with the statuses and printed words that the document promises."""

    title: str
    commands: str
    statuses: list[str]
    words: list[str]


def examples() -> list[Example]:
    """All of them, in the document's order; what has no promise is only set up."""
    found: list[Example] = []
    title = "set up"
    for match in BLOCK.finditer(DOCUMENT.read_text()):
        if match["title"]:
            title = match["title"]
        elif match["block"]:
            found.append(Example(title, match["block"], [], []))
        else:
            found[-1].statuses = match["answers"].split(", ")
            found[-1].words = re.findall(r"`([^`]+)`", match["words"])
    return found


def run(world: World) -> None:
    """In one shell, as one person would: each block goes on with the variables of those before it."""
    wanted = examples()
    assert len(wanted) > 10 and all(example.statuses for example in wanted[1:]), "the document has lost its promises"
    curl = shutil.which("curl")
    assert curl and shutil.which("jq"), "curl and jq are not installed: scripts/setup"
    with tempfile.TemporaryDirectory(prefix="refrain-examples-") as name:
        folder = Path(name)
        shim = folder / "curl"
        shim.write_text(CURL.format(curl=curl))
        shim.chmod(0o755)
        script = "set -euo pipefail\n"
        for place, example in enumerate(wanted):
            script += f"export EXAMPLES_STATUSES={folder}/{place}.statuses\n{{\n{example.commands}}} >{folder}/{place}.words\n"
        environment = os.environ | {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "URL": world.stack.gateway_url,
            "KEY": world.stack.demo_key,
            "REFRAIN_STACK": world.stack.name,
        }
        command = ["timeout", str(TIMEOUT_SECONDS), "bash", "-c", script]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=ROOT)
        wrong = []
        for place, example in enumerate(wanted):
            statuses, words = (read(folder / f"{place}.{kind}") for kind in ("statuses", "words"))
            if asked(example, statuses) != asked(example, example.statuses) or words != example.words:
                wrong.append(f"{example.title}: {statuses} {words}, promised {example.statuses} {example.words}")
        assert not wrong and done.returncode == 0, "\n".join([*wrong, f"exit {done.returncode} {done.stderr.strip()[:500]}"])
    world.assert_consistent(60)


def read(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def asked(example: Example, statuses: list[str]) -> list[str]:
    """The statuses to compare: what is asked until it is there is asked any number of times."""
    return [status for status, _ in groupby(statuses)] if "until " in example.commands else statuses


CASES: list[Case] = [("every example of the document answers as it says there", run)]
