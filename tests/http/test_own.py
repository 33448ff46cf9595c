"""The own surface under /sojourn/v1: what the compatible API lacks."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sojourn import Sojourn
from sojourn.core.session import Activity, Actor, Status
from sojourn.http.own import OPERATIONS
from tests.embedded import user_id
from tests.http.conftest import check_answer, check_error, new_session

BASE = "/sojourn/v1"


async def test_search(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """Over all users, by several statuses and facts, page by page with a cursor."""
    sessions = [await new_session(sojourn) for _ in range(5)]
    acted = await new_session(
        sojourn, actor=Actor("boss", {}), activity=Activity(id="a", ip_address="10.0.0.9")
    )
    await sojourn.sessions.revoke(sessions[0].id)
    await sojourn.sessions.end(sessions[1].id)

    async def found(**query: Any) -> list[str]:
        ids: list[str] = []
        cursor: str | None = None
        while True:
            asked = {**query, "limit": 2, **({"cursor": cursor} if cursor else {})}
            page = check_answer(await http.get(f"{BASE}/sessions", params=asked))
            assert page["object"] == "session_page"
            ids += [one["id"] for one in page["data"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return ids

    assert await found() == [acted.id, *(s.id for s in reversed(sessions))]
    assert await found(status=["revoked", "ended"]) == [sessions[1].id, sessions[0].id]
    assert await found(actor="boss") == await found(addresses="10.0.0.0/24") == [acted.id]
    assert await found(user_id="user_none") == []
    assert await found(created_before=0) == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("status=asleep", "status"),
        ("cursor=x", "cursor"),
        ("limit=501", "limit"),
        ("addresses=here", "addresses"),
        ("created_from=yesterday", "created_from"),
        ("shoe_size=43", "shoe_size"),
        ("user_id=", "user_id"),
    ],
)
async def test_a_search_that_cannot_be_read(http: httpx.AsyncClient, query: str, parameter: str) -> None:
    """What is not understood is refused by name, never left out."""
    response = await http.get(f"{BASE}/sessions?{query}")
    check_error(response, 422, "form_param_value_invalid", parameter)


async def test_facts_history_and_explanation(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """One session with what the compatible resource leaves out, its events, and why it ended."""
    user = await user_id(sojourn)
    made = check_answer(await http.post("/v1/sessions", json={"user_id": user}))
    path = f"{BASE}/sessions/{made['id']}"
    facts = check_answer(await http.get(path))
    assert made.items() <= facts.items()
    assert facts["ending"] is None
    assert facts["application"] == (await sojourn.api_keys.list())[0].id
    attested = check_answer(await http.post(f"{path}/factors", json={"second_factor": True}))
    assert attested["second_factor_at"] >= facts["first_factor_at"]
    check_error(await http.post(f"{path}/factors", json={}), 422, "form_param_value_invalid", "first_factor")
    await sojourn.sessions.revoke(made["id"], note="lost")
    facts = check_answer(await http.get(path))
    expected = {"reason": "revoked", "instigator": "application", "note": "lost"}
    assert expected.items() <= facts["ending"].items()
    events = check_answer(await http.get(f"{path}/events"))["data"]
    kinds = ["session.created", "session.factors_verified", "session.revoked"]
    assert [event["type"] for event in events] == kinds
    explained = check_answer(await http.get(f"{path}/explain"))
    assert explained["session"] == facts
    assert explained["rule"]
    assert explained["next"] is None
    assert explained["events"] == events


async def test_ending_the_sessions_of_a_user(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """All others than one, then all."""
    sessions = [await new_session(sojourn) for _ in range(3)]
    path = f"{BASE}/users/{sessions[0].user_id}/sessions/end"
    body = {"reason": "password changed", "except_session_id": sessions[1].id}
    check_answer(await http.post(path, json=body))
    assert [(await sojourn.sessions.get(s.id)).live for s in sessions] == [False, True, False]
    check_answer(await http.post(path))
    assert not (await sojourn.sessions.get(sessions[1].id)).live
    check_error(await http.post(path, json={"except_session_id": "sess_none"}), 404, "resource_not_found")
    check_error(await http.post(f"{BASE}/users/user_none/sessions/end"), 404, "resource_not_found")


async def test_users_by_the_application_s_id(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """Whatever characters it has; made if there is none yet, and only then."""
    external = "a/b c%ü"
    check_error(await http.get(f"{BASE}/users/by-external-id/a%2Fb"), 404, "resource_not_found")
    made = check_answer(await http.post(f"{BASE}/users/ensure", json={"external_id": external}))
    again = check_answer(await http.post(f"{BASE}/users/ensure", json={"external_id": external}))
    found = check_answer(await http.get(f"{BASE}/users/by-external-id/a%2Fb%20c%25%C3%BC"))
    assert made == again == found == (await sojourn.users.get(made["id"])).to_wire()


async def test_endings(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A dry run counts and ends nothing; the run is watched by its id; everything takes `all`."""
    ours = [await new_session(sojourn, application="shop") for _ in range(3)]
    other = await new_session(sojourn)
    dry = check_answer(await http.post(f"{BASE}/endings", json={"application": "shop", "dry_run": True}))
    assert (dry["count"], len(dry["sample"])) == (3, 3)
    begun = check_answer(await http.post(f"{BASE}/endings", json={"application": "shop", "reason": "leak"}))
    assert (begun["state"], begun["filter"]) == ("running", {"application": "shop"})
    await sojourn.endings.work_off()
    done = check_answer(await http.get(f"{BASE}/endings/{begun['id']}"))
    assert (done["state"], done["ended"]) == ("done", 3)
    assert {(await sojourn.sessions.get(s.id)).status for s in ours} == {Status.REVOKED}
    assert (await sojourn.sessions.get(other.id)).live
    check_error(await http.post(f"{BASE}/endings", json={}), 422, "form_param_value_invalid", "filter")
    assert check_answer(await http.post(f"{BASE}/endings", json={"all": True}))["method"] == "cutoff"
    assert not (await sojourn.sessions.get(other.id)).live
    assert len(check_answer(await http.get(f"{BASE}/endings"))["data"]) == 2
    assert check_answer(await http.post(f"{BASE}/endings/{begun['id']}/cancel")) == done
    check_error(await http.get(f"{BASE}/endings/ending_none"), 404, "resource_not_found")


