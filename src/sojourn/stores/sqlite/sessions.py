"""Sessions, clients and cutoffs on SQLite; the rows are in `rows.py`, the hot reads in `reads.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CoroutineType
from typing import Any

import apsw

from sojourn.core.client import Client
from sojourn.core.directory import DAY_MS
from sojourn.core.lifecycle import SubjectKind
from sojourn.core.session import Activity
from sojourn.service.ports import (
    ClientPage,
    ClientQuery,
    Held,
    InsertClient,
    InsertCutoff,
    InsertSession,
    Overdue,
    Refused,
    SessionPage,
    SessionQuery,
    SessionWalk,
    UpdateClient,
    UpdateSession,
    WalkStep,
)
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows import sessions as rows
from sojourn.stores.sqlite.changes import Change
from sojourn.stores.sqlite.driver import extended_code
from sojourn.stores.sqlite.reads import Reads, Statement
from sojourn.stores.sqlite.sweep import Housekeeping
from sojourn.stores.sqlite.writer import Writer

_SQL = queries("sqlite")
_NO_ENDING = (None, None, None, None)


class Sessions:
    """The verbs for sessions and clients."""

    _reads: Reads
    _writer: Writer
    _change: Change
    _housekeeping: Housekeeping

    def session(self, session_id: str) -> CoroutineType[Any, Any, Held | None]:
        """As the port says."""
        return self._reads.session(session_id)

    async def sessions(self, query: SessionQuery) -> SessionPage:
        """As the port says."""
        return await self._reads.sessions(query)

    async def walk(self, walk: SessionWalk) -> WalkStep:
        """As the port says."""
        return await self._reads.walk(walk)

    async def last_cutoff_at(self, user_id: str) -> int:
        """As the port says."""
        return (await self._reads.point(_SQL["cutoff_last_at"], (user_id,)))[0][0]

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

    async def touch(self, session_id: str, *, now: int, activity: Activity | None = None) -> bool:
        """As the port says."""
        return await self._writer.run(lambda: _touch(self._change, session_id, now, activity))

    async def overdue(self, now: int, limit: int) -> Overdue:
        """As the port says."""
        return Overdue(await self._housekeeping.overdue(now, limit))


# What each operation does ----------------------------------------------------------------------------------


def _touch(change: Change, session_id: str, now: int, activity: Activity | None) -> bool:
    """Touch a session that is live at `now` (ms). False when it is not."""
    bindings = {"id": session_id, "now": now, "activity": rows.activity_value(activity)}
    touched = change.execute(_SQL["session_touch"], bindings).fetchall()
    if not touched:
        return False
    change.execute(_SQL["user_touch_day"], {"id": touched[0][0], "day": now - now % DAY_MS})
    return True


def _insert_session(change: Change, operation: InsertSession) -> None:
    session = operation.session
    change.execute(_SQL["user_signed_in"], {"id": session.user_id, "at": session.created_at})
    if not change.count():
        raise Refused(_why_not(change, session.user_id), operation)
    if operation.at_most is not None:
        bindings = {"user_id": session.user_id, "now": session.created_at}
        ((live,),) = change.execute(_SQL["session_live_of_user"], bindings).fetchall()
        if live >= operation.at_most:
            raise Refused(Refused.LIMIT, operation)
    try:
        change.insert("session_insert", rows.session_values(session), session.id)
    except apsw.ConstraintError as error:
        if extended_code(error) == apsw.SQLITE_CONSTRAINT_FOREIGNKEY:
            raise Refused(Refused.CLIENT_MISSING, operation) from None
        raise


def _why_not(change: Change, user_id: str) -> str:
    """Why a user takes no session."""
    found = change.execute(_SQL["user_is_banned"], (user_id,)).fetchall()
    if not found:
        return Refused.USER_MISSING
    return Refused.USER_BANNED if found[0][0] else Refused.USER_LOCKED


def _update_session(change: Change, operation: UpdateSession) -> None:
    session = operation.session
    ending = _NO_ENDING if session.ending is None else rows.ending_values(session.ending)
    ended_at, reason, instigator, note = ending
    bindings = {
        "id": session.id,
        "expected_version": operation.expected_version,
        "expected_active_at": operation.expected_active_at,
        "status": session.status.value,
        "updated_at": session.updated_at,
        "version": session.version,
        "organization_id": session.last_active_organization_id,
        "tasks": rows.tasks_value(session.tasks),
        "ended_at": ended_at,
        "reason": reason,
        "instigator": instigator,
        "note": note,
        "first_factor_at": session.first_factor_at,
        "second_factor_at": session.second_factor_at,
    }
    change.update("session_update", bindings, operation)


def _insert_client(change: Change, operation: InsertClient) -> None:
    change.insert("client_insert", rows.client_values(operation.client), operation.client.id)


def _update_client(change: Change, operation: UpdateClient) -> None:
    values = (*rows.client_values(operation.client), operation.expected_version)
    change.update("client_update", values, operation)


def _insert_cutoff(change: Change, operation: InsertCutoff) -> None:
    cutoff = operation.cutoff
    # A store serves one instance, so its cutoffs cover every session whatever the instance is called.
    scope = "instance" if cutoff.kind is SubjectKind.INSTANCE else cutoff.subject
    bindings = {
        "scope": scope,
        "kind": cutoff.kind.value,
        "subject": cutoff.subject,
        "at": cutoff.at,
        "status": cutoff.status.value,
        "reason": cutoff.reason.value,
        "instigator": cutoff.instigator.value,
        "note": cutoff.note,
        "spared": cutoff.spared,
    }
    change.execute(_SQL["cutoff_insert"], bindings)


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertSession: _insert_session,
    UpdateSession: _update_session,
    InsertClient: _insert_client,
    UpdateClient: _update_client,
    InsertCutoff: _insert_cutoff,
}
"""What a commit does for each operation."""
