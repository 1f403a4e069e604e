"""Starts a stack, or makes one that runs complete and current."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import environment, leftovers, postgres, secrets
from .demo_key import ensure_demo_key
from .layout import ROOT, SERVICES, Stack
from .probes import Progress, accepts, broker_answers, redis_answers, unready, wait
from .programs import BROKER_FRONT, every, infrastructure, site_packages
from .supervisor import Supervisor
from .templates import fill

INFRASTRUCTURE_SECONDS = 60
READY_SECONDS = 60


def start(stack: Stack, progress: Progress) -> None:
    """Brings up everything and returns when all daemons are ready and the demo key is accepted."""
    supervisor = Supervisor(stack)
    if supervisor.is_running:
        progress("already running: reusing it")
    else:
        _launch(stack, supervisor, progress)
    _start_infrastructure(stack, supervisor, progress)
    changed = stage_binaries(stack, [f"{service}-service" for service in SERVICES])
    if changed and supervisor.processes()[f"{SERVICES[0]}-1"]["statename"] == "RUNNING":
        progress(f"new build of {', '.join(changed)}: restarting the daemons")
        supervisor.stop("daemons:*")
    if "chain" in supervisor.processes():  # one that was started before there was a chain goes on without
        supervisor.start("chain")
    migrate(stack)
    progress("schemas are current")
    supervisor.start("daemons:*")
    supervisor.start("gateway")
    _wait_ready(stack)
    progress("five daemons are ready")
    ensure_demo_key(stack)
    progress(f"gateway on {stack.gateway_url}")


def start_infrastructure_only(stack: Stack, progress: Progress) -> None:
    """Postgres, Redis and the broker, for tests that bring their own daemons or none."""
    supervisor = Supervisor(stack)
    if not supervisor.is_running:
        _launch(stack, supervisor, progress)
    _start_infrastructure(stack, supervisor, progress)


def _launch(stack: Stack, supervisor: Supervisor, progress: Progress) -> None:
    stack.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    ended = leftovers.end(stack)
    if ended:
        progress(f"ended {ended} processes left over from a supervisor that was killed")
    secrets.ensure(stack)
    stack.save()
    for directory in (stack.logs, stack.run, stack.binaries, *(p.directory for p in every(stack))):
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    stage_binaries(stack, [BROKER_FRONT])
    environment.write(stack)
    postgres.prepare(stack)
    _write_redis(stack)
    _write_gateway(stack)
    supervisor.write_config()
    supervisor.launch()


def _start_infrastructure(stack: Stack, supervisor: Supervisor, progress: Progress) -> None:
    names = [program.name for program in infrastructure(stack)]
    if BROKER_FRONT in names and stage_binaries(stack, [BROKER_FRONT]):
        supervisor.stop(BROKER_FRONT)
    for name in names:
        supervisor.start(name)
    hint = f"see {stack.logs}"
    wait("Postgres", lambda: postgres.answers(stack), INFRASTRUCTURE_SECONDS, f"{hint}/postgres.log")
    wait("Redis", lambda: redis_answers(stack), INFRASTRUCTURE_SECONDS, f"{hint}/redis.log")
    wait("the broker", lambda: broker_answers(stack), INFRASTRUCTURE_SECONDS, f"{hint}/broker.log")
    postgres.create_database(stack)
    progress("Postgres, Redis and the broker are up")


def stage_binaries(stack: Stack, names: list[str]) -> list[str]:
    """Links what was built into the stack, so that a later build, which makes new files, leaves what runs alone.

    Returns the names whose binary changed.
    """
    scratch = Path(os.environ.get("REFRAIN_SCRATCH") or ROOT / ".build")
    built = Path(os.environ.get("REFRAIN_BINARIES") or scratch / "release")
    changed = []
    for name in names:
        source, target = built / name, stack.binaries / name
        if not source.exists():
            raise SystemExit(f"stack: {source} is missing: run 'make build'")
        if target.exists() and (target.samefile(source) or filecmp.cmp(source, target, shallow=True)):
            continue
        fresh = target.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        try:
            fresh.hardlink_to(source)
        except OSError:  # the build is on another file system
            shutil.copy2(source, fresh)
        fresh.replace(target)
        changed.append(name)
    return changed


def migrate(stack: Stack) -> None:
    """Runs the five services' migrations side by side."""

    def one(service: str) -> str:
        command = [str(ROOT / "scripts/service"), service, "migrate"]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=os.environ | {"REFRAIN_STACK": stack.name}
        )
        return "" if done.returncode == 0 else f"stack: {service} migrate failed:\n{done.stdout}{done.stderr}"

    with ThreadPoolExecutor(len(SERVICES)) as pool:
        failures = [text for text in pool.map(one, SERVICES) if text]
    if failures:
        raise SystemExit("\n".join(failures))


