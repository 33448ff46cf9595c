"""The store: opening and closing it, and the commit; the verbs have a module for each kind of thing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing

from sojourn.service.ports import Operation
from sojourn.stores.bell import Bell
from sojourn.stores.sqlite import (
    deposits,
    documents,
    keys,
    log,
    organizations,
    report,
    sessions,
    templates,
    tickets,
    users,
)
from sojourn.stores.sqlite.changes import Change
from sojourn.stores.sqlite.connect import Internals, connect, create
from sojourn.stores.sqlite.driver import Connection
from sojourn.stores.sqlite.faults import fault, of_storage
from sojourn.stores.sqlite.migrate import bring_up, known_migrations, version_of
from sojourn.stores.sqlite.reads import Reads
from sojourn.stores.sqlite.sweep import Housekeeping
from sojourn.stores.sqlite.threads import Inline, thread
from sojourn.stores.sqlite.writer import Writer

_CHANGES: Mapping[type, Callable[..., None]] = {
    **sessions.CHANGES,
    **users.CHANGES,
    **keys.CHANGES,
    **log.CHANGES,
    **organizations.CHANGES,
    **documents.CHANGES,
    **tickets.CHANGES,
    **deposits.CHANGES,
    **templates.CHANGES,
}


class SqliteStore(
    sessions.Sessions,
    users.Users,
    keys.Keys,
    log.Log,
    documents.Documents,
    organizations.Organizations,
    report.Report,
    tickets.Tickets,
    deposits.Deposits,
    templates.Templates,
):
    """Implements `sojourn.service.ports.Store` on an SQLite file. Several processes may open the same one."""

    def __init__(self, connections: tuple[Connection, ...], writing: Executor, reading: Executor) -> None:
        writer, near, far = connections
        self._connections = connections
        self._executors = (writing, reading)
        self._writer = Writer(writer, writing)
        self._change = Change(writer)
        self._reads = Reads(near, far, reading)
        self._housekeeping = Housekeeping(writer, self._reads, self._writer)
        self._bell = Bell()
        self._closed = False

    @classmethod
    async def open(
        cls, path: str, *, migrate: bool = True, internals: Internals | None = None
    ) -> SqliteStore:
        """Open the database at `path`, made and migrated first where needed and `migrate` allows it.

        Raises ConfigurationError (no file, no database, a database of something else, a migration that was
        changed, an SQLite that is too old), SchemaTooNew, SchemaOutdated, or Unavailable when another process
        keeps it locked for 5 seconds; StorageFull and StorageFailed where the disk does not let it be opened.
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

    # Changing -----------------------------------------------------------------------------------------------

    async def commit(self, operations: Sequence[Operation]) -> None:
        """As the port says."""
        long = any(type(operation) in organizations.LONG for operation in operations)
        await self._writer.run(lambda: self._apply(operations), long=long)
        self._bell.ring()

    def _apply(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            _CHANGES[type(operation)](self._change, operation)

    # Keeping house ------------------------------------------------------------------------------------------

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
    except BaseException as error:
        for connection in opened:
            connection.close()
        if of_storage(error):
            raise fault(error) from error
        raise
    return tuple(opened)
