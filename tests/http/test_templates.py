"""Templates over HTTP: what the published descriptions do not tell."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sojourn import Sojourn
from tests.http.conftest import check_answer, check_error, new_session
from tests.tokens.test_custom_keys import SECRET

URL = "/v1/jwt_templates"


async def save(http: httpx.AsyncClient, name: str = "t", **members: Any) -> httpx.Response:
    """Create a template."""
    return await http.post(URL, json={"name": name, "claims": {}, **members})


async def test_the_budget_is_a_header(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """Claims above 1200 bytes are told by name and size, saved, changed or minted; below, nothing is."""
    session = await new_session(sojourn)
    tokens = f"/v1/sessions/{session.id}/tokens"
    small = await save(http, "small", claims={"a": "x" * 1192})
    assert "sojourn-warning" not in small.headers
    assert "sojourn-warning" not in (await http.post(f"{tokens}/small")).headers
    large = await save(http, "large", claims={"a": "x" * 1193})
    told = "claims_over_budget; bytes=1201; budget=1200"
    assert large.headers["sojourn-warning"] == told
    changed = await http.patch(
        f"{URL}/{large.json()['id']}", json={"name": "large", "claims": large.json()["claims"]}
    )
    minted = await http.post(f"{tokens}/large")
    for answer in (large, changed, minted):
        check_answer(answer)
        assert answer.headers["sojourn-warning"] == told
    assert "sojourn-warning" not in (await http.get(f"{URL}/{large.json()['id']}")).headers
    await sojourn.users.update(session.user_id, public_metadata={"big": "x" * 1300})
    await save(http, "filled", claims={"a": "{{user.public_metadata.big}}"})
    assert "bytes=1308" in (await http.post(f"{tokens}/filled")).headers["sojourn-warning"]


async def test_t28_reserved_claims_over_http(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """T-28: `act` cannot be set, with the published status and code; metadata with its name says nothing."""
    error = check_error(
        await save(http, claims={"act": {"sub": "user_x"}}), 400, "jwt_template_reserved_claim"
    )
    assert error["meta"] == {"param_name": "claims"}
    session = await new_session(sojourn)
    await sojourn.users.update(session.user_id, public_metadata={"act": {"sub": "user_x"}, "sid": "sess_x"})
    check_answer(await save(http, "session", claims={"data": "{{user.public_metadata}}"}))
    check_answer(await http.patch("/sojourn/v1/policy", json={"session_token_template": "session"}))
    token = check_answer(await http.post(f"/v1/sessions/{session.id}/tokens"))["jwt"]
    claims = await sojourn.tokens.verify(token)
    assert ("act" in claims, claims["sid"]) == (False, session.id)
    assert claims["data"] == {"act": {"sub": "user_x"}, "sid": "sess_x"}


async def test_t21_a_token_by_a_template_verifies_no_session(
    http: httpx.AsyncClient, sojourn: Sojourn
) -> None:
    """T-21: the operation that takes a session token refuses it; the control is a session token."""
    session = await new_session(sojourn)
    check_answer(await save(http))
    verify = f"/v1/sessions/{session.id}/verify"
    token = check_answer(await http.post(f"/v1/sessions/{session.id}/tokens/t"))["jwt"]
    check_error(await http.post(verify, json={"token": token}), 400, "invalid_session_token")
    control = check_answer(await http.post(f"/v1/sessions/{session.id}/tokens"))["jwt"]
    check_answer(await http.post(verify, json={"token": control}))


async def test_the_policy_names_a_text(http: httpx.AsyncClient) -> None:
    """The own surface takes a name or null, and refuses a number."""
    for value in ("t", None):
        changed = check_answer(await http.patch("/sojourn/v1/policy", json={"session_token_template": value}))
        assert changed["session_token_template"] == value
    answer = await http.patch("/sojourn/v1/policy", json={"session_token_template": 7})
    check_error(answer, 422, "form_param_value_invalid")


@pytest.mark.parametrize("name", ["a b", "\u00e9", "a.b", "x" * 64])
async def test_names_in_a_path(http: httpx.AsyncClient, sojourn: Sojourn, name: str) -> None:
    """A name is found by its percent-encoded form."""
    session = await new_session(sojourn)
    check_answer(await save(http, name))
    path = httpx.URL(f"http://sojourn.test/v1/sessions/{session.id}/tokens/{name}")
    check_answer(await http.post(path))


async def test_no_answer_has_the_key(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """Neither what creates, changes, reads and lists a template nor what is refused repeats the key."""
    key = {"custom_signing_key": True, "signing_algorithm": "HS256", "signing_key": SECRET}
    made = await save(http, **key)
    template = f"{URL}/{check_answer(made)['id']}"
    answers = [
        made,
        await http.patch(template, json={"name": "t", "claims": {}, **key}),
        await http.get(template),
        await http.get(URL),
        await save(http, "bad", **{**key, "signing_algorithm": "RS256"}),
        await save(http, "bad", **{**key, "signing_algorithm": SECRET}),
        await save(http, "bad", signing_key=SECRET),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4 + [422] * 3
    for answer in answers:
        assert SECRET not in answer.text
        assert SECRET not in str(answer.headers)
