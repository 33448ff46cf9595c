"""Tickets on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sojourn.core.ticket import Ticket
from sojourn.service.ports import InsertTicket, UpdateTicket
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows.tickets import ticket_of, ticket_values
from sojourn.stores.sqlite.changes import Change
from sojourn.stores.sqlite.reads import Reads
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
        return ticket_of(found[0]) if found else None

    async def ticket_by(self, digest: bytes) -> Ticket | None:
        """As the port says."""
        found = await self._reads.point(_SQL["ticket_by_digest"], (digest,))
        return ticket_of(found[0]) if found else None

    async def purge_tickets(self, *, before: int, limit: int) -> int:
        """As the port says."""
        return await self._writer.run(lambda: self._change.delete("ticket_purge", before, limit), long=True)


# What each operation does ----------------------------------------------------------------------------------


def _insert_ticket(change: Change, operation: InsertTicket) -> None:
    ticket = operation.ticket
    change.insert("ticket_insert", ticket_values(ticket), ticket.id)


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
