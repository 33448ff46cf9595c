"""Opening connections: the one place that knows how a database file has to be treated."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import apsw

from sojourn.core.errors import ConfigurationError, Unavailable
from sojourn.stores.sqlite.driver import Connection
from sojourn.stores.sqlite.faults import fault

BUSY_MS = 5_000
"""How long a connection in a thread waits for another process before it gives up."""
_OLDEST = (3, 51, 3)
"""The first SQLite without the WAL-reset bug, which corrupts a file that two connections write
(RELIABILITY.md 1.7)."""
_CACHE_KIB = 16_384
_WAL_KEPT_BYTES = 64 * 1024 * 1024
"""A log that a long read has let grow is cut back to this when it is started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Internals:
    """How the fault tests open a store; the service uses the defaults, and no setting reaches them.

    `vfs` names a registered VFS. One written in Python has no shared memory, which takes `exclusive`: one
    connection for everything, used from the event loop alone, and no other process. `synchronous` is lowered
    only to show that a power cut then loses what was acknowledged.
    """

    vfs: str | None = None
    exclusive: bool = False
    synchronous: str = "FULL"


def create(path: str, internals: Internals, *, allowed: bool) -> None:
    """Make sure that the file exists, readable by its owner alone; where not `allowed`, only check the path.

    Raises ConfigurationError for a path that names no file (SQLite would open a database that vanishes) or
    that cannot be made, and for an SQLite that is too old to be trusted.
    """
    check_version(apsw.sqlite_lib_version())
    if path in ("", ":memory:"):
        raise ConfigurationError("The SQLite store needs a file. For a store in memory use memory://.")
    if internals.vfs is not None or not allowed:
        return
    # Exclusively, because closing a descriptor of a file that is open already would drop SQLite's locks on
    # it. SQLite gives the files beside it the same mode.
    with suppress(FileExistsError):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            raise
        except OSError as error:
            raise ConfigurationError(f"The database {path} cannot be made: {error.strerror}.") from error


def check_version(version: str) -> None:
    """Raises ConfigurationError for an SQLite older than 3.51.3."""
    if tuple(int(part) for part in version.split(".")) < _OLDEST:
        raise ConfigurationError(f"SQLite {version} can corrupt a database; 3.51.3 or newer is needed.")


def connect(path: str, internals: Internals, *, writes: bool) -> Connection:
    """A connection with every setting made and read back.

    Raises ConfigurationError when the file is no database or a setting does not take, Unavailable when
    another process keeps the file locked.
    """
    flags = apsw.SQLITE_OPEN_READWRITE
    if internals.vfs is not None:
        flags |= apsw.SQLITE_OPEN_CREATE
    try:
        connection = cast(Connection, apsw.Connection(path, flags=flags, vfs=internals.vfs))
    except apsw.CantOpenError as error:
        raise ConfigurationError(f"The database {path} cannot be opened.") from error
    try:
        connection.set_busy_timeout(BUSY_MS)
        _configure(connection, internals, writes=writes)
    except BaseException as error:
        connection.close()
        if isinstance(error, apsw.NotADBError):
            raise ConfigurationError(f"The file {path} is not an SQLite database.") from error
        if isinstance(error, apsw.Error):
            raise fault(error) from error
        raise
    return connection


def _configure(connection: Connection, internals: Internals, *, writes: bool) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    if internals.exclusive:
        _set(connection, "locking_mode", "exclusive")
    _enter_wal(connection)
    levels = {"OFF": 0, "NORMAL": 1, "FULL": 2}
    _set(connection, "synchronous", levels[internals.synchronous])
    _set(connection, "foreign_keys", 1)
    _set(connection, "trusted_schema", 0)
    _set(connection, "cell_size_check", 1)
    _set(connection, "temp_store", 2)
    # What is deleted or replaced is zeroed in its page: an old secret must not lie on in free space.
    _set(connection, "secure_delete", 1)
    _set(connection, "cache_size", -_CACHE_KIB)
    if internals.vfs is None:
        _set(connection, "mmap_size", 0)
    # Nothing reaches the disk before the COMMIT, which is the only step that leaves the event loop.
    _set(connection, "cache_spill", 0)
    _set(connection, "journal_size_limit", _WAL_KEPT_BYTES)
    # Inside a COMMIT SQLite would swallow the errors of a checkpoint; the writer runs it and looks at them.
    _set(connection, "wal_autocheckpoint", 0)
    if not writes:
        _set(connection, "query_only", 1)


def _enter_wal(connection: Connection) -> None:
    """Switching a new file to WAL takes all of it, and SQLite does not always wait for that: so we do."""
    until = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            mode = connection.pragma("journal_mode", "wal")
        except apsw.BusyError as error:
            if time.monotonic() > until:
                raise Unavailable("Another process keeps the database locked.") from error
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise ConfigurationError(f"The database takes no write-ahead log and stays in {mode} mode.")
        return


def _set(connection: Connection, name: str, value: str | int) -> None:
    """Set a pragma and make sure that it took: an unknown one or a refused value is silent."""
    connection.pragma(name, value)
    found = connection.pragma(name)
    if found != value:
        raise ConfigurationError(f"SQLite keeps {name} at {found!r} instead of {value!r}.")
