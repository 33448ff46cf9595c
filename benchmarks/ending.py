"""Ending many sessions: how long the call takes, that every read is true at once, and the write-back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import apsw

from benchmarks.bench import Bench
from benchmarks.fill import Filled, add_to_user
from benchmarks.report import Figure
from benchmarks.servers import SECRET_KEY
from sojourn import Config, Sojourn
from sojourn.core.session import Status

_OF_ONE_USER = 10_000
_BAR_MS = 100.0
_ROUNDS = 5


def ending(bench: Bench) -> list[Figure]:
    """All sessions of a user who has 10,000, and all of the instance."""
    filled = bench.fills.get(bench.many).copy("ending.db")
    try:
        return asyncio.run(_ending(filled))
    finally:
        filled.path.unlink()


async def _ending(filled: Filled) -> list[Figure]:
    url = f"sqlite:///{filled.path}"
    async with Sojourn.open(
        config=Config(database_url=url, secret_key=(SECRET_KEY,), sweep=False)
    ) as sojourn:
        slowest_user = 0.0
        for user in filled.users[:_ROUNDS]:
            add_to_user(filled.path, user, _OF_ONE_USER)
            took = await _milliseconds(lambda user=user: sojourn.sessions.revoke_all_of_user(user))
            slowest_user = max(slowest_user, took)
            await _all_revoked(sojourn, filled.sample[:0], user)
        whole = await _milliseconds(sojourn.sessions.revoke_all)
        await _all_revoked(sojourn, filled.sample, filled.users[-1])
        began = time.perf_counter()
        swept = await sojourn.sweeper.sweep()
        seconds = time.perf_counter() - began
    sessions = filled.sessions + _ROUNDS * _OF_ONE_USER
    events = _ends(filled)
    if not swept == sessions == events:
        raise RuntimeError(f"{sessions:,} sessions, {swept:,} swept, {events:,} events of an end")
    return [
        Figure(
            part="ending",
            name=f"ending {_OF_ONE_USER:,} sessions of a user, slowest of {_ROUNDS}, ms",
            measured=f"{slowest_user:.1f} ms",
            value=slowest_user,
            at_most=_BAR_MS,
        ),
        Figure(
            part="ending",
            name=f"ending all {filled.sessions:,} sessions of the instance, ms",
            measured=f"{whole:.1f} ms",
            value=whole,
            at_most=_BAR_MS,
        ),
        Figure(
            part="ending",
            name="  written back without a rest, one event each",
            measured=f"{swept:,} in {seconds:.0f} s",
        ),
    ]


async def _milliseconds(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000


async def _all_revoked(sojourn: Sojourn, ids: Sequence[str], user: str) -> None:
    """Every read tells the truth though no session has been written yet."""
    live = await sojourn.sessions.page(user_id=user, statuses=frozenset({Status.ACTIVE}), count=True)
    if live.total:
        raise RuntimeError(f"{live.total} sessions still show as active")
    for session_id in ids:
        if (await sojourn.sessions.get(session_id)).status is not Status.REVOKED:
            raise RuntimeError(f"{session_id} is still not revoked")


def _ends(filled: Filled) -> int:
    connection = apsw.Connection(str(filled.path))
    ((count,),) = connection.execute(
        "SELECT count(DISTINCT session_id) FROM events WHERE type = 'session.revoked'"
    ).fetchall()
    connection.close()
    return count
