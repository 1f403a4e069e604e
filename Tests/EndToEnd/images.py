"""What the daemons' image must hold, read from its Dockerfile: nothing here builds it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from deploy.local.layout import ROOT, SERVICES

from .harness import Case, World

DOCKERFILE = ROOT / "deploy/compose/Dockerfile"
# Linked into the binary by --static-swift-stdlib.
SWIFT = re.compile(r"lib(swift\w*|_?Foundation\w*|dispatch|BlocksRuntime)\.so$")
# Part of the base image.
BASE = {"libc6", "libgcc-s1", "libstdc++6", "zlib1g"}


def stages() -> tuple[str, str]:
    """The instructions that build and those that make the image, each on one line."""
    _, build, final = DOCKERFILE.read_text().replace("\\\n", " ").split("\nFROM ")
    return build, final


def libraries(binary: Path) -> set[str]:
    listed = subprocess.run(["readelf", "--dynamic", binary], check=True, capture_output=True, text=True).stdout
    found = set(re.findall(r"\(NEEDED\).*\[(.+)\]", listed))
    assert found, f"{binary} names no libraries"
    return {name for name in found if not SWIFT.match(name) and not name.startswith("ld-linux")}


def packages(library: str) -> set[str]:
    """The Debian packages that bring a library."""
    found = subprocess.run(["dpkg-query", "--search", f"*/{library}"], check=True, capture_output=True, text=True).stdout
    return {line.split(":")[0] for line in found.splitlines()}


def image_brings_every_library(world: World) -> None:
    install = re.search(r"apt-get install ([^&]+)", stages()[1])
    assert install, "the last stage installs nothing"
    brought = set(install[1].split()) | BASE
    for service in SERVICES:
        for library in sorted(libraries(world.stack.binaries / f"{service}-service")):
            assert packages(library) & brought, f"{service} loads {library}, which the image does not have"


def image_brings_every_file(world: World) -> None:
    copied = {Path(source.removeprefix("/src/")) for source in re.findall(r"COPY .*?(\S+) /srv/refrain/", stages()[1])}
    read = [path.relative_to(ROOT) for tree in ("Shared", "Services") for path in (ROOT / tree).rglob("Migrations")]
    missing = {*read, Path("Services/Payment/Links/Page")} - copied
    assert not missing, f"the image lacks {sorted(map(str, missing))}"
    assert len(read) > len(SERVICES)


def image_is_built_from_every_target(world: World) -> None:
    copied = [Path(source) for source in re.findall(r"^COPY (\S+) \S+$", stages()[0], re.MULTILINE)]
    dump = subprocess.run(["swift", "package", "dump-package"], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    targets = json.loads(dump)["targets"]
    for target in targets:
        path = Path(target["path"])
        assert any(path.is_relative_to(source) for source in copied), f"the build stage lacks {path} of {target['name']}"
    assert len(targets) > len(SERVICES)


CASES: list[Case] = [
    ("the image brings every library that a daemon loads", image_brings_every_library),
    ("the image brings the migrations and the page's files", image_brings_every_file),
    ("the image is built from all that Package.swift names", image_is_built_from_every_target),
]
