"""Connections to the primary: for reads, for commits and for touches, each with a bound and a bounded wait.

They are apart so that none can starve another: a commit that waits for a standby keeps its connection, and
while all of those wait, reads go on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sojourn.core.errors import Unavailable
from sojourn.stores.postgres.driver import (
    LOST,
    BadValue,
    Connection,
    Pool,
    Row,
    holds_no_such_text,
    open_pool,
)
from sojourn.stores.postgres.faults import fault, of_storage
from sojourn.stores.postgres.primary import Primary

ACQUIRE_SECONDS = 2.0
"""How long to wait for a connection to be free."""
QUEUE_LIMIT = 2_000
"""Most who wait for a connection of one pool."""


class Connections:
    """One pool, bounded in connections, in waiting and in those who wait."""

    def __init__(self, pool: Pool, primary: Primary, size: int) -> None:
        self._pool = pool
        self._primary = primary
        self._waiting = 0
        self.size = size
        self.fetch = pool.fetch
        """Rows of one statement, without waiting politely: `rows` does that."""

    @classmethod
    async def open(cls, primary: Primary, size: int, **settings: str) -> Connections:
        """A pool of at most `size` connections, made when they are needed."""

        async def connect(*args: Any, **options: Any) -> Connection:
            connection = await primary.connect(*args, **options)
            for name, value in settings.items():
                await connection.execute(f"SET {name} = {value}")
            return connection

        return cls(await open_pool(connect, size), primary, size)

    @property
    def waiting(self) -> int:
        """How many wait for a connection."""
        return self._waiting

    @property
    def busy(self) -> int:
        """How many connections are in use."""
        return self._pool.get_size() - self._pool.get_idle_size()

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[Connection]:
        """A connection for the caller alone. Raises Unavailable when none is free in time."""
        connection = await self._acquire()
        try:
            yield connection
        finally:
            await self._release(connection)

    async def rows(self, sql: str, values: Any = ()) -> list[Row]:
        """Rows of one statement that only reads; asked once more where its connection turns out to be gone.

        A text that PostgreSQL cannot hold is in no row. Raises Unavailable.
        """
        for attempt in (1, 2):
            try:
                async with self.use() as connection:
                    return await connection.fetch(sql, *values)
            except BadValue as error:
                if holds_no_such_text(error):
                    return []
                raise
            except Unavailable:
                raise
            except Exception as error:
                if not of_storage(error):
                    raise
                self._primary.doubt()
                if attempt == 2 or not isinstance(error, LOST):
                    raise fault(error) from error
        raise AssertionError

    async def expire(self) -> None:
        """Use none of the connections again: there is another primary."""
        await self._pool.expire_connections()

    def terminate(self) -> None:
        """Drop all connections."""
        self._pool.terminate()

    async def _acquire(self) -> Connection:
        if self._waiting >= QUEUE_LIMIT:
            raise Unavailable("Too many are waiting for a connection to PostgreSQL.")
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        except TimeoutError:
            raise Unavailable("All connections to PostgreSQL are busy.") from None
        except LOST as error:
            self._primary.doubt()
            raise fault(error) from error
        finally:
            self._waiting -= 1

    async def _release(self, connection: Connection) -> None:
        try:
            await self._pool.release(connection)
        except LOST:
            self._primary.doubt()
