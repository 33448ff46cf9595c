"""The tables of the memory store, and the journal that takes a refused commit back."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from sojourn.core.client import Client
from sojourn.core.deposit import Deposit, DepositKind
from sojourn.core.directory import IdentifierKind, Membership, Organization, User
from sojourn.core.errors import clip
from sojourn.core.events import Event
from sojourn.core.keys import ApiKey, Instance, StoredKey
from sojourn.core.lifecycle import Cutoff, Cutoffs, SubjectKind
from sojourn.core.session import Session
from sojourn.core.templates import Template
from sojourn.core.ticket import Ticket
from sojourn.service.ports import Document, InsertOnce

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
        self.organizations: dict[str, Organization] = {}
        self.slugs: dict[str, str] = {}
        self.memberships: dict[tuple[str, str], Membership] = {}
        self.noted: dict[str, tuple[str, ...]] = {}
        """By user: the organizations noted for the next session, the latest last."""
        self.cutoffs: dict[tuple[SubjectKind, str], tuple[Cutoff, ...]] = {}
        self.events: dict[int, Event] = {}
        self.tickets: dict[str, Ticket] = {}
        self.ticket_ids: dict[bytes, str] = {}
        self.deposits: dict[tuple[DepositKind, bytes], Deposit] = {}
        self.templates: dict[str, Template] = {}
        self.template_ids: dict[str, str] = {}
        """By name."""
        self.once: dict[bytes, InsertOnce] = {}
        self.api_keys: dict[bytes, ApiKey] = {}
        self.stored_keys: dict[str, StoredKey] = {}
        self.instances: dict[str, Instance] = {}
        self.documents: dict[tuple[str, str], Document] = {}
        self.given: dict[str, int] = {}
        """The newest number given in each sequence."""

    def covering(self, session: Session) -> Cutoffs:
        """The first cutoff of its user, its client and the instance that covers a session."""
        return Cutoffs(
            self._first_cutoff(SubjectKind.USER, session.user_id, session),
            self._first_cutoff(SubjectKind.CLIENT, session.client_id, session),
            self._first_cutoff(SubjectKind.INSTANCE, "", session),
        )

    def forget_session(self, session: Session) -> None:
        """Delete a session from its table and both indexes."""
        del self.sessions[session.id]
        for index, owner in ((self.of_user, session.user_id), (self.of_client, session.client_id)):
            del index[owner][session.id]
            if not index[owner]:
                del index[owner]

    def _first_cutoff(self, kind: SubjectKind, subject: str, session: Session) -> Cutoff | None:
        cutoffs = self.cutoffs.get((kind, subject), ())
        first = bisect_left(cutoffs, session.sequence, key=lambda cutoff: cutoff.sequence)
        return next((cutoff for cutoff in cutoffs[first:] if cutoff.covers(session)), None)


class Change:
    """One commit in the making: what the functions that do its operations work with."""

    def __init__(self, tables: Tables, journal: Journal) -> None:
        self.tables = tables
        self.journal = journal

    def next(self, sequence: str) -> int:
        """The next number of a sequence."""
        number = self.tables.given.get(sequence, 0) + 1
        self.journal.put(self.tables.given, sequence, number)
        return number

    def new(self, table: dict[str, V], key: str, value: V) -> None:
        """Insert a row under a new id. Raises ValueError for a stored one: the source of ids is at fault."""
        if key in table:
            raise ValueError(f"{clip(key)} is stored already; ids are never used twice")
        self.journal.put(table, key, value)


def own(value: Any) -> Any:
    """A copy of a JSON value, so that what the caller does with its own later changes nothing stored."""
    if isinstance(value, Mapping):
        return {key: own(item) for key, item in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [own(item) for item in cast("list[object]", value)]
    return value


def latest(stored: int | None, given: int | None) -> int | None:
    """The later of two instants, either of which may be missing."""
    return max((at for at in (stored, given) if at is not None), default=None)
