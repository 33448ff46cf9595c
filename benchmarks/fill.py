"""Databases with many sessions: the store's own schema, statements and values, written in bulk.

Every user has twenty sessions, made at random instants of the last days, each on a client of its own and with
its event, exactly as twenty sign-ins over HTTP would have left them, only without the HTTP.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import apsw

from benchmarks.servers import SECRET_KEY
from sojourn.config import Config
from sojourn.core import lifecycle
from sojourn.core.client import Client
from sojourn.core.directory import User
from sojourn.core.events import EventType, of_session
from sojourn.core.ids import Prefix
from sojourn.core.policy import DAY, Policy
from sojourn.core.session import Session
from sojourn.runtime import Sojourn
from sojourn.service.system import SystemEntropy
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows import sessions as rows
from sojourn.stores.sql.rows.log import event_values
from sojourn.stores.sql.rows.users import user_document

PER_USER = 20
_SQL = queries("sqlite")
_CHUNK = 20_000
_SAMPLE = 20_000
_FEW_LIVE = 2_000


@dataclass(frozen=True)
class Filled:
    """A database file, and some of the ids in it."""

    path: Path
    sessions: int
    sample: list[str]
    """Ids of sessions, spread evenly over all of them and in random order."""
    live: list[str]
    """Ids of live ones, likewise: for requests that an ended session refuses."""
    users: list[str]
    """Ids of users, likewise."""

    def copy(self, name: str) -> Filled:
        """The same database in a file of its own, to be changed."""
        path = self.path.with_name(name)
        shutil.copyfile(self.path, path)
        return replace(self, path=path)


class Fills:
    """The databases of one run, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[tuple[int, bool], Filled] = {}

    def get(self, sessions: int, *, expired: bool = False) -> Filled:
        """A database with so many sessions: all live, or with `expired` all past their deadline but still
        stored as live, and a few live ones with them."""
        wanted = (sessions, expired)
        if wanted not in self._made:
            path = self.folder / f"{sessions}-{'expired' if expired else 'live'}.db"
            self._made[wanted] = fill(path, sessions, expired=expired)
        return self._made[wanted]


def fill(path: Path, sessions: int, *, expired: bool = False) -> Filled:
    """Make a database with so many sessions."""
    asyncio.run(_prepare(path))
    connection = apsw.Connection(str(path))
    for pragma in ("synchronous = OFF", "cache_size = -200000", "wal_autocheckpoint = 20000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    users = [SystemEntropy().id(Prefix.USER, _now() - 15 * DAY * 1000) for _ in range(sessions // PER_USER)]
    with connection:
        connection.executemany(_SQL["user_insert"], _user_values(users))
        connection.executemany(
            _SQL["identifier_insert"], (("external_id", str(n), user) for n, user in enumerate(users))
        )
    every = max(1, sessions // _SAMPLE)
    sample: list[str] = []
    # A week is what sessions live: six days back they live for another day, 14 days back they are long over.
    made = _sessions(users, sessions, first_day=14 if expired else 6)
    while chunk := list(islice(made, _CHUNK)):
        _insert(connection, chunk)
        sample += [session.id for session in chunk[::every]]
    live = sample
    if expired:
        chunk = list(_sessions(users, _FEW_LIVE, first_day=6))
        _insert(connection, chunk)
        live = [session.id for session in chunk]
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.execute("PRAGMA optimize").fetchall()
    connection.close()
    chance = random.Random(3)
    chance.shuffle(sample)
    return Filled(path, sessions, sample[:_SAMPLE], live, chance.sample(users, min(len(users), 2_000)))


def add_to_user(path: Path, user: str, count: int) -> None:
    """Give one user so many more sessions."""
    connection = apsw.Connection(str(path))
    _insert(connection, list(_sessions([user], count, first_day=6)))
    # Or the next write of the service would carry all of this into the database, and be measured for it.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


async def _prepare(path: Path) -> None:
    """Schema, instance and keys, as the first start makes them."""
    config = Config(database_url=f"sqlite:///{path}", secret_key=(SECRET_KEY,), sweep=False)
    async with Sojourn.open(config=config):
        pass


def _sessions(users: list[str], count: int, *, first_day: int) -> Iterator[Session]:
    """New sessions in the order of their creation, over five days, the users in turns that are shuffled each
    time."""
    entropy, policy, chance = SystemEntropy(), Policy(), random.Random(2)
    start = _now() - first_day * DAY * 1000
    span = 5 * DAY * 1000
    order = list(users)
    for number in range(count):
        if number % len(order) == 0:
            chance.shuffle(order)
        at = start + span * number // count
        yield lifecycle.create(
            session_id=entropy.id(Prefix.SESSION, at),
            user_id=order[number % len(order)],
            client_id=entropy.id(Prefix.CLIENT, at),
            policy=policy,
            now=at,
        )


def _insert(connection: apsw.Connection, sessions: list[Session]) -> None:
    entropy = SystemEntropy()
    with connection:
        connection.executemany(
            _SQL["client_insert"],
            (rows.client_values(_client(s)) for s in sessions),
        )
        connection.executemany(_SQL["session_insert"], map(rows.session_values, sessions))
        connection.executemany(
            _SQL["event_insert"],
            (
                event_values(
                    of_session(
                        s,
                        EventType.SESSION_CREATED,
                        event_id=entropy.id(Prefix.EVENT, s.created_at),
                        request_id=os.urandom(16).hex(),
                    )
                )
                for s in sessions
            ),
        )


def _client(session: Session) -> Client:
    at = session.created_at
    return Client(id=session.client_id, created_at=at, updated_at=at, last_active_session_id=session.id)


def _user_values(users: list[str]) -> Iterator[tuple[object, ...]]:
    for number, user_id in enumerate(users):
        at = _now() - 15 * DAY * 1000
        user = User(id=user_id, created_at=at, updated_at=at, external_id=str(number))
        yield (user.id, 1, 0, 0, at, at, None, None, user_document(user))


def _now() -> int:
    return time.time_ns() // 1_000_000
