"""Stands in front of the development broker (noida-db) and gives it two things that Kafka has.

Long polling: a fetch that finds nothing is held until something is produced to its topics or its time is over. The
broker itself answers at once, so every idle consumer would ask it thousands of times per second.

Bounded storage: records that every group has read are deleted, but for the last few. The broker writes all it has as
one JSON document every two seconds and stands still meanwhile, so that each stored record costs time for ever.

    python -m deploy.local.broker_front LISTEN_PORT BROKER_PORT
"""

from __future__ import annotations

import asyncio
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from .broker_trim import trim_for_ever

HOST = "127.0.0.1"
PRODUCE, FETCH, METADATA, FIND_COORDINATOR = 0, 1, 3, 10
# Fetch requests and answers are read in these versions; a client that speaks another is passed through.
FETCH_VERSIONS = range(4, 12)
PRODUCE_VERSIONS = range(3, 9)


class Topics:
    """Counts what was produced to each topic and wakes those who wait for more."""

    def __init__(self) -> None:
        self.produced: dict[bytes, int] = {}
        self.waiting: dict[bytes, set[Upstream]] = {}

    def total(self, names: frozenset[bytes]) -> int:
        return sum(self.produced.get(name, 0) for name in names)

    def produce(self, names: frozenset[bytes]) -> None:
        for name in names:
            self.produced[name] = self.produced.get(name, 0) + 1
            for connection in self.waiting.pop(name, set()):
                connection.wake()

    def wait(self, names: frozenset[bytes], connection: Upstream) -> None:
        for name in names:
            self.waiting.setdefault(name, set()).add(connection)

    def forget(self, names: frozenset[bytes], connection: Upstream) -> None:
        for name in names:
            self.waiting.get(name, set()).discard(connection)


@dataclass(slots=True)
class Request:
    """A request under way whose answer matters to the front."""

    api: int
    version: int
    topics: frozenset[bytes] = frozenset()
    frame: bytes = b""
    deadline: float = 0.0
    produced: int = 0


class Frames:
    """Cuts a stream into Kafka's length-prefixed frames."""

    def __init__(self) -> None:
        self.rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        self.rest += data
        frames = []
        start, end = 0, len(self.rest)
        while end - start >= 4:
            (length,) = struct.unpack_from(">i", self.rest, start)
            if end - start < 4 + length:
                break
            frames.append(bytes(self.rest[start : start + 4 + length]))
            start += 4 + length
        if start:
            del self.rest[:start]
        return frames


class Client(asyncio.Protocol):
    """One connection of a client; has one connection to the broker of its own."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.frames = Frames()
        self.early: list[bytes] = []
        self.upstream: Upstream | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.connecting = asyncio.get_running_loop().create_task(self.connect())

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, upstream = await loop.create_connection(lambda: Upstream(self), HOST, self.front.broker_port)
        except OSError:
            self.close()
            return
        self.upstream = upstream
        for frame in self.early:
            upstream.request(frame)
        self.early.clear()

    def data_received(self, data: bytes) -> None:
        for frame in self.frames.feed(data):
            if self.upstream is None:
                self.early.append(frame)
            else:
                self.upstream.request(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self.connecting.cancel()
        if self.upstream is not None:
            self.upstream.close()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class Upstream(asyncio.Protocol):
    """The connection to the broker that serves one client."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.topics = client.front.topics
        self.frames = Frames()
        self.under_way: deque[Request] = deque()
        self.held: tuple[Request, bytes] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.let_go()
        self.client.close()

    def close(self) -> None:
        self.let_go()
        if self.transport is not None:
            self.transport.close()

    # Requests

    def request(self, frame: bytes) -> None:
        if self.held is not None:  # answers keep the order of requests
            self.answer_held()
        request = read_request(frame)
        if request.api == PRODUCE and request.version in PRODUCE_VERSIONS and produce_wants_no_answer(frame):
            self.send(frame)
            self.topics.produce(request.topics)
            return
        request.produced = self.topics.total(request.topics)
        self.under_way.append(request)
        self.send(frame)

    def send(self, frame: bytes) -> None:
        if self.transport is not None:
            self.transport.write(frame)

    # Answers

    def data_received(self, data: bytes) -> None:
        for frame in self.frames.feed(data):
            self.answer(self.under_way.popleft(), frame)

    def answer(self, request: Request, frame: bytes) -> None:
        if request.api == FETCH and request.deadline and is_empty_fetch(request.version, frame):
            if not self.under_way and time.monotonic() < request.deadline:
                self.hold(request, frame)
                return
        elif request.api in (METADATA, FIND_COORDINATOR):
            frame = self.client.front.with_own_port(frame)
        elif request.api == PRODUCE:
            self.topics.produce(request.topics)
        if self.client.transport is not None:
            self.client.transport.write(frame)

    # Holding

    def hold(self, request: Request, frame: bytes) -> None:
        self.held = (request, frame)
        if self.topics.total(request.topics) != request.produced:
            self.wake()
            return
        self.topics.wait(request.topics, self)
        wait = max(0.0, request.deadline - time.monotonic())
        self.timer = asyncio.get_running_loop().call_later(wait, self.answer_held)

    def wake(self) -> None:
        """Something was produced: the fetch is asked again."""
        if self.held is None:
            return
        request, _ = self.held
        self.let_go()
        request.produced = self.topics.total(request.topics)
        self.under_way.append(request)
        self.send(request.frame)

    def answer_held(self) -> None:
        if self.held is None:
            return
        _, frame = self.held
        self.let_go()
        if self.client.transport is not None:
            self.client.transport.write(frame)

    def let_go(self) -> None:
        if self.held is not None:
            self.topics.forget(self.held[0].topics, self)
            self.held = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Front:
    """The listening side."""

    def __init__(self, listen_port: int, broker_port: int) -> None:
        self.listen_port = listen_port
        self.broker_port = broker_port
        self.topics = Topics()
        # The broker names itself in these answers; clients are to come back here.
        self.theirs = HOST.encode() + struct.pack(">i", broker_port)
        self.ours = HOST.encode() + struct.pack(">i", listen_port)

    def with_own_port(self, frame: bytes) -> bytes:
        return frame.replace(self.theirs, self.ours)

    async def serve(self) -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Client(self), HOST, self.listen_port, backlog=512)
        await server.serve_forever()


