"""Tickets: one-time sign-ins. An actor token signs somebody in as another user, a sign-in token as oneself.

A ticket is pending until it is accepted (a session was made by it) or revoked, and never comes back from
either. That its time is over is no status: the published resource has only these three words.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from sojourn.core.errors import NotFound, SojournError, clip
from sojourn.core.session import Actor


class TicketKind(StrEnum):
    """What a ticket is called on the wire."""

    ACTOR = "actor_token"
    SIGN_IN = "sign_in_token"

    @property
    def words(self) -> str:
        """For messages."""
        return "actor token" if self is TicketKind.ACTOR else "sign-in token"


class TicketStatus(StrEnum):
    """The three words of status (spec ActorToken, SignInToken)."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REVOKED = "revoked"


TRANSITIONS: dict[TicketStatus, frozenset[TicketStatus]] = {
    TicketStatus.PENDING: frozenset({TicketStatus.ACCEPTED, TicketStatus.REVOKED}),
    # End states absorb: nothing leads out of them.
    TicketStatus.ACCEPTED: frozenset(),
    TicketStatus.REVOKED: frozenset(),
}


class TicketRefused(SojournError):
    """This ticket cannot be used."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class ActorTokenSubjectNotFound(NotFound):
    """The user whom the actor token is for is not there any more."""

    code = "actor_token_subject_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A one-time sign-in as `user_id`. Instants are integer milliseconds of Unix time.

    Its text is kept nowhere: `digest` is the SHA-256 of it, which needs no salt as the text holds 256 bits
    that nobody can guess.
    """

    id: str
    """`act_…` or `sit_…`."""
    kind: TicketKind
    user_id: str
    digest: bytes = field(repr=False)
    created_at: int
    updated_at: int
    expire_at: int
    """When it can be redeemed no more."""
    status: TicketStatus = TicketStatus.PENDING
    actor: Actor | None = None
    """Who will act as the user; only and always with an actor token."""
    session_lifetime_seconds: int | None = None
    """The most that the session may live; the policy may allow less."""
    organization_id: str | None = None
    """The organization to make active in the session."""
    session_id: str | None = None
    """The session that was made by it, once it is accepted."""
    version: int = 1

    @property
    def kept_from(self) -> int:
        """When the time begins for which a used-up ticket is kept (ms): its end, whichever way it came."""
        return self.expire_at if self.status is TicketStatus.PENDING else min(self.updated_at, self.expire_at)

    def to_wire(self) -> dict[str, object]:
        """The resource as JSON-ready values, without `token` and `url`: those are shown once, on creation."""
        wire: dict[str, object] = {"object": self.kind.value, "id": self.id, "user_id": self.user_id}
        if self.kind is TicketKind.ACTOR:
            wire["actor"] = self.actor.to_wire() if self.actor else {}
        wire["status"] = self.status.value
        wire["created_at"] = self.created_at
        wire["updated_at"] = self.updated_at
        return wire


def accept(ticket: Ticket, session_id: str, now: int) -> Ticket:
    """The ticket as used up by a session at `now` (ms).

    Raises TicketRefused when it was used already, was revoked or has expired
    (wire/backend-api.md, appendix A: `…_already_used_code`, `…_revoked_code`, `ticket_expired_code`).
    """
    if ticket.status is TicketStatus.ACCEPTED:
        raise TicketRefused(
            f"{ticket.kind.value}_already_used_code",
            f"The {ticket.kind.words} was used already; it works once.",
        )
    if ticket.status is TicketStatus.REVOKED:
        raise TicketRefused(f"{ticket.kind.value}_revoked_code", f"The {ticket.kind.words} was revoked.")
    if now >= ticket.expire_at:
        raise TicketRefused("ticket_expired_code", f"The {ticket.kind.words} has expired.")
    return replace(_changed(ticket, TicketStatus.ACCEPTED, now), session_id=session_id)


def revoke(ticket: Ticket, now: int) -> Ticket:
    """The ticket as revoked at `now` (ms).

    Raises TicketRefused (`…_cannot_be_revoked_code`) when it is not pending any more.
    """
    if TicketStatus.REVOKED not in TRANSITIONS[ticket.status]:
        raise TicketRefused(
            f"{ticket.kind.value}_cannot_be_revoked_code",
            f"The {ticket.kind.words} {clip(ticket.id)} is {ticket.status.value}; "
            "only a pending one can be revoked.",
        )
    return _changed(ticket, TicketStatus.REVOKED, now)


def _changed(ticket: Ticket, status: TicketStatus, now: int) -> Ticket:
    return replace(
        ticket,
        status=status,
        # Strictly later than the change before, even where the clock stood still or stepped back.
        updated_at=max(now, ticket.updated_at + 1),
        version=ticket.version + 1,
    )
