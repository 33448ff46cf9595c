"""A store in the memory of one process: for tests, demonstrations and the contract that all stores share.

Every verb runs from its first to its last line without giving up the event loop, so the loop itself keeps
commits apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from sojourn.core.client import Client
from sojourn.core.directory import DAY_MS, IdentifierKind, User
from sojourn.core.errors import PositionLost, clip
from sojourn.core.keys import ApiKey, Instance, StoredKey
from sojourn.core.lifecycle import settle
from sojourn.core.lifecycle import touch as touched
from sojourn.core.session import Activity, Session
from sojourn.service.ports import (
    ClientPage,
    ClientQuery,
    EventPage,
    Held,
    InsertOnce,
    Operation,
    Overdue,
    SessionPage,
    SessionQuery,
    UserQuery,
)
from sojourn.stores.memory_tables import Tables

T = TypeVar("T")
_POSITION = re.compile(r"(.+)\.(0|[1-9][0-9]{0,18})", re.DOTALL)
_NO_EPOCH = "0"
"""Stands for the epoch until the instance is stored."""


class MemoryStore:
    """Implements `sojourn.service.ports.Store` with dicts. Nothing outlives the process."""

    def __init__(self) -> None:
        self._tables = Tables()

    # Reading ------------------------------------------------------------------------------------------------

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

    async def client(self, client_id: str) -> Client | None:
        """As the port says."""
        return self._tables.clients.get(client_id)

    async def clients(self, query: ClientQuery) -> ClientPage:
        """As the port says."""
        newest = reversed(self._tables.clients.values())
        items = list(islice(newest, query.offset, query.offset + query.limit))
        return ClientPage(items, len(self._tables.clients) if query.count else None)

    async def user(self, user_id: str) -> User | None:
        """As the port says."""
        return self._tables.users.get(user_id)

    async def user_by(self, kind: IdentifierKind, value: str) -> User | None:
        """As the port says."""
        owner = self._tables.identifiers.get((kind, value))
        return None if owner is None else self._tables.users[owner]

    async def users(self, query: UserQuery) -> Sequence[User]:
        """As the port says."""
        wanted: set[str] | None = None
        if query.ids is not None:
            wanted = set(query.ids)
        if query.identifiers is not None:
            owners = {self._tables.identifiers[i] for i in query.identifiers if i in self._tables.identifiers}
            wanted = owners if wanted is None else wanted & owners
        # Sorted, because taking back a refused deletion puts a user at the end of its table.
        found = [user for user in self._tables.users.values() if wanted is None or user.id in wanted]
        found.sort(key=lambda user: user.sequence, reverse=query.newest_first)
        return found[query.offset : query.offset + query.limit]

    async def api_key(self, digest: bytes) -> ApiKey | None:
        """As the port says."""
        return self._tables.api_keys.get(digest)

    async def api_keys(self) -> Sequence[ApiKey]:
        """As the port says."""
        return list(self._tables.api_keys.values())

    async def stored_keys(self) -> Sequence[StoredKey]:
        """As the port says."""
        return list(self._tables.stored_keys.values())

    async def instance(self) -> Instance | None:
        """As the port says."""
        return self._tables.instances.get("instance")

    async def once(self, digest: bytes) -> InsertOnce | None:
        """As the port says."""
        return self._tables.once.get(digest)

    async def events(self, after: str | None, limit: int) -> EventPage:
        """As the port says."""
        newest = self._tables.given.get("event", 0)
        last = newest - len(self._tables.events) if after is None else self._number(after)
        page = range(last + 1, min(last + limit, newest) + 1)
        return EventPage([self._tables.events[n] for n in page], self._position(last + len(page)))

    async def end_of_events(self) -> str:
        """As the port says."""
        return self._position(self._tables.given.get("event", 0))

    # Changing -----------------------------------------------------------------------------------------------

    async def commit(self, operations: Sequence[Operation]) -> None:
        """As the port says."""
        self._tables.apply(operations)

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

    # Keeping house ------------------------------------------------------------------------------------------

    async def overdue(self, now: int, limit: int) -> Overdue:
        """As the port says; here only what has ended is handed out, so there is no bookkeeping to move."""
        live = (self._held(session) for session in self._tables.sessions.values() if session.live)
        ended = (held for held in live if not settle(held.session, held.cutoffs, now).live)
        return Overdue(list(islice(ended, limit)))

    async def purge(self, *, ended_before: int, events_before: int, once_before: int, limit: int) -> int:
        """As the port says. Events go from the oldest on, so that what is left has no gap."""
        ended = (s for s in self._tables.sessions.values() if s.ending and s.ending.at < ended_before)
        gone = _first(ended, limit)
        for session in gone:
            self._tables.forget_session(session)
        idle = (c for c in self._tables.clients.values() if c.updated_at < ended_before)
        empty = _first((c for c in idle if not self._tables.of_client.get(c.id)), limit)
        for client in empty:
            del self._tables.clients[client.id]
        events = 0
        for number, event in _first(self._tables.events.items(), limit):
            if event.at >= events_before:
                break
            del self._tables.events[number]
            events += 1
        stale = _first((once for once in self._tables.once.values() if once.at < once_before), limit)
        for once in stale:
            del self._tables.once[once.digest]
        return len(gone) + len(empty) + events + len(stale)

    async def scrub(self) -> None:
        """There is nothing beside the values themselves."""

    async def close(self) -> None:
        """There is nothing to release."""

    # Helpers ------------------------------------------------------------------------------------------------

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

    def _position(self, number: int) -> str:
        return f"{self._epoch()}.{number}"

    def _number(self, position: str) -> int:
        """What a position of this epoch counts. Raises PositionLost where the log cannot go on from there."""
        match = _POSITION.fullmatch(position)
        if match is None or match[1] != self._epoch():
            raise PositionLost(f"There is no position {clip(position)} in this log.")
        number, newest = int(match[2]), self._tables.given.get("event", 0)
        if not newest - len(self._tables.events) <= number <= newest:
            raise PositionLost(f"What follows the position {clip(position)} is not kept here.")
        return number

    def _epoch(self) -> str:
        instance = self._tables.instances.get("instance")
        return _NO_EPOCH if instance is None else instance.epoch


def _admits(query: SessionQuery, held: Held) -> bool:
    if query.statuses is None and not query.excluded:
        return True
    status = settle(held.session, held.cutoffs, query.now).status
    return status not in query.excluded and (query.statuses is None or status in query.statuses)


def _first(rows: Iterable[T], limit: int) -> list[T]:
    """The first rows, taken out before any of them is deleted from the table they come from."""
    return list(islice(rows, limit))
