"""Users."""

from __future__ import annotations

from typing import Any

from tests.acceptance.exercises.api import Api, Exercise

FULL: dict[str, Any] = {
    "external_id": "42",
    "username": "anna",
    "first_name": "Anna",
    "last_name": "Muster",
    "locale": "de-AT",
    "email_address": ["anna@example.org", "b@example.org"],
    "email_address_identification_status": ["verified", "reserved"],
    "phone_number": ["+43 316 1234", "+43 316 5678"],
    "phone_number_identification_status": ["reserved", "verified"],
    "public_metadata": {"a": [1, {"b": None}]},
    "private_metadata": {"b": 1.5},
    "unsafe_metadata": {"c": True},
    "bypass_client_trust": True,
    "delete_self_enabled": False,
    "create_organization_enabled": False,
    "create_organizations_limit": 3,
    "legal_accepted_at": "2026-01-01T00:00:00Z",
    "created_at": "2020-09-13T14:26:40+02:00",
}


async def list_users(api: Api) -> None:
    """Nobody, somebody with nothing and with everything; and what is asked for wrongly."""
    assert await api.answered("GetUserList") == []
    await api.user()
    await api.user(**FULL)
    for query in ({}, {"limit": "500"}, {"order_by": "+created_at"}, {"banned": "false"}):
        assert len(await api.answered("GetUserList", params=query)) == 2
    for query in (
        {"external_id": "42"},
        {"query": "ANNA"},
        {"name_query": "Must"},
        {"username": ["anna", "b"]},
    ):
        assert len(await api.answered("GetUserList", params=query)) == 1
    for query in ({"limit": "x"}, {"order_by": "shoe_size"}, {"no_such_filter": "1"}, {"provider": "x"}):
        await api.refused(422, "form_param_value_invalid", "GetUserList", params=query)


async def count_users(api: Api) -> None:
    """Nobody, everybody, some; and what is asked for wrongly."""
    assert (await api.answered("GetUsersCount"))["total_count"] == 0
    await api.user()
    await api.user(**FULL)
    for query, count in (({}, 2), ({"external_id": "-42"}, 1), ({"banned": "true"}, 0)):
        assert (await api.answered("GetUsersCount", params=query))["total_count"] == count
    await api.refused(422, "form_param_value_invalid", "GetUsersCount", params={"banned": "x"})


async def create_user(api: Api) -> None:
    """From nothing, from everything, a second time, and with what is not accepted."""
    await api.answered("CreateUser")
    made = await api.answered("CreateUser", json=FULL, headers={"Idempotency-Key": "1"})
    assert await api.answered("CreateUser", json=FULL, headers={"Idempotency-Key": "1"}) == made
    await api.refused(422, "form_identifier_exists", "CreateUser", json=FULL)
    reused = {"headers": {"Idempotency-Key": "1"}, "json": {}}
    await api.refused(422, "idempotency_key_reused", "CreateUser", **reused)
    several = {"password": 1, "banned": "x", "email_address": ["nobody"]}
    await api.refused(422, "form_param_value_invalid", "CreateUser", json=several)


async def get_user(api: Api) -> None:
    """With nothing, with everything, seen lately, and one who is not there."""
    for members in ({}, FULL):
        user = await api.user(**members)
        await api.answered("GetUser", user)
        await api.answered("createSession", json={"user_id": user})
        await api.answered("GetUser", user)
    await api.refused(404, "resource_not_found", "GetUser", "user_none")


async def update_user(api: Api) -> None:
    """Nothing, everything, nulls, what is taken, what is not accepted, and one who is not there."""
    user, other = await api.user(), await api.user(username="taken", email_address=["t@x.org"])
    await api.answered("UpdateUser", user, json={})
    changes = {
        name: FULL[name]
        for name in FULL
        if not name.startswith(("email", "phone")) and not name.endswith(("metadata", "_at"))
    }
    times = {name: FULL[name] for name in ("legal_accepted_at", "created_at")}
    changed = await api.answered("UpdateUser", user, json={**changes, **times})
    assert {**changed, **changes, "created_at": 1_600_000_000_000} == changed
    emptied = await api.answered("UpdateUser", user, json={"username": None, "locale": None})
    assert (emptied["username"], emptied["locale"], emptied["first_name"]) == (None, None, "Anna")
    metadata = {"public_metadata": {"a": 1}, "private_metadata": {"b": 2}, "unsafe_metadata": {"c": 3}}
    if api.specification.version < "2026-05-12":
        replaced = await api.answered("UpdateUser", user, json=metadata)
        assert {**replaced, **metadata} == replaced
    else:
        await api.refused(422, "form_param_unknown", "UpdateUser", user, json=metadata)
    await api.refused(422, "form_identifier_exists", "UpdateUser", user, json={"username": "taken"})
    address = (await api.answered("GetUser", other))["primary_email_address_id"]
    for odd in (
        {"external_id": ""},
        {"created_at": "x"},
        {"password": "x"},
        {"primary_email_address_id": address},
    ):
        await api.refused(422, "form_param_value_invalid", "UpdateUser", user, json=odd)
    await api.refused(404, "resource_not_found", "UpdateUser", "user_none", json={"first_name": "B"})


