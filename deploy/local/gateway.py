"""Becomes the gateway's nginx; run by the supervisor in the gateway's directory."""

from __future__ import annotations

import os
from pathlib import Path

from . import leftovers


def main() -> None:
    directory = Path.cwd()
    leftovers.end_old_gateway(directory)
    os.execv("/usr/sbin/nginx", ["nginx", "-p", str(directory), "-c", str(directory.parent / "nginx.conf"), "-e", "stderr"])


if __name__ == "__main__":
    main()
