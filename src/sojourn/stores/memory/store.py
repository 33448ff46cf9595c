"""The store: the verbs of each kind of thing put together, and the commit that does all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from sojourn.service.ports import Operation
from sojourn.stores.bell import Bell
from sojourn.stores.memory import (
    deposits,
    documents,
    keys,
    log,
    organizations,
    report,
    sessions,
    templates,
    tickets,
    users,
)
from sojourn.stores.memory.tables import Change, Journal, Tables

T = TypeVar("T")
_CHANGES: Mapping[type, Callable[..., None]] = {
    **sessions.CHANGES,
    **users.CHANGES,
    **keys.CHANGES,
    **log.CHANGES,
    **organizations.CHANGES,
    **documents.CHANGES,
    **tickets.CHANGES,
    **deposits.CHANGES,
    **templates.CHANGES,
}


class MemoryStore(
    sessions.Sessions,
    users.Users,
    keys.Keys,
    log.Log,
    documents.Documents,
    organizations.Organizations,
    report.Report,
    tickets.Tickets,
    deposits.Deposits,
    templates.Templates,
):
    """Implements `sojourn.service.ports.Store` with dicts. Nothing outlives the process.

    Every verb runs from its first to its last line without giving up the event loop, so the loop itself keeps
    commits apart.
    """

    def __init__(self) -> None:
        self._tables = Tables()
        self._bell = Bell()

    async def commit(self, operations: Sequence[Operation]) -> None:
        """As the port says."""
        journal = Journal()
        change = Change(self._tables, journal)
        try:
            for operation in operations:
                _CHANGES[type(operation)](change, operation)
        except BaseException:
            journal.undo()
            raise
        self._bell.ring()

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


def _first(rows: Iterable[T], limit: int) -> list[T]:
    """The first rows, taken out before any of them is deleted from the table they come from."""
    return list(islice(rows, limit))
