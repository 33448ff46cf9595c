"""What PostgreSQL reports, as the errors that the port promises."""

from __future__ import annotations

from sojourn.core.errors import StorageFailed, StorageFull, Unavailable
from sojourn.stores.postgres.driver import LOST, DriverError, sqlstate_of

_PASSING = ("08", "25006", "25P03", "25P04", "40", "53", "55", "57", "58")
"""Beginnings of SQLSTATEs that may pass by themselves: connection, a standby or a server that ends our
transaction, conflicts, resources, locks and intervention of an operator, and errors of the system under the
server."""
_BROKEN = ("XX001", "XX002")
_FULL = "53100"


def of_storage(error: BaseException) -> bool:
    """Whether the server or the way to it is to blame, and not the statement or the values of one request."""
    return isinstance(error, LOST) or sqlstate_of(error).startswith((*_PASSING, *_BROKEN))


def fault(error: BaseException) -> Unavailable:
    """The error to raise instead: StorageFull, StorageFailed, or Unavailable for what may pass by itself."""
    detail = f"{type(error).__name__}: {error}"
    state = sqlstate_of(error)
    if state == _FULL:
        return StorageFull(detail)
    if state in _BROKEN:
        return StorageFailed(detail)
    return Unavailable(detail)


def rolled_back(error: BaseException) -> bool:
    """Whether an error in answer to a COMMIT says for certain that nothing was committed.

    A server that is being shut down or has lost its standby says nothing certain.
    """
    return isinstance(error, DriverError) and sqlstate_of(error).startswith(("23", "40", "25P"))
