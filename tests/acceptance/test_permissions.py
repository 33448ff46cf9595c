"""Roles, permissions, plans and features as the official SDKs for Python and Node read them from the same
tokens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import httpx
import pytest
from clerk_backend_api.security import authenticate_request
from clerk_backend_api.security.types import AuthenticateRequestOptions

from sojourn import Config, NewUser, Sojourn
from tests.acceptance.test_node_sdk import NODE
from tests.conftest import require_tool

ROLES = {
    "org:admin": ("org:posts:read", "org:posts:manage", "org:zoo:feed", "org:aa:read"),
    "org:one": ("org:posts:read",),
    "org:none": (),
}
PLANS = {"o:team": ("audit", "posts", "0first"), "u:pro": ("export", "aa")}


async def tokens(version: int) -> tuple[Sojourn, list[tuple[str, set[str]]]]:
    """A token for each role, with and without plans, and what the role may do."""
    config = Config(
        database_url="memory://",
        sweep=False,
        roles=ROLES,
        plans=PLANS,
        token_version=2 if version == 2 else 1,
    )
    made: list[tuple[str, set[str]]] = []
    async with Sojourn.open(config=config) as sojourn:
        for plans in (False, True):
            for role, permissions in ROLES.items():
                user = await sojourn.users.create(NewUser(public_metadata={"plan": "pro"} if plans else None))
                organization = await sojourn.organizations.create(
                    name="A", public_metadata={"plan": "team"} if plans else None
                )
                await sojourn.memberships.add(organization.id, user.id, role=role)
                session = await sojourn.sessions.create(user_id=user.id, organization_id=organization.id)
                made.append(
                    (await sojourn.tokens.create(session.id, expires_in_seconds=3600), set(permissions))
                )
        return sojourn, made


def read_by_node(sojourn: Sojourn, given: list[str]) -> list[dict[str, Any]]:
    """What @clerk/backend makes of tokens, by the key alone."""
    require_tool("node", shutil.which("node"), "install Node 20 or newer")
    require_tool("@clerk/backend", (NODE / "node_modules/@clerk/backend").exists(), "run `make setup`")
    asked = {
        "pem": sojourn.keys.current.pem(),
        "publishableKey": sojourn.instance.publishable_key,
        "tokens": given,
    }
    done = subprocess.run(
        ["node", "permissions.mjs"],
        cwd=NODE,
        env={"PATH": os.environ["PATH"]},
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().split("\n")[-1])


def read_by_python(sojourn: Sojourn, token: str) -> Any:
    """What clerk-backend-api makes of a token."""
    request = httpx.Request("GET", "http://app.test/", headers={"Authorization": f"Bearer {token}"})
    state = authenticate_request(request, AuthenticateRequestOptions(jwt_key=sojourn.keys.current.pem()))
    assert state.is_signed_in, state.reason
    return state.to_auth()


@pytest.mark.parametrize("version", [1, 2])
async def test_permissions_are_the_same_in_python_and_node(version: int) -> None:
    """Both find exactly what the role grants, with and without the features of plans beside it."""
    sojourn, made = await tokens(version)
    by_node = read_by_node(sojourn, [token for token, _ in made])
    roles = [*ROLES, *ROLES]
    for (token, granted), node, role in zip(made, by_node, roles, strict=True):
        python = read_by_python(sojourn, token)
        assert (node["status"], node["role"]) == ("signed-in", role)
        assert set(node["permissions"]) == set(python.org_permissions or ()) == granted
        assert python.org_role == (role if version == 1 else role.removeprefix("org:"))


async def test_plans_and_features_in_node() -> None:
    """`has` knows plans and features of both scopes, and only of those that are there."""
    sojourn, made = await tokens(2)
    by_node = read_by_node(sojourn, [token for token, _ in made])
    assert [node["has"] for node in by_node] == [[False] * 3] * 3 + [[True, True, False]] * 3
    assert [node["features"] for node in by_node[3:]] == [[True, True, True, False]] * 3
    assert by_node[1]["features"] == [False, True, False, False]
