"""Where a new session goes: on a client of its own or on one that exists, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from sojourn.core import lifecycle
from sojourn.core.client import GRACE_MS, Client
from sojourn.core.errors import NotFound, SessionCreationNotAllowed
from sojourn.core.events import EventType
from sojourn.core.lifecycle import Trigger
from sojourn.core.session import Instigator, Session, Status
from sojourn.service.context import ATTEMPTS, Context
from sojourn.service.ports import InsertClient, Operation, SessionQuery, UpdateClient, UpdateSession

LIVE = frozenset({Status.ACTIVE, Status.PENDING})
MOST = 100
"""How many of its live sessions are looked at when a client changes; a browser that is used holds a few."""
PLACE_ATTEMPTS = 8 * ATTEMPTS
"""How often a sign-in in a browser is tried: processes compete for the client, and each loss says no more
than that another sign-in on it went first."""

Placement: TypeAlias = Callable[[Client, Sequence[Session], Session], Client]
"""What else becomes of the client of a new session, given the live sessions that it holds; asked anew at
every attempt, and may refuse. A sign-in in a browser has one, a creation by the application has none."""


async def live_on(context: Context, client_id: str, now: int, limit: int = MOST) -> Sequence[Session]:
    """The live sessions of a client, newest first."""
    query = SessionQuery(now=now, client_id=client_id, statuses=LIVE, limit=limit)
    page = await context.store.sessions(query)
    return [lifecycle.settle(held.session, held.cutoffs, now) for held in page.items]


def on_new_client(session: Session, now: int, place: Placement | None) -> Operation:
    """The operation that makes the client of a session."""
    client = Client(id=session.client_id, created_at=now, updated_at=now, last_active_session_id=session.id)
    return InsertClient(client if place is None else place(client, (), session))


async def on_client(
    context: Context, session: Session, client_id: str, now: int, place: Placement | None
) -> Sequence[Operation]:
    """The operations that put a session on a client that exists.

    In single-session mode it takes the others' place; else, at a sign-in in the browser, that of the same
    user's earlier ones, as the credential of a sign-in before ends with the next (RELIABILITY 7.2.4). Raises
    NotFound, SessionCreationNotAllowed, and what `place` raises.
    """
    client = await context.store.client(client_id)
    if client is None:
        raise NotFound("client", client_id)
    live = await live_on(context, client_id, now)
    if any(other.actor is not None for other in live):
        raise SessionCreationNotAllowed
    moved = client.changed(now, last_active_session_id=session.id)
    if place is not None:
        moved = place(moved, live, session)
    # The client's version guards the whole: two creations that both found it empty cannot both succeed.
    operations: list[Operation] = [UpdateClient(client=moved, expected_version=client.version)]
    for other in live:
        if not (context.policy.single_session or (place is not None and _repeats(other, session, now))):
            continue
        replaced = lifecycle.finish(other, Trigger.REPLACE, now, instigator=Instigator.USER)
        operations.append(UpdateSession(session=replaced, expected_version=other.version))
        operations.append(context.session_event(replaced, EventType.SESSION_REPLACED, now))
    return operations


def _repeats(earlier: Session, session: Session, now: int) -> bool:
    """Whether the user signs in again where they have been signed in for a while. Two sign-ins within the
    grace are two tabs of one browser, and neither is to end the other's."""
    again = earlier.user_id == session.user_id and session.actor is None
    return again and earlier.created_at + GRACE_MS <= now
