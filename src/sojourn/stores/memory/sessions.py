"""Sessions, clients and cutoffs in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from sojourn.core.client import Client
from sojourn.core.directory import DAY_MS
from sojourn.core.lifecycle import SubjectKind, settle
from sojourn.core.lifecycle import touch as touched
from sojourn.core.session import Activity, Actor, Ending, Session
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
from sojourn.stores.memory.tables import Change, Tables, latest, own


class Sessions:
    """The verbs for sessions and clients."""

    _tables: Tables

    async def session(self, session_id: str) -> Held | None:
        """As the port says."""
        found = self._tables.sessions.get(session_id)
        return None if found is None else self._held(found)

    async def sessions(self, query: SessionQuery) -> SessionPage:
        """As the port says."""
        matches = (held for held in self._candidates(query) if _admits(query, held))
        if not query.count:
            return SessionPage(list(islice(matches, query.offset, query.offset + query.limit)))
        every = list(matches)
        return SessionPage(every[query.offset : query.offset + query.limit], len(every))

    async def walk(self, walk: SessionWalk) -> WalkStep:
        """As the port says."""
        query = SessionQuery(now=walk.now, user_id=walk.user_id, client_id=walk.client_id)
        earlier = (
            held
            for held in self._candidates(query)
            if walk.before is None or held.session.sequence < walk.before
        )
        looked_at = list(islice(earlier, walk.window))
        items = [held for held in looked_at if _matches(walk, held)][: walk.limit]
        if len(items) == walk.limit:
            return WalkStep(items, items[-1].session.sequence)
        return WalkStep(items, looked_at[-1].session.sequence if len(looked_at) == walk.window else None)

    async def last_cutoff_at(self, user_id: str) -> int:
        """As the port says."""
        subjects = ((SubjectKind.USER, user_id), (SubjectKind.INSTANCE, ""))
        found = (self._tables.cutoffs.get(subject) for subject in subjects)
        # A later one is never before an earlier one.
        return max((cutoffs[-1].at for cutoffs in found if cutoffs), default=0)

    async def client(self, client_id: str) -> Client | None:
        """As the port says."""
        return self._tables.clients.get(client_id)

    async def clients(self, query: ClientQuery) -> ClientPage:
        """As the port says."""
        newest = reversed(self._tables.clients.values())
        items = list(islice(newest, query.offset, query.offset + query.limit))
        return ClientPage(items, len(self._tables.clients) if query.count else None)

    async def touch(self, session_id: str, *, now: int, activity: Activity | None = None) -> bool:
        """As the port says."""
        found = self._tables.sessions.get(session_id)
        if found is None or not settle(found, self._tables.covering(found), now).live:
            return False
        self._tables.sessions[session_id] = touched(found, now, activity=activity)
        user = self._tables.users.get(found.user_id)
        day = now - now % DAY_MS
        if user is not None and (user.last_active_at is None or user.last_active_at < day):
            self._tables.users[user.id] = replace(user, last_active_at=day)
        return True

    async def overdue(self, now: int, limit: int) -> Overdue:
        """As the port says; here only what has ended is handed out, so there is no bookkeeping to move."""
        live = (self._held(session) for session in self._tables.sessions.values() if session.live)
        ended = (held for held in live if not settle(held.session, held.cutoffs, now).live)
        return Overdue(list(islice(ended, limit)))

    def _candidates(self, query: SessionQuery) -> Iterator[Held]:
        """Newest first, by the narrowest index that the query allows."""
        ids: dict[str, Any] = self._tables.sessions
        if query.user_id is not None:
            ids = self._tables.of_user.get(query.user_id, {})
        elif query.client_id is not None:
            ids = self._tables.of_client.get(query.client_id, {})
        for session_id in reversed(ids):
            session = self._tables.sessions[session_id]
            if query.client_id is None or session.client_id == query.client_id:
                yield self._held(session)

    def _held(self, session: Session) -> Held:
        return Held(session, self._tables.covering(session))


def _admits(query: SessionQuery, held: Held) -> bool:
    if query.statuses is None and not query.excluded:
        return True
    status = settle(held.session, held.cutoffs, query.now).status
    return status not in query.excluded and (query.statuses is None or status in query.statuses)


def _matches(walk: SessionWalk, held: Held) -> bool:
    session = held.session
    actor = session.actor.sub if session.actor else None
    given = (
        (walk.organization_id, session.last_active_organization_id),
        (walk.actor, actor),
        (walk.application, session.application),
    )
    return (
        all(wanted is None or wanted == found for wanted, found in given)
        and (walk.created_from is None or session.created_at >= walk.created_from)
        and (walk.created_before is None or session.created_at < walk.created_before)
        and (walk.active_from is None or session.last_active_at >= walk.active_from)
        and (walk.active_before is None or session.last_active_at < walk.active_before)
        and (walk.statuses is None or settle(session, held.cutoffs, walk.now).status in walk.statuses)
    )


# What each operation does ----------------------------------------------------------------------------------


def _insert_session(change: Change, operation: InsertSession) -> None:
    session = operation.session
    user = change.tables.users.get(session.user_id)
    if user is None:
        raise Refused(Refused.USER_MISSING, operation)
    if user.banned:
        raise Refused(Refused.USER_BANNED, operation)
    if user.locked:
        raise Refused(Refused.USER_LOCKED, operation)
    if session.client_id not in change.tables.clients:
        raise Refused(Refused.CLIENT_MISSING, operation)
    if operation.at_most is not None:
        held = [change.tables.sessions[other] for other in change.tables.of_user.get(session.user_id, ())]
        live = [one for one in held if settle(one, change.tables.covering(one), session.created_at).live]
        if len(live) >= operation.at_most:
            raise Refused(Refused.LIMIT, operation)
    actor = session.actor and Actor(session.actor.sub, own(session.actor.members))
    stored = replace(session, actor=actor, sequence=change.next("session"))
    change.new(change.tables.sessions, session.id, stored)
    change.journal.put(change.tables.of_user.setdefault(session.user_id, {}), session.id, None)
    change.journal.put(change.tables.of_client.setdefault(session.client_id, {}), session.id, None)
    signed_in = latest(user.last_sign_in_at, session.created_at)
    change.journal.put(change.tables.users, user.id, replace(user, last_sign_in_at=signed_in))


def _update_session(change: Change, operation: UpdateSession) -> None:
    stored, wanted = change.tables.sessions.get(operation.session.id), operation.session
    if (
        stored is None
        or not stored.live
        or stored.version != operation.expected_version
        or operation.expected_active_at not in (None, stored.last_active_at)
        or _ended_before(change, stored, wanted.ending)
    ):
        raise Refused(Refused.CHANGED, operation)
    changed = replace(
        stored,
        status=wanted.status,
        ending=wanted.ending,
        tasks=wanted.tasks,
        last_active_organization_id=wanted.last_active_organization_id,
        first_factor_at=wanted.first_factor_at,
        second_factor_at=wanted.second_factor_at,
        version=wanted.version,
        updated_at=wanted.updated_at,
    )
    change.journal.put(change.tables.sessions, stored.id, changed)


def _insert_client(change: Change, operation: InsertClient) -> None:
    client = operation.client
    change.new(change.tables.clients, client.id, replace(client, sequence=change.next("client")))


def _update_client(change: Change, operation: UpdateClient) -> None:
    client = operation.client
    stored = change.tables.clients.get(client.id)
    if stored is None or stored.version != operation.expected_version:
        raise Refused(Refused.CHANGED, operation)
    change.journal.put(change.tables.clients, client.id, replace(client, sequence=stored.sequence))


def _insert_cutoff(change: Change, operation: InsertCutoff) -> None:
    cutoff = operation.cutoff
    # A store serves one instance, so its cutoffs cover every session whatever the instance is called.
    subject = "" if cutoff.kind is SubjectKind.INSTANCE else cutoff.subject
    earlier = change.tables.cutoffs.get((cutoff.kind, subject), ())
    at = max(cutoff.at, earlier[-1].at) if earlier else cutoff.at
    stored = replace(cutoff, at=at, sequence=change.tables.given.get("session", 0))
    change.journal.put(change.tables.cutoffs, (cutoff.kind, subject), (*earlier, stored))


def _ended_before(change: Change, session: Session, ending: Ending | None) -> bool:
    """Whether a cutoff has ended the session already: whoever has read that end never reads a later
    one."""
    ends = [max(cutoff.at, session.created_at) for cutoff in change.tables.covering(session)]
    return bool(ends) and (ending is None or ending.at > min(ends))


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertSession: _insert_session,
    UpdateSession: _update_session,
    InsertClient: _insert_client,
    UpdateClient: _update_client,
    InsertCutoff: _insert_cutoff,
}
"""What a commit does for each operation."""
