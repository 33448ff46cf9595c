"""Idempotency-Key: a creation that is repeated is done once."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from sojourn import Sojourn
from sojourn.core.keys import ApiKeyKind
from sojourn.http.app import App
from tests.embedded import user_id
from tests.http.conftest import check_answer, check_error
from tests.http.raw import send

KEY = {"Idempotency-Key": "order-7"}


async def test_a_repeated_creation_answers_the_same_session(
    http: httpx.AsyncClient, sojourn: Sojourn
) -> None:
    """The same request under the same key makes one session, also when twenty arrive at once."""
    body = {"user_id": await user_id(sojourn)}
    first = check_answer(await http.post("/v1/sessions", json=body, headers=KEY))
    answers = await asyncio.gather(*(http.post("/v1/sessions", json=body, headers=KEY) for _ in range(20)))
    assert all(check_answer(answer) == first for answer in answers)
    assert len(await sojourn.sessions.list()) == 1


async def test_a_repeated_creation_answers_the_same_user(http: httpx.AsyncClient) -> None:
    """Without a body, too."""
    first = check_answer(await http.post("/v1/users", headers=KEY))
    assert check_answer(await http.post("/v1/users", headers=KEY)) == first
    assert check_answer(await http.post("/v1/users"))["id"] != first["id"]


async def test_another_request_under_the_key_is_refused(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """Another body or another operation under a key that was used is a 422, and nothing is made."""
    user = await user_id(sojourn)
    check_answer(await http.post("/v1/sessions", json={"user_id": user}, headers=KEY))
    for path, body in [("/v1/sessions", {"user_id": "user_x"}), ("/v1/users", {})]:
        answer = await http.post(path, json=body, headers=KEY)
        item = check_error(answer, 422, "idempotency_key_reused")
        assert item["meta"] == {"param_name": "Idempotency-Key"}
    assert len(await sojourn.sessions.list()) == 1
    assert len(await sojourn.users.list()) == 1


async def test_callers_do_not_share_keys(
    http: httpx.AsyncClient, anonymous: httpx.AsyncClient, sojourn: Sojourn
) -> None:
    """The same key of another caller is another key."""
    other = {"Authorization": f"Bearer {await sojourn.api_keys.create(ApiKeyKind.SECRET)}", **KEY}
    first = check_answer(await http.post("/v1/users", headers=KEY))
    assert check_answer(await anonymous.post("/v1/users", headers=other))["id"] != first["id"]


async def test_a_failed_creation_keeps_the_key_free(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """After an error the same key works, for the same request or another one."""
    check_error(
        await http.post("/v1/sessions", json={"user_id": "user_x"}, headers=KEY), 404, "resource_not_found"
    )
    check_answer(await http.post("/v1/sessions", json={"user_id": await user_id(sojourn)}, headers=KEY))


async def test_a_repetition_answers_the_session_as_it_is(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A session that was revoked in between does not come back active."""
    body = {"user_id": await user_id(sojourn)}
    first = check_answer(await http.post("/v1/sessions", json=body, headers=KEY))
    await sojourn.sessions.revoke(first["id"])
    again = check_answer(await http.post("/v1/sessions", json=body, headers=KEY))
    assert (again["id"], again["status"]) == (first["id"], "revoked")


async def test_tokens_are_never_repeated(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """An idempotency key on a token request is ignored: each answer is signed anew."""
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    url = f"/v1/sessions/{session.id}/tokens"
    assert (await http.post(url, headers=KEY)).json() != (await http.post(url, headers=KEY)).json()


@pytest.mark.parametrize(
    ("key", "status"), [(b"", 400), (b"k" * 255, 200), (b"k" * 256, 400), (b"\xff\x00", 200)]
)
async def test_which_keys_are_accepted(app: App, http: httpx.AsyncClient, key: bytes, status: int) -> None:
    """One to 255 bytes of anything are a key."""
    authorization = http.headers["authorization"].encode()
    headers = ((b"authorization", authorization), (b"idempotency-key", key))
    answer = await send(app, "POST", b"/v1/users", headers=headers)
    assert answer.status == status
    if status == 400:
        assert answer.code == "malformed_request_parameters"
