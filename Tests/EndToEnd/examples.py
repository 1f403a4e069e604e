"""The examples of `docs/payment/examples.md` and README, run as they stand there and held against what these say of them."""

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
README = ROOT / "README.md"
# A line of README's, and the words that it prints.
SAID = re.compile(r"# -> ([a-z_ ]+)$", re.M)
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


def first_examples() -> list[Example]:
    """README's blocks with lines that say what they print. Statuses are not promised there: each is one of success."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", README.read_text(), re.M | re.S)
    return [Example("README", block, [], " ".join(SAID.findall(block)).split()) for block in blocks if SAID.search(block)]


def examples_answer(world: World) -> None:
    wanted = examples()
    assert len(wanted) > 10 and all(example.statuses for example in wanted[1:]), "the document has lost its promises"
    run(world, wanted)


def first_examples_answer(world: World) -> None:
    wanted = first_examples()
    assert sum(len(example.words) for example in wanted) > 20, "README has lost its promises"
    run(world, wanted)


def run(world: World, wanted: list[Example]) -> None:
    """In one shell, as one person would: each block goes on with the variables of those before it."""
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
            if not answered(example, statuses) or words != example.words:
                wrong.append(f"{example.title}: {statuses} {words}, promised {example.statuses} {example.words}")
        assert not wrong and done.returncode == 0, "\n".join([*wrong, f"exit {done.returncode} {done.stderr.strip()[:500]}"])
    world.assert_consistent(60)


def read(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def answered(example: Example, statuses: list[str]) -> bool:
    if not example.statuses:
        return all(status.startswith("2") for status in statuses)
    return asked(example, statuses) == asked(example, example.statuses)


def asked(example: Example, statuses: list[str]) -> list[str]:
    """The statuses to compare: what is asked until it is there is asked any number of times."""
    return [status for status, _ in groupby(statuses)] if "until " in example.commands else statuses


CASES: list[Case] = [
    ("README's first examples answer as it says there", first_examples_answer),
    ("every example of the document answers as it says there", examples_answer),
]
