"""Clients."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from sojourn.http.shapes.common import Instant, Shape
from sojourn.http.shapes.sessions import Session


class Client(Shape):
    """A browser or device that holds sessions."""

    object: Literal["client"]
    id: str
    session_ids: list[str]
    sessions: list[Session]
    sign_in_id: None
    sign_up_id: None
    last_active_session_id: str | None
    updated_at: Instant
    created_at: Instant
    last_authentication_strategy: str | UnsetType | None = UNSET


class HandshakePayload(Shape):
    """The Set-Cookie strings that a handshake brings to a server."""

    directives: list[str]
