"""Actor tokens, sign-in tokens and testing tokens (wire/backend-api.md section 1.3)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from sojourn.http.routes import Call, Operation
from sojourn.http.shapes.tickets import ActorToken, SignInToken, TestingToken
from sojourn.http.wire import Nothing, body_of
from sojourn.service.tickets import (
    ACTOR_TOKEN_SECONDS,
    IMPERSONATION_SECONDS,
    SIGN_IN_TOKEN_SECONDS,
    IssuedTicket,
)

Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class CreateActorToken(msgspec.Struct):
    """Body of CreateActorToken."""

    user_id: Identifier
    actor: dict[str, Any]
    expires_in_seconds: int = ACTOR_TOKEN_SECONDS
    session_max_duration_in_seconds: int = IMPERSONATION_SECONDS


class CreateSignInToken(msgspec.Struct):
    """Body of CreateSignInToken."""

    user_id: Identifier
    org_id: Identifier | None = None
    expires_in_seconds: int | None = None


async def create_actor_token(call: Call) -> object:
    """Create a ticket that signs somebody in as another user."""
    body = body_of(call.body, CreateActorToken)
    issued = await call.sojourn.tickets.create_actor_token(
        user_id=body.user_id,
        actor=body.actor,
        expires_in_seconds=body.expires_in_seconds,
        session_max_duration_in_seconds=body.session_max_duration_in_seconds,
    )
    return _issued(issued)


async def revoke_actor_token(call: Call) -> object:
    """Revoke an actor token."""
    body_of(call.body, Nothing)
    return (await call.sojourn.tickets.revoke_actor_token(call.id)).to_wire()


async def create_sign_in_token(call: Call) -> object:
    """Create a ticket that signs its user in."""
    body = body_of(call.body, CreateSignInToken)
    issued = await call.sojourn.tickets.create_sign_in_token(
        user_id=body.user_id,
        organization_id=body.org_id,
        expires_in_seconds=SIGN_IN_TOKEN_SECONDS
        if body.expires_in_seconds is None
        else body.expires_in_seconds,
    )
    return _issued(issued)


async def revoke_sign_in_token(call: Call) -> object:
    """Revoke a sign-in token."""
    body_of(call.body, Nothing)
    return (await call.sojourn.tickets.revoke_sign_in_token(call.id)).to_wire()


async def create_testing_token(call: Call) -> object:
    """Create a testing token, good for an hour."""
    body_of(call.body, Nothing)
    return (await call.sojourn.testing_tokens.create()).to_wire()


def _issued(issued: IssuedTicket) -> dict[str, object]:
    return {**issued.ticket.to_wire(), "token": issued.token, "url": issued.url}


_NOT_PENDING = {400: "It is not pending any more, or the request cannot be read."}

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/actor_tokens",
        name="CreateActorToken",
        handler=create_actor_token,
        body=CreateActorToken,
        answer=ActorToken,
        errors={403: "The user is banned.", 404: "There is no such user."},
        differs="the ticket is no RS256 JWT, see below; `session_max_duration_in_seconds` is capped by the "
        "policy; `actor.act` and an actor who is the user answer 422, an actor above 2048 bytes too",
    ),
    Operation(
        method="POST",
        path="/v1/actor_tokens/{actor_token_id}/revoke",
        name="RevokeActorToken",
        handler=revoke_actor_token,
        body=Nothing,
        answer=ActorToken,
        errors=_NOT_PENDING,
    ),
    Operation(
        method="POST",
        path="/v1/sign_in_tokens",
        name="CreateSignInToken",
        handler=create_sign_in_token,
        body=CreateSignInToken,
        answer=SignInToken,
        errors={
            403: "The user is banned, or no member of the organization.",
            404: "There is no such user or organization.",
        },
        differs="as CreateActorToken; 403 `not_a_member_in_organization` for an `org_id` of which the user "
        "is none",
    ),
    Operation(
        method="POST",
        path="/v1/sign_in_tokens/{sign_in_token_id}/revoke",
        name="RevokeSignInToken",
        handler=revoke_sign_in_token,
        body=Nothing,
        answer=SignInToken,
        errors=_NOT_PENDING,
    ),
    Operation(
        method="POST",
        path="/v1/testing_tokens",
        name="CreateTestingToken",
        handler=create_testing_token,
        body=Nothing,
        answer=TestingToken,
        differs="well-formed, and without effect: there is no defence against bots to pass",
    ),
)
