"""What SQLite reports, as the errors that the port promises."""

from __future__ import annotations

import errno

import apsw

from sojourn.core.errors import StorageFailed, StorageFull, Unavailable
from sojourn.stores.sqlite.driver import Connection, extended_code

# After one of these nobody knows what is on the disk. A failed fsync above all: the kernel marks the pages as
# clean, and the next fsync succeeds without having written them ("fsyncgate", RELIABILITY.md 1.7).
_FATAL = (apsw.IOError, apsw.CorruptError, apsw.NotADBError)
_PASSING = (
    apsw.AbortError,
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.FullError,
    apsw.InterruptError,
    apsw.LockedError,
    apsw.NoLFSError,
    apsw.NoMemError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
    apsw.ThreadingViolationError,
)


def of_storage(error: BaseException) -> bool:
    """Whether the storage is to blame, and not the statement or the values of one request."""
    return isinstance(error, (*_FATAL, *_PASSING))


def fault(error: BaseException, connection: Connection | None = None) -> Unavailable:
    """The error to raise instead: StorageFull, StorageFailed, or Unavailable for what may pass by itself.

    `connection` is the one that met the error, asked what the system said.
    """
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, apsw.FullError) or _no_room(error, connection):
        return StorageFull(detail)
    if isinstance(error, _FATAL):
        return StorageFailed(detail)
    return Unavailable(detail)


def _no_room(error: BaseException, connection: Connection | None) -> bool:
    """Whether this I/O error is a full disk by another name; then nothing has been written."""
    if not isinstance(error, apsw.IOError):
        return False
    code = extended_code(error)
    if code == apsw.SQLITE_IOERR_WRITE:
        # SQLite says FULL for ENOSPC alone. A quota that is used up and a file at its largest size are no
        # broken disk either: the system has refused to take the data, and takes it once there is room.
        return connection is not None and connection.system_errno in (errno.EDQUOT, errno.EFBIG)
    # SQLite's word for a full disk where it extends the shared memory file.
    return code == apsw.SQLITE_IOERR_SHMSIZE
