"""The store: the verbs of the port, each told to whoever does it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import closing
from types import CoroutineType
from typing import Any

from sojourn.core.client import Client
from sojourn.core.directory import IdentifierKind, User
from sojourn.core.errors import PositionLost, clip
from sojourn.core.keys import ApiKey, Instance, StoredKey
from sojourn.core.session import Activity
from sojourn.service.ports import (
    ClientPage,
    ClientQuery,
    EventPage,
    Held,
    InsertOnce,
    Operation,
    Overdue,
    SessionPage,
    SessionQuery,
    UserQuery,
)
from sojourn.stores.sql import queries
from sojourn.stores.sqlite import rows
from sojourn.stores.sqlite.connect import Internals, connect, create
from sojourn.stores.sqlite.driver import Connection
from sojourn.stores.sqlite.migrate import bring_up, known_migrations, version_of
from sojourn.stores.sqlite.operations import Operations
from sojourn.stores.sqlite.reads import Reads, Statement
from sojourn.stores.sqlite.sweep import Housekeeping
from sojourn.stores.sqlite.threads import Inline, thread
from sojourn.stores.sqlite.writer import Writer

_SQL = queries("sqlite")
_POSITION = re.compile(r"(.+)\.(0|[1-9][0-9]{0,18})", re.DOTALL)
_NO_EPOCH = "0"
"""Stands for the epoch until the instance is stored."""
_NEAR_EVENTS = 64


class SqliteStore:
    """Implements `sojourn.service.ports.Store` on an SQLite file. Several processes may open the same one."""

    def __init__(self, connections: tuple[Connection, ...], writing: Executor, reading: Executor) -> None:
        writer, near, far = connections
        self._connections = connections
        self._executors = (writing, reading)
        self._writer = Writer(writer, writing)
        self._operations = Operations(writer)
        self._reads = Reads(near, far, reading)
        self._housekeeping = Housekeeping(writer, self._reads, self._writer)
        self._closed = False

    @classmethod
    async def open(
        cls, path: str, *, migrate: bool = True, internals: Internals | None = None
    ) -> SqliteStore:
        """Open the database at `path`, made and migrated first where needed and `migrate` allows it.

        Raises ConfigurationError (no file, no database, a database of something else, a migration that was
        changed, an SQLite that is too old), SchemaTooNew, SchemaOutdated, or Unavailable when another process
        keeps it locked for 5 seconds.
        """
        internals = internals or Internals()
        if internals.exclusive:
            connections = _open(path, internals, migrate=migrate)
            return cls(connections, Inline(), Inline())
        writing = thread("writer")
        try:
            loop = asyncio.get_running_loop()
            connections = await loop.run_in_executor(writing, lambda: _open(path, internals, migrate=migrate))
        except BaseException:
            writing.shutdown(wait=False)
            raise
        return cls(connections, writing, thread("reader"))

    @staticmethod
    def schema_version(path: str) -> int:
        """The number of the newest migration in the database at `path`; 0 when it is empty or not there.

        Blocks, and changes nothing. Raises ConfigurationError when the file is no database of sojourn.
        """
        if not os.path.exists(path) or not os.path.getsize(path):
            return 0
        with closing(connect(path, Internals(), writes=False)) as connection:
            return version_of(connection)

    async def close(self) -> None:
        """As the port says. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._writer.close()
        loop = asyncio.get_running_loop()
        writer, near, far = self._connections
        writing, reading = self._executors
        # Each where it is used, so that nothing is closed under a statement; the last one empties the log.
        await loop.run_in_executor(reading, far.close)
        near.close()
        await loop.run_in_executor(writing, writer.close)
        for executor in self._executors:
            executor.shutdown(wait=False)

    # Reading ------------------------------------------------------------------------------------------------

    def session(self, session_id: str) -> CoroutineType[Any, Any, Held | None]:
        """As the port says."""
        return self._reads.session(session_id)

    async def sessions(self, query: SessionQuery) -> SessionPage:
        """As the port says."""
        return await self._reads.sessions(query)

    async def client(self, client_id: str) -> Client | None:
        """As the port says."""
        found = await self._reads.point(_SQL["client_get"], (client_id,))
        return rows.client_of(found[0]) if found else None

    async def clients(self, query: ClientQuery) -> ClientPage:
        """As the port says."""
        page = Statement(_SQL["client_page"], (query.limit, query.offset))
        if not query.count:
            (found,) = await self._reads.far(page)
            return ClientPage([rows.client_of(row) for row in found])
        found, count = await self._reads.far(page, Statement(_SQL["client_count"]))
        return ClientPage([rows.client_of(row) for row in found], count[0][0])

    async def user(self, user_id: str) -> User | None:
        """As the port says."""
        found = await self._reads.point(_SQL["user_get"], (user_id,))
        return rows.user_of(found[0]) if found else None

    async def user_by(self, kind: IdentifierKind, value: str) -> User | None:
        """As the port says."""
        found = await self._reads.point(_SQL["user_by_identifier"], (kind.value, value))
        return rows.user_of(found[0]) if found else None

    async def users(self, query: UserQuery) -> Sequence[User]:
        """As the port says."""
        conditions: list[str] = []
        bindings: dict[str, str | int] = {"limit": query.limit, "offset": query.offset}
        if query.ids is not None:
            conditions.append(_SQL["user_id_filter"])
            bindings["ids"] = rows.document(query.ids)
        if query.identifiers is not None:
            conditions.append(_SQL["user_identifier_filter"])
            bindings["identifiers"] = rows.document(
                [(kind.value, value) for kind, value in query.identifiers]
            )
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        order = "DESC" if query.newest_first else "ASC"
        sql = f"{_SQL['user_page']} {where} ORDER BY u.seq {order} LIMIT :limit OFFSET :offset"
        (found,) = await self._reads.far(Statement(sql, bindings))
        return [rows.user_of(row) for row in found]

    async def api_key(self, digest: bytes) -> ApiKey | None:
        """As the port says."""
        found = await self._reads.point(_SQL["api_key_get"], (digest,))
        return rows.api_key_of(found[0]) if found else None

    async def api_keys(self) -> Sequence[ApiKey]:
        """As the port says."""
        return [rows.api_key_of(row) for row in await self._reads.point(_SQL["api_key_list"])]

    async def stored_keys(self) -> Sequence[StoredKey]:
        """As the port says."""
        return [rows.stored_key_of(row) for row in await self._reads.point(_SQL["stored_key_list"])]

    async def instance(self) -> Instance | None:
        """As the port says."""
        found = await self._reads.point(_SQL["instance_get"])
        return rows.instance_of(found[0]) if found else None

    async def once(self, digest: bytes) -> InsertOnce | None:
        """As the port says."""
        found = await self._reads.point(_SQL["once_get"], (digest,))
        return rows.once_of(found[0]) if found else None

    async def events(self, after: str | None, limit: int) -> EventPage:
        """As the port says."""
        epoch, newest = (await self._reads.point(_SQL["event_bounds"]))[0]
        epoch = _NO_EPOCH if epoch is None else epoch
        last = 0 if after is None else _number(after, epoch)
        if last > newest:
            raise PositionLost(f"The position {clip(str(after))} lies ahead of this log.")
        statement = Statement(_SQL["event_page"], (last, limit))
        fetch = self._reads.near if min(limit, newest - last) <= _NEAR_EVENTS else self._reads.far
        (found,) = await fetch(statement)
        # Positions have no gaps: where the next one is not there, it has been purged.
        first = found[0][0] if found else newest + 1
        if after is not None and first != last + 1:
            raise PositionLost(f"What follows the position {clip(after)} is not kept here.")
        end = found[-1][0] if found else newest
        return EventPage([rows.event_of(row) for row in found], f"{epoch}.{end}")

    async def end_of_events(self) -> str:
        """As the port says."""
        epoch, newest = (await self._reads.point(_SQL["event_bounds"]))[0]
        return f"{_NO_EPOCH if epoch is None else epoch}.{newest}"

    # Changing -----------------------------------------------------------------------------------------------

    async def commit(self, operations: Sequence[Operation]) -> None:
        """As the port says."""
        await self._writer.run(lambda: self._operations.apply(operations))

    async def touch(self, session_id: str, *, now: int, activity: Activity | None = None) -> bool:
        """As the port says."""
        return await self._writer.run(lambda: self._operations.touch(session_id, now, activity))

    # Keeping house ------------------------------------------------------------------------------------------

    async def overdue(self, now: int, limit: int) -> Overdue:
        """As the port says."""
        return Overdue(await self._housekeeping.overdue(now, limit))

    async def purge(self, *, ended_before: int, events_before: int, once_before: int, limit: int) -> int:
        """As the port says."""
        return await self._housekeeping.purge(
            ended_before=ended_before, events_before=events_before, once_before=once_before, limit=limit
        )

    async def scrub(self) -> None:
        """As the port says."""
        await self._writer.scrub()


def _open(path: str, internals: Internals, *, migrate: bool) -> tuple[Connection, ...]:
    """The connections for writing, for reads in the event loop and for reads in the thread."""
    create(path, internals, allowed=migrate)
    opened: list[Connection] = []
    try:
        opened.append(connect(path, internals, writes=True))
        bring_up(opened[0], known_migrations(), allowed=migrate)
        if internals.exclusive:
            return (opened[0],) * 3
        opened += [connect(path, internals, writes=False) for _ in range(2)]
    except BaseException:
        for connection in opened:
            connection.close()
        raise
    return tuple(opened)


def _number(position: str, epoch: str) -> int:
    match = _POSITION.fullmatch(position)
    if match is None or match[1] != epoch:
        raise PositionLost(f"There is no position {clip(position)} in this log.")
    return int(match[2])
