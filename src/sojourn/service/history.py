"""The history of a session, and why it stands where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sojourn.core import lifecycle
from sojourn.core.errors import NotFound
from sojourn.core.events import Event
from sojourn.core.lifecycle import Cutoff
from sojourn.core.session import Reason, Session
from sojourn.service.context import Context, check_page

_RULES = {
    Reason.SIGNED_OUT: "The user signed out.",
    Reason.REMOVED: "The user signed out and removed the session from its client.",
    Reason.REVOKED: "The application revoked this session.",
    Reason.REPLACED: "A new session took its place on the client, which holds one at a time.",
    Reason.MAXIMUM_LIFETIME: "It reached its maximum lifetime, fixed at its creation as expire_at.",
    Reason.INACTIVITY: "Nobody was active in it for as long as its inactivity limit.",
    Reason.ABANDONMENT: "It passed abandon_at, fixed at its creation.",
    Reason.USER_BANNED: "Its user was banned.",
    Reason.USER_DELETED: "Its user was deleted.",
    Reason.ALL_OF_USER: "All sessions of its user were ended.",
    Reason.ALL_OF_CLIENT: "All sessions of its client were ended.",
    Reason.ALL_OF_INSTANCE: "All sessions of the instance were ended.",
    Reason.SESSION_LIMIT: "The user had as many sessions as the policy allows, and a new one took its place.",
    Reason.CLIENT_SECRET_REUSED: "A secret of its client was used again long after it had been replaced.",
    Reason.PREDICATE: "It was among those that the application described and ended together.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """An instant (Unix ms) at which a session ends by itself. `moves`: activity moves it on."""

    reason: Reason
    at: int
    passed: bool
    moves: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a session stands where it stands. `rule` says in words what ended it, None while it lives; `next`
    is the deadline that comes next, None once it has ended."""

    session: Session
    rule: str | None
    deadlines: Sequence[Deadline]
    next: Deadline | None
    cutoffs: Sequence[Cutoff]
    events: Sequence[Event]


class History:
    """What happened to sessions, as far as the log is kept."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def of_session(self, session_id: str, *, limit: int = 100) -> Sequence[Event]:
        """The newest events of a session, oldest first; of one that has been purged those that the log still
        holds. `limit` is from 1 to 500. Raises NotFound when neither knows of it, Invalid.

        An end by a cutoff has its own event here once the sweeper has written it; `explain` tells it at once.
        """
        check_page(limit)
        events = await self._context.store.events_of_session(session_id, limit)
        if not events and await self._context.store.session(session_id) is None:
            raise NotFound("session", session_id)
        return events

    async def explain(self, session_id: str) -> Explanation:
        """Why a session ended or will end: by whom, by which rule, and which deadline comes next. Raises
        NotFound."""
        held = await self._context.store.session(session_id)
        if held is None:
            raise NotFound("session", session_id)
        now = self._context.clock.now()
        session = lifecycle.settle(held.session, held.cutoffs, now)
        deadlines = sorted(_deadlines(session, now), key=lambda one: one.at)
        return Explanation(
            session=session,
            rule=_RULES[session.ending.reason] if session.ending else None,
            deadlines=deadlines,
            next=deadlines[0] if session.live else None,
            cutoffs=list(held.cutoffs),
            events=await self._context.store.events_of_session(session_id, 100),
        )


def _deadlines(session: Session, now: int) -> Sequence[Deadline]:
    found = [(Reason.MAXIMUM_LIFETIME, session.expire_at), (Reason.ABANDONMENT, session.abandon_at)]
    deadlines = [Deadline(reason=reason, at=at, passed=at <= now) for reason, at in found]
    if session.inactivity_seconds is not None:
        at = session.last_active_at + session.inactivity_seconds * 1000
        deadlines.append(Deadline(reason=Reason.INACTIVITY, at=at, passed=at <= now, moves=True))
    return deadlines
