"""Revocations: what an event of the log takes from tokens that are out there.

A token is good until it runs out, whatever becomes of its session. What this says of an event is what a
verifier has to know to refuse it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from sojourn.core.events import BY_STATUS, CHANGES_CLAIMS, Event, EventType


class RevocationKind(StrEnum):
    """What a revocation is about."""

    SESSION = "session"
    """The session has ended: no token of it is good any more."""
    CLIENT = "client"
    """All sessions of a client have ended. Tokens do not say which client they belong to, so the entry names
    the sessions."""
    USER = "user"
    """No token of the user is good that was issued up to `at`, but for those of the spared session."""
    INSTANCE = "instance"
    """As USER, of everybody."""
    KEY = "key"
    """Nothing that this key has signed is good."""
    STALE = "stale"
    """Who it is stays true; what a token issued up to `at` says of role, permissions or organization may not
    be: of one session, of one member, or of everybody in the organization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One entry of the feed. `at` is Unix ms; a member that does not belong to the kind is None."""

    kind: RevocationKind
    at: int
    session_id: str | None = None
    user_id: str | None = None
    client_id: str | None = None
    organization_id: str | None = None
    kid: str | None = None
    spared: str | None = None
    """The session that lives on."""
    session_ids: tuple[str, ...] | None = None
    """The sessions of a client that have ended."""

    def to_wire(self) -> dict[str, object]:
        """The JSON object: only what is set."""
        return {name: value for name in _NAMES if (value := getattr(self, name)) is not None}


_NAMES = tuple(field.name for field in fields(Revocation))


def not_before_seconds(at: int) -> int:
    """The last second whose tokens a not-before of `at` (Unix ms) refuses: `iat` counts whole seconds, so a
    token of the very second may be older."""
    return at // 1000


def of_event(event: Event) -> Revocation | None:
    """What an event revokes, None for one that revokes nothing. Of a client, whoever reads the event adds the
    sessions."""
    make = _MAKE.get(event.type)
    return None if make is None else make(event)


def _session(event: Event) -> Revocation:
    return Revocation(kind=RevocationKind.SESSION, at=event.at, session_id=event.session_id)


def _stale(event: Event) -> Revocation:
    if event.type in (EventType.SESSION_ACTIVATED, EventType.SESSION_ORGANIZATION_CHANGED):
        return Revocation(kind=RevocationKind.STALE, at=event.at, session_id=event.session_id)
    return Revocation(
        kind=RevocationKind.STALE,
        at=event.at,
        user_id=event.user_id,
        organization_id=event.organization_id,
    )


_ENDINGS = (kind for status, kind in BY_STATUS.items() if not status.live)
_MAKE: Mapping[EventType, Callable[[Event], Revocation]] = {
    **dict.fromkeys(_ENDINGS, _session),
    **dict.fromkeys(CHANGES_CLAIMS, _stale),
    # The event names the spared session (service/cutoffs.py).
    EventType.USER_SESSIONS_ENDED: lambda event: Revocation(
        kind=RevocationKind.USER, at=event.at, user_id=event.user_id, spared=event.session_id
    ),
    EventType.CLIENT_SESSIONS_ENDED: lambda event: Revocation(
        kind=RevocationKind.CLIENT, at=event.at, client_id=event.client_id, spared=event.session_id
    ),
    EventType.INSTANCE_SESSIONS_ENDED: lambda event: Revocation(
        kind=RevocationKind.INSTANCE, at=event.at, spared=event.session_id
    ),
    EventType.KEY_WITHDRAWN: lambda event: Revocation(
        kind=RevocationKind.KEY, at=event.at, kid=event.resource_id
    ),
}
