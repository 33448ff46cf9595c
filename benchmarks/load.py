"""The load generator: prebuilt requests over keep-alive connections, in a process and on a core of its own.

Closed loop (no rate): every connection sends its next request as soon as it has its answer, which saturates
the server. Open loop (a rate): requests are due at random instants whatever the server does, and latency
counts from the instant a request was due, so that a stalled server cannot hide its queue.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from time import perf_counter
from typing import cast

import uvloop

from benchmarks.machine import cpu_seconds, load_cores

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(frozen=True)
class Request:
    """A request ready to be sent; `kind` groups latencies in the result."""

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run of the generator against one server."""

    port: int
    requests: Sequence[Request]
    connections: int = 32
    seconds: float = 3.0
    warm_up: float = 0.5
    rate: float | None = None
    """Requests a second in an open loop; None: a closed loop."""
    pids: Sequence[int] = ()
    """The server's processes, whose use of CPU is read while requests are counted."""
    cores: Sequence[int] = field(default_factory=load_cores)
    polls: bool = True
    """Never sleeps, in a closed loop: right where the generator has its cores to itself, and nowhere else."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run counted. Latencies (ms, sorted) are kept in the open loop only."""

    rate: float
    errors: int
    server_cpu: float
    """Cores' worth of CPU that the server's processes used: 1.0 is a saturated core."""
    load_cpu: float
    """The same of the generator; near 1.0 in a closed loop it is the bottleneck itself."""
    latencies: dict[str, list[float]]

    def percentile(self, share: float, kind: str | None = None) -> float:
        """A percentile (0 to 1) of the latencies of one kind or of all, in ms."""
        values = sorted(v for k, found in self.latencies.items() if kind in (None, k) for v in found)
        return values[min(len(values) - 1, int(share * len(values)))]


def run(plan: Plan) -> Result:
    """Run a plan in a process of its own. Fails when more than one answer in a hundred is not a 2xx."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(asdict(plan)),
        text=True,
        capture_output=True,
        check=False,
        timeout=plan.seconds + plan.warm_up + 60,
    )
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr}")
    result = Result(**json.loads(done.stdout))
    if not result.rate or result.errors > 0.01 * result.rate * plan.seconds:
        raise RuntimeError(f"{result.errors} errors at {result.rate:.0f}/s: {done.stderr[-2000:]}")
    return result


def request(
    method: str, path: str, *, key: str | None = None, body: str | None = None, kind: str = "request"
) -> Request:
    """A request in the bytes that go over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", "accept: application/json"]
    if key is not None:
        lines.append(f"authorization: Bearer {key}")
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    elif method == "POST":
        lines.append("content-length: 0")
    return Request(kind, "\r\n".join(lines) + "\r\n\r\n" + (body or ""))


class _Run:
    """The state that all connections of a run share."""

    def __init__(self, requests: Iterable[tuple[str, bytes]], rate: float | None) -> None:
        self.requests: Iterator[tuple[str, bytes]] = cycle(requests)
        self.rate = rate
        self.counting = False
        self.stopped = False
        self.answers = 0
        self.errors = 0
        self.latencies: dict[str, list[float]] = {}
        self.idle: deque[_Connection] = deque()
        self.due: deque[tuple[float, str, bytes]] = deque()

    def begin(self) -> None:
        """Start to count."""
        self.answers = self.errors = 0
        self.latencies = {}
        self.counting = True

    async def poll(self) -> None:
        """The closed loop, kept from ever going to sleep: waking an idle core costs whoever does it, which
        would be the server, several microseconds an answer, and on a virtual machine many more."""
        while not self.stopped:  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def arrivals(self) -> None:
        """The open loop. Polls too: the resolution of a timer, 1 ms, would be what it measures."""
        assert self.rate is not None
        chance = random.Random(7)
        at = perf_counter()
        while not self.stopped:
            now = perf_counter()
            while at <= now:
                self.due.append((at, *next(self.requests)))
                at += chance.expovariate(self.rate)
            while self.due and self.idle:
                self.idle.popleft().send_due(*self.due.popleft())
            await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """One keep-alive connection. Understands answers that carry a Content-Length, which is all of ours."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = b""
        self._due = 0.0
        self._kind = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports derive from none of asyncio's.
        self._write = cast(asyncio.Transport, transport).write
        if self._run.rate is None:
            self._write(next(self._run.requests)[1])
        else:
            self._run.idle.append(self)

    def send_due(self, due: float, kind: str, data: bytes) -> None:
        """Send a request that was due at an instant."""
        self._due, self._kind = due, kind
        self._write(data)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        head = data.find(_HEAD_END)
        if head < 0:
            self._buffer = data
            return
        start = data.index(_LENGTH) + len(_LENGTH)
        if len(data) < head + 4 + int(data[start : data.index(b"\r", start)]):
            self._buffer = data
            return
        self._buffer = b""
        run = self._run
        run.answers += 1
        if data[9:10] != b"2":
            run.errors += 1
        if run.rate is None:
            if not run.stopped:
                self._write(next(run.requests)[1])
            return
        if run.counting:
            run.latencies.setdefault(self._kind, []).append((perf_counter() - self._due) * 1000)
        run.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._run.stopped:
            self._run.errors += 1


async def _measure(plan: Plan) -> Result:
    run = _Run([(r.kind, r.text.encode()) for r in plan.requests], plan.rate)
    loop = asyncio.get_running_loop()
    for _ in range(plan.connections):
        await loop.create_connection(lambda: _Connection(run), "127.0.0.1", plan.port)
    polling = None
    if plan.rate is not None or plan.polls:
        polling = loop.create_task(run.poll() if plan.rate is None else run.arrivals())
    await asyncio.sleep(plan.warm_up)
    run.begin()
    began, own, server = perf_counter(), sum(os.times()[:2]), cpu_seconds(plan.pids)
    await asyncio.sleep(plan.seconds)
    run.counting = False
    took = perf_counter() - began
    result = Result(
        rate=run.answers / took,
        errors=run.errors,
        server_cpu=(cpu_seconds(plan.pids) - server) / took,
        load_cpu=(sum(os.times()[:2]) - own) / took,
        latencies={kind: sorted(found) for kind, found in run.latencies.items()},
    )
    run.stopped = True
    if polling is not None:
        await polling
    return result


def main() -> None:
    """Read a plan from standard input and print what came of it."""
    given = json.load(sys.stdin)
    given["requests"] = [Request(**one) for one in given["requests"]]
    plan = Plan(**given)
    os.sched_setaffinity(0, plan.cores)
    gc.disable()
    print(json.dumps(asdict(uvloop.run(_measure(plan)))))


if __name__ == "__main__":
    main()
