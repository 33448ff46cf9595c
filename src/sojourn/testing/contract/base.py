"""What the parts of the contract share: the store under test, and short ways to fill and to read it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sojourn.core.client import Client
from sojourn.core.directory import User
from sojourn.core.events import Event, EventType
from sojourn.core.keys import Instance
from sojourn.core.lifecycle import Cutoff, SubjectKind, settle
from sojourn.core.session import Ending, Instigator, Reason, Session, Status
from sojourn.service.ports import (
    AppendEvent,
    Held,
    InsertClient,
    InsertCutoff,
    InsertSession,
    InsertUser,
    Operation,
    PutInstance,
    Refused,
    SessionQuery,
    Store,
    UpdateSession,
)

DAY = 86_400_000
MIDNIGHT = 1_767_225_600_000
NOW = MIDNIGHT + DAY // 2
"""Noon, so that a day can be told from an instant."""
INSTANCE = Instance(id="ins_1", publishable_key="pk_test_a2V5JA", epoch="epoch1", created_at=NOW)
END_OF_STATUS: dict[Status, tuple[Reason, Instigator]] = {
    Status.ENDED: (Reason.SIGNED_OUT, Instigator.USER),
    Status.REMOVED: (Reason.REMOVED, Instigator.USER),
    Status.REVOKED: (Reason.REVOKED, Instigator.APPLICATION),
    Status.REPLACED: (Reason.REPLACED, Instigator.USER),
    Status.EXPIRED: (Reason.MAXIMUM_LIFETIME, Instigator.POLICY),
    Status.ABANDONED: (Reason.ABANDONMENT, Instigator.POLICY),
}


class ContractBase:
    """Opens a new, empty store for every test and closes it afterwards."""

    pytestmark = pytest.mark.anyio

    async def open_store(self, path: Path) -> Store:
        """A new, empty store. `path` is an empty directory that it may use."""
        raise NotImplementedError

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        """The store under test."""
        store = await self.open_store(tmp_path)
        yield store
        await store.close()


# Values ----------------------------------------------------------------------------------------------------


def make_user(user_id: str = "user_a", **changes: Any) -> User:
    """A user with nothing but an id, unless told otherwise."""
    values: dict[str, Any] = {"id": user_id, "created_at": NOW, "updated_at": NOW, **changes}
    return User(**values)


def make_client(client_id: str = "client_a", **changes: Any) -> Client:
    """A client that holds nothing yet."""
    values: dict[str, Any] = {"id": client_id, "created_at": NOW, "updated_at": NOW, **changes}
    return Client(**values)


def make_session(session_id: str = "sess_a", **changes: Any) -> Session:
    """A session of user_a on client_a, created NOW with the default deadlines."""
    values: dict[str, Any] = {
        "id": session_id,
        "user_id": "user_a",
        "client_id": "client_a",
        "status": Status.ACTIVE,
        "last_active_at": NOW,
        "expire_at": NOW + 7 * DAY,
        "abandon_at": NOW + 30 * DAY,
        "updated_at": NOW,
        "created_at": NOW,
    }
    return Session(**{**values, **changes})


def make_ended(session_id: str, status: Status = Status.REVOKED, *, at: int = NOW, **changes: Any) -> Session:
    """A session that is stored as ended from its beginning."""
    return end(make_session(session_id, **changes), status, at=at)


def end(
    session: Session, status: Status = Status.REVOKED, *, at: int = NOW, note: str | None = None
) -> Session:
    """What a session becomes by an end of this status."""
    reason, instigator = END_OF_STATUS[status]
    return replace(
        session,
        status=status,
        ending=Ending(at=at, reason=reason, instigator=instigator, note=note),
        version=session.version + 1,
        updated_at=session.updated_at + 1,
    )


def make_cutoff(kind: SubjectKind = SubjectKind.USER, subject: str | None = None, **changes: Any) -> Cutoff:
    """A cutoff NOW of user_a, client_a or the instance."""
    subjects = {SubjectKind.USER: "user_a", SubjectKind.CLIENT: "client_a", SubjectKind.INSTANCE: INSTANCE.id}
    reasons = {
        SubjectKind.USER: Reason.ALL_OF_USER,
        SubjectKind.CLIENT: Reason.ALL_OF_CLIENT,
        SubjectKind.INSTANCE: Reason.ALL_OF_INSTANCE,
    }
    values: dict[str, Any] = {
        "kind": kind,
        "subject": subject or subjects[kind],
        "at": NOW,
        "status": Status.REVOKED,
        "reason": reasons[kind],
        "instigator": Instigator.APPLICATION,
    }
    return Cutoff(**{**values, **changes})


def make_event(event_id: str, **changes: Any) -> Event:
    """A small event, NOW."""
    values: dict[str, Any] = {"id": event_id, "type": EventType.SESSION_CREATED, "at": NOW, **changes}
    return Event(**values)


# Doing -----------------------------------------------------------------------------------------------------


async def seed(
    store: Store,
    *sessions: Session,
    users: Sequence[str] = ("user_a",),
    clients: Sequence[str] = ("client_a",),
) -> None:
    """Store the instance, users, clients and, in their order, sessions."""
    operations: list[Operation] = [PutInstance(INSTANCE)]
    operations += [InsertUser(make_user(user_id)) for user_id in users]
    operations += [InsertClient(make_client(client_id)) for client_id in clients]
    operations += [InsertSession(session) for session in sessions]
    await store.commit(operations)


async def insert(store: Store, *sessions: Session) -> None:
    """Store sessions in their order, in one commit."""
    await store.commit([InsertSession(session) for session in sessions])


async def cut(store: Store, kind: SubjectKind = SubjectKind.USER, **changes: Any) -> None:
    """Store a cutoff."""
    await store.commit([InsertCutoff(make_cutoff(kind, **changes))])


async def log(store: Store, *event_ids: str, **changes: Any) -> None:
    """Append events, in one commit."""
    await store.commit([AppendEvent(make_event(event_id, **changes)) for event_id in event_ids])


async def update(store: Store, before: Session, after: Session, *, active_at: int | None = None) -> bool:
    """Compare-and-swap from what was read to what it shall be. Whether it was made."""
    change = UpdateSession(session=after, expected_version=before.version, expected_active_at=active_at)
    return await made(store, change)


async def made(store: Store, *operations: Operation) -> bool:
    """Commit. False when it was refused because something had changed."""
    try:
        await store.commit(operations)
    except Refused as refused:
        assert refused.why == Refused.CHANGED, refused.why
        return False
    return True


async def refusal(store: Store, *operations: Operation) -> Refused:
    """Commit what must be refused. Returns the refusal."""
    try:
        await store.commit(operations)
    except Refused as refused:
        return refused
    raise AssertionError(f"not refused: {operations}")


# Reading ---------------------------------------------------------------------------------------------------


async def held(store: Store, session_id: str = "sess_a") -> Held:
    """A session that must be there, with its cutoffs."""
    found = await store.session(session_id)
    assert found is not None, f"{session_id} is not stored"
    return found


async def stored(store: Store, session_id: str = "sess_a") -> Session:
    """A session that must be there, as stored."""
    return (await held(store, session_id)).session


async def status_of(store: Store, session_id: str = "sess_a", now: int = NOW) -> Status:
    """Where a session truly stands."""
    found = await held(store, session_id)
    return settle(found.session, found.cutoffs, now).status


async def the_user(store: Store, user_id: str = "user_a") -> User:
    """A user who must be there."""
    found = await store.user(user_id)
    assert found is not None, f"{user_id} is not stored"
    return found


async def list_ids(store: Store, now: int = NOW, **query: Any) -> list[str]:
    """Ids of the sessions on one large page."""
    asked: dict[str, Any] = {"now": now, "limit": 500, **query}
    page = await store.sessions(SessionQuery(**asked))
    return [item.session.id for item in page.items]


async def event_ids(store: Store, after: str | None = None) -> list[str]:
    """Ids of all events behind a position, read in small pages."""
    found: list[str] = []
    while True:
        page = await store.events(after, 7)
        if not page.events:
            return found
        found += [event.id for event in page.events]
        after = page.position
