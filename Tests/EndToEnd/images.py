"""What the images must hold, read from their Dockerfiles: nothing here builds them."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from deploy.local.layout import ROOT, SERVICES

from .harness import Case, World

DOCKERFILE = ROOT / "deploy/compose/Dockerfile"
GATEWAY = ROOT / "deploy/gateway/Dockerfile"
COMPOSE = ROOT / "deploy/compose/docker-compose.yaml"
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


@functools.cache
def packages(library: str) -> set[str]:
    """The Debian packages that bring a library. The daemons load much the same, and a search reads the lists of all."""
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


def ignored(path: Path) -> bool:
    """Whether `.dockerignore` keeps a path from the build: the last line that speaks of it or of a folder around it."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().split():
        pattern = line.removeprefix("!")
        # A star stops at a slash.
        if any(part.match(pattern) and len(part.parts) == len(Path(pattern).parts) for part in [path, *path.parents]):
            out = not line.startswith("!")
    return out


def images_copy_what_is_there(world: World) -> None:
    for file in (DOCKERFILE, GATEWAY):
        lines = re.findall(r"^COPY (?!--)(.+) \S+$", file.read_text(), re.MULTILINE)
        sources = [Path(source) for line in lines for source in line.split()]
        assert len(sources) > 3, f"{file} copies nothing"
        for source in sources:
            # What ends in a star is copied where it is there.
            assert source.name.endswith("*") or (ROOT / source).exists(), f"{file} copies {source}, which is not there"
            assert not ignored(source), f"{file} copies {source}, which .dockerignore keeps from it"


def entry_point(*arguments: str) -> list[dict[str, str]]:
    """The daemon's calls that compose's entry point makes: arguments and environment, in order."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("db_admin", "db_invoice"):
            (place / name).write_text(f"the password of {name}\n")
        daemon = place / "refrain-service"
        daemon.write_text(f'#!/bin/sh\n{{ echo "CALL $*"; env | grep ^REFRAIN_; }} >>{place}/calls\n')
        daemon.chmod(0o755)
        script = place / "entrypoint.sh"
        text = (ROOT / "deploy/compose/entrypoint.sh").read_text()
        script.write_text(text.replace("/run/secrets", folder).replace("/usr/local/bin", folder))
        environment = {"PATH": "/usr/bin:/bin", "REFRAIN_SERVICE": "invoice"}
        subprocess.run(["sh", script, *arguments], check=True, env=environment)
        calls: list[dict[str, str]] = []
        for line in (place / "calls").read_text().splitlines():
            if line.startswith("CALL "):
                calls.append({"call": line.removeprefix("CALL ")})
            else:
                calls[-1].update([line.split("=", 1)])
    return calls


def entry_point_migrates_and_serves(world: World) -> None:
    for arguments in ((), ("serve",)):
        migrates, serves = entry_point(*arguments)
        assert (migrates["call"], serves["call"]) == ("migrate", "serve")
        assert migrates["REFRAIN_ADMIN_DB_URL"] == "postgresql://postgres:the password of db_admin@postgres:5432/refrain"
        assert serves["REFRAIN_DB_PASSWORD"] == "the password of db_invoice"
        assert "REFRAIN_ADMIN_DB_URL" not in serves, "the daemon serves without the administrator's password"


def entry_point_runs_commands(world: World) -> None:
    (command,) = entry_point("keys", "create", "--name", "two words")
    assert command["call"] == "keys create --name two words"
    assert command["REFRAIN_DB_PASSWORD"] == "the password of db_invoice"
    assert "REFRAIN_ADMIN_DB_URL" not in command


def health_check(status: int) -> int:
    """What compose's health check of a daemon exits with, where the daemon answers `/readyz` with a status."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    check = re.search(r"- bash\n +- -c\n +- >-\n((?: {8}.+\n)+)", COMPOSE.read_text())
    assert check, "the daemons have no health check"
    server = HTTPServer(("127.0.0.1", 0), Answer)
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # Compose folds the lines and takes $$ for $.
        script = " ".join(check[1].split("\n")).replace("$$", "$").replace("/8080", f"/{server.server_port}")
        code = subprocess.run(["bash", "-c", script], check=False, timeout=20).returncode
        server.shutdown()
    assert asked == ["/readyz"]
    return code


def health_check_is_readiness(world: World) -> None:
    assert health_check(200) == 0
    assert health_check(503) != 0, "a daemon that is not ready counts as healthy"


def gateway_knows_all_its_variables(world: World) -> None:
    wanted = set(re.findall(r"\$\{(REFRAIN_[A-Z_]+)\}", (ROOT / "deploy/gateway/nginx.conf").read_text()))
    image = set(re.findall(r"(REFRAIN_GATEWAY_[A-Z_]+)=", GATEWAY.read_text()))
    for file in (COMPOSE, ROOT / "deploy/kubernetes/gateway.yaml"):
        given = image | set(re.findall(r"(REFRAIN_(?:GATEWAY|UPSTREAM)_[A-Z]+)", file.read_text()))
        assert given == wanted, f"{file}: {sorted(given ^ wanted)}"


CASES: list[Case] = [
    ("compose's entry point migrates as the administrator and serves as the service", entry_point_migrates_and_serves),
    ("compose's entry point runs a command as the service", entry_point_runs_commands),
    ("the image brings every library that a daemon loads", image_brings_every_library),
    ("the image brings the migrations and the page's files", image_brings_every_file),
    ("the image is built from all that Package.swift names", image_is_built_from_every_target),
    ("the images copy what is there and not ignored", images_copy_what_is_there),
    ("compose takes a daemon for healthy when it is ready", health_check_is_readiness),
    ("the gateway's image or its deployments say all that its configuration asks for", gateway_knows_all_its_variables),
]
