"""Members that do not belong, injections, spoofed headers, and what can be told of things that exist."""

from __future__ import annotations

import statistics
import time
from typing import Any

import httpx
import pytest

from sojourn import Sojourn
from sojourn.http.app import App
from sojourn.http.backend import OPERATIONS as BACKEND
from sojourn.http.own import OPERATIONS as OWN
from tests.embedded import user_id
from tests.http.conftest import SECRET, check_answer, check_error, new_session

FORBIDDEN: dict[str, Any] = {
    "id": "sess_mine",
    "status": "active",
    "expire_at": 9_999_999_999_999,
    "abandon_at": 9_999_999_999_999,
    "created_by": "user_mine",
    "last_active_at": 0,
    "client_id": "client_mine",
    "version": 99,
    "sequence": 0,
    "ending": None,
    "__proto__": {"admin": True},
}
WRITES = [o for o in (*BACKEND, *OWN) if o.method in ("POST", "PATCH", "PUT")]
INJECTIONS = [
    "' OR 1=1 --",
    '"; DROP TABLE sessions; --',
    "1 UNION SELECT * FROM api_keys",
    "${7*7}",
    "{{user.id}}",
    "%s%n",
    "*)(uid=*",
    "../../etc/passwd",
    "\x00",
    "\ud800",
    "x" * 5_000,
]


@pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.name)
async def test_a03_members_that_are_not_its_own(
    http: httpx.AsyncClient,
    sojourn: Sojourn,
    operation: Any,
) -> None:
    """A-03: a member that an operation does not have is refused by name, and nothing is changed."""
    session = await new_session(sojourn)
    path = operation.path.replace("{session_id}", session.id).replace("{user_id}", session.user_id)
    path = path.replace("{client_id}", session.client_id)
    known = set() if operation.body is None else {f.encode_name for f in _fields(operation.body)}
    extra = {name: value for name, value in FORBIDDEN.items() if name not in known}
    before = (await sojourn.sessions.get(session.id), await sojourn.users.get(session.user_id))
    response = await http.request(operation.method, path, json=extra)
    assert response.status_code == 422, response.text
    named = {error.get("meta", {}).get("param_name") for error in response.json()["errors"]}
    assert set(extra) <= named
    assert (await sojourn.sessions.get(session.id), await sojourn.users.get(session.user_id)) == before


def _fields(shape: Any) -> Any:
    import msgspec

    return msgspec.structs.fields(shape)


@pytest.mark.parametrize("text", INJECTIONS, ids=lambda text: ascii(text)[:16])
async def test_a05_injections(http: httpx.AsyncClient, sojourn: Sojourn, text: str) -> None:
    """A-05: text is text: as an id it is unknown, in a filter it finds nobody or is refused, as a value it
    comes back; no table and no session is the worse for it."""
    session = await new_session(sojourn)
    for path in ("/v1/sessions/{}", "/v1/users/{}", "/v1/clients/{}", "/sojourn/v1/sessions/{}/explain"):
        quoted = "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
        assert (await http.get(path.format(quoted))).status_code in (404, 414)
    for name in ("user_id", "client_id", "status", "order_by", "limit", "cursor", "actor", "external_id"):
        for path in ("/v1/sessions", "/v1/users", "/sojourn/v1/sessions"):
            value = text.encode("utf-8", "surrogatepass")
            response = await http.get(httpx.URL(path).copy_with(query=_query(name, value)))
            if response.status_code == 200:
                body = response.json()
                found = body if isinstance(body, list) else body["data"]
                assert not found or name in _NOT_THERE[path]
            else:
                assert response.status_code in (400, 414, 422)
    if "\ud800" not in text and len(text) < 300:
        metadata = {"public_metadata": {text: text}}
        made = check_answer(await http.post("/v1/users", json=metadata))
        assert made["public_metadata"] == {text: text}
    assert (await sojourn.sessions.get(session.id)).live
    assert len(await sojourn.sessions.list()) == 1


_NOT_THERE = {
    # Parameters that an operation does not have are ignored by the published session list.
    "/v1/sessions": ("order_by", "cursor", "actor", "external_id"),
    "/v1/users": (),
    "/sojourn/v1/sessions": (),
}


def _query(name: str, value: bytes) -> bytes:
    return name.encode() + b"=" + b"".join(b"%%%02x" % byte for byte in value)


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize(
    "value", ["-1", "1e9", "1000000000000000000000", "0x10", "\uff11", "+1", " 1", "1.0", ""]
)
async def test_a05_numbers(http: httpx.AsyncClient, name: str, value: str) -> None:
    """A-05: what is no number in bounds is refused by name on every list."""
    for path in ("/v1/sessions", "/v1/users", "/v1/clients"):
        response = await http.get(path, params={name: value})
        check_error(response, 422, "form_param_value_invalid", name)


