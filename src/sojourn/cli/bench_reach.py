"""bench reach: how long a revoked session is still accepted, by verifiers in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
from cyclopts import Parameter

from sojourn.cli.calling import Caller
from sojourn.cli.common import emit, table
from sojourn.core.errors import Unavailable
from sojourn.verify.feed import Feed
from sojourn.verify.outcomes import SignedIn
from sojourn.verify.revocations import Batch, Hello, Revocations

PROCESSES = 4
_CALLERS = 32
_WINDOW = 2 * _CALLERS
_READY_SECONDS = 60
_SETTLE_SECONDS = 5.0
_ENTRIES = 60_000
"""A thousand revocations a second for a minute (RELIABILITY 5.1)."""
_BATCH = 100
_AT = 1_800_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be measured."""

    verifiers: int
    rate: int
    seconds: float
    workers: int

    @property
    def sessions(self) -> int:
        """How many are revoked."""
        return max(1, round(self.rate * self.seconds))


def reach(
    *,
    verifiers: int = 50,
    rate: int = 500,
    seconds: float = 20.0,
    workers: int = 1,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Measure how long after its acknowledgement a revocation is in force at every verifier.

    Starts a server on a temporary database, and verifiers in four processes more; revokes sessions at an
    even rate. The time is that of the monotonic clock, which processes of a machine share.

    Parameters
    ----------
    verifiers
        How many listen to the feed.
    rate
        Revocations a second.
    seconds
        For how long.
    workers
        Processes of the server.
    as_json
        Print one JSON object.
    """
    plan = Plan(verifiers=verifiers, rate=rate, seconds=seconds, workers=workers)
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder), plan) as (url, key):
        found = asyncio.run(_measure(url, key, plan))
    found["memory_mb"] = _memory_mb(_ENTRIES)
    rows = [(name, f"{value:,.1f}" if isinstance(value, float) else value) for name, value in found.items()]
    emit(found, as_json=as_json, text=table(("", ""), rows))


async def _measure(url: str, key: str, plan: Plan) -> dict[str, object]:
    callers = [Caller(url, key) for _ in range(_CALLERS)]
    try:
        made = await _sessions(callers, plan.sessions)
        with _listening(url, key, made, plan) as pipes:
            for caller in callers:
                caller.close()  # the server has not waited for them so long
            acknowledged = await _revoke(callers, [session for session, _ in made], plan)
            await asyncio.sleep(min(_SETTLE_SECONDS, 1 + plan.seconds / 4))
            reports = [await asyncio.to_thread(_report, pipe) for pipe in pipes]
    finally:
        for caller in callers:
            caller.close()
    return _figures(acknowledged, [one for report in reports for one in report], plan)


def _figures(
    acknowledged: Sequence[float | None], reports: Sequence[dict[str, Any]], plan: Plan
) -> dict[str, object]:
    """Percentiles over every pair of a verifier and a revocation. A revocation that a verifier has not heard
    of, or a feed that was begun anew, is a gap."""
    took: list[float] = []
    gaps = 0
    for report in reports:
        gaps += report["begun_anew"]
        for at, refused in zip(acknowledged, report["refused"], strict=True):
            if at is not None and refused is None:
                gaps += 1
            elif at is not None and refused is not None:
                took.append(max(0.0, refused - at) * 1000)
    took.sort()
    revoked = sum(at is not None for at in acknowledged)
    return {
        "verifiers": len(reports),
        "rate": plan.rate,
        "seconds": plan.seconds,
        "workers": plan.workers,
        "revoked": revoked,
        "p50_ms": took[len(took) // 2] if took else None,
        "p99_ms": took[int(len(took) * 0.99)] if took else None,
        "max_ms": took[-1] if took else None,
        "gaps": gaps,
    }


# Revoking --------------------------------------------------------------------------------------------------


async def _sessions(callers: Sequence[Caller], count: int) -> list[tuple[str, str]]:
    """Sessions, each with its user."""
    users = [await _made(callers[0], "/v1/users", {}) for _ in range(min(count, 50))]
    made: list[tuple[str, str]] = []
    left = iter(range(count))

    async def make(caller: Caller) -> None:
        for n in left:
            user = users[n % len(users)]
            made.append((await _made(caller, "/v1/sessions", {"user_id": user}), user))

    await asyncio.gather(*(make(caller) for caller in callers))
    return made


async def _made(caller: Caller, path: str, body: dict[str, str]) -> str:
    status, answer = await caller.call("POST", path, msgspec.json.encode(body))
    if status != 200:
        raise Unavailable(f"The server answered {status} to POST {path}.")
    return msgspec.json.decode(answer)["id"]


async def _revoke(callers: Sequence[Caller], sessions: Sequence[str], plan: Plan) -> list[float | None]:
    """When each revocation was acknowledged; they are due at an even rate, however long each takes."""
    acknowledged: list[float | None] = [None] * len(sessions)
    began = time.monotonic()
    left = iter(enumerate(sessions))

    async def work(caller: Caller) -> None:
        for n, session in left:
            await asyncio.sleep(began + n / plan.rate - time.monotonic())
            if time.monotonic() > began + plan.seconds * 1.5:
                return
            status, _ = await caller.call("POST", f"/v1/sessions/{session}/revoke")
            if status == 200:
                acknowledged[n] = time.monotonic()

    await asyncio.gather(*(work(caller) for caller in callers))
    return acknowledged


# Verifying -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _listening(
    url: str, key: str, made: Sequence[tuple[str, str]], plan: Plan
) -> Generator[list[Connection]]:
    """The verifiers, all of them up to date, in processes of their own."""
    spawning = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    processes: list[BaseProcess] = []
    counts = [len(range(n, plan.verifiers, PROCESSES)) for n in range(PROCESSES)]
    try:
        for count in counts:
            here, there = spawning.Pipe()
            process = spawning.Process(target=_verify, args=(there, url, key, list(made), count), daemon=True)
            process.start()
            processes.append(process)
            pipes.append(cast(Connection, here))
        for pipe in pipes:
            if not pipe.poll(_READY_SECONDS) or pipe.recv() != "ready":
                raise Unavailable("The verifiers are not ready.")
        yield pipes
    finally:
        for process in processes:
            process.terminate()
            process.join(5)


def _report(pipe: Connection) -> list[dict[str, Any]]:
    pipe.send("report")
    if not pipe.poll(_READY_SECONDS):
        raise Unavailable("A process of verifiers does not answer.")
    return pipe.recv()


def _verify(pipe: Connection, url: str, key: str, made: list[tuple[str, str]], count: int) -> None:
    """One process of verifiers."""
    auths = [_auth(session, user) for session, user in made]
    verifiers = [_Verifier(Feed(url, key=key), auths) for _ in range(count)]
    ready = all(one.feed.wait_until_fresh(_READY_SECONDS) for one in verifiers)
    pipe.send("ready" if ready else "late")
    pipe.recv()
    pipe.send([{"refused": one.refused, "begun_anew": one.feed.begun_anew} for one in verifiers])
    pipe.recv()


class _Verifier:
    """Asks about the tokens that are to be refused next whenever its feed has told something."""

    def __init__(self, feed: Feed, auths: Sequence[SignedIn]) -> None:
        self.feed = feed
        self.refused: list[float | None] = [None] * len(auths)
        self._auths = auths
        self._first = 0
        feed.listen(self._ask)
        feed.start()

    def _ask(self) -> None:
        now = time.monotonic()
        refused = self.refused
        accepted = 0
        for n in range(self._first, len(refused)):
            if refused[n] is None and self.feed.refuses(self._auths[n]) is not None:
                refused[n] = now
            # They are revoked in their order, but for those under way at once.
            accepted = accepted + 1 if refused[n] is None else 0
            if accepted > _WINDOW:
                break
        while self._first < len(refused) and refused[self._first] is not None:
            self._first += 1


def _auth(session: str, user: str) -> SignedIn:
    now = time.time_ns() // 1_000_000
    return SignedIn(
        session_id=session,
        user_id=user,
        issued_at=now // 1000 + 1,
        kid="kid",
        payload=b"{}",
        token="",
        good_from_ms=now,
        good_until_ms=now + 60_000,
    )


# The server ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _server(folder: Path, plan: Plan) -> Generator[tuple[str, str]]:
    """A server on a new database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, key = f"http://127.0.0.1:{port}", "sk_test_" + secrets.token_hex(16)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOJOURN_")}
    environment["SOJOURN_DATABASE_URL"] = f"sqlite:///{folder}/sojourn.db"
    environment["SOJOURN_SECRET_KEY"] = key
    command = [sys.executable, "-m", "sojourn", "serve", "--port", str(port), "--workers", str(plan.workers)]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603  # ours
    try:
        asyncio.run(_ready(url, key))
        yield url, key
    finally:
        process.terminate()
        process.wait(30)


async def _ready(url: str, key: str) -> None:
    until = time.monotonic() + _READY_SECONDS
    caller = Caller(url, key)
    while True:
        try:
            status, _ = await caller.call("GET", "/readyz")
            if status == 200:
                caller.close()
                return
        except Unavailable:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(0.05)


# Memory ----------------------------------------------------------------------------------------------------


def _memory_mb(entries: int) -> float:
    """By how much a process grows whose verifier learns of so many revoked sessions."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_grown, (entries,))


def _grown(entries: int) -> float:
    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    decode = msgspec.json.Decoder(Batch).decode
    before = resident()
    known = Revocations()
    known.begin(Hello("e", 0, False, "s", 0, 120_000), asked_ms=0)
    for start in range(0, entries, _BATCH):
        told = [
            {"kind": "session", "at": _AT + n, "session_id": f"sess_{n:027d}"}
            for n in range(start, start + _BATCH)
        ]
        # As it comes over the wire, so that nothing is shared that is not shared there.
        known.take(decode(msgspec.json.encode({"from": start, "position": start + _BATCH, "entries": told})))
    return (resident() - before) / 1e6
