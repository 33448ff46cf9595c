"""What SQLite reports, as the errors that the port promises."""

from __future__ import annotations

import apsw

from sojourn.core.errors import StorageFailed, StorageFull, Unavailable
from sojourn.stores.sqlite.driver import extended_code

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


def fault(error: BaseException) -> Unavailable:
    """The error to raise instead: StorageFull, StorageFailed, or Unavailable for what may pass by itself."""
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, apsw.FullError) or _no_room_for_index(error):
        return StorageFull(detail)
    if isinstance(error, _FATAL):
        return StorageFailed(detail)
    return Unavailable(detail)


def _no_room_for_index(error: BaseException) -> bool:
    # SQLite's word for a full disk where it extends the shared memory file; nothing has been written then.
    return isinstance(error, apsw.IOError) and extended_code(error) == apsw.SQLITE_IOERR_SHMSIZE