async def test_a07_a08_headers_that_proxies_set(
    app: App,
    sojourn: Sojourn,
) -> None:
    """A-07, A-08: what a caller says of its address, host and scheme changes nothing: neither the issuer of a
    token, nor any header or body of an answer."""
    session = await new_session(sojourn)
    spoofed = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "10.6.6.6",
        "Forwarded": "for=10.6.6.6;host=evil.example;proto=https",
        "X-Original-URL": "/v1/users",
        "X-HTTP-Method-Override": "DELETE",
    }
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://sojourn.test",
        headers={"Authorization": f"Bearer {SECRET}", **spoofed},
    ) as caller:
        answers = [
            await caller.post(f"/v1/sessions/{session.id}/tokens"),
            await caller.get(f"/v1/sessions/{session.id}"),
            await caller.get("/v1/jwks"),
        ]
    token = answers[0].json()["jwt"]
    assert (await sojourn.tokens.verify(token))["iss"] == sojourn.issuer
    for answer in answers:
        assert answer.status_code == 200
        assert "evil.example" not in str(answer.headers) + answer.text
        assert "10.6.6.6" not in answer.text


async def test_a04_what_exists_cannot_be_told_without_a_key(
    anonymous: httpx.AsyncClient,
    sojourn: Sojourn,
) -> None:
    """A-04: without a key what exists and what does not answer alike in status, size and words; the times of
    many requests in turns lie closer together than requests do to each other."""
    session = await new_session(sojourn)
    for there, missing in (
        (f"/v1/sessions/{session.id}", "/v1/sessions/sess_2cAHx9rDQUYIxjIMHNIEnorvr7Y"),
        (f"/v1/users/{session.user_id}", "/v1/users/user_2cAHx9rDQUYIxjIMHNIEnorvr7Y"),
        (f"/v1/clients/{session.client_id}", "/v1/clients/client_2cAHx9rDQUYIxjIMHNIEnorvr7Y"),
    ):
        took: list[list[float]] = [[], []]
        shown: set[str] = set()
        for _ in range(100):
            for side, path in enumerate((there, missing)):
                began = time.perf_counter()
                response = await anonymous.get(path)
                took[side].append(time.perf_counter() - began)
                body = response.json()
                body.pop("clerk_trace_id")
                shown.add(f"{response.status_code} {len(response.content)} {body}")
        assert len(shown) == 1
        medians = [statistics.median(side) for side in took]
        spread = statistics.quantiles(took[0], n=4)
        assert abs(medians[0] - medians[1]) <= (spread[2] - spread[0]) + 0.1 * medians[0]


async def test_s05_one_of_three(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """S-05: revoking the second of three sessions ends exactly that one."""
    sessions = [await new_session(sojourn) for _ in range(3)]
    check_answer(await http.post(f"/v1/sessions/{sessions[1].id}/revoke"))
    assert [(await sojourn.sessions.get(s.id)).live for s in sessions] == [True, False, True]


@pytest.mark.parametrize("way", ["ban", "delete"])
async def test_s10_the_end_of_a_user_is_the_end_of_the_sessions(
    http: httpx.AsyncClient,
    sojourn: Sojourn,
    way: str,
) -> None:
    """S-10: from the moment that a ban or a deletion is answered no session of the user lives and none gets a
    token; others' sessions do."""
    sessions = [await new_session(sojourn) for _ in range(3)]
    other = await sojourn.sessions.create(user_id=await user_id(sojourn, "43"))
    path = f"/v1/users/{sessions[0].user_id}"
    response = await (http.delete(path) if way == "delete" else http.post(f"{path}/ban"))
    check_answer(response)
    for session in sessions:
        assert check_answer(await http.get(f"/v1/sessions/{session.id}"))["status"] == "revoked"
        check_error(await http.post(f"/v1/sessions/{session.id}/tokens"), 404, "resource_not_found")
    check_answer(await http.post(f"/v1/sessions/{other.id}/tokens"))


async def test_s15_ids_are_never_used_again(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """S-15: after a user is deleted a new one under the same external id has new ids throughout."""
    seen: set[str] = set()
    for _ in range(20):
        session = await new_session(sojourn)
        ids = {session.id, session.client_id, session.user_id}
        assert not ids & seen
        seen |= ids
        check_answer(await http.delete(f"/v1/users/{session.user_id}"))
    assert len(seen) == 60
