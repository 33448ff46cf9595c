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
    "locked": True,
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
    for query in ({}, {"limit": "500"}, {"order_by": "+created_at"}):
        assert len(await api.answered("GetUserList", params=query)) == 2
    assert len(await api.answered("GetUserList", params={"external_id": "42"})) == 1
    for query in ({"limit": "x"}, {"order_by": "shoe_size"}, {"no_such_filter": "1"}):
        await api.refused(422, "form_param_value_invalid", "GetUserList", params=query)


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


EXERCISES: dict[str, Exercise] = {
    "GetUserList": list_users,
    "CreateUser": create_user,
    "GetUser": get_user,
    "DeleteUser": delete_user,
    "BanUser": ban_user,
    "UnbanUser": unban_user,
}
