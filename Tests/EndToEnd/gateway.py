"""What the gateway does by itself: its configuration in an nginx of its own, with a double behind it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from deploy.local.layout import ROOT, SERVICES
from deploy.local.probes import accepts
from deploy.local.templates import fill

from .harness import Case, World, eventually

MEBIBYTE = 1 << 20
PROXY = "set_real_ip_from 127.0.0.0/8;"


class Behind(ThreadingHTTPServer):
    """The double of a daemon: answers with what it was told, when it may."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.hangs_up = False
        self.asked = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes: the second would wait until nginx, 40 ms later, has acknowledged the first.
    disable_nagle_algorithm = True
    server: Behind

    def do_POST(self) -> None:
        length = len(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        self.server.asked += 1
        self.server.may_answer.wait(30)
        if self.server.hangs_up:
            self.close_connection = True
            return
        body = json.dumps({"forwarded_for": self.headers.get_all("X-Forwarded-For"), "length": length}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Gateway:
    """An nginx under the committed configuration."""

    def __init__(self, directory: Path, proxies: str, connections: int, rate: str) -> None:
        self.directory = directory
        self.behind = Behind()
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        values = {
            "REFRAIN_GATEWAY_USER": "user www-data;" if os.getuid() == 0 else "",
            "REFRAIN_GATEWAY_WORKERS": "1",
            "REFRAIN_GATEWAY_DIRECTORY": str(directory),
            "REFRAIN_GATEWAY_ACCESS_LOG": f"{directory}/access.log brief",
            "REFRAIN_GATEWAY_DOCS": str(directory),
            "REFRAIN_GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "REFRAIN_GATEWAY_PROXIES": proxies,
            "REFRAIN_GATEWAY_CONNECTIONS": str(connections),
            "REFRAIN_GATEWAY_RATE": rate,
        }
        values |= {f"REFRAIN_UPSTREAM_{name.upper()}": f"server 127.0.0.1:{self.behind.server_port};" for name in SERVICES}
        (directory / "nginx.conf").write_text(fill(ROOT / "deploy/gateway/nginx.conf", values))
        command = ["/usr/sbin/nginx", "-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", "stderr"]
        with (directory / "error.log").open("wb") as errors:
            self.process = subprocess.Popen(command, stderr=errors)

    def ask(
        self, body: bytes = b"", forwarded_for: str | None = None, path: str = "/v1/payments", request_id: str | None = None
    ) -> tuple[int, dict[str, str], dict[str, object]]:
        """Status, headers and object of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {"X-Forwarded-For": forwarded_for, "X-Request-Id": request_id}
        headers = {name: value for name, value in given.items() if value}
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), json.loads(answer.read())
        finally:
            connection.close()

    @property
    def worker(self) -> Path:
        """nginx's one worker."""
        pid = self.process.pid
        return Path("/proc") / Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]

    def memory(self) -> int:
        """What the worker has in memory, in bytes."""
        return int((self.worker / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def in_files(self) -> int:
        """How many bytes of bodies wait in files; nginx has unlinked them, so that none is ever left behind."""
        size = 0
        for path in (self.worker / "fd").iterdir():
            # One may be closed while they are looked at.
            with suppress(FileNotFoundError):
                if f"{self.directory}/body/" in os.readlink(path):
                    size += path.stat().st_size
        return size

    def end(self) -> None:
        self.behind.may_answer.set()
        self.process.terminate()
        self.process.wait()
        self.behind.shutdown()
        self.behind.server_close()


@contextmanager
def running(proxies: str = "", connections: int = 4096, rate: str = "10000r/s") -> Iterator[Gateway]:
    with tempfile.TemporaryDirectory(prefix="refrain-gateway-") as folder:
        directory = Path(folder)
        directory.chmod(0o755)
        gateway = Gateway(directory, proxies, connections, rate)
        try:
            eventually(lambda: accepts(gateway.port), bool, 10, "the gateway listens")
            yield gateway
        finally:
            gateway.end()


def addresses_come_from_named_proxies_only(world: World) -> None:
    # What the customer wrote, what the first proxy saw, what the second saw.
    told = "198.51.100.1, 203.0.113.7, 127.0.0.9"
    with running() as gateway:
        assert gateway.ask(forwarded_for=told)[2]["forwarded_for"] == ["127.0.0.1"], "a header is believed of anybody"
    with running(PROXY) as gateway:
        assert gateway.ask(forwarded_for=told)[2]["forwarded_for"] == ["203.0.113.7"]
        assert gateway.ask()[2]["forwarded_for"] == ["127.0.0.1"]


def bodies_have_a_limit(world: World) -> None:
    with running() as gateway:
        for size in (0, 16 << 10, MEBIBYTE):
            status, _, answer = gateway.ask(b"a" * size)
            assert (status, answer.get("length")) == (200, size), answer
        status, headers, problem = gateway.ask(b"a" * (MEBIBYTE + 1))
        assert (status, problem["code"]) == (413, "body_too_large"), problem
        assert headers["Content-Type"] == "application/problem+json"
        assert gateway.behind.asked == 3


def one_address_cannot_take_all(world: World) -> None:
    with running(PROXY, connections=2) as gateway, ThreadPoolExecutor(2) as pool:
        gateway.behind.may_answer.clear()
        held = [pool.submit(gateway.ask, b"{}", "203.0.113.7") for _ in range(2)]
        eventually(lambda: gateway.behind.asked, lambda asked: asked == 2, 10, "two requests are under way")
        status, headers, problem = gateway.ask(b"{}", "203.0.113.7")
        assert (status, problem["code"]) == (429, "rate_limited"), problem
        assert headers["Content-Type"] == "application/problem+json" and headers["Retry-After"] == "1"
        gateway.behind.may_answer.set()
        assert [answer.result()[0] for answer in held] == [200, 200]
        assert gateway.ask(b"{}", "203.0.113.8")[0] == 200
        assert gateway.ask(b"{}", "203.0.113.7")[0] == 200, "it may go on when its requests have been answered"


def pages_have_a_rate(world: World) -> None:
    with running(PROXY, rate="1r/s") as gateway:
        for path in ("/pay/H7KM3QXP/status", "/v1/three_d_secure/H7KM3QXP"):
            answers = [gateway.ask(b"{}", "203.0.113.7", path) for _ in range(340)]
            taken = [status for status, _, _ in answers].count(200)
            # 300 at once, and one more for each second that it took; the second path finds the bucket as the first left it.
            assert taken < 340 and (path.startswith("/v1") or taken >= 300), taken
            assert {problem["code"] for status, _, problem in answers if status == 429} == {"rate_limited"}
            assert {status for status, _, _ in answers} <= {200, 429}
        assert gateway.ask(b"{}", "203.0.113.8", "/pay/H7KM3QXP/status")[0] == 200, "others have their own"
        assert gateway.ask(b"{}", "203.0.113.7")[0] == 200, "who has a key is counted by it"


def codes_are_in_no_log(world: World) -> None:
    code = "H7KM3QXP"
    paths = [f"/pay/{code}/status?session=5ecret", f"/pay/{code}", f"/v1/three_d_secure/{code}"]
    paths.append(f"/pay/authentication/{code}/step")
    with running() as gateway:
        for path in paths:
            # Long enough for a file, of which nginx warns.
            assert gateway.ask(b"a" * (64 << 10), path=path)[0] == 200
        gateway.ask(b"a" * (64 << 10))
        gateway.behind.hangs_up = True
        for path in [*paths, "/v1/payments"]:
            assert gateway.ask(b"{}", path=path)[0] == 502
        written, errors = ((gateway.directory / name).read_text() for name in ("access.log", "error.log"))
        for log in (written, errors):
            assert code not in log and "5ecret" not in log, log
        for path in ("/pay/*/status", "/pay/*", "/v1/three_d_secure/*", "/pay/authentication/*/step", "/v1/payments"):
            assert f"POST {path} 200" in written, written
        assert errors.count("POST /v1/payments") >= 2, errors


def request_ids_are_the_daemons(world: World) -> None:
    with running() as gateway:
        for request_id, is_taken in (("a", True), ("a" * 64, True), ("a" * 65, False), ("a/b", False)):
            problem = gateway.ask(path="/nowhere", request_id=request_id)[2]
            assert problem["code"] == "not_found" and (problem["request_id"] == request_id) == is_taken, problem


def slow_bodies_take_little_memory(world: World) -> None:
    count = 48
    head = f"POST /v1/payments HTTP/1.1\r\nHost: refrain\r\nContent-Length: {MEBIBYTE}\r\n\r\n".encode()
    with running() as gateway:
        clients = [socket.create_connection(("127.0.0.1", gateway.port), timeout=30) for _ in range(count)]
        try:
            for client in clients:
                client.sendall(head + b"a" * (MEBIBYTE - 1))
            least = count * (MEBIBYTE - (64 << 10))
            eventually(gateway.in_files, lambda size: size > least, 20, "the bodies wait in files")
            assert gateway.behind.asked == 0, "a daemon hears of a body that is not whole"
            memory = gateway.memory()
            assert memory < 24 * MEBIBYTE, f"{count} slow clients take {memory >> 20} MiB"
            for client in clients:
                client.sendall(b"a")
            answers = {client.recv(12) for client in clients}
            assert answers == {b"HTTP/1.1 200"}, answers
            eventually(gateway.in_files, lambda size: size == 0, 10, "no body is left behind")
        finally:
            for client in clients:
                client.close()


CASES: list[Case] = [
    ("the gateway takes addresses from the proxies that are named, and from nobody else", addresses_come_from_named_proxies_only),
    ("the gateway takes bodies as long as the daemons do, and no longer", bodies_have_a_limit),
    ("one address has so many requests under way, and others are served", one_address_cannot_take_all),
    ("one address asks customers' pages so often, and others are served", pages_have_a_rate),
    ("codes of pages are in no log of the gateway", codes_are_in_no_log),
    ("the gateway keeps a request's id where the daemons do", request_ids_are_the_daemons),
    ("bodies that come slowly wait outside of the gateway's memory", slow_bodies_take_little_memory),
]
