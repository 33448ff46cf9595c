"""Changes: each in a transaction and a task of its own, which nobody can cancel.

PostgreSQL gathers the commits of many connections into one flush by itself. What it must not be given is a
client that loses patience: a cancelled COMMIT is acknowledged although no standby has it (RELIABILITY.md 1.7,
trap a). So the task of a transaction waits for its COMMIT however long that takes, and keeps its connection;
who asked for it is told after a while that it is in doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from sojourn.core.errors import InDoubt, Unavailable
from sojourn.service.ports import Refused
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.driver import LOST, REPEATABLE, Connection
from sojourn.stores.postgres.faults import fault, of_storage, rolled_back
from sojourn.stores.postgres.pools import Connections
from sojourn.stores.postgres.primary import STALL_SECONDS, Primary

T = TypeVar("T")
_ATTEMPTS = 4
"""How often a transaction that met a deadlock is tried."""
_BEGIN = "BEGIN"


class Writer:
    """Runs changes on the connections for commits."""

    def __init__(self, connections: Connections, primary: Primary) -> None:
        self._connections = connections
        self._primary = primary
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self, work: Callable[[Change], Awaitable[T]], *, locks: str = "") -> T:
        """Do `work` in a transaction that holds `locks` (SQL) and return when it is durable.

        What `work` raises undoes it and is raised here. Cancelling the caller does not cancel the work.
        Raises InDoubt when it is not known whether it was committed, Unavailable when it was not.
        """
        if self._closed:
            raise Unavailable("The store is closed.")
        self._primary.require_writable()
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._answer(waiter, work, f"{_BEGIN}; {locks}" if locks else _BEGIN))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return cast(T, await waiter)

    async def close(self, patience_seconds: float) -> None:
        """Finish what was accepted, and accept nothing more. What then still waits for a standby is given up;
        it was acknowledged to nobody."""
        self._closed = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _answer(
        self, waiter: asyncio.Future[Any], work: Callable[[Change], Awaitable[Any]], begin: str
    ) -> None:
        try:
            result = await self._attempts(waiter, work, begin)
        except BaseException as error:
            if not waiter.done():
                waiter.set_exception(
                    InDoubt("The store was closed.") if isinstance(error, asyncio.CancelledError) else error
                )
            if not isinstance(error, Exception):
                raise
        else:
            if not waiter.done():
                waiter.set_result(result)

    async def _attempts(
        self, waiter: asyncio.Future[Any], work: Callable[[Change], Awaitable[T]], begin: str
    ) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            async with self._connections.use() as connection:
                try:
                    result = await self._statements(connection, work, begin)
                except REPEATABLE as error:
                    if attempt == _ATTEMPTS:
                        raise fault(error) from error
                    continue
                await self._commit(connection, waiter)
                return result
        raise AssertionError

    async def _statements(
        self, connection: Connection, work: Callable[[Change], Awaitable[T]], begin: str
    ) -> T:
        try:
            await connection.execute(begin)
            return await work(Change(connection))
        except Exception as error:
            await self._undo(connection)
            if isinstance(error, (Refused, *REPEATABLE)) or not of_storage(error):
                raise
            self._primary.doubt()
            raise fault(error) from error

    async def _undo(self, connection: Connection) -> None:
        try:
            await connection.execute("ROLLBACK")
        except LOST:
            # Nothing was committed: the server rolls back what loses its connection.
            _drop(connection)

    async def _commit(self, connection: Connection, waiter: asyncio.Future[Any]) -> None:
        """COMMIT, which is never timed out. Raises InDoubt for a lost connection and for a notice."""
        noticed: list[str] = []

        def listen(_connection: object, message: object) -> None:
            noticed.append(str(message))

        connection.add_log_listener(listen)
        stalled = asyncio.get_running_loop().call_later(STALL_SECONDS, self._stalled, waiter)
        try:
            status = await connection.execute("COMMIT")
        except Exception as error:
            self._primary.doubt()
            if rolled_back(error):
                raise fault(error) from error
            _drop(connection)
            raise InDoubt(f"{type(error).__name__}: {error}") from error
        finally:
            stalled.cancel()
            with suppress(*LOST):  # one that is gone has nothing to say any more
                connection.remove_log_listener(listen)
        if noticed:
            self._primary.stalled()
            raise InDoubt(noticed[0])
        if status != "COMMIT":
            raise Unavailable("The transaction was rolled back by the server.")

    def _stalled(self, waiter: asyncio.Future[Any]) -> None:
        self._primary.stalled()
        if not waiter.done():
            waiter.set_exception(InDoubt("No standby has confirmed the commit yet."))


def _drop(connection: Connection) -> None:
    """Use a connection no more. One that the pool has found out to be gone by itself cannot be dropped
    again."""
    with suppress(*LOST):
        connection.terminate()
