"""Talks to a stack's supervisor: configuration, start, stop, and who runs under which pid."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

from . import programs
from .layout import Stack, write_private

RPC_TIMEOUT_SECONDS = 90


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=RPC_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = str(path)

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path)


class Supervisor:
    """The supervisor of one stack, over its Unix socket."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.config = stack.run / "supervisord.conf"

    @property
    def rpc(self) -> Any:
        return xmlrpc.client.ServerProxy("http://stack", transport=_Transport(self.stack.socket)).supervisor

    @property
    def is_running(self) -> bool:
        try:
            return bool(self.rpc.getState()["statename"] == "RUNNING")
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return False

    def write_config(self) -> None:
        stack = self.stack
        user = "user=root\n" if os.getuid() == 0 else ""
        sections = [
            "[supervisord]\n"
            f"logfile={stack.logs}/supervisord.log\nlogfile_maxbytes=5MB\nlogfile_backups=1\n"
            f"pidfile={stack.run}/supervisord.pid\ndirectory={stack.run}\nchildlogdir={stack.logs}\n"
            f"minfds=8192\nminprocs=200\n{user}",
            f"[unix_http_server]\nfile={stack.socket}\nchmod=0700\n",
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
            f"[supervisorctl]\nserverurl=unix://{stack.socket}\n",
            *(program.section(stack.logs) for program in programs.every(stack)),
            # One group, so that the daemons stop side by side.
            f"[group:daemons]\nprograms={','.join(p.name for p in programs.daemons(stack))}\npriority=20\n",
        ]
        write_private(self.config, "\n".join(sections))

    def launch(self) -> None:
        self.stack.socket.parent.mkdir(mode=0o700, exist_ok=True)
        environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TZ") if key in os.environ}
        subprocess.run(["/usr/bin/supervisord", "-c", str(self.config)], check=True, env=environment)
        deadline = time.monotonic() + 15
        while not self.is_running:
            if time.monotonic() > deadline:
                raise SystemExit(f"stack: the supervisor does not answer; see {self.stack.logs}/supervisord.log")
            time.sleep(0.05)

    def shutdown(self) -> None:
        """Stops everything in reverse order and returns when the supervisor is gone."""
        pid = int((self.stack.run / "supervisord.pid").read_text())
        self.rpc.shutdown()
        deadline = time.monotonic() + 150
        while Path(f"/proc/{pid}").exists():
            if time.monotonic() > deadline:
                raise SystemExit(f"stack: the supervisor (pid {pid}) does not end; see {self.stack.logs}")
            time.sleep(0.05)

    def processes(self) -> dict[str, dict[str, Any]]:
        """State by program name (without its group): statename, pid, start, now…"""
        return {info["name"]: info for info in self.rpc.getAllProcessInfo()}

    def pid(self, name: str) -> int:
        """The pid of a running program; 0 while it is down."""
        info = self.processes()[name]
        return int(info["pid"]) if info["statename"] in ("RUNNING", "STARTING") else 0

    def start(self, name: str) -> None:
        """Starts one program, or a whole group as `daemons:*`, and leaves what runs alone."""
        try:
            if name.endswith(":*"):
                self.rpc.startProcessGroup(name[:-2], False)
            else:
                self.rpc.startProcess(self._full(name), False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise

    def stop(self, name: str) -> None:
        try:
            if name.endswith(":*"):
                self.rpc.stopProcessGroup(name[:-2], True)
            else:
                self.rpc.stopProcess(self._full(name), True)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise

    def _full(self, name: str) -> str:
        daemons = {program.name for program in programs.daemons(self.stack)}
        return f"daemons:{name}" if name in daemons else name
