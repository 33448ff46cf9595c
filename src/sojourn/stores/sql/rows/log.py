"""Events and records of what was done once as rows."""

from __future__ import annotations

from sojourn.core.events import Event, EventType
from sojourn.core.session import Instigator, Reason
from sojourn.service.ports import InsertOnce
from sojourn.stores.sql.rows.sessions import Row, Values


def event_of(row: Row) -> Event:
    """An event from `event_page`, whose first column is its position."""
    return Event(
        id=row[1],
        type=EventType(row[2]),
        at=row[3],
        session_id=row[4],
        user_id=row[5],
        client_id=row[6],
        organization_id=row[7],
        actor=row[8],
        instigator=None if row[9] is None else Instigator(row[9]),
        reason=None if row[10] is None else Reason(row[10]),
        note=row[11],
        request_id=row[12],
        resource_id=row[13],
    )


def event_values(event: Event) -> Values:
    """The values of `event_insert`."""
    return (
        event.id,
        event.type.value,
        event.at,
        event.session_id,
        event.user_id,
        event.client_id,
        event.organization_id,
        event.actor,
        event.instigator and event.instigator.value,
        event.reason and event.reason.value,
        event.note,
        event.request_id,
        event.resource_id,
    )


def once_of(row: Row) -> InsertOnce:
    """What was done under an idempotency key, from `once_get`."""
    digest, fingerprint, resource_id, at = row
    return InsertOnce(digest=digest, fingerprint=fingerprint, resource_id=resource_id, at=at)
