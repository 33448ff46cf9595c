"""The official Python SDK, unmodified, sync and async: JWT templates and tokens made by them.

It has an empty class for claims and sends `{}` whatever it is given; templates with claims are made beside
it.
"""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import jwt
import pytest
from clerk_backend_api import models
from clerk_backend_api.security import verify_token
from clerk_backend_api.security.types import VerifyTokenOptions

from tests.acceptance.test_python_sdk import Sdk, code_of, sdk, server
from tests.support import Server
from tests.tokens.test_custom_keys import SECRET

__all__ = ["sdk", "server"]  # fixtures
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def unique() -> str:
    """A name that no template has."""
    return f"t {uuid.uuid4().hex}"


def body(**members: Any) -> dict[str, Any]:
    """A template as the SDK takes it."""
    return {"name": unique(), "claims": {}, **members}


async def test_a_template_from_creation_to_deletion(sdk: Sdk) -> None:
    """Made, read, listed, changed, deleted; and then there is none."""
    made = await sdk("jwt_templates.create", request=body(lifetime=300, allowed_clock_skew=7))
    assert (made.object, made.lifetime, made.allowed_clock_skew) == ("jwt_template", 300, 7)
    assert await sdk("jwt_templates.get", template_id=made.id) == made
    assert (await sdk("jwt_templates.list", limit=1))[0] == made
    change = body(custom_signing_key=True, signing_algorithm="HS256", signing_key=SECRET)
    changed = await sdk("jwt_templates.update", template_id=made.id, **change)
    assert (changed.name, changed.custom_signing_key, changed.lifetime) == (change["name"], True, 300)
    assert SECRET not in repr(changed)
    deleted = await sdk("jwt_templates.delete", template_id=made.id)
    assert (deleted.id, deleted.deleted) == (made.id, True)
    with pytest.raises(models.ClerkErrors) as error:
        await sdk("jwt_templates.get", template_id=made.id)
    assert code_of(error) == "resource_not_found"


async def test_a_token_by_a_template(sdk: Sdk, server: Server) -> None:
    """The SDK asks for it by name and its verifier finds the claims; with a key of its own, somebody
    else's."""
    claims = {"id": "{{user.id}}", "plan": "{{user.public_metadata.plan || 'free'}}"}
    name = unique()
    headers = {"Authorization": f"Bearer {server.secret_key}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as http:
        assert (
            await http.post("/v1/jwt_templates", json={"name": name, "claims": claims})
        ).status_code == 200
    session = await sdk.session()
    token = await sdk("sessions.create_token_from_template", session_id=session.id, template_name=name)
    found = verify_token(token.jwt, VerifyTokenOptions(secret_key=server.secret_key, api_url=server.url))
    assert (found["id"], found["plan"], "sid" in found) == (session.user_id, "free", False)
    custom = body(custom_signing_key=True, signing_algorithm="HS512", signing_key=SECRET)
    await sdk("jwt_templates.create", request=custom)
    other = await sdk(
        "sessions.create_token_from_template",
        session_id=session.id,
        template_name=custom["name"],
        expires_in_seconds=90,
    )
    read = jwt.decode(other.jwt, SECRET, algorithms=["HS512"])
    assert (read["sub"], read["exp"] - read["iat"]) == (session.user_id, 90)


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("jwt_templates.get", {"template_id": "jtmp_none"}, "resource_not_found"),
        ("jwt_templates.delete", {"template_id": "jtmp_none"}, "resource_not_found"),
        ("jwt_templates.create", {"request": {"name": "a/b", "claims": {}}}, "form_param_value_invalid"),
        (
            "jwt_templates.create",
            {"request": {"name": "x", "claims": {}, "custom_signing_key": True}},
            "form_param_missing",
        ),
        (
            "sessions.create_token_from_template",
            {"session_id": "sess_none", "template_name": "x"},
            "resource_not_found",
        ),
    ],
)
async def test_errors_are_typed(sdk: Sdk, name: str, arguments: dict[str, Any], code: str) -> None:
    """Every error arrives as the SDK's own type with the published code."""
    with pytest.raises(models.ClerkErrors) as error:
        await sdk(name, **arguments)
    assert code_of(error) == code
