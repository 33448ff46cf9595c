"""Tickets on PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from sojourn.core.ticket import Ticket
from sojourn.service.ports import InsertTicket, UpdateTicket
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.postgres.writer import Writer
from sojourn.stores.sql.rows.tickets import ticket_of, ticket_values


class Tickets:
    """The verbs for tickets."""

    _reads: Reads
    _writer: Writer

    async def ticket(self, ticket_id: str) -> Ticket | None:
        """As the port says."""
        found = await self._reads.named("ticket_get", id=ticket_id)
        return ticket_of(found[0]) if found else None

    async def ticket_by(self, digest: bytes) -> Ticket | None:
        """As the port says."""
        found = await self._reads.named("ticket_by_digest", digest=digest)
        return ticket_of(found[0]) if found else None

    async def purge_tickets(self, *, before: int, limit: int) -> int:
        """As the port says."""
        return await self._writer.run(
            lambda change: change.run("ticket_purge", {"before": before, "limit": limit})
        )


# What each operation does ----------------------------------------------------------------------------------


async def _insert_ticket(change: Change, operation: InsertTicket) -> None:
    await change.insert("ticket_insert", ticket_values(operation.ticket), operation.ticket.id)


async def _update_ticket(change: Change, operation: UpdateTicket) -> None:
    ticket = operation.ticket
    bindings = {
        "status": ticket.status.value,
        "session_id": ticket.session_id,
        "updated_at": ticket.updated_at,
        "kept_from": ticket.kept_from,
        "version": ticket.version,
        "id": ticket.id,
        "expected_version": operation.expected_version,
    }
    await change.update("ticket_update", bindings, operation)


CHANGES: Mapping[type, Callable[..., Awaitable[None]]] = {
    InsertTicket: _insert_ticket,
    UpdateTicket: _update_ticket,
}
"""What a commit does for each operation."""
