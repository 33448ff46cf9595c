"""Two nodes with two workers each on one PostgreSQL: once one of them has acknowledged a revocation, no
answer of any other denies it."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sojourn.core.events import EventType
from sojourn.stores.postgres import PostgresStore
from tests.postgres.databases import Databases
from tests.support import Server, serving

LOAD_SECONDS = 60.0 if os.environ.get("SOJOURN_FAULTS") == "full" else 3.0
CALLERS = 8


@dataclass(frozen=True)
class Answer:
    """What was said about a session, by monotonic time: between `asked` and `answered` it held at some
    instant."""

    session: str
    asked: float
    answered: float
    live: bool
    revoking: bool = False


def denials(history: list[Answer]) -> list[tuple[Answer, Answer]]:
    """A revocation is final, so a history is linearizable exactly when nothing that was asked after a
    revocation had been acknowledged calls the session live. The pairs that are not so."""
    revoked: dict[str, Answer] = {}
    for answer in history:
        first = revoked.get(answer.session)
        if answer.revoking and (first is None or answer.answered < first.answered):
            revoked[answer.session] = answer
    return [
        (revoked[answer.session], answer)
        for answer in history
        if answer.live and answer.session in revoked and answer.asked > revoked[answer.session].answered
    ]


class Caller:
    """Asks any node at random, and writes down what it is told."""

    def __init__(
        self, nodes: list[httpx.AsyncClient], user: str, shared: list[str], *, caching: bool
    ) -> None:
        self.nodes = nodes
        self.user = user
        self.shared = shared
        self.history: list[Answer] = []
        self.unexpected: list[str] = []
        self._cache: dict[str, bool] | None = {} if caching else None

    async def run(self, until: float) -> None:
        """Create, read, mint tokens and revoke until a moment of the monotonic clock."""
        while time.monotonic() < until:
            what = random.choices(("create", "read", "token", "revoke"), (2, 6, 3, 1))[0]
            if what == "create" or not self.shared:
                answer = await self._post("/v1/sessions", {"user_id": self.user})
                self.shared.append(answer.json()["id"])
                continue
            session = random.choice(self.shared[-30:])
            await {"read": self._read, "token": self._token, "revoke": self._revoke}[what](session)

    async def _read(self, session: str) -> None:
        asked = time.monotonic()
        if self._cache is not None and session in self._cache:
            live = self._cache[session]
        else:
            answer = await random.choice(self.nodes).get(f"/v1/sessions/{session}")
            live = answer.json()["status"] == "active"
            if self._cache is not None:
                self._cache[session] = live
        self.history.append(Answer(session, asked, time.monotonic(), live))

    async def _token(self, session: str) -> None:
        asked = time.monotonic()
        answer = await self._post(f"/v1/sessions/{session}/tokens", None)
        self.history.append(Answer(session, asked, time.monotonic(), answer.status_code == 200))

    async def _revoke(self, session: str) -> None:
        asked = time.monotonic()
        answer = await self._post(f"/v1/sessions/{session}/revoke", None)
        if answer.status_code == 200:
            self.history.append(Answer(session, asked, time.monotonic(), live=False, revoking=True))

    async def _post(self, path: str, body: dict[str, str] | None) -> httpx.Response:
        answer = await random.choice(self.nodes).post(path, json=body)
        if answer.status_code >= 500:
            self.unexpected.append(f"{path}: {answer.status_code} {answer.text}")
        return answer


@pytest.fixture
def url(databases: Databases) -> str:
    """A database of their own, which the first node migrates."""
    return databases.new()


@pytest.fixture
def nodes(url: str, tmp_path: Path) -> Iterator[list[Server]]:
    """Two nodes with two workers each."""
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    with serving(first, "--workers", "2", SOJOURN_DATABASE_URL=url) as one:
        keys = {"SOJOURN_SECRET_KEY": one.secret_key, "SOJOURN_PUBLISHABLE_KEY": one.publishable_key}
        with serving(second, "--workers", "2", SOJOURN_DATABASE_URL=url, **keys) as two:
            yield [one, two]


@pytest.mark.parametrize("caching", [False, True])
async def test_a_revocation_holds_on_every_node(nodes: list[Server], url: str, caching: bool) -> None:
    """Mixed load on both: no answer denies an acknowledged revocation, nothing fails, and each revocation is
    announced once. The control, callers that remember what they were told, is found out."""
    secret = {"Authorization": f"Bearer {nodes[0].secret_key}"}
    clients = [httpx.AsyncClient(base_url=node.url, headers=secret, timeout=30) for node in nodes]
    shared: list[str] = []
    user = (await clients[0].post("/v1/users", json={})).json()["id"]
    callers = [Caller(clients, user, shared, caching=caching) for _ in range(CALLERS)]
    deadline = time.monotonic() + LOAD_SECONDS
    await asyncio.gather(*(caller.run(deadline) for caller in callers))
    history = [answer for caller in callers for answer in caller.history]
    for client in clients:
        await client.aclose()
    assert [problem for caller in callers for problem in caller.unexpected] == []
    assert sum(answer.revoking for answer in history) > 0
    assert bool(denials(history)) is caching
    assert set((await revocations(url)).values()) == {1}


async def revocations(url: str) -> dict[str, int]:
    """How often each revoked session was announced as revoked."""
    store = await PostgresStore.open(url, migrate=False)
    counts: dict[str, int] = defaultdict(int)
    position = None
    while (page := await store.events(position, 500)).events:
        position = page.position
        for event in page.events:
            if event.type is EventType.SESSION_REVOKED and event.session_id is not None:
                counts[event.session_id] += 1
    await store.close()
    return counts
