"""Actor tokens, sign-in tokens and testing tokens."""

from __future__ import annotations

from typing import Any

from tests.acceptance.exercises.api import Api, Exercise
from tests.embedded import HOUR

ACTOR = {"sub": "user_outside", "iss": "https://admin.test", "more": [1, {"a": None}]}


async def issued(api: Api, name: str, **body: Any) -> Any:
    """A new ticket of a new user."""
    if name == "CreateActorToken":
        body.setdefault("actor", ACTOR)
    return await api.answered(name, json={"user_id": await api.user(), **body})


async def create_actor_token(api: Api) -> None:
    """With defaults and with everything; for nobody, a banned user, with parts missing or odd."""
    create = "CreateActorToken"
    made = await issued(api, create)
    assert (made["actor"], made["status"]) == (ACTOR, "pending")
    assert made["url"].endswith(f"/v1/tickets/accept?ticket={made['token']}")
    durations = {"expires_in_seconds": 60, "session_max_duration_in_seconds": 60}
    assert (await issued(api, create, **durations))["token"] != made["token"]
    user = await api.user()
    body = {"user_id": user, "actor": ACTOR}
    for missing in ({"user_id": user}, {"actor": ACTOR}, {**body, "actor": {}}):
        await api.refused(422, "form_param_missing", create, json=missing)
    odd = (
        {"expires_in_seconds": 0},
        {"session_max_duration_in_seconds": -1},
        {"expires_in_seconds": None},
        {"actor": "x"},
        {"actor": {"sub": user}},
        {"actor": {"sub": "x", "act": ACTOR}},
    )
    for members in odd:
        await api.refused(422, "form_param_value_invalid", create, json={**body, **members})
    await api.refused(404, "resource_not_found", create, json={**body, "user_id": "user_none"})
    await api.answered("BanUser", user)
    await api.refused(403, "user_banned", create, json=body)


async def create_sign_in_token(api: Api) -> None:
    """With defaults, nulls and everything; for nobody, a banned user, an organization that is not there."""
    create = "CreateSignInToken"
    made = await issued(api, create)
    assert made["url"].endswith(f"/v1/tickets/accept?ticket={made['token']}")
    await issued(api, create, expires_in_seconds=None, org_id=None)
    await issued(api, create, expires_in_seconds=1)
    user = await api.user()
    await api.refused(422, "form_param_missing", create, json={})
    odd = {"user_id": user, "expires_in_seconds": 0}
    await api.refused(422, "form_param_value_invalid", create, json=odd)
    await api.refused(404, "resource_not_found", create, json={"user_id": "user_none"})
    await api.refused(404, "resource_not_found", create, json={"user_id": user, "org_id": "org_none"})
    await api.answered("BanUser", user)
    await api.refused(403, "user_banned", create, json={"user_id": user})


def revoking(kind: str) -> Exercise:
    """Revokes what is pending, revoked, accepted, expired, of the other kind, and not there."""
    revoke, create = f"Revoke{kind}Token", f"Create{kind}Token"
    other = "CreateActorToken" if kind == "SignIn" else "CreateSignInToken"
    code = f"{'actor' if kind == 'Actor' else 'sign_in'}_token_cannot_be_revoked_code"

    async def exercise(api: Api) -> None:
        made = await issued(api, create)
        revoked = await api.answered(revoke, made["id"])
        assert (revoked["status"], "token" in revoked, "url" in revoked) == ("revoked", False, False)
        await api.refused(400, code, revoke, made["id"])
        used = await issued(api, create)
        await api.sojourn.tickets.redeem(used["token"])
        await api.refused(400, code, revoke, used["id"])
        late = await issued(api, create, expires_in_seconds=HOUR)
        api.clock.advance(seconds=HOUR)
        assert (await api.answered(revoke, late["id"]))["status"] == "revoked"
        for unknown in ((await issued(api, other))["id"], "none"):
            await api.refused(404, "resource_not_found", revoke, unknown)

    return exercise


async def create_testing_token(api: Api) -> None:
    """With every body that stands for none."""
    for request in ({}, {"json": {}}, {"content": b"null"}):
        made = await api.answered("CreateTestingToken", **request)
        assert made["expires_at"] == int(made["token"].split("-c_")[0]) + HOUR


EXERCISES: dict[str, Exercise] = {
    "CreateActorToken": create_actor_token,
    "RevokeActorToken": revoking("Actor"),
    "CreateSignInToken": create_sign_in_token,
    "RevokeSignInToken": revoking("SignIn"),
    "CreateTestingToken": create_testing_token,
}