def _wait_ready(stack: Stack) -> None:
    for service, instance in stack.daemons:
        url = stack.service_url(service, instance)
        reason = [""]

        def ready(url: str = url, reason: list[str] = reason) -> bool:
            reason[0] = unready(url)
            return not reason[0]

        try:
            wait(f"{service}-{instance}", ready, READY_SECONDS, f"see {stack.logs}/{service}-{instance}.log")
        except SystemExit as failure:
            raise SystemExit(f"{failure}\n  last answer: {reason[0]}") from None
    wait("the gateway", lambda: accepts(stack.gateway_port), READY_SECONDS, f"see {stack.logs}/gateway.log")


def _write_redis(stack: Stack) -> None:
    values = {"REFRAIN_REDIS_PORT": str(stack.redis_port), "REFRAIN_REDIS_DATA": str(stack.directory / "redis")}
    (stack.run / "redis.conf").write_text(fill(ROOT / "deploy/local/redis.conf", values))


def stage_docs(stack: Stack) -> Path:
    """The API's document and the page that shows it, where the gateway's user can read them."""
    target = stack.gateway_home / "docs"
    target.mkdir(parents=True, exist_ok=True)
    for directory in (stack.gateway_home, target):
        directory.chmod(0o755)
    swagger = site_packages("venv") / "drf_spectacular_sidecar/static/drf_spectacular_sidecar/swagger-ui-dist"
    ours = [ROOT / "docs/openapi.json", *(ROOT / "deploy/gateway/docs").iterdir()]
    for source in (*ours, swagger / "swagger-ui.css", swagger / "swagger-ui-bundle.js"):
        shutil.copyfile(source, target / source.name)
        (target / source.name).chmod(0o644)
    return target


def _write_gateway(stack: Stack) -> None:
    values = {
        "REFRAIN_GATEWAY_USER": "user www-data;" if os.getuid() == 0 else "",
        "REFRAIN_GATEWAY_WORKERS": "1",
        "REFRAIN_GATEWAY_DIRECTORY": str(stack.gateway_home),
        "REFRAIN_GATEWAY_ACCESS_LOG": "off",
        "REFRAIN_GATEWAY_DOCS": str(stage_docs(stack)),
        "REFRAIN_GATEWAY_LISTEN": f"127.0.0.1:{stack.gateway_port}",
        "REFRAIN_GATEWAY_PROXIES": "",
        # Everybody is this machine: no limit of its own.
        "REFRAIN_GATEWAY_CONNECTIONS": "4096",
        "REFRAIN_GATEWAY_RATE": "10000r/s",
    }
    for service in SERVICES:
        servers = [
            f"server 127.0.0.1:{stack.service_port(service, n)} max_fails=1 fail_timeout=1s;"
            for n in range(1, stack.options.instances + 1)
        ]
        values[f"REFRAIN_UPSTREAM_{service.upper()}"] = " ".join(servers)
    (stack.run / "nginx.conf").write_text(fill(ROOT / "deploy/gateway/nginx.conf", values))
