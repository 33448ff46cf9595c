"""Tickets in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice

from sojourn.core.session import Actor
from sojourn.core.ticket import Ticket
from sojourn.service.ports import InsertTicket, Refused, UpdateTicket
from sojourn.stores.memory.tables import Change, Tables, own


class Tickets:
    """The verbs for tickets."""

    _tables: Tables

    async def ticket(self, ticket_id: str) -> Ticket | None:
        """As the port says."""
        return self._tables.tickets.get(ticket_id)

    async def ticket_by(self, digest: bytes) -> Ticket | None:
        """As the port says."""
        found = self._tables.ticket_ids.get(digest)
        return None if found is None else self._tables.tickets[found]

    async def purge_tickets(self, *, before: int, limit: int) -> int:
        """As the port says."""
        old = (ticket for ticket in self._tables.tickets.values() if ticket.kept_from < before)
        gone = list(islice(old, limit))
        for ticket in gone:
            del self._tables.tickets[ticket.id]
            del self._tables.ticket_ids[ticket.digest]
        return len(gone)


# What each operation does ----------------------------------------------------------------------------------


def _insert_ticket(change: Change, operation: InsertTicket) -> None:
    ticket = operation.ticket
    actor = ticket.actor and Actor(ticket.actor.sub, own(ticket.actor.members))
    change.new(change.tables.tickets, ticket.id, replace(ticket, actor=actor))
    change.journal.put(change.tables.ticket_ids, ticket.digest, ticket.id)


def _update_ticket(change: Change, operation: UpdateTicket) -> None:
    stored, wanted = change.tables.tickets.get(operation.ticket.id), operation.ticket
    if stored is None or stored.version != operation.expected_version:
        raise Refused(Refused.CHANGED, operation)
    changed = replace(
        stored,
        status=wanted.status,
        session_id=wanted.session_id,
        version=wanted.version,
        updated_at=wanted.updated_at,
    )
    change.journal.put(change.tables.tickets, stored.id, changed)


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertTicket: _insert_ticket,
    UpdateTicket: _update_ticket,
}
"""What a commit does for each operation."""
