"""Tickets: what happens, and the verbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sojourn.core.ticket import Ticket


@dataclass(frozen=True, slots=True)
class InsertTicket:
    """Store a new ticket."""

    ticket: Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTicket:
    """Write status, session, version and `updated_at` of a stored ticket if it is still at
    `expected_version` (else Refused.CHANGED)."""

    ticket: Ticket
    expected_version: int


TicketOperation: TypeAlias = InsertTicket | UpdateTicket


class TicketStore(Protocol):
    """The verbs for tickets."""

    async def ticket(self, ticket_id: str) -> Ticket | None:
        """One ticket, in any status."""
        ...

    async def ticket_by(self, digest: bytes) -> Ticket | None:
        """The ticket whose text has this SHA-256, in any status."""
        ...

    async def purge_tickets(self, *, before: int, limit: int) -> int:
        """Delete at most `limit` tickets whose `kept_from` lies before an instant (ms). How many went."""
        ...
