"""Sessions and their tokens."""

from __future__ import annotations

from sojourn import Actor
from sojourn.core.policy import Limits
from sojourn.core.session import Activity, Session, Status
from tests.acceptance.exercises.api import Api, Exercise
from tests.embedded import DAY, MINUTE

FULL = Activity(
    id="sess_activity_1",
    is_mobile=True,
    device_type="Phone",
    browser_name="Browser",
    browser_version="1.2",
    ip_address="2001:db8::1",
    city="Graz",
    country="AT",
)


async def of_every_kind(api: Api) -> dict[Status, Session]:
    """A session in every status; one has an actor and one has been seen somewhere."""
    sessions, user = api.sojourn.sessions, await api.user()
    bare = Activity(id="sess_activity_2")
    made = {
        Status.PENDING: await sessions.create(user_id=user, tasks=["setup-mfa", "reset-password"]),
        Status.ACTIVE: await sessions.create(user_id=user, activity=FULL),
        Status.ENDED: await sessions.create(user_id=user, actor=Actor("user_x", {"note": [1, None]})),
        Status.REMOVED: await sessions.create(user_id=user),
        Status.REVOKED: await sessions.create(user_id=user, activity=bare),
        Status.EXPIRED: await sessions.create(user_id=user, limits=Limits(lifetime_seconds=MINUTE)),
        Status.ABANDONED: await sessions.create(user_id=user, limits=Limits(abandonment_seconds=MINUTE)),
        Status.REPLACED: await sessions.create(user_id=user),
    }
    await sessions.end(made[Status.ENDED].id)
    await sessions.remove(made[Status.REMOVED].id)
    await sessions.revoke(made[Status.REVOKED].id)
    await sessions.create(user_id=user, client_id=made[Status.REPLACED].client_id)
    api.clock.advance(seconds=MINUTE)
    for status, session in made.items():
        assert (await sessions.get(session.id)).status is status
    assert set(made) == set(Status)
    return made


def knows_pending(api: Api) -> bool:
    """Whether this version has the status."""
    return "pending" in api.specification.schemas["Session"]["properties"]["status"]["enum"]


async def list_sessions(api: Api) -> None:
    """Nothing, everything, a page, each status; and what is asked for wrongly."""
    assert await api.answered("GetSessionList") == []
    page = await api.answered("GetSessionList", params={"paginated": "true"})
    assert page == {"data": [], "total_count": 0}
    made = await of_every_kind(api)
    found = await api.answered("GetSessionList", params={"limit": "500"})
    shown = set(made) - (set() if knows_pending(api) else {Status.PENDING})
    assert {session["status"] for session in found} == shown
    page = await api.answered("GetSessionList", params={"paginated": "true", "limit": "3"})
    assert (len(page["data"]), page["total_count"]) == (3, len(found))
    for status in shown:
        assert await api.answered("GetSessionList", params={"status": status.value})
    for query in ({"limit": "501"}, {"offset": "x"}, {"status": "odd"}, {"paginated": "maybe"}):
        await api.refused(422, "form_param_value_invalid", "GetSessionList", params=query)
    many = {f"p{number}": "1" for number in range(501)}
    await api.refused(400, "malformed_request_parameters", "GetSessionList", params=many)


async def create_session(api: Api) -> None:
    """For a user; for nobody, a banned one, an organization that is not there, with parts missing."""
    user = await api.user()
    body = {"user_id": user}
    made = await api.answered("createSession", json=body, headers={"Idempotency-Key": "1"})
    assert await api.answered("createSession", json=body, headers={"Idempotency-Key": "1"}) == made
    reused = {"headers": {"Idempotency-Key": "1"}, "json": {"user_id": "user_x"}}
    await api.refused(422, "idempotency_key_reused", "createSession", **reused)
    await api.refused(422, "form_param_missing", "createSession", json={})
    await api.refused(422, "form_param_value_invalid", "createSession", json={"user_id": 1})
    await api.refused(404, "resource_not_found", "createSession", json={"user_id": "user_none"})
    elsewhere = {**body, "active_organization_id": "org_none"}
    await api.refused(404, "resource_not_found", "createSession", json=elsewhere)
    mine = (await api.answered("CreateOrganization", json={"name": "A", "created_by": user}))["id"]
    inside = {**body, "active_organization_id": mine}
    assert (await api.answered("createSession", json=inside))["last_active_organization_id"] == mine
    stranger = {**inside, "user_id": await api.user()}
    await api.refused(403, "not_a_member_in_organization", "createSession", json=stranger)
    await api.answered("LockUser", user)
    await api.refused(403, "user_locked", "createSession", json=body)
    await api.answered("BanUser", user)
    await api.refused(403, "user_banned", "createSession", json=body)


async def get_session(api: Api) -> None:
    """In every status, and one that is not there."""
    for status, session in (await of_every_kind(api)).items():
        if status is Status.PENDING and not knows_pending(api):
            await api.refused(404, "resource_not_found", "GetSession", session.id)
        else:
            assert (await api.answered("GetSession", session.id))["status"] == status.value
    await api.refused(404, "resource_not_found", "GetSession", "sess_none")


async def revoke_session(api: Api) -> None:
    """Twice, in every status, and one that is not there."""
    for status, session in (await of_every_kind(api)).items():
        first = await api.answered("RevokeSession", session.id)
        assert first["status"] == ("revoked" if status.live else status.value)
        assert await api.answered("RevokeSession", session.id) == first
    await api.refused(404, "resource_not_found", "RevokeSession", "sess_none")


async def verify_session(api: Api) -> None:
    """A token of the session, of another one, of nobody, and none."""
    session, other = await api.session(), await api.session()
    token = (await api.answered("CreateSessionToken", session["id"]))["jwt"]
    verify = "VerifySession"
    assert (await api.answered(verify, session["id"], json={"token": token}))["id"] == session["id"]
    await api.refused(404, "resource_not_found", verify, other["id"], json={"token": token})
    await api.refused(400, "invalid_session_token", verify, session["id"], json={"token": "a.b.c"})
    await api.refused(422, "form_param_missing", verify, session["id"], json={})
    await api.answered("RevokeSession", session["id"])
    await api.refused(404, "resource_not_found", verify, session["id"], json={"token": token})


async def create_token(api: Api) -> None:
    """With and without a lifetime, out of bounds, for an expired session and for none."""
    session = await api.session()
    for request in ({}, {"json": {}}, {"json": {"expires_in_seconds": 60}}):
        assert (await api.answered("CreateSessionToken", session["id"], **request))["jwt"].count(".") == 2
    short = {"json": {"expires_in_seconds": 1}}
    await api.refused(422, "form_param_value_invalid", "CreateSessionToken", session["id"], **short)
    api.clock.advance(seconds=7 * DAY)
    for session_id in (session["id"], "sess_none"):
        await api.refused(404, "resource_not_found", "CreateSessionToken", session_id)


EXERCISES: dict[str, Exercise] = {
    "GetSessionList": list_sessions,
    "createSession": create_session,
    "GetSession": get_session,
    "RevokeSession": revoke_session,
    "VerifySession": verify_session,
    "CreateSessionToken": create_token,
}
