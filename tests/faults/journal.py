"""Load over HTTP, what a server has acknowledged to it, and whether its database still has that."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import astuple, dataclass, field
from pathlib import Path

import apsw
import httpx

from tests.support import Server

CLIENTS = 16
SECRET = "sk_test_0123456789abcdef0123456789abcdef"
HEADERS = {"Authorization": f"Bearer {SECRET}"}
SETTINGS = {"SOJOURN_SECRET_KEY": SECRET, "SOJOURN_PUBLISHABLE_KEY": "pk_test_MTI3LjAuMC4xOjEk"}
"""The same for every start on one database."""
CHECKED = 40
"""Sessions of each kind that are asked for over HTTP after a restart; the database is searched for all."""


@dataclass
class Journal:
    """What the server has acknowledged."""

    created: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    """Ended by an acknowledged revocation, or an acknowledged ban of their user."""
    announced: set[str] = field(default_factory=set)
    """Revoked one by one: each has an event of its own."""
    banned: set[str] = field(default_factory=set)
    live: set[str] = field(default_factory=set)
    """Created, and no request to end them was ever sent."""


@dataclass
class Losses:
    """What the database does not have that was acknowledged, by kind; all 0 when nothing is lost."""

    sessions: int
    revocations: int
    bans: int
    events: int

    def __bool__(self) -> bool:
        return any(astuple(self))


def caller(server: Server) -> httpx.AsyncClient:
    """A connection for each client; one object for all, as making one takes longer than a round's load."""
    return httpx.AsyncClient(
        base_url=server.url,
        headers=HEADERS,
        limits=httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS),
        timeout=30,
    )


def losses(database: Path, journal: Journal) -> Losses:
    """Search the database for everything that was acknowledged."""
    connection = apsw.Connection(str(database))
    assert next(iter(connection.execute("PRAGMA integrity_check")))[0] == "ok"
    ended = """
        SELECT s.id, s.ended_at IS NOT NULL OR EXISTS (
            SELECT 1 FROM cutoffs c WHERE c.scope = s.user_id AND c.sequence >= s.seq
        ) FROM sessions s
    """
    sessions = dict(iter(connection.execute(ended)))
    banned = {row[0] for row in connection.execute("SELECT id FROM users WHERE banned = 1")}
    created = [
        row[0] for row in connection.execute("SELECT session_id FROM events WHERE type = 'session.created'")
    ]
    revoked = [
        row[0] for row in connection.execute("SELECT session_id FROM events WHERE type = 'session.revoked'")
    ]
    connection.close()
    assert len(set(created)) == len(created), "a creation was announced twice"
    assert len(set(revoked)) == len(revoked), "a revocation was announced twice"
    assert set(created) == set(sessions), "a session and its event are not one"
    return Losses(
        sessions=len(journal.created - set(sessions)),
        revocations=sum(1 for session in journal.revoked if not sessions.get(session, 0)),
        bans=len(journal.banned - banned),
        events=len(journal.created - set(created)) + len(journal.announced - set(revoked)),
    )


async def check_answers(http: httpx.AsyncClient, journal: Journal) -> None:
    """Ask the restarted server: ended sessions are ended and get no token, the others are as they were."""

    async def ended(session: str) -> None:
        assert (await http.get(f"/v1/sessions/{session}")).json()["status"] == "revoked"
        assert (await http.post(f"/v1/sessions/{session}/tokens")).status_code == 404

    async def alive(session: str) -> None:
        assert (await http.get(f"/v1/sessions/{session}")).json()["status"] == "active"

    async def refused(user: str) -> None:
        assert (await http.post("/v1/sessions", json={"user_id": user})).status_code == 403

    checks: list[Coroutine[None, None, None]] = []
    for check, ids in ((ended, journal.revoked), (alive, journal.live), (refused, journal.banned)):
        checks += [check(i) for i in random.sample(sorted(ids), min(CHECKED, len(ids)))]
    await asyncio.gather(*checks)
