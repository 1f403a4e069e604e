"""Fills `${REFRAIN_…}` in configuration templates; every other `$name` is left as it is."""

from __future__ import annotations

import re
from pathlib import Path

PLACEHOLDER = re.compile(r"\$\{(REFRAIN_[A-Z_]+)\}")


def fill(template: Path, values: dict[str, str]) -> str:
    """The template's text with all placeholders filled.

    Raises `KeyError` for a placeholder without a value: a half-filled file must not be used.
    """
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], template.read_text())
