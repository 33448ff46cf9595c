"""The official Python SDK, unmodified, sync and async: actor tokens, sign-in tokens, testing tokens."""

from __future__ import annotations

import time
from typing import Any

import pytest
from clerk_backend_api import models
from clerk_backend_api.security import verify_token
from clerk_backend_api.security.types import TokenVerificationError, VerifyTokenOptions

from tests.acceptance.test_python_sdk import Sdk, code_of, pem_of, sdk, server
from tests.support import Server

__all__ = ["sdk", "server"]  # fixtures
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ACTOR = {"sub": "user_outside"}


async def test_actor_tokens(sdk: Sdk) -> None:
    """Made with the SDK's own defaults, revoked once, then refused with the published code."""
    user = await sdk.user()
    made = await sdk("actor_tokens.create", request={"user_id": user, "actor": ACTOR})
    assert (made.object, made.status, made.user_id) == ("actor_token", "pending", user)
    assert made.url.endswith(f"/v1/tickets/accept?ticket={made.token}")
    revoked = await sdk("actor_tokens.revoke", actor_token_id=made.id)
    assert (revoked.id, revoked.status) == (made.id, "revoked")
    with pytest.raises(models.ClerkErrors) as error:
        await sdk("actor_tokens.revoke", actor_token_id=made.id)
    assert code_of(error) == "actor_token_cannot_be_revoked_code"


async def test_sign_in_tokens(sdk: Sdk) -> None:
    """Made for a user, revoked once, then refused with the published code."""
    user = await sdk.user()
    made = await sdk("sign_in_tokens.create", request={"user_id": user, "expires_in_seconds": 60})
    assert (made.object, made.status, made.user_id) == ("sign_in_token", "pending", user)
    assert made.url.endswith(f"/v1/tickets/accept?ticket={made.token}")
    revoked = await sdk("sign_in_tokens.revoke", sign_in_token_id=made.id)
    assert (revoked.id, revoked.status) == (made.id, "revoked")
    with pytest.raises(models.ClerkErrors) as error:
        await sdk("sign_in_tokens.revoke", sign_in_token_id=made.id)
    assert code_of(error) == "sign_in_token_cannot_be_revoked_code"


async def test_testing_tokens(sdk: Sdk) -> None:
    """Good for an hour from now, in seconds."""
    made = await sdk("testing_tokens.create")
    assert abs(made.expires_at - time.time() - 3600) < 60
    assert made.token.startswith(f"{made.expires_at - 3600}-c_")


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("actor_tokens.revoke", {"actor_token_id": "act_none"}, "resource_not_found"),
        ("sign_in_tokens.revoke", {"sign_in_token_id": "sit_none"}, "resource_not_found"),
        ("sign_in_tokens.create", {"request": {"user_id": "user_none"}}, "resource_not_found"),
        (
            "sign_in_tokens.create",
            {"request": {"user_id": "user_none", "expires_in_seconds": 0}},
            "form_param_value_invalid",
        ),
        (
            "actor_tokens.create",
            {"request": {"user_id": "user_none", "actor": ACTOR, "expires_in_seconds": 0}},
            "form_param_value_invalid",
        ),
    ],
)
async def test_errors_are_typed(sdk: Sdk, name: str, arguments: dict[str, Any], code: str) -> None:
    """Every error arrives as the SDK's own type with the published code."""
    with pytest.raises(models.ClerkErrors) as error:
        await sdk(name, **arguments)
    assert code_of(error) == code


async def test_t21_tickets_are_no_session_tokens(sdk: Sdk, server: Server) -> None:
    """T-21: the SDK refuses both kinds as a session token, by the key set and by the PEM."""
    user = await sdk.user()
    made = [
        await sdk("actor_tokens.create", request={"user_id": user, "actor": ACTOR}),
        await sdk("sign_in_tokens.create", request={"user_id": user}),
    ]
    pem = await pem_of(sdk)
    for ticket in made:
        for options in (
            VerifyTokenOptions(jwt_key=pem),
            VerifyTokenOptions(secret_key=server.secret_key, api_url=server.url),
        ):
            with pytest.raises(TokenVerificationError):
                verify_token(ticket.token, options)
