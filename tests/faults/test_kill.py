"""R1: the whole server is killed at random moments under load; what was acknowledged must be there."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
from pathlib import Path

import apsw
import httpx

from tests.support import Server, serving

ROUNDS = 200 if os.environ.get("SOJOURN_FAULTS") == "full" else 10
CLIENTS = 16
SECRET = "sk_test_0123456789abcdef0123456789abcdef"


class Journal:
    """What the server has acknowledged."""

    def __init__(self) -> None:
        self.created: set[str] = set()
        self.revoked: set[str] = set()


async def load(server: Server, user: str, journal: Journal) -> None:
    """Create and revoke without pause until the connection breaks; note only what was answered."""
    async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {SECRET}"}) as http:
        try:
            while True:
                answer = await http.post("/v1/sessions", json={"user_id": user})
                if answer.status_code != 200:
                    return
                session = answer.json()["id"]
                journal.created.add(session)
                await http.post(f"/v1/sessions/{session}/tokens")
                if random.random() < 0.5:
                    answer = await http.post(f"/v1/sessions/{session}/revoke")
                    if answer.status_code == 200:
                        journal.revoked.add(session)
        except httpx.HTTPError:
            return


async def one_round(server: Server, user: str, journal: Journal) -> None:
    """Load from all clients, and a kill of the whole process group in the middle of it."""
    clients = [asyncio.create_task(load(server, user, journal)) for _ in range(CLIENTS)]
    await asyncio.sleep(0.1 + random.expovariate(4))
    os.killpg(server.process.pid, signal.SIGKILL)
    await asyncio.gather(*clients)
    await asyncio.to_thread(server.process.wait)


def losses(database: Path, journal: Journal) -> tuple[int, int]:
    """How many acknowledged sessions are not there, and how many revoked ones are live."""
    connection = apsw.Connection(str(database))
    assert next(iter(connection.execute("PRAGMA integrity_check")))[0] == "ok"
    ended = dict(iter(connection.execute("SELECT id, ended_at IS NOT NULL FROM sessions")))
    connection.close()
    lost = sum(1 for session in journal.created if session not in ended)
    alive = sum(1 for session in journal.revoked if not ended.get(session, 0))
    return lost, alive


async def test_r1_a_kill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """After every kill all acknowledged sessions are there and no revoked one is live."""
    journal = Journal()
    user = ""
    for number in range(ROUNDS):
        workers = "2" if number % 2 else "1"
        publishable = "pk_test_MTI3LjAuMC4xOjEk"
        with serving(
            tmp_path,
            "--workers",
            workers,
            SOJOURN_SECRET_KEY=SECRET,
            SOJOURN_PUBLISHABLE_KEY=publishable,
        ) as server:
            if not user:
                headers = {"Authorization": f"Bearer {SECRET}"}
                answer = await asyncio.to_thread(
                    httpx.post, f"{server.url}/v1/users", json={}, headers=headers
                )
                user = answer.json()["id"]
            await one_round(server, user, journal)
        assert losses(tmp_path / "sojourn.db", journal) == (0, 0)
        if number == 0:
            # The check opened the file and thereby emptied its log, so a plain copy is whole.
            shutil.copyfile(tmp_path / "sojourn.db", tmp_path / "stale.db")
    assert len(journal.revoked) > 10 * ROUNDS
    # The control: a database that has lost the later rounds does not pass.
    lost, _ = losses(tmp_path / "stale.db", journal)
    assert lost > 0
