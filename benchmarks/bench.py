"""What every measurement gets: the databases, the lengths of runs, and the one line it runs load with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import load
from benchmarks.fill import Filled, Fills
from benchmarks.load import Plan, Request, Result, request
from benchmarks.machine import server_cores
from benchmarks.servers import SECRET_KEY, Server


@dataclass(frozen=True)
class Bench:
    """One run of the benchmarks."""

    fills: Fills
    seconds: float = 2.5
    rounds: int = 5
    many: int = 1_000_000
    few: int = 10_000

    def run(self, server: Server, requests: Sequence[Request], **options: object) -> Result:
        """Load on a server."""
        plan = Plan(
            port=server.port,
            requests=requests,
            seconds=self.seconds,
            pids=server.pids(),
            **options,  # pyright: ignore[reportArgumentType]  # fields of Plan
        )
        return load.run(plan)

    def rate(self, server: Server, requests: Sequence[Request]) -> float:
        """Answers a second in a closed loop."""
        return self.run(server, requests).rate

    def core_rate(self, server: Server, requests: Sequence[Request]) -> float:
        """Answers in a second of the server's CPU time, which is a second of its core as long as nobody else
        is on it."""
        result = self.run(server, requests)
        return result.rate / result.server_cpu


def gets(filled: Filled) -> list[Request]:
    """Reads of single sessions."""
    return [request("GET", f"/v1/sessions/{i}", key=SECRET_KEY, kind="get") for i in filled.sample]


def tokens(filled: Filled) -> list[Request]:
    """Token requests. Few enough sessions that a run meets each of them several times: a touch is written
    for one in a minute, as with real browsers, not for every request."""
    return [
        request("POST", f"/v1/sessions/{i}/tokens", key=SECRET_KEY, kind="token") for i in filled.live[:1_000]
    ]


def lists(filled: Filled, *, paginated: bool = False) -> list[Request]:
    """Lists of a user's twenty sessions."""
    more = "&paginated=true" if paginated else ""
    return [
        request("GET", f"/v1/sessions?user_id={user}&limit=20{more}", key=SECRET_KEY, kind="list")
        for user in filled.users
    ]


def creations(filled: Filled) -> list[Request]:
    """New sessions, on clients of their own."""
    return [
        request("POST", "/v1/sessions", key=SECRET_KEY, body=f'{{"user_id":"{user}"}}', kind="create")
        for user in filled.users
    ]


def alone(module: str, *arguments: str) -> str:
    """What a module of this package prints when it runs alone, pinned to the server's core."""
    cores = ",".join(map(str, server_cores()))
    done = subprocess.run(
        ["taskset", "--cpu-list", cores, sys.executable, "-m", f"benchmarks.{module}", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