async def test_the_policy(http: httpx.AsyncClient, verifier: dict[str, str]) -> None:
    """Read by any key, changed by a secret one, taken back; what does not fit is refused by name."""
    before = check_answer(await http.get(f"{BASE}/policy", headers=verifier))
    changed = check_answer(await http.patch(f"{BASE}/policy", json={"inactivity_seconds": 3600}))
    assert changed == {**before, "inactivity_seconds": 3600, "changed": ["inactivity_seconds"]}
    off = check_answer(await http.patch(f"{BASE}/policy", json={"inactivity_seconds": None}))
    assert off == {**before, "changed": ["inactivity_seconds"]}
    for body, code, parameter in (
        ({}, "form_param_value_invalid", "policy"),
        ({"inactivity_seconds": "1"}, "form_param_value_invalid", "inactivity_seconds"),
        ({"lifetime": 1}, "form_param_unknown", "lifetime"),
    ):
        check_error(await http.patch(f"{BASE}/policy", json=body), 422, code, parameter)
    refused = await http.patch(f"{BASE}/policy", json={"lifetime_seconds": 1}, headers=verifier)
    check_error(refused, 403, "authorization_invalid")
    assert check_answer(await http.post(f"{BASE}/policy/reset")) == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_no_key_no_answer(anonymous: httpx.AsyncClient, operation: Any) -> None:
    """Every operation of the own surface takes a key."""
    path = operation.path.replace("{", "").replace("}", "")
    check_error(await anonymous.request(operation.method, path), 401, "clerk_key_invalid")
