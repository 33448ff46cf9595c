"""Tickets as rows."""

from __future__ import annotations

from sojourn.core.ticket import Ticket, TicketKind, TicketStatus
from sojourn.stores.sql.rows.sessions import Row, Values, actor_of, document


def ticket_of(row: Row) -> Ticket:
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
        actor=None if row[8] is None else actor_of(row[8]),
        session_lifetime_seconds=row[9],
        organization_id=row[10],
        session_id=row[11],
        version=row[12],
    )


def ticket_values(ticket: Ticket) -> Values:
    """The values of `ticket_insert`."""
    return (
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
