"""The official Python SDK, unmodified, sync and async: organizations, memberships, organization claims."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from clerk_backend_api import models
from clerk_backend_api.security import authenticate_request
from clerk_backend_api.security.types import AuthenticateRequestOptions

from tests.acceptance.test_python_sdk import Sdk, code_of, pem_of, sdk
from tests.support import Server, serving

__all__ = ["sdk"]  # a fixture
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ROLES = '[roles]\n"org:editor" = ["org:posts:manage", "org:posts:read", "org:pages:read"]\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the file, with a role of the application's own."""
    folder = tmp_path_factory.mktemp("python-sdk-organizations")
    (folder / "roles.toml").write_text(ROLES)
    with serving(folder, SOJOURN_CONFIG=str(folder / "roles.toml")) as running:
        yield running


async def organization(sdk: Sdk, **members: Any) -> Any:
    """A new organization."""
    return await sdk("organizations.create", request={"name": "A", **members})


async def test_an_organization_lives_and_ends(sdk: Sdk) -> None:
    """Made, read by id and slug, listed, counted, changed, deleted."""
    user, slug = await sdk.user(), f"s-{time.time_ns()}"
    made = await organization(sdk, slug=slug, created_by=user, public_metadata={"a": 1})
    assert (made.object, made.slug, made.created_by) == ("organization", slug, user)
    for name in (made.id, slug):
        read = await sdk("organizations.get", organization_id=name, include_members_count=True)
        assert (read.id, read.members_count) == (made.id, 1)
    listed = await sdk("organizations.list", user_id=[user], include_members_count=True)
    assert [(one.id, one.members_count) for one in listed.data] == [(made.id, 1)]
    assert listed.total_count == 1
    bare = await organization(sdk)
    assert bare.slug == ""
    both = [made.id, bare.id]
    found = await sdk("organizations.list", organization_id=both, order_by="+name")
    assert {one.id for one in found.data} == {made.id, bare.id}
    changed = await sdk("organizations.update", organization_id=made.id, name="B", max_allowed_memberships=3)
    assert (changed.name, changed.max_allowed_memberships, changed.slug) == ("B", 3, slug)
    merged = await sdk("organizations.merge_metadata", organization_id=made.id, public_metadata={"b": 2})
    assert merged.public_metadata == {"a": 1, "b": 2}
    replaced = await sdk("organizations.replace_metadata", organization_id=made.id, public_metadata={"c": 3})
    assert replaced.public_metadata == {"c": 3}
    gone = await sdk("organizations.delete", organization_id=made.id)
    assert (gone.object, gone.id, gone.deleted) == ("organization", made.id, True)


async def test_memberships(sdk: Sdk) -> None:
    """Made, listed from both ends, promoted, removed."""
    where, user = await organization(sdk), await sdk.user()
    made = await sdk(
        "organization_memberships.create", organization_id=where.id, user_id=user, role="org:editor"
    )
    assert (made.role, made.organization.id, made.public_user_data.user_id) == ("org:editor", where.id, user)
    assert made.permissions == ["org:pages:read", "org:posts:manage", "org:posts:read"]
    listed = await sdk("organization_memberships.list", organization_id=where.id, user_id=[user])
    assert ([one.id for one in listed.data], listed.total_count) == ([made.id], 1)
    of_user = await sdk("users.get_organization_memberships", user_id=user)
    assert [one.organization.id for one in of_user.data] == [where.id]
    changed = await sdk(
        "organization_memberships.update", organization_id=where.id, user_id=user, role="org:admin"
    )
    assert (changed.id, changed.role) == (made.id, "org:admin")
    merged = await sdk(
        "organization_memberships.update_metadata",
        organization_id=where.id,
        user_id=user,
        public_metadata={"a": 1},
    )
    assert merged.public_metadata == {"a": 1}
    removed = await sdk("organization_memberships.delete", organization_id=where.id, user_id=user)
    assert removed.id == made.id
    assert (await sdk("users.get_organization_memberships", user_id=user)).data == []


async def test_authenticate_request_knows_the_organization(sdk: Sdk) -> None:
    """The token of a session with an active organization says id, slug, role and permissions; after the
    removal of the member the next one says nothing of it."""
    slug = f"s-{time.time_ns()}"
    where, user = await organization(sdk, slug=slug), await sdk.user()
    await sdk("organization_memberships.create", organization_id=where.id, user_id=user, role="org:editor")
    request = {"user_id": user, "active_organization_id": where.id}
    session = await sdk("sessions.create", request=request)
    assert session.last_active_organization_id == where.id
    options = AuthenticateRequestOptions(jwt_key=await pem_of(sdk))

    async def told() -> Any:
        token = (await sdk("sessions.create_token", session_id=session.id)).jwt
        incoming = httpx.Request("GET", "http://app.test/", headers={"Authorization": f"Bearer {token}"})
        state = authenticate_request(incoming, options)
        assert state.is_signed_in
        return state.to_auth()

    auth = await told()
    # This SDK gives the role as the claim has it, without its prefix.
    assert (auth.org_id, auth.org_slug, auth.org_role) == (where.id, slug, "editor")
    assert sorted(auth.org_permissions) == ["org:pages:read", "org:posts:manage", "org:posts:read"]
    await sdk("organization_memberships.delete", organization_id=where.id, user_id=user)
    assert (await told()).org_id is None
    assert (await sdk("sessions.get", session_id=session.id)).last_active_organization_id is None


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("organizations.get", {"organization_id": "org_none"}, "resource_not_found"),
        ("organizations.update", {"organization_id": "org_none", "name": "B"}, "resource_not_found"),
        ("organizations.delete", {"organization_id": "org_none"}, "resource_not_found"),
        ("organizations.create", {"request": {"name": ""}}, "form_param_value_invalid"),
        ("organizations.list", {"limit": 501}, "form_param_value_invalid"),
        (
            "organization_memberships.create",
            {"organization_id": "org_none", "user_id": "user_none", "role": "org:member"},
            "resource_not_found",
        ),
        (
            "organization_memberships.update",
            {"organization_id": "org_none", "user_id": "user_none", "role": "org:member"},
            "resource_not_found",
        ),
        (
            "organization_memberships.delete",
            {"organization_id": "org_none", "user_id": "user_none"},
            "resource_not_found",
        ),
    ],
)
async def test_errors_are_typed(sdk: Sdk, name: str, arguments: dict[str, Any], code: str) -> None:
    """Every error arrives as the SDK's own type with the published code."""
    with pytest.raises(models.ClerkErrors) as error:
        await sdk(name, **arguments)
    assert code_of(error) == code


async def test_who_is_a_member_already(sdk: Sdk) -> None:
    """A second membership and one too many arrive as the SDK's own type with the published code."""
    user = await sdk.user()
    where = await organization(sdk, created_by=user, max_allowed_memberships=1)
    for who, code in (
        (user, "already_a_member_in_organization"),
        (await sdk.user(), "organization_membership_quota_exceeded"),
    ):
        with pytest.raises(models.ClerkErrors) as error:
            await sdk(
                "organization_memberships.create", organization_id=where.id, user_id=who, role="org:member"
            )
        assert code_of(error) == code
