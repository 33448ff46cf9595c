"""R1: the whole server is killed at random moments under load; what was acknowledged must be there."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
from dataclasses import astuple
from pathlib import Path

import apsw
import httpx

from tests.faults.journal import CLIENTS, SETTINGS, Journal, Losses, caller, check_answers, losses
from tests.support import Server, serving

ROUNDS = 200 if os.environ.get("SOJOURN_FAULTS") == "full" else 10


async def load(http: httpx.AsyncClient, user: str, journal: Journal) -> None:
    """Create, use and end sessions without pause until the connection breaks; note only what was answered."""

    async def post(path: str, body: dict[str, str] | None = None) -> httpx.Response:
        answer = await http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer

    async def create(user_id: str) -> str:
        session = (await post("/v1/sessions", {"user_id": user_id})).json()["id"]
        journal.created.add(session)
        return session

    try:
        while True:
            session = await create(user)
            await post(f"/v1/sessions/{session}/tokens")
            match random.choices(("revoke", "keep", "read", "ban"), (50, 30, 10, 10))[0]:
                case "revoke":
                    await post(f"/v1/sessions/{session}/revoke")
                    journal.revoked.add(session)
                    journal.announced.add(session)
                case "keep":
                    journal.live.add(session)
                case "read":
                    await http.get("/v1/sessions", params={"user_id": user, "limit": 20})
                case _:
                    victim = (await post("/v1/users", {})).json()["id"]
                    theirs = [await create(victim) for _ in range(2)]
                    await post(f"/v1/users/{victim}/ban")
                    journal.banned.add(victim)
                    journal.revoked.update(theirs)
    except httpx.HTTPError:
        return


async def one_round(server: Server, http: httpx.AsyncClient, user: str, journal: Journal) -> None:
    """Load from all clients, and a kill of the whole process group in the middle of it."""
    clients = [asyncio.create_task(load(http, user, journal)) for _ in range(CLIENTS)]
    enough = len(journal.announced) + 10
    async with asyncio.timeout(60):
        # On a machine that is busy with other things it takes a while before there is anything to lose.
        while len(journal.announced) <= enough:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(min(random.expovariate(4), 1.5))
    os.killpg(server.process.pid, signal.SIGKILL)
    await asyncio.gather(*clients)
    await asyncio.to_thread(server.process.wait)


async def test_r1_a_kill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """After every kill all that was acknowledged is there, and nothing that was ended is live again."""
    journal, user = Journal(), ""
    for number in range(ROUNDS):
        with serving(tmp_path, "--workers", "2" if number % 2 else "1", **SETTINGS) as server:
            async with caller(server) as http:
                if not user:
                    user = (await http.post("/v1/users")).json()["id"]
                await check_answers(http, journal)
                await one_round(server, http, user, journal)
        found = losses(tmp_path / "sojourn.db", journal)
        assert not found, found
        if number == 0:
            # The check opened the file and thereby emptied its log, so a plain copy is whole.
            shutil.copyfile(tmp_path / "sojourn.db", tmp_path / "stale.db")
            early = set(journal.announced)
    with serving(tmp_path, **SETTINGS) as server:
        async with caller(server) as http:
            await check_answers(http, journal)
    assert len(journal.announced) > 10 * ROUNDS
    assert journal.banned
    control(tmp_path / "stale.db", journal, early)


def control(stale: Path, journal: Journal, early: set[str]) -> None:
    """The checks can fail: on a database that lost the later rounds, and one with a session back to life."""
    assert all(count > 0 for count in astuple(losses(stale, journal)))
    known = Journal(announced=early, revoked=set(early), created=set(early))
    assert not losses(stale, known)
    connection = apsw.Connection(str(stale))
    connection.execute("UPDATE sessions SET ended_at = NULL, status = 'active' WHERE id = ?", (min(early),))
    connection.close()
    assert losses(stale, known) == Losses(sessions=0, revocations=1, bans=0, events=0)
