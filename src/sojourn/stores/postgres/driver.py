"""The part of asyncpg that the store uses, with types, which it does not come with, and the errors that it
raises.

Nothing else imports it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

Row: TypeAlias = Sequence[Any]
"""An asyncpg.Record: a sequence, whose slices are tuples."""


class Connection(Protocol):
    """An asyncpg.Connection."""

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> list[Row]:
        """Rows of a prepared statement."""
        ...

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        """Run a statement, or without arguments a script, and give the last command tag."""
        ...

    async def executemany(self, command: str, args: Sequence[Sequence[object]]) -> None:
        """Run a prepared statement for each of the arguments, in one exchange."""
        ...

    def remove_log_listener(self, callback: Callable[..., None]) -> None:
        """Call back no more."""
        ...

    def add_log_listener(self, callback: Callable[..., None]) -> None:
        """Call back for every notice and warning."""
        ...

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        """LISTEN on a channel."""
        ...

    def is_closed(self) -> bool:
        """Whether the connection is gone."""
        ...

    def terminate(self) -> None:
        """Drop the connection without a word."""
        ...

    async def close(self, *, timeout: float | None = None) -> None:
        """Say good-bye and release the socket."""
        ...


class Pool(Protocol):
    """An asyncpg.Pool."""

    async def acquire(self, *, timeout: float | None = None) -> Connection:
        """A connection for the caller alone."""
        ...

    async def release(self, connection: Connection) -> None:
        """Give a connection back."""
        ...

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> list[Row]:
        """Rows of a statement on any connection."""
        ...

    def get_size(self) -> int:
        """Connections that are open."""
        ...

    def get_idle_size(self) -> int:
        """Those of them that nobody uses."""
        ...

    async def expire_connections(self) -> None:
        """Replace every connection when it is asked for next."""
        ...

    def terminate(self) -> None:
        """Drop all connections."""
        ...


_asyncpg = cast(Any, asyncpg)
DriverError = cast(type[Exception], _asyncpg.PostgresError)
"""What the server answers."""
Duplicate = cast(type[Exception], _asyncpg.UniqueViolationError)
Dangling = cast(type[Exception], _asyncpg.ForeignKeyViolationError)
NoSuchTable = cast(type[Exception], _asyncpg.UndefinedTableError)
BadValue = cast(type[Exception], _asyncpg.DataError)
# A killed server has surfaced as each of these (RELIABILITY.md 3.1); asyncpg.InternalClientError too.
LOST = cast(
    "tuple[type[Exception], ...]",
    (
        _asyncpg.InterfaceError,
        _asyncpg.InternalClientError,
        _asyncpg.PostgresConnectionError,
        OSError,
        asyncio.TimeoutError,
    ),
)
"""What is raised when the connection, not the statement, is at fault."""
REPEATABLE = cast(
    "tuple[type[Exception], ...]", (_asyncpg.DeadlockDetectedError, _asyncpg.SerializationError)
)
"""What rolls a transaction back that may simply be tried again."""


GIVEN_UP = "57014"
"""SQLSTATE of a statement that took longer than it may."""


def sqlstate_of(error: BaseException) -> str:
    """The SQLSTATE of an error; empty where it did not come from PostgreSQL."""
    return str(getattr(error, "sqlstate", None) or "")


def constraint_of(error: BaseException) -> str:
    """The name of the constraint that was violated."""
    return str(getattr(error, "constraint_name", None) or "")


def holds_no_such_text(error: Exception) -> bool:
    """Whether a value is a text that PostgreSQL cannot hold: with U+0000 or half a surrogate pair."""
    return sqlstate_of(error) in ("22021", "22P05") or isinstance(error.__cause__, UnicodeEncodeError)


async def open_connection(url: str, **options: Any) -> Connection:
    """As asyncpg.connect."""
    return cast(Connection, await _asyncpg.connect(url, **options))


async def open_pool(connect: Callable[..., Awaitable[Connection]], size: int) -> Pool:
    """A pool of at most `size` connections, each made by `connect` when it is needed first."""
    # What asyncpg does by itself to a connection that comes back costs a round trip, and nothing here leaves
    # anything behind in a session.
    return cast(
        Pool,
        await _asyncpg.create_pool(
            connect=connect, min_size=0, max_size=size, reset=_nothing, max_inactive_connection_lifetime=0
        ),
    )


async def _nothing(_connection: object) -> None:
    return None
