"""The tables of the memory store, and what each operation of a commit does to them.

Every change is noted in a journal first, so that a commit that is refused can be taken back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from sojourn.core.client import Client
from sojourn.core.directory import IdentifierKind, User
from sojourn.core.errors import clip
from sojourn.core.events import Event
from sojourn.core.keys import ApiKey, Instance, StoredKey
from sojourn.core.lifecycle import Cutoff, Cutoffs, SubjectKind
from sojourn.core.session import Actor, Ending, Session
from sojourn.service.ports import (
    AppendEvent,
    DeleteUser,
    InsertApiKey,
    InsertClient,
    InsertCutoff,
    InsertOnce,
    InsertSession,
    InsertUser,
    Operation,
    PutInstance,
    PutStoredKey,
    Refused,
    UpdateClient,
    UpdateSession,
    UpdateUser,
)

V = TypeVar("V")
_ABSENT = object()


class Journal:
    """What the tables held before each change of one commit."""

    def __init__(self) -> None:
        self._before: list[tuple[dict[Any, Any], object, object]] = []

    def put(self, table: dict[Any, Any], key: object, value: object) -> None:
        """Insert or replace a row."""
        self._before.append((table, key, table.get(key, _ABSENT)))
        table[key] = value

    def drop(self, table: dict[Any, Any], key: object) -> None:
        """Delete a row that is there."""
        self._before.append((table, key, table.pop(key)))

    def undo(self) -> None:
        """Put everything back, the last change first."""
        for table, key, value in reversed(self._before):
            if value is _ABSENT:
                del table[key]
            else:
                table[key] = value


class Tables:
    """Rows by their key. A row is replaced in its place, so a table keeps the order of creation."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.of_user: dict[str, dict[str, None]] = {}
        self.of_client: dict[str, dict[str, None]] = {}
        self.clients: dict[str, Client] = {}
        self.users: dict[str, User] = {}
        self.identifiers: dict[tuple[IdentifierKind, str], str] = {}
        self.cutoffs: dict[tuple[SubjectKind, str], tuple[Cutoff, ...]] = {}
        self.events: dict[int, Event] = {}
        self.once: dict[bytes, InsertOnce] = {}
        self.api_keys: dict[bytes, ApiKey] = {}
        self.stored_keys: dict[str, StoredKey] = {}
        self.instances: dict[str, Instance] = {}
        self.given: dict[str, int] = {}
        """The newest number given in each sequence."""

    def apply(self, operations: Sequence[Operation]) -> None:
        """Do all operations, or none and raise Refused."""
        journal = Journal()
        change = _Change(self, journal)
        try:
            for operation in operations:
                change.apply(operation)
        except BaseException:
            journal.undo()
            raise

    def covering(self, session: Session) -> Cutoffs:
        """The first cutoff of its user, its client and the instance that covers a session."""
        return Cutoffs(
            self._first_cutoff(SubjectKind.USER, session.user_id, session.sequence),
            self._first_cutoff(SubjectKind.CLIENT, session.client_id, session.sequence),
            self._first_cutoff(SubjectKind.INSTANCE, "", session.sequence),
        )

    def forget_session(self, session: Session) -> None:
        """Delete a session from its table and both indexes."""
        del self.sessions[session.id]
        for index, owner in ((self.of_user, session.user_id), (self.of_client, session.client_id)):
            del index[owner][session.id]
            if not index[owner]:
                del index[owner]

    def _first_cutoff(self, kind: SubjectKind, subject: str, sequence: int) -> Cutoff | None:
        cutoffs = self.cutoffs.get((kind, subject), ())
        first = bisect_left(cutoffs, sequence, key=lambda cutoff: cutoff.sequence)
        return cutoffs[first] if first < len(cutoffs) else None


