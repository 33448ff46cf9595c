"""Sessions and their tokens."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from sojourn.core.session import Status
from sojourn.http.shapes.common import Instant, Shape


class SessionActivityResponse(Shape):
    """Where a session was last seen; what is not known is left out."""

    object: Literal["session_activity"]
    id: str
    is_mobile: bool
    device_type: str | UnsetType = UNSET
    browser_name: str | UnsetType = UNSET
    browser_version: str | UnsetType = UNSET
    ip_address: str | UnsetType = UNSET
    city: str | UnsetType = UNSET
    country: str | UnsetType = UNSET


class SessionTask(Shape):
    """What the user still has to do before the session becomes active."""

    key: str


class Session(Shape, kw_only=True):
    """A user signed in on a client, from its creation to its end."""

    object: Literal["session"]
    id: str
    user_id: str
    client_id: str
    actor: Annotated[
        dict[str, Any] | None,
        Meta(extra_json_schema={"properties": {"sub": {"type": "string"}}, "required": ["sub"]}),
    ]
    status: Status
    last_active_organization_id: str | None
    last_active_at: Instant
    latest_activity: SessionActivityResponse | None
    expire_at: Instant
    abandon_at: Instant
    updated_at: Instant
    created_at: Instant
    tasks: list[SessionTask] | UnsetType | None = UNSET


class Token(Shape):
    """A signed token, compact JWS."""

    object: Literal["token"]
    jwt: Annotated[str, Meta(pattern=r"^[\w-]+\.[\w-]+\.[\w-]+$")]


class Cookies(Shape):
    """Set-Cookie strings that hold a session token."""

    object: Literal["cookies"]
    cookies: list[str]
