"""A client of the HTTP API that behaves as a good one does: one idempotency key per intention, repeated until answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.parse
import uuid
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]
TIMEOUT_SECONDS = 95.0
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 2.0
LIST_LIMIT = 100


@dataclass
class Answer:
    """An HTTP answer; `body` is `None` when it is not JSON."""

    status: int
    headers: dict[str, str]
    body: Any
    raw: bytes = b""

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class Refused(Exception):
    """The API said no; `answer` holds the problem."""

    def __init__(self, call: str, answer: Answer) -> None:
        super().__init__(f"{call} -> {answer.status} {answer.raw[:600].decode(errors='replace')}")
        self.answer = answer


@dataclass
class Client:
    """Calls through one gateway with one key. Safe to use from several threads."""

    url: str
    key: str
    patience: float = 60.0  # how long an unreachable service is asked again
    repeats: int = 0  # requests sent again, for reports
    _local: threading.local = field(default_factory=threading.local, repr=False)

    # What people call

    def get(self, path: str, **query: Any) -> JSON:
        return self.wanted("GET", self._with_query(path, query), None).body

    def list(self, path: str, **query: Any) -> list[JSON]:
        """All pages of a list."""
        found: list[JSON] = []
        while True:
            more = {"starting_after": found[-1]["id"]} if found else {}
            page = self.get(path, limit=LIST_LIMIT, **query, **more)
            found += page["data"]
            if not page["has_more"]:
                return found

    def post(self, path: str, body: JSON, key: str = "", prefer: str = "") -> JSON:
        return self.wanted("POST", path, body, key, prefer).body

    def patch(self, path: str, body: JSON) -> JSON:
        return self.wanted("PATCH", path, body).body

    def wanted(self, method: str, path: str, body: JSON | None, key: str = "", prefer: str = "") -> Answer:
        """The answer of a request that must succeed. Raises `Refused` otherwise."""
        answer = self.settled(method, path, body, key, prefer)
        if answer.status >= 300:
            raise Refused(f"{method} {path}", answer)
        return answer

    def settled(self, method: str, path: str, body: JSON | None, key: str = "", prefer: str = "") -> Answer:
        """Sends until there is an answer that says yes or no, always under the same idempotency key."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if method != "GET":
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        if prefer:
            headers["Prefer"] = prefer
        deadline = time.monotonic() + self.patience
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                answer = self.send(method, path, headers, None if body is None else json.dumps(body).encode())
                if not self._unsettled(answer):
                    return answer
                reason: Exception = Refused(f"{method} {path}", answer)
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                reason = error
            if time.monotonic() > deadline:
                raise reason
            self.repeats += 1
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """One request, as it is; no retries."""
        connection = self._connection()
        connection.request(method, path, body, {"Authorization": f"Bearer {self.key}", **headers})
        response = connection.getresponse()
        raw = response.read()
        try:
            parsed = json.loads(raw) if raw else None
        except ValueError:
            parsed = None
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, parsed, raw)

    # Inside

    @staticmethod
    def _unsettled(answer: Answer) -> bool:
        """Whether to send the same request again: nobody was there, or its twin is still at work."""
        return answer.status in (429, 502, 503, 504) or (answer.status == 409 and answer.code == "idempotency_key_in_use")

    @staticmethod
    def _with_query(path: str, query: JSON) -> str:
        given = {name: value for name, value in query.items() if value is not None}
        return f"{path}?{urllib.parse.urlencode(given)}" if given else path

    def _connection(self) -> http.client.HTTPConnection:
        if getattr(self._local, "connection", None) is None:
            parts = urllib.parse.urlsplit(self.url)
            self._local.connection = http.client.HTTPConnection(
                parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS
            )
        connection: http.client.HTTPConnection = self._local.connection
        return connection

    def _drop(self) -> None:
        self._connection().close()
        self._local.connection = None
