"""Client: a browser or device that holds sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sojourn.core.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A browser or device (spec Client). Instants are integer milliseconds of Unix time."""

    id: str
    created_at: int
    updated_at: int
    last_active_session_id: str | None = None
    last_authentication_strategy: str | None = None
    version: int = 1
    sequence: int = 0

    def to_wire(self, sessions: Sequence[Session]) -> dict[str, object]:
        """The resource with its sessions, which the caller has settled and filtered.

        `last_active_session_id` names a session only as long as that one stands.
        """
        standing = {session.id for session in sessions if session.live}
        last = self.last_active_session_id
        return {
            "object": "client",
            "id": self.id,
            "session_ids": [session.id for session in sessions],
            "sessions": [session.to_wire() for session in sessions],
            "sign_in_id": None,
            "sign_up_id": None,
            "last_active_session_id": last if last in standing else None,
            "last_authentication_strategy": self.last_authentication_strategy,
            "updated_at": self.updated_at,
            "created_at": self.created_at,
        }