async def merge_metadata(api: Api) -> None:
    """Merged at every level, nothing, and for one who is not there."""
    user = await api.user(public_metadata={"a": {"b": 1, "c": 2}, "d": 3})
    changes = {"public_metadata": {"a": {"b": None, "e": 4}}, "private_metadata": {"f": 5}}
    merged = await api.answered("UpdateUserMetadata", user, json=changes)
    assert merged["public_metadata"] == {"a": {"c": 2, "e": 4}, "d": 3}
    assert merged["private_metadata"] == {"f": 5}
    assert await api.answered("UpdateUserMetadata", user, json={}) == merged
    await api.refused(
        422, "form_param_value_invalid", "UpdateUserMetadata", user, json={"public_metadata": 1}
    )
    await api.refused(404, "resource_not_found", "UpdateUserMetadata", "user_none", json=changes)


async def replace_metadata(api: Api) -> None:
    """One field as a whole, nothing, and for one who is not there."""
    user = await api.user(public_metadata={"a": 1}, unsafe_metadata={"b": 2})
    changes = {"public_metadata": {"c": {"d": None}}}
    replaced = await api.answered("ReplaceUserMetadata", user, json=changes)
    assert (replaced["public_metadata"], replaced["unsafe_metadata"]) == ({"c": {"d": None}}, {"b": 2})
    assert await api.answered("ReplaceUserMetadata", user, json={}) == replaced
    await api.refused(
        422, "form_param_value_invalid", "ReplaceUserMetadata", user, json={"public_metadata": 1}
    )
    await api.refused(404, "resource_not_found", "ReplaceUserMetadata", "user_none", json=changes)


async def delete_user(api: Api) -> None:
    """One with an external id, one without, one with sessions, and the same again."""
    for members in ({}, {"external_id": "42"}):
        user = await api.user(**members)
        session = await api.answered("createSession", json={"user_id": user})
        assert (await api.answered("DeleteUser", user))["deleted"] is True
        await api.refused(404, "resource_not_found", "DeleteUser", user)
        assert (await api.answered("GetSession", session["id"]))["status"] == "revoked"


async def ban_user(api: Api) -> None:
    """With nothing, with everything, twice, and one who is not there."""
    for members in ({}, FULL):
        user = await api.user(**members)
        for _ in range(2):
            assert (await api.answered("BanUser", user))["banned"] is True
    await api.refused(404, "resource_not_found", "BanUser", "user_none")


async def unban_user(api: Api) -> None:
    """One who is banned, one who is not, and one who is not there."""
    user = await api.user(banned=True)
    for _ in range(2):
        assert (await api.answered("UnbanUser", user))["banned"] is False
    await api.refused(404, "resource_not_found", "UnbanUser", "user_none")


async def lock_user(api: Api) -> None:
    """One who is in and stays in, twice; nobody signs in meanwhile; and one who is not there."""
    user = await api.user()
    session = await api.answered("createSession", json={"user_id": user})
    for _ in range(2):
        assert (await api.answered("LockUser", user))["locked"] is True
    await api.refused(403, "user_locked", "createSession", json={"user_id": user})
    assert (await api.answered("GetSession", session["id"]))["status"] == "active"
    await api.refused(404, "resource_not_found", "LockUser", "user_none")


async def unlock_user(api: Api) -> None:
    """One who is locked, one who is not, and one who is not there."""
    user = await api.user(locked=True)
    for _ in range(2):
        assert (await api.answered("UnlockUser", user))["locked"] is False
    await api.answered("createSession", json={"user_id": user})
    await api.refused(404, "resource_not_found", "UnlockUser", "user_none")


EXERCISES: dict[str, Exercise] = {
    "GetUserList": list_users,
    "GetUsersCount": count_users,
    "CreateUser": create_user,
    "GetUser": get_user,
    "UpdateUser": update_user,
    "UpdateUserMetadata": merge_metadata,
    "ReplaceUserMetadata": replace_metadata,
    "DeleteUser": delete_user,
    "BanUser": ban_user,
    "UnbanUser": unban_user,
    "LockUser": lock_user,
    "UnlockUser": unlock_user,
}
