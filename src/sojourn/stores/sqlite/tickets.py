"""Tickets on SQLite."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

from sojourn.core.session import Actor
from sojourn.core.ticket import Ticket, TicketKind, TicketStatus
from sojourn.service.ports import InsertTicket, UpdateTicket
from sojourn.stores.sql import queries
from sojourn.stores.sqlite.changes import Change
from sojourn.stores.sqlite.reads import Reads
from sojourn.stores.sqlite.rows import Row, document
from sojourn.stores.sqlite.writer import Writer

_SQL = queries("sqlite")


class Tickets:
    """The verbs for tickets."""

    _reads: Reads
    _writer: Writer
    _change: Change

    async def ticket(self, ticket_id: str) -> Ticket | None:
        """As the port says."""
        found = await self._reads.point(_SQL["ticket_get"], (ticket_id,))
        return _ticket_of(found[0]) if found else None

    async def ticket_by(self, digest: bytes) -> Ticket | None:
        """As the port says."""
        found = await self._reads.point(_SQL["ticket_by_digest"], (digest,))
        return _ticket_of(found[0]) if found else None

    async def purge_tickets(self, *, before: int, limit: int) -> int:
        """As the port says."""
        return await self._writer.run(lambda: self._change.delete("ticket_purge", before, limit), long=True)


# What each operation does ----------------------------------------------------------------------------------


def _insert_ticket(change: Change, operation: InsertTicket) -> None:
    ticket = operation.ticket
    values = (
        ticket.id,
        ticket.kind.value,
        ticket.user_id,
        ticket.digest,
        ticket.status.value,
        ticket.created_at,
        ticket.updated_at,
        ticket.expire_at,
        None if ticket.actor is None else document(ticket.actor.to_wire()),
        ticket.session_lifetime_seconds,
        ticket.organization_id,
        ticket.session_id,
        ticket.version,
        ticket.kept_from,
    )
    change.insert("ticket_insert", values, ticket.id)


def _update_ticket(change: Change, operation: UpdateTicket) -> None:
    ticket = operation.ticket
    values = (
        ticket.status.value,
        ticket.session_id,
        ticket.updated_at,
        ticket.kept_from,
        ticket.version,
        ticket.id,
        operation.expected_version,
    )
    change.update("ticket_update", values, operation)


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertTicket: _insert_ticket,
    UpdateTicket: _update_ticket,
}
"""What a commit does for each operation."""


# Rows ------------------------------------------------------------------------------------------------------


def _ticket_of(row: Row) -> Ticket:
    """A ticket from `ticket_columns`."""
    return Ticket(
        id=row[0],
        kind=TicketKind(row[1]),
        user_id=row[2],
        digest=row[3],
        status=TicketStatus(row[4]),
        created_at=row[5],
        updated_at=row[6],
        expire_at=row[7],
        actor=None if row[8] is None else _actor(row[8]),
        session_lifetime_seconds=row[9],
        organization_id=row[10],
        session_id=row[11],
        version=row[12],
    )


def _actor(text: str) -> Actor:
    members = json.loads(text)
    return Actor(members.pop("sub"), MappingProxyType(members))
