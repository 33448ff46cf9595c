"""Memberships."""

from __future__ import annotations

from typing import Any

from tests.acceptance.exercises.api import Api, Exercise
from tests.acceptance.exercises.organizations import KEY, organization
from tests.acceptance.exercises.users import FULL as FULL_USER

METADATA: dict[str, Any] = {"public_metadata": {"a": [1, None]}, "private_metadata": {"b": {"c": 1}}}


async def member(api: Api, where: str, **user: Any) -> str:
    """The id of a new user who is a member."""
    made = await api.user(**user)
    await api.answered("CreateOrganizationMembership", where, json={"user_id": made, "role": "org:member"})
    return made


async def create_membership(api: Api) -> None:
    """With a role and with everything, a second time, of nobody, nowhere, and where there is no room."""
    where = await organization(api, max_allowed_memberships=2)
    user, other = await api.user(**FULL_USER), await api.user()
    body = {"user_id": user, "role": "org:editor", **METADATA}
    name = "CreateOrganizationMembership"
    made = await api.answered(name, where, json=body, headers=KEY)
    assert made["public_user_data"]["identifier"] == "anna"
    assert await api.answered(name, where, json=body, headers=KEY) == made
    await api.refused(422, "idempotency_key_reused", name, where, json={**body, "role": "org:x"}, headers=KEY)
    await api.refused(400, "already_a_member_in_organization", name, where, json=body)
    await api.answered(name, where, json={"user_id": other, "role": "org:admin"})
    late = {"user_id": await api.user(), "role": "org:member"}
    await api.refused(403, "organization_membership_quota_exceeded", name, where, json=late)
    await api.refused(404, "resource_not_found", name, "org_none", json=late)
    await api.refused(404, "resource_not_found", name, where, json={**late, "user_id": "user_none"})
    await api.refused(422, "form_param_value_invalid", name, where, json={**late, "role": "boss"})
    await api.refused(422, "form_param_missing", name, where, json={"user_id": user})


async def list_memberships(api: Api) -> None:
    """Nobody, those who are there, filtered and sorted, of an organization that is not there, and wrongly."""
    name, where = "ListOrganizationMemberships", await organization(api)
    assert await api.answered(name, where) == {"data": [], "total_count": 0}
    plain, known = await member(api, where), await member(api, where, **FULL_USER)
    queries: tuple[tuple[dict[str, Any], list[str]], ...] = (
        ({"paginated": "true"}, [known, plain]),
        ({"order_by": "+created_at", "limit": "1"}, [plain]),
        ({"order_by": "email_address"}, [plain, known]),
        ({"email_address": "ANNA@example.org"}, [known]),
        ({"user_id": [f"-{known}"]}, [plain]),
        ({"role": ["org:admin", "org:boss"]}, []),
        ({"query": "muster", "created_at_before": "1600000000001"}, [known]),
        ({"web3_wallet": "0x1"}, []),
    )
    for query, users in queries:
        page = await api.answered(name, where, params=query)
        assert [one["public_user_data"]["user_id"] for one in page["data"]] == users
    for query in ({"limit": "0"}, {"order_by": "role"}, {"created_at_after": "x"}, {"no_such_filter": "1"}):
        await api.refused(422, "form_param_value_invalid", name, where, params=query)
    await api.refused(404, "resource_not_found", name, "org_none")


async def list_memberships_of_user(api: Api) -> None:
    """None, several, a page of them, and of a user who is not there."""
    name, user = "UsersGetOrganizationMemberships", await api.user()
    assert await api.answered(name, user) == {"data": [], "total_count": 0}
    made = [await organization(api, created_by=user) for _ in range(3)]
    page = await api.answered(name, user, params={"limit": "2", "offset": "1"})
    assert page["total_count"] == 3
    assert [one["organization"]["id"] for one in page["data"]] == made[1::-1]
    await api.refused(404, "resource_not_found", name, "user_none")
    await api.refused(422, "form_param_value_invalid", name, user, params={"limit": "501"})


async def update_membership(api: Api) -> None:
    """Another role, the same again, one that is none, and of somebody who is no member."""
    name, where = "UpdateOrganizationMembership", await organization(api)
    user = await member(api, where)
    for _ in range(2):
        changed = await api.answered(name, where, user, json={"role": "org:admin"})
        assert (changed["role"], changed["role_name"]) == ("org:admin", "Admin")
    await api.refused(422, "form_param_value_invalid", name, where, user, json={"role": "org:"})
    await api.refused(422, "form_param_missing", name, where, user, json={})
    for ids in ((where, "user_none"), ("org_none", user)):
        await api.refused(404, "resource_not_found", name, *ids, json={"role": "org:admin"})


async def merge_metadata(api: Api) -> None:
    """Merged, nothing, and of somebody who is no member."""
    name, where = "UpdateOrganizationMembershipMetadata", await organization(api)
    user = await member(api, where)
    merged = await api.answered(name, where, user, json=METADATA)
    assert {**merged, **METADATA} == merged
    assert await api.answered(name, where, user, json={}) == merged
    await api.refused(404, "resource_not_found", name, where, "user_none", json=METADATA)


async def delete_membership(api: Api) -> None:
    """A member, who leaves the organization in every session, and the same again."""
    name, where = "DeleteOrganizationMembership", await organization(api)
    user = await member(api, where, **FULL_USER)
    session = await api.answered("createSession", json={"user_id": user, "active_organization_id": where})
    assert (await api.answered(name, where, user))["public_user_data"]["user_id"] == user
    assert (await api.answered("GetSession", session["id"]))["last_active_organization_id"] is None
    for ids in ((where, user), ("org_none", user)):
        await api.refused(404, "resource_not_found", name, *ids)


EXERCISES: dict[str, Exercise] = {
    "CreateOrganizationMembership": create_membership,
    "ListOrganizationMemberships": list_memberships,
    "UsersGetOrganizationMemberships": list_memberships_of_user,
    "UpdateOrganizationMembership": update_membership,
    "UpdateOrganizationMembershipMetadata": merge_metadata,
    "DeleteOrganizationMembership": delete_membership,
}
