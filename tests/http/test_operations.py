"""Every operation when all is well."""

from __future__ import annotations

import httpx
import pytest

from sojourn import Actor, Sojourn
from sojourn.core.directory import IdentifierKind
from sojourn.http.backend import OPERATIONS
from sojourn.http.health import OPERATIONS as HEALTH
from sojourn.testing import ManualClock
from tests.embedded import DAY, user_id
from tests.http.conftest import check_answer, new_session

SESSION = {
    "object", "id", "user_id", "client_id", "actor", "status", "last_active_organization_id",
    "last_active_at", "latest_activity", "expire_at", "abandon_at", "updated_at", "created_at", "tasks",
}  # fmt: skip


async def test_create_and_get_a_session(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A creation answers 200 with the whole session, and reading it answers the same."""
    user = await user_id(sojourn)
    made = check_answer(await http.post("/v1/sessions", json={"user_id": user}))
    assert set(made) == SESSION
    assert (made["object"], made["user_id"], made["status"]) == ("session", user, "active")
    assert all(type(made[name]) is int for name in made if name.endswith("_at"))
    assert check_answer(await http.get(f"/v1/sessions/{made['id']}")) == made


async def test_an_organization_that_is_null_is_none(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """`null` for an optional member is the same as leaving it out."""
    body = {"user_id": await user_id(sojourn), "active_organization_id": None}
    assert check_answer(await http.post("/v1/sessions", json=body))["last_active_organization_id"] is None


async def test_the_actor_comes_back_whole(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """An actor has every member that it was given."""
    session = await new_session(sojourn, actor=Actor("user_admin", {"ticket": [1]}))
    found = check_answer(await http.get(f"/v1/sessions/{session.id}"))
    assert found["actor"] == {"sub": "user_admin", "ticket": [1]}


async def test_list_sessions(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A bare array by default, a page with the total for `paginated=true`, newest first, filtered."""
    made = [await new_session(sojourn) for _ in range(12)]
    await sojourn.sessions.revoke(made[0].id)
    newest = [s.id for s in reversed(made)]

    async def ids(query: str) -> list[str]:
        return [s["id"] for s in check_answer(await http.get(f"/v1/sessions?{query}"))]

    assert await ids("") == newest[:10]
    assert await ids("limit=500&offset=0&paginated=false") == newest
    assert await ids("limit=2&offset=3") == newest[3:5]
    assert await ids(f"user_id={made[0].user_id}&status=revoked") == [made[0].id]
    assert await ids(f"client_id={made[4].client_id}") == [made[4].id]
    assert await ids("user_id=user_none") == []
    page = check_answer(await http.get("/v1/sessions?limit=2&paginated=true&status=active"))
    assert (set(page), page["total_count"]) == ({"data", "total_count"}, 11)
    assert [s["id"] for s in page["data"]] == newest[:2]


async def test_revoke_a_session(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """The session comes back revoked, and the same again when that is repeated."""
    session = await new_session(sojourn)
    revoked = check_answer(await http.post(f"/v1/sessions/{session.id}/revoke"))
    assert revoked["status"] == "revoked"
    assert check_answer(await http.post(f"/v1/sessions/{session.id}/revoke")) == revoked


async def test_tokens(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A token is signed anew each time, lives as long as asked for, and verifies its session."""
    session = await new_session(sojourn)
    url = f"/v1/sessions/{session.id}/tokens"
    first = check_answer(await http.post(url))
    assert (set(first), first["object"]) == ({"object", "jwt"}, "token")
    second = check_answer(await http.post(url, json={"expires_in_seconds": 3600}))["jwt"]
    claims = await sojourn.tokens.verify(second)
    assert claims["exp"] - claims["iat"] == 3600  # pyright: ignore[reportOperatorIssue]
    null = check_answer(await http.post(url, json={"expires_in_seconds": None}))["jwt"]
    assert len({first["jwt"], second, null}) == 3
    verified = check_answer(await http.post(f"/v1/sessions/{session.id}/verify", json={"token": null}))
    assert verified == check_answer(await http.get(f"/v1/sessions/{session.id}"))


async def test_clients(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A client shows its sessions as they are shown by themselves; the list has both forms."""
    first, second = await new_session(sojourn), await new_session(sojourn)
    client = check_answer(await http.get(f"/v1/clients/{first.client_id}"))
    assert client == {
        "object": "client",
        "id": first.client_id,
        "session_ids": [first.id],
        "sessions": [check_answer(await http.get(f"/v1/sessions/{first.id}"))],
        "sign_in_id": None,
        "sign_up_id": None,
        "last_active_session_id": first.id,
        "last_authentication_strategy": None,
        "updated_at": first.created_at,
        "created_at": first.created_at,
    }
    listed = check_answer(await http.get("/v1/clients"))
    assert [c["id"] for c in listed] == [second.client_id, first.client_id]
    page = check_answer(await http.get("/v1/clients?paginated=true&limit=1&offset=1"))
    assert page == {"data": [client], "total_count": 2}


async def test_an_ended_session_is_not_last_active(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A client names a last active session only while that one stands."""
    session = await new_session(sojourn)
    await sojourn.sessions.end(session.id)
    client = check_answer(await http.get(f"/v1/clients/{session.client_id}"))
    assert (client["last_active_session_id"], client["session_ids"]) == (None, [session.id])


async def test_users(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A user is made from nothing or from everything, read, banned and deleted."""
    made = check_answer(await http.post("/v1/users", json={}))
    assert made["object"] == "user"
    assert check_answer(await http.get(f"/v1/users/{made['id']}")) == made
    session = await sojourn.sessions.create(user_id=made["id"])
    assert check_answer(await http.post(f"/v1/users/{made['id']}/ban"))["banned"] is True
    assert (await sojourn.sessions.get(session.id)).status == "revoked"
    assert check_answer(await http.post(f"/v1/users/{made['id']}/unban"))["banned"] is False
    deleted = check_answer(await http.delete(f"/v1/users/{made['id']}"))
    assert deleted == {"object": "user", "id": made["id"], "deleted": True}


async def test_list_users(http: httpx.AsyncClient) -> None:
    """Users are filtered, all filters together, in both orders, as a bare array; and as many are counted."""
    made = [
        check_answer(
            await http.post(
                "/v1/users",
                json={"external_id": f"ext {n}", "username": f"u{n}", "email_address": [f"U{n}@x.org"]},
            )
        )
        for n in range(4)
    ]
    ids = [u["id"] for u in made]

    async def found(query: str) -> list[str]:
        return [u["id"] for u in check_answer(await http.get(f"/v1/users?{query}"))]

    assert await found("") == ids[::-1]
    assert await found("order_by=-created_at&limit=2") == [ids[3], ids[2]]
    assert await found("order_by=%2Bcreated_at&offset=1&limit=2") == ids[1:3]
    assert await found("order_by=+created_at") == ids
    assert await found(f"user_id={ids[0]}&user_id={ids[2]}") == [ids[2], ids[0]]
    assert await found("external_id=ext%201") == [ids[1]]
    assert await found(f"external_id=-ext%201&user_id=+{ids[1]}&user_id={ids[2]}") == [ids[2]]
    assert await found("username=u2&username=u3&email_address=u3@x.org") == [ids[3]]
    assert await found(f"starting_after={ids[2]}&limit=1") == [ids[1]]
    assert await found("order_by=-username&order_by=no_such_order&query=U") == ids[::-1]
    for query, count in (("", 4), (f"user_id=-{ids[0]}", 3), (f"username=u1&starting_after={ids[0]}", 1)):
        answer = check_answer(await http.get(f"/v1/users/count?{query}"))
        assert answer == {"object": "total_count", "total_count": count}
    assert await found("email_address=U3@X.ORG") == [ids[3]]
    assert await found("phone_number=%2B123") == []


async def test_jwks_behind_a_key_and_in_public(
    http: httpx.AsyncClient, anonymous: httpx.AsyncClient, sojourn: Sojourn
) -> None:
    """Both addresses answer the same key set; only the public one may be cached."""
    behind = await http.get("/v1/jwks")
    public = await anonymous.get("/.well-known/jwks.json")
    keys = check_answer(behind)
    assert check_answer(public) == keys
    (key,) = keys["keys"]
    assert set(key) == {"use", "kty", "kid", "alg", "n", "e"}
    assert key["kid"] == sojourn.keys.current.kid
    assert behind.headers["cache-control"] == "no-store"
    assert public.headers["cache-control"].startswith("public, max-age=60")


async def test_health(anonymous: httpx.AsyncClient) -> None:
    """Liveness and readiness need no key."""
    assert check_answer(await anonymous.get("/livez")) == {"status": "live"}
    assert check_answer(await anonymous.get("/readyz")) == {"status": "ready"}


async def test_head_answers_as_get_without_a_body(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """HEAD has the status and headers of GET, the length included, and no body."""
    session = await new_session(sojourn)
    for url in (f"/v1/sessions/{session.id}", "/v1/sessions", "/v1/jwks", "/livez", "/v1/sessions/sess_none"):
        get, head = await http.get(url), await http.head(url)
        assert head.status_code == get.status_code
        assert head.content == b""
        volatile = {"clerk-trace-id", *(["content-length"] if get.status_code != 200 else [])}
        assert {k: v for k, v in head.headers.items() if k not in volatile} == {
            k: v for k, v in get.headers.items() if k not in volatile
        }


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b" \n", b" {} ", b" null\n"])
@pytest.mark.parametrize("content_type", [None, "application/json", "application/json; charset=UTF-8"])
async def test_bodies_of_nothing(
    http: httpx.AsyncClient, sojourn: Sojourn, body: bytes, content_type: str | None
) -> None:
    """What the SDKs send where there is nothing to say is accepted everywhere."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    session = await new_session(sojourn)
    for path in (
        f"/v1/sessions/{session.id}/tokens",
        f"/v1/sessions/{session.id}/revoke",
        "/v1/users",
        f"/v1/users/{session.user_id}/ban",
        f"/v1/users/{session.user_id}/unban",
    ):
        check_answer(await http.post(path, content=body, headers=headers))


async def test_a_content_type_on_a_get_is_nothing(http: httpx.AsyncClient) -> None:
    """The Node SDK sends a content type with every GET and DELETE."""
    made = check_answer(await http.post("/v1/users"))
    headers = {"Content-Type": "application/json"}
    check_answer(await http.get("/v1/sessions", headers=headers))
    check_answer(await http.delete(f"/v1/users/{made['id']}", headers=headers))


async def test_a_status_is_true_when_read(
    http: httpx.AsyncClient, sojourn: Sojourn, clock: ManualClock
) -> None:
    """A session past its deadline is expired in every answer, and gets no token."""
    session = await new_session(sojourn)
    clock.advance(seconds=7 * DAY)
    assert check_answer(await http.get(f"/v1/sessions/{session.id}"))["status"] == "expired"
    assert check_answer(await http.get("/v1/sessions?status=active")) == []
    assert (await http.post(f"/v1/sessions/{session.id}/tokens")).status_code == 404


async def test_encoded_segments(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """An id may arrive percent-encoded; an encoded slash stays inside of its segment."""
    session = await new_session(sojourn)
    encoded = session.id.replace("_", "%5F")
    assert check_answer(await http.get(f"/v1/sessions/{encoded}"))["id"] == session.id
    answer = await http.get("/v1/sessions/a%2Frevoke")
    assert "a/revoke" in answer.json()["errors"][0]["long_message"]


def test_every_operation_is_named_once() -> None:
    """Operation ids and paths are unique, and only creations honour an idempotency key."""
    every = [*OPERATIONS, *HEALTH]
    assert len({o.name for o in every}) == len(every)
    assert len({(o.method, o.path) for o in every}) == len(every)
    creations = {"createSession", "CreateUser", "CreateOrganization", "CreateOrganizationMembership"}
    assert {o.name for o in every if o.creates} == creations
    assert len(IdentifierKind) == 4
