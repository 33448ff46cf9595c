"""Organizations."""

from __future__ import annotations

from typing import Any

from tests.acceptance.exercises.api import Api, Exercise

FULL: dict[str, Any] = {
    "name": "Ünïted",
    "slug": "united-0",
    "max_allowed_memberships": 2,
    "public_metadata": {"a": [1, {"b": None}]},
    "private_metadata": {"b": 1.5},
    "created_at": "2020-09-13T14:26:40+02:00",
}
KEY = {"Idempotency-Key": "1"}


async def organization(api: Api, **members: Any) -> str:
    """A new organization's id."""
    return (await api.answered("CreateOrganization", json={"name": "A", **members}))["id"]


async def list_organizations(api: Api) -> None:
    """None, one with nothing and one with everything, counted and sorted; and what is asked for wrongly."""
    empty = {"data": [], "total_count": 0}
    assert await api.answered("ListOrganizations") == empty
    await organization(api)
    await organization(api, **FULL, created_by=await api.user())
    queries: tuple[dict[str, Any], ...] = (
        {},
        {"limit": "500", "paginated": "true"},
        {"include_members_count": "true", "include_missing_member_with_elevated_permissions": "true"},
        {"order_by": "+members_count"},
    )
    for query in queries:
        page = await api.answered("ListOrganizations", params=query)
        assert (len(page["data"]), page["total_count"]) == (2, 2)
    assert (await api.answered("ListOrganizations", params={"query": "UNITED-"}))["total_count"] == 1
    for query in (
        {"limit": "x"},
        {"order_by": "shoe_size"},
        {"no_such_filter": "1"},
        {"user_id": ["a"] * 101},
    ):
        await api.refused(422, "form_param_value_invalid", "ListOrganizations", params=query)


async def create_organization(api: Api) -> None:
    """From a name, from everything, a second time, with what is taken, not accepted or too much."""
    await organization(api)
    user = await api.user(create_organizations_limit=1)
    full = {**FULL, "created_by": user}
    made = await api.answered("CreateOrganization", json=full, headers=KEY)
    assert await api.answered("CreateOrganization", json=full, headers=KEY) == made
    reused: dict[str, Any] = {"headers": KEY, "json": {"name": "B"}}
    await api.refused(422, "idempotency_key_reused", "CreateOrganization", **reused)
    await api.refused(422, "form_identifier_exists", "CreateOrganization", json=FULL)
    second = {"name": "B", "created_by": user}
    await api.refused(403, "quota_exceeded", "CreateOrganization", json=second)
    await api.refused(422, "form_param_missing", "CreateOrganization", json={})
    for odd in ({"slug": "A B"}, {"created_by": "user_none"}, {"role_set_key": "x"}, {"created_at": "x"}):
        await api.refused(422, "form_param_value_invalid", "CreateOrganization", json={"name": "A", **odd})


async def get_organization(api: Api) -> None:
    """By id and by slug, with nothing and with everything, counted or not, and one that is not there."""
    for members in ({}, FULL):
        found = await organization(api, **members)
        await api.answered("GetOrganization", found)
        counts = {"include_members_count": "true", "include_missing_member_with_elevated_permissions": "true"}
        counted = await api.answered("GetOrganization", found, params=counts)
        assert (counted["members_count"], counted["missing_member_with_elevated_permissions"]) == (0, True)
    assert (await api.answered("GetOrganization", "united-0"))["id"] == found
    for unknown in ("org_none", "none"):
        await api.refused(404, "resource_not_found", "GetOrganization", unknown)


async def update_organization(api: Api) -> None:
    """Nothing, everything, what is taken, what is not accepted, and one that is not there."""
    first, second = await organization(api, slug="taken"), await organization(api)
    await api.answered("UpdateOrganization", second, json={})
    changes = {
        **{name: FULL[name] for name in ("name", "slug", "max_allowed_memberships", "created_at")},
        "admin_delete_enabled": False,
    }
    changed = await api.answered("UpdateOrganization", second, json=changes)
    assert {**changed, **changes, "created_at": 1_600_000_000_000} == changed
    metadata = {"public_metadata": {"a": 1}, "private_metadata": {"b": 2}}
    if api.specification.version < "2026-05-12":
        replaced = await api.answered("UpdateOrganization", second, json=metadata)
        assert {**replaced, **metadata} == replaced
    else:
        await api.refused(422, "form_param_unknown", "UpdateOrganization", second, json=metadata)
    await api.refused(422, "form_identifier_exists", "UpdateOrganization", first, json={"slug": "united-0"})
    for odd in ({"name": ""}, {"slug": "A B"}, {"max_allowed_memberships": -1}, {"created_at": "x"}):
        await api.refused(422, "form_param_value_invalid", "UpdateOrganization", first, json=odd)
    await api.refused(404, "resource_not_found", "UpdateOrganization", "org_none", json={"name": "B"})


async def merge_metadata(api: Api) -> None:
    """Merged at every level, nothing, and for one that is not there."""
    found = await organization(api, public_metadata={"a": {"b": 1, "c": 2}, "d": 3})
    changes = {"public_metadata": {"a": {"b": None, "e": 4}}, "private_metadata": {"f": 5}}
    merged = await api.answered("MergeOrganizationMetadata", found, json=changes)
    assert merged["public_metadata"] == {"a": {"c": 2, "e": 4}, "d": 3}
    assert merged["private_metadata"] == {"f": 5}
    assert await api.answered("MergeOrganizationMetadata", found, json={}) == merged
    await api.refused(404, "resource_not_found", "MergeOrganizationMetadata", "org_none", json=changes)


async def replace_metadata(api: Api) -> None:
    """One field as a whole, nothing, and for one that is not there."""
    found = await organization(api, public_metadata={"a": 1}, private_metadata={"b": 2})
    changes = {"public_metadata": {"c": {"d": None}}}
    replaced = await api.answered("ReplaceOrganizationMetadata", found, json=changes)
    assert (replaced["public_metadata"], replaced["private_metadata"]) == ({"c": {"d": None}}, {"b": 2})
    assert await api.answered("ReplaceOrganizationMetadata", found, json={}) == replaced
    await api.refused(404, "resource_not_found", "ReplaceOrganizationMetadata", "org_none", json=changes)


async def delete_organization(api: Api) -> None:
    """One with members and sessions, and the same again; it is active in no session any more."""
    user = await api.user()
    found = await organization(api, created_by=user)
    session = await api.answered("createSession", json={"user_id": user})
    assert session["last_active_organization_id"] == found
    assert (await api.answered("DeleteOrganization", found))["deleted"] is True
    assert (await api.answered("GetSession", session["id"]))["last_active_organization_id"] is None
    await api.refused(404, "resource_not_found", "DeleteOrganization", found)


EXERCISES: dict[str, Exercise] = {
    "ListOrganizations": list_organizations,
    "CreateOrganization": create_organization,
    "GetOrganization": get_organization,
    "UpdateOrganization": update_organization,
    "MergeOrganizationMetadata": merge_metadata,
    "ReplaceOrganizationMetadata": replace_metadata,
    "DeleteOrganization": delete_organization,
}
