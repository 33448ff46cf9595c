"""Sessions, clients and cutoffs on PostgreSQL; the hot reads are in `reads.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

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
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.driver import Dangling
from sojourn.stores.postgres.locks import scope_of
from sojourn.stores.postgres.pools import Connections
from sojourn.stores.postgres.primary import Primary
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.postgres.statements import SQL, prepared
from sojourn.stores.postgres.sweep import Housekeeping
from sojourn.stores.sql.rows import sessions as rows

_NO_ENDING = (None, None, None, None)


class Sessions:
    """The verbs for sessions and clients."""

    _reads: Reads
    _primary: Primary
    _touches: Connections
    _housekeeping: Housekeeping

    async def session(self, session_id: str) -> Held | None:
        """As the port says."""
        return await self._reads.session(session_id)

    async def sessions(self, query: SessionQuery) -> SessionPage:
        """As the port says."""
        return await self._reads.sessions(query)

    async def walk(self, walk: SessionWalk) -> WalkStep:
        """As the port says."""
        return await self._reads.walk(walk)

    async def last_cutoff_at(self, user_id: str) -> int:
        """As the port says."""
        scope = scope_of(SubjectKind.USER, user_id)
        found = await self._reads.named("cutoff_last_at", scope=scope)
        return found[0][0] if found else 0

    async def client(self, client_id: str) -> Client | None:
        """As the port says."""
        found = await self._reads.named("client_get", id=client_id)
        return rows.client_of(found[0]) if found else None

    async def clients(self, query: ClientQuery) -> ClientPage:
        """As the port says."""
        found = await self._reads.named("client_page", limit=query.limit, offset=query.offset)
        items = [rows.client_of(row) for row in found]
        if not query.count:
            return ClientPage(items)
        return ClientPage(items, (await self._reads.named("client_count"))[0][0])

    async def touch(self, session_id: str, *, now: int, activity: Activity | None = None) -> bool:
        """As the port says."""
        self._primary.require_writable()
        bindings = {
            "id": session_id,
            "now": now,
            "day": now - now % DAY_MS,
            "activity": rows.activity_value(activity),
        }
        return bool(await self._touches.rows(*prepared(SQL["session_touch"], bindings)))

    async def overdue(self, now: int, limit: int) -> Overdue:
        """As the port says."""
        return Overdue(await self._housekeeping.overdue(now, limit))


# What each operation does ----------------------------------------------------------------------------------


async def _insert_session(change: Change, operation: InsertSession) -> None:
    session = operation.session
    # Also a lock: a ban or a deletion of this user comes before, or sees this session.
    if not await change.run("user_signed_in", {"id": session.user_id, "at": session.created_at}):
        raise Refused(await _why_not(change, session.user_id), operation)
    if operation.at_most is not None:
        bindings = {"user_id": session.user_id, "now": session.created_at}
        ((live,),) = await change.rows("session_live_of_user", bindings)
        if live >= operation.at_most:
            raise Refused(Refused.LIMIT, operation)
    actor = None if session.actor is None else session.actor.sub
    try:
        await change.insert("session_insert", (*rows.session_values(session), actor), session.id)
    except Dangling:
        raise Refused(Refused.CLIENT_MISSING, operation) from None


async def _why_not(change: Change, user_id: str) -> str:
    """Why a user takes no session."""
    found = await change.rows("user_is_banned", {"id": user_id})
    if not found:
        return Refused.USER_MISSING
    return Refused.USER_BANNED if found[0][0] else Refused.USER_LOCKED


async def _update_session(change: Change, operation: UpdateSession) -> None:
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
    await change.update("session_update", bindings, operation)


async def _insert_client(change: Change, operation: InsertClient) -> None:
    await change.insert("client_insert", rows.client_values(operation.client), operation.client.id)


async def _update_client(change: Change, operation: UpdateClient) -> None:
    values = (*rows.client_values(operation.client), operation.expected_version)
    await change.update("client_update", values, operation)


async def _insert_cutoff(change: Change, operation: InsertCutoff) -> None:
    cutoff = operation.cutoff
    bindings = {
        "scope": scope_of(cutoff.kind, cutoff.subject),
        "kind": cutoff.kind.value,
        "subject": cutoff.subject,
        "at": cutoff.at,
        "status": cutoff.status.value,
        "reason": cutoff.reason.value,
        "instigator": cutoff.instigator.value,
        "note": cutoff.note,
        "spared": cutoff.spared,
    }
    await change.run("cutoff_insert", bindings)


CHANGES: Mapping[type, Callable[..., Awaitable[None]]] = {
    InsertSession: _insert_session,
    UpdateSession: _update_session,
    InsertClient: _insert_client,
    UpdateClient: _update_client,
    InsertCutoff: _insert_cutoff,
}
"""What a commit does for each operation."""
