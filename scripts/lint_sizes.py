#!/usr/bin/env python3
"""Fails on Swift and Python files over 400 lines and on Swift functions over 70. Generated files are exempt."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE_LINES = 400
FUNCTION_LINES = 70
FUNCTION = re.compile(r"^(\s*)(?:@\S+\s+)*(?:[a-z()]+\s+)*(?:func\s+\S+|init[?<(])")
GENERATED = "// Generated"


def faults(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    if lines and lines[0].startswith(GENERATED):
        return []
    name = path.relative_to(ROOT)
    found = []
    if len(lines) > FILE_LINES:
        found.append(f"{name}: {len(lines)} lines; a file stops at {FILE_LINES}")
    if path.suffix == ".swift":
        found += [f"{name}:{start}: a function of {size} lines; it stops at {FUNCTION_LINES}" for start, size in long_functions(lines)]
    return found


def long_functions(lines: list[str]) -> list[tuple[int, int]]:
    """Functions by their indentation, which the formatter keeps exact: a body ends at the brace under its start."""
    found = []
    for index, line in enumerate(lines):
        match = FUNCTION.match(line)
        if not match:
            continue
        end = match.group(1) + "}"
        size = next((n for n, later in enumerate(lines[index + 1 :], 2) if later == end), 0)
        one_line = line.rstrip().endswith("}") or "{" not in "".join(lines[index : index + 12])
        if size > FUNCTION_LINES and not one_line:
            found.append((index + 1, size))
    return found


def main() -> int:
    paths = [p for top in ("Services", "Shared", "Tests", "deploy") for p in sorted((ROOT / top).rglob("*.swift"))]
    paths += [p for top in ("deploy", "scripts", "Tests") for p in sorted((ROOT / top).rglob("*.py"))]
    found = [fault for path in paths for fault in faults(path)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