# Kafka's wire format, as far as it is needed: https://kafka.apache.org/protocol


def read_request(frame: bytes) -> Request:
    """Header: length 4, api 2, version 2, correlation id 4, client id."""
    api, version = struct.unpack_from(">hh", frame, 4)
    if api == FETCH and version in FETCH_VERSIONS:
        wait, topics = read_fetch(version, frame)
        deadline = time.monotonic() + wait / 1000 if wait > 0 else 0.0
        return Request(api, version, topics, frame, deadline)
    if api == PRODUCE and version in PRODUCE_VERSIONS:
        return Request(api, version, read_produce(frame))
    return Request(api, version)


def body_offset(frame: bytes) -> int:
    (length,) = struct.unpack_from(">h", frame, 12)
    return 14 + max(length, 0)


def read_fetch(version: int, frame: bytes) -> tuple[int, frozenset[bytes]]:
    """How long to wait at most (ms), and the topics."""
    at = body_offset(frame)
    _, wait, _, _, _ = struct.unpack_from(">iiiib", frame, at)
    at += 17 + (8 if version >= 7 else 0)
    partition = 16 + (8 if version >= 5 else 0) + (4 if version >= 9 else 0)
    return wait, read_topics(frame, at, lambda _: partition)


def read_produce(frame: bytes) -> frozenset[bytes]:
    at = body_offset(frame)
    (length,) = struct.unpack_from(">h", frame, at)
    at += 2 + max(length, 0) + 6
    return read_topics(frame, at, lambda at: 8 + max(0, struct.unpack_from(">i", frame, at + 4)[0]))


def produce_wants_no_answer(frame: bytes) -> bool:
    at = body_offset(frame)
    (length,) = struct.unpack_from(">h", frame, at)
    return bool(struct.unpack_from(">h", frame, at + 2 + max(length, 0))[0] == 0)


def read_topics(frame: bytes, at: int, partition_size: Callable[[int], int]) -> frozenset[bytes]:
    (count,) = struct.unpack_from(">i", frame, at)
    at += 4
    names = set()
    for _ in range(count):
        (length,) = struct.unpack_from(">h", frame, at)
        names.add(frame[at + 2 : at + 2 + length])
        (partitions,) = struct.unpack_from(">i", frame, at + 2 + length)
        at += 6 + length
        for _ in range(partitions):
            at += partition_size(at)
    return frozenset(names)


def is_empty_fetch(version: int, frame: bytes) -> bool:
    """No record and no error in the answer."""
    at = 12
    if version >= 7:
        if struct.unpack_from(">h", frame, at)[0] != 0:
            return False
        at += 6
    (topics,) = struct.unpack_from(">i", frame, at)
    at += 4
    for _ in range(topics):
        (length,) = struct.unpack_from(">h", frame, at)
        (partitions,) = struct.unpack_from(">i", frame, at + 2 + length)
        at += 6 + length
        for _ in range(partitions):
            (error,) = struct.unpack_from(">h", frame, at + 4)
            at += 22 + (8 if version >= 5 else 0)
            (aborted,) = struct.unpack_from(">i", frame, at)
            at += 4 + 16 * max(aborted, 0) + (4 if version >= 11 else 0)
            (size,) = struct.unpack_from(">i", frame, at)
            at += 4
            if error != 0 or size > 0:
                return False
    return True


def main() -> None:
    listen_port, broker_port = int(sys.argv[1]), int(sys.argv[2])
    threading.Thread(target=trim_for_ever, args=(f"{HOST}:{broker_port}",), daemon=True).start()
    asyncio.run(Front(listen_port, broker_port).serve())


if __name__ == "__main__":
    main()