class _Change:
    """One commit in the making: a method for each operation."""

    def __init__(self, tables: Tables, journal: Journal) -> None:
        self._tables = tables
        self._journal = journal

    def apply(self, operation: Operation) -> None:
        self._methods[type(operation)](self, operation)

    def _insert_session(self, operation: InsertSession) -> None:
        session = operation.session
        user = self._tables.users.get(session.user_id)
        if user is None:
            raise Refused(Refused.USER_MISSING, operation)
        if user.banned:
            raise Refused(Refused.USER_BANNED, operation)
        if session.client_id not in self._tables.clients:
            raise Refused(Refused.CLIENT_MISSING, operation)
        actor = session.actor and Actor(session.actor.sub, _own(session.actor.members))
        stored = replace(session, actor=actor, sequence=self._next("session"))
        self._new(self._tables.sessions, session.id, stored)
        self._journal.put(self._tables.of_user.setdefault(session.user_id, {}), session.id, None)
        self._journal.put(self._tables.of_client.setdefault(session.client_id, {}), session.id, None)
        signed_in = _latest(user.last_sign_in_at, session.created_at)
        self._journal.put(self._tables.users, user.id, replace(user, last_sign_in_at=signed_in))

    def _update_session(self, operation: UpdateSession) -> None:
        stored, wanted = self._tables.sessions.get(operation.session.id), operation.session
        if (
            stored is None
            or not stored.live
            or stored.version != operation.expected_version
            or operation.expected_active_at not in (None, stored.last_active_at)
            or self._ended_before(stored, wanted.ending)
        ):
            raise Refused(Refused.CHANGED, operation)
        changed = replace(
            stored,
            status=wanted.status,
            ending=wanted.ending,
            tasks=wanted.tasks,
            last_active_organization_id=wanted.last_active_organization_id,
            version=wanted.version,
            updated_at=wanted.updated_at,
        )
        self._journal.put(self._tables.sessions, stored.id, changed)

    def _insert_client(self, operation: InsertClient) -> None:
        client = operation.client
        self._new(self._tables.clients, client.id, replace(client, sequence=self._next("client")))

    def _update_client(self, operation: UpdateClient) -> None:
        client = operation.client
        stored = self._tables.clients.get(client.id)
        if stored is None or stored.version != operation.expected_version:
            raise Refused(Refused.CHANGED, operation)
        self._journal.put(self._tables.clients, client.id, replace(client, sequence=stored.sequence))

    def _insert_user(self, operation: InsertUser) -> None:
        user = _with_own_metadata(operation.user)
        self._claim_identifiers(user, operation)
        self._new(self._tables.users, user.id, replace(user, sequence=self._next("user")))

    def _update_user(self, operation: UpdateUser) -> None:
        user = _with_own_metadata(operation.user)
        stored = self._tables.users.get(user.id)
        if stored is None or stored.version != operation.expected_version:
            raise Refused(Refused.CHANGED, operation)
        self._free_identifiers(stored)
        self._claim_identifiers(user, operation)
        # Sign-ins and touches write these two without a version; a change read before must not undo them.
        kept = replace(
            user,
            sequence=stored.sequence,
            last_sign_in_at=_latest(stored.last_sign_in_at, user.last_sign_in_at),
            last_active_at=_latest(stored.last_active_at, user.last_active_at),
        )
        self._journal.put(self._tables.users, user.id, kept)

    def _delete_user(self, operation: DeleteUser) -> None:
        stored = self._tables.users.get(operation.user_id)
        if stored is None:
            raise Refused(Refused.USER_MISSING, operation)
        self._free_identifiers(stored)
        self._journal.drop(self._tables.users, stored.id)

    def _insert_cutoff(self, operation: InsertCutoff) -> None:
        cutoff = operation.cutoff
        # A store serves one instance, so its cutoffs cover every session whatever the instance is called.
        subject = "" if cutoff.kind is SubjectKind.INSTANCE else cutoff.subject
        earlier = self._tables.cutoffs.get((cutoff.kind, subject), ())
        at = max(cutoff.at, earlier[-1].at) if earlier else cutoff.at
        stored = replace(cutoff, at=at, sequence=self._tables.given.get("session", 0))
        self._journal.put(self._tables.cutoffs, (cutoff.kind, subject), (*earlier, stored))

    def _append_event(self, operation: AppendEvent) -> None:
        self._journal.put(self._tables.events, self._next("event"), operation.event)

    def _insert_once(self, operation: InsertOnce) -> None:
        if operation.digest in self._tables.once:
            raise Refused(Refused.REPEATED, operation)
        self._journal.put(self._tables.once, operation.digest, operation)

    def _insert_api_key(self, operation: InsertApiKey) -> None:
        if operation.key.digest in self._tables.api_keys:
            raise Refused(Refused.REPEATED, operation)
        self._journal.put(self._tables.api_keys, operation.key.digest, operation.key)

    def _put_stored_key(self, operation: PutStoredKey) -> None:
        self._journal.put(self._tables.stored_keys, operation.key.kid, operation.key)

    def _put_instance(self, operation: PutInstance) -> None:
        self._journal.put(self._tables.instances, "instance", operation.instance)

    _methods: Mapping[type, Callable[..., None]] = {
        InsertSession: _insert_session,
        UpdateSession: _update_session,
        InsertClient: _insert_client,
        UpdateClient: _update_client,
        InsertUser: _insert_user,
        UpdateUser: _update_user,
        DeleteUser: _delete_user,
        InsertCutoff: _insert_cutoff,
        AppendEvent: _append_event,
        InsertOnce: _insert_once,
        InsertApiKey: _insert_api_key,
        PutStoredKey: _put_stored_key,
        PutInstance: _put_instance,
    }

    # Helpers of changing ------------------------------------------------------------------------------------

    def _next(self, sequence: str) -> int:
        number = self._tables.given.get(sequence, 0) + 1
        self._journal.put(self._tables.given, sequence, number)
        return number

    def _new(self, table: dict[str, V], key: str, value: V) -> None:
        if key in table:
            raise ValueError(f"{clip(key)} is stored already; ids are never used twice")
        self._journal.put(table, key, value)

    def _ended_before(self, session: Session, ending: Ending | None) -> bool:
        """Whether a cutoff has ended the session already: whoever has read that end never reads a later
        one."""
        ends = [max(cutoff.at, session.created_at) for cutoff in self._tables.covering(session)]
        return bool(ends) and (ending is None or ending.at > min(ends))

    def _claim_identifiers(self, user: User, operation: InsertUser | UpdateUser) -> None:
        for identifier in user.identifiers():
            if identifier in self._tables.identifiers:
                raise Refused(Refused.IDENTIFIER_TAKEN, operation, identifier[0].value)
            self._journal.put(self._tables.identifiers, identifier, user.id)

    def _free_identifiers(self, user: User) -> None:
        for identifier in user.identifiers():
            self._journal.drop(self._tables.identifiers, identifier)


def _latest(stored: int | None, given: int | None) -> int | None:
    return max((at for at in (stored, given) if at is not None), default=None)


def _with_own_metadata(user: User) -> User:
    return replace(
        user,
        public_metadata=_own(user.public_metadata),
        private_metadata=_own(user.private_metadata),
        unsafe_metadata=_own(user.unsafe_metadata),
    )


def _own(value: Any) -> Any:
    """A copy of a JSON value, so that what the caller does with its own later changes nothing stored."""
    if isinstance(value, Mapping):
        return {key: _own(item) for key, item in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_own(item) for item in cast("list[object]", value)]
    return value
