"""The part of apsw that the store uses, as types.

apsw's own annotations name `collections.abc.Buffer`, which Python 3.11 does not have, so that to a strict
checker most of its methods have no known type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import apsw


class Cursor(Protocol):
    """What a statement gives. It stays open, and its transaction with it, until all rows are fetched."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""
        ...

    def __iter__(self) -> Iterator[tuple[Any, ...]]: ...

    def execute(self, statements: str, bindings: Any = ...) -> Cursor:
        """Run the first statement, and the others as the rows are fetched."""
        ...


class Connection(Protocol):
    """An apsw.Connection."""

    @property
    def filename(self) -> str:
        """The whole path of the database."""
        ...

    def cursor(self) -> Cursor:
        """A cursor for statements one after the other."""
        ...

    def execute(self, statements: str, bindings: Any = ...) -> Cursor:
        """Run a statement on a new cursor."""
        ...

    def changes(self) -> int:
        """Rows that the last statement changed."""
        ...

    def pragma(self, name: str, value: str | int = ...) -> Any:
        """Set or read a setting."""
        ...

    def config(self, op: int, value: int) -> int:
        """Set a switch of the connection."""
        ...

    def status(self, op: int) -> tuple[int, int]:
        """A counter and its highest value."""
        ...

    def wal_checkpoint(self, *, mode: int = ...) -> tuple[int, int]:
        """Copy what is in the log into the database; by default as far as nobody is in the way (PASSIVE).

        Tells how many pages the log has and how many of them are in the database now.
        """
        ...

    def set_busy_timeout(self, milliseconds: int) -> None:
        """How long to wait for a lock that somebody else holds."""
        ...

    def set_busy_handler(self, callback: Callable[[int], bool] | None, /) -> None:
        """Call back whenever a lock is held by somebody else; False gives up. None: give up at once."""
        ...

    def set_progress_handler(self, callback: Callable[[], bool] | None, steps: int = ..., /) -> None:
        """Call back every so many instructions; True breaks the statement off."""
        ...

    @property
    def system_errno(self) -> int:
        """What the system said to the last I/O error that this connection met."""
        ...

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


def extended_code(error: apsw.Error) -> int:
    """SQLite's extended result code of an error; 0 where it did not come from SQLite."""
    return getattr(error, "extendedresult", 0)
