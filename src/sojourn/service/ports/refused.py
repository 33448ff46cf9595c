"""How a store says that a commit was not made."""

from __future__ import annotations


class Refused(Exception):  # an outcome that the caller must handle, not a fault
    """A commit was not made, because of one of its operations; nothing of it has happened."""

    USER_MISSING = "user_missing"
    USER_BANNED = "user_banned"
    USER_LOCKED = "user_locked"
    CLIENT_MISSING = "client_missing"
    ORGANIZATION_MISSING = "organization_missing"
    MEMBERSHIP_MISSING = "membership_missing"
    FULL = "full"
    CHANGED = "changed"
    IDENTIFIER_TAKEN = "identifier_taken"
    REPEATED = "repeated"
    LIMIT = "limit"
    LAST_KEY = "last_key"
    SESSION_ENDED = "session_ended"

    def __init__(self, why: str, operation: object, detail: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.operation = operation
        self.detail = detail
