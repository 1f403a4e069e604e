"""Where a local stack keeps its files, which ports it takes, and how it was started."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("payment", "subscription", "invoice", "fraud", "analytics")
DEFAULT_PORT_BASE = 7000


@dataclass(frozen=True)
class Options:
    """How a stack runs. Kept in the stack's directory, so later commands know."""

    port_base: int = DEFAULT_PORT_BASE
    instances: int = 1
    broker: str = "noida"  # noida | tansu
    library_path: str = ""  # LD_LIBRARY_PATH of the daemons
    spares_stay_dead: bool = False  # instances after the first are not restarted: for the takeover test
    daemon_env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stack:
    """One set of Postgres, Redis, broker, gateway and daemons under one supervisor."""

    name: str
    options: Options

    # Directories

    @property
    def directory(self) -> Path:
        return ROOT / ".local" / self.name

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def secrets(self) -> Path:
        return self.directory / "secrets"

    @property
    def env(self) -> Path:
        return self.directory / "env"

    @property
    def binaries(self) -> Path:
        return self.directory / "bin"

    @property
    def run(self) -> Path:
        """Generated configuration and pid files."""
        return self.directory / "run"

    @property
    def socket(self) -> Path:
        """The supervisor's socket; a Unix socket's path holds 107 bytes at most."""
        inside = self.run / "supervisor.sock"
        if len(str(inside)) <= 100:
            return inside
        return Path(f"/tmp/refrain-{os.getuid()}-{self.digest}") / "supervisor.sock"

    @property
    def digest(self) -> str:
        return hashlib.sha256(str(self.directory).encode()).hexdigest()[:10]

    @property
    def postgres_home(self) -> Path:
        """Postgres refuses to run as root: then user `postgres` runs it, and must be able to reach its files."""
        return self.directory / "postgres" if self.is_reachable else Path(f"/var/lib/refrain-{self.digest}")

    @property
    def gateway_home(self) -> Path:
        """Documents and files on their way; nginx started by root hands its work to user `www-data`, who must reach them."""
        return self.run / "gateway" if self.is_reachable else Path(f"/var/lib/refrain-{self.digest}-gateway")

    @property
    def memory_home(self) -> Path:
        """Databases of tests, made and dropped by the hundred: file systems on disks look ever longer for free inodes then."""
        return Path(f"/dev/shm/refrain-{self.digest}")

    @property
    def is_reachable(self) -> bool:
        """Whether users other than the one who started the stack can reach the checkout, where there are others."""
        return os.getuid() != 0 or reachable_by_postgres(ROOT)

    # Ports, all on 127.0.0.1

    @property
    def gateway_port(self) -> int:
        return self.options.port_base + 1001

    @property
    def postgres_port(self) -> int:
        return self.options.port_base + 432

    @property
    def redis_port(self) -> int:
        return self.options.port_base + 379

    @property
    def kafka_port(self) -> int:
        return self.options.port_base + 92

    @property
    def hidden_kafka_port(self) -> int:
        """Where the development broker listens; everybody talks to its front on `kafka_port`."""
        return self.options.port_base + 93

    @property
    def chain_port(self) -> int:
        """Where the play chain of coins answers."""
        return self.options.port_base + 333

    def service_port(self, service: str, instance: int = 1) -> int:
        return self.options.port_base + 100 * instance + SERVICES.index(service) + 1

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def chain_url(self) -> str:
        return f"http://127.0.0.1:{self.chain_port}"

    def service_url(self, service: str, instance: int = 1) -> str:
        return f"http://127.0.0.1:{self.service_port(service, instance)}"

    @property
    def daemons(self) -> list[tuple[str, int]]:
        return [(service, n) for n in range(1, self.options.instances + 1) for service in SERVICES]

    # The demo key and the superuser's URL are wanted by several commands.

    @property
    def demo_key_file(self) -> Path:
        return self.secrets / "demo_api_key"

    @property
    def demo_key(self) -> str:
        return self.demo_key_file.read_text().strip()

    def admin_url(self, database: str) -> str:
        password = (self.secrets / "db_admin").read_text().strip()
        return f"postgresql://postgres:{password}@127.0.0.1:{self.postgres_port}/{database}"

    # Options on disk

    def save(self) -> None:
        write_private(self.directory / "stack.json", json.dumps(asdict(self.options), indent=2) + "\n")

    @staticmethod
    def load(name: str) -> Stack:
        """The stack as it was last started, or with the defaults when it never was."""
        path = ROOT / ".local" / name / "stack.json"
        if path.exists():
            return Stack(name, Options(**json.loads(path.read_text())))
        return Stack(name, Options(port_base=port_base_from_environment()))


def port_base_from_environment() -> int:
    text = os.environ.get("REFRAIN_PORT_BASE", str(DEFAULT_PORT_BASE))
    if not text.isdigit() or not 1024 <= int(text) <= 31000:
        raise SystemExit(f"REFRAIN_PORT_BASE is a number from 1024 to 31000, not '{text}'")
    return int(text)


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, never leaving half of it behind."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def reachable_by_postgres(path: Path) -> bool:
    probe = ["runuser", "-u", "postgres", "--", "test", "-x", str(path)]
    return subprocess.run(probe, check=False, stderr=subprocess.DEVNULL).returncode == 0
