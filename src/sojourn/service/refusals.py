"""What it means that a store refused to create a session."""

from __future__ import annotations

from sojourn.core.errors import (
    Conflict,
    NotAMember,
    NotFound,
    SessionLimitReached,
    SojournError,
    UserBanned,
    UserLocked,
)
from sojourn.core.session import Session
from sojourn.service.ports import Refused


def of_creation(refused: Refused, session: Session) -> SojournError:
    """The error that tells the caller."""
    match refused.why:
        case Refused.USER_MISSING:
            return NotFound("user", session.user_id)
        case Refused.USER_BANNED:
            return UserBanned(f"The user {session.user_id} is banned and cannot hold sessions.")
        case Refused.USER_LOCKED:
            return UserLocked(f"The user {session.user_id} is locked and cannot be signed in.")
        case Refused.CLIENT_MISSING:
            return NotFound("client", session.client_id)
        case Refused.MEMBERSHIP_MISSING:
            return NotAMember()
        case Refused.LIMIT:
            detail = f"The user {session.user_id} holds as many sessions as the policy allows."
            return SessionLimitReached(detail)
        case _:
            return Conflict()
