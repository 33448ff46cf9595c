"""Events: what the append-only log says about every change of state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sojourn.core.session import Instigator, Reason, Session, Status


class EventType(StrEnum):
    """Dotted names, past tense. Touches and token requests are no events."""

    SESSION_CREATED = "session.created"
    SESSION_PENDING = "session.pending"
    SESSION_NEW_DEVICE = "session.new_device"
    SESSION_ACTIVATED = "session.activated"
    SESSION_ORGANIZATION_CHANGED = "session.organization_changed"
    SESSION_TASK_COMPLETED = "session.task_completed"
    SESSION_FACTORS_VERIFIED = "session.factors_verified"
    SESSION_ENDED = "session.ended"
    SESSION_REMOVED = "session.removed"
    SESSION_REVOKED = "session.revoked"
    SESSION_REPLACED = "session.replaced"
    SESSION_EXPIRED = "session.expired"
    SESSION_ABANDONED = "session.abandoned"
    ACTOR_TOKEN_CREATED = "actor_token.created"
    ACTOR_TOKEN_ACCEPTED = "actor_token.accepted"
    ACTOR_TOKEN_REVOKED = "actor_token.revoked"
    SIGN_IN_TOKEN_CREATED = "sign_in_token.created"
    SIGN_IN_TOKEN_ACCEPTED = "sign_in_token.accepted"
    SIGN_IN_TOKEN_REVOKED = "sign_in_token.revoked"
    USER_CREATED = "user.created"
    USER_UPDATED = "user.updated"
    USER_BANNED = "user.banned"
    USER_UNBANNED = "user.unbanned"
    USER_LOCKED = "user.locked"
    USER_UNLOCKED = "user.unlocked"
    USER_DELETED = "user.deleted"
    USER_SESSIONS_ENDED = "user.sessions_ended"
    CLIENT_SESSIONS_ENDED = "client.sessions_ended"
    INSTANCE_SESSIONS_ENDED = "instance.sessions_ended"
    ORGANIZATION_CREATED = "organization.created"
    ORGANIZATION_UPDATED = "organization.updated"
    ORGANIZATION_DELETED = "organization.deleted"
    MEMBERSHIP_CREATED = "organizationMembership.created"
    MEMBERSHIP_UPDATED = "organizationMembership.updated"
    MEMBERSHIP_DELETED = "organizationMembership.deleted"
    TEMPLATE_CREATED = "jwt_template.created"
    TEMPLATE_UPDATED = "jwt_template.updated"
    TEMPLATE_DELETED = "jwt_template.deleted"
    POLICY_CHANGED = "policy.changed"
    KEY_PUBLISHED = "key.published"
    KEY_ROTATED = "key.rotated"
    KEY_WITHDRAWN = "key.withdrawn"
    API_KEY_REVOKED = "api_key.revoked"


BY_STATUS: dict[Status, EventType] = {
    Status.PENDING: EventType.SESSION_PENDING,
    Status.ACTIVE: EventType.SESSION_CREATED,
    Status.ENDED: EventType.SESSION_ENDED,
    Status.REMOVED: EventType.SESSION_REMOVED,
    Status.REVOKED: EventType.SESSION_REVOKED,
    Status.REPLACED: EventType.SESSION_REPLACED,
    Status.EXPIRED: EventType.SESSION_EXPIRED,
    Status.ABANDONED: EventType.SESSION_ABANDONED,
}
"""The event that announces that a session has come into a status."""


CHANGES_CLAIMS: frozenset[EventType] = frozenset(
    {
        EventType.SESSION_ACTIVATED,
        EventType.SESSION_ORGANIZATION_CHANGED,
        EventType.ORGANIZATION_UPDATED,
        EventType.ORGANIZATION_DELETED,
        EventType.MEMBERSHIP_UPDATED,
        EventType.MEMBERSHIP_DELETED,
    }
)
"""After these a token made before may say what is true no more: of the session, of the user in the
organization, or of everybody in the organization, whichever of these ids the event has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of state. Holds ids and codes, never personal data: an actor is named by its `sub` alone."""

    id: str
    type: EventType
    at: int
    session_id: str | None = None
    user_id: str | None = None
    client_id: str | None = None
    organization_id: str | None = None
    actor: str | None = None
    instigator: Instigator | None = None
    reason: Reason | None = None
    note: str | None = None
    request_id: str | None = None
    resource_id: str | None = None
    """What was changed, where it is none of the above: a ticket, say."""


def of_session(session: Session, kind: EventType, *, event_id: str, request_id: str | None) -> Event:
    """The event for a session that has just changed its state: at its `updated_at`, with its ending if
    any."""
    ending = session.ending
    return Event(
        id=event_id,
        type=kind,
        at=ending.at if ending else session.updated_at,
        session_id=session.id,
        user_id=session.user_id,
        client_id=session.client_id,
        organization_id=session.last_active_organization_id,
        actor=session.actor.sub if session.actor else None,
        instigator=ending.instigator if ending else None,
        reason=ending.reason if ending else None,
        note=ending.note if ending else None,
        request_id=request_id,
    )
