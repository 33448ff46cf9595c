"""Actor tokens, sign-in tokens and testing tokens."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from sojourn.core.ticket import TicketStatus
from sojourn.http.shapes.common import Instant, Shape

Once = Annotated[str, Meta(description="In the answer that creates it and in no other.")]


class ActorToken(Shape):
    """A ticket that signs somebody in as another user."""

    object: Literal["actor_token"]
    id: str
    user_id: str
    actor: Annotated[dict[str, Any], Meta(extra_json_schema={"required": ["sub"]})]
    status: TicketStatus
    created_at: Instant
    updated_at: Instant
    token: Once | UnsetType = UNSET
    url: Once | UnsetType = UNSET


class SignInToken(Shape):
    """A ticket that signs its user in."""

    object: Literal["sign_in_token"]
    id: str
    user_id: str
    status: TicketStatus
    created_at: Instant
    updated_at: Instant
    token: Once | UnsetType = UNSET
    url: Once | UnsetType = UNSET


class TestingToken(Shape):
    """A token that passes a defence against bots; there is none here."""

    object: Literal["testing_token"]
    token: str
    expires_at: Annotated[int, Meta(description="Seconds of Unix time.")]
