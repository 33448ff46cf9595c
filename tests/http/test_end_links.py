"""The page behind a link that ends a session."""

from __future__ import annotations

import httpx
import pytest

from sojourn import Sojourn
from sojourn.core.session import Status
from sojourn.http.app import MAX_URL
from tests.http.conftest import check_answer, check_error, new_session

CREATE = "/sojourn/v1/sessions/{}/end_link"


async def path_of(http: httpx.AsyncClient, session_id: str) -> str:
    """Path and query of a link made for a session."""
    made = check_answer(await http.post(CREATE.format(session_id), json={"expires_in_seconds": 60}))
    assert (made["object"], made["session_id"], made["expires_in_seconds"]) == ("end_link", session_id, 60)
    return httpx.URL(made["url"]).raw_path.decode()


def check_page(answer: httpx.Response) -> str:
    """A page that no cache keeps, that loads nothing and tells nobody where it was."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    return answer.text


async def test_opening_asks_and_the_button_ends(
    http: httpx.AsyncClient, anonymous: httpx.AsyncClient, sojourn: Sojourn
) -> None:
    """A program that opens every link of a message ends nothing; the form's POST needs no key and no body."""
    session = await new_session(sojourn)
    path = await path_of(http, session.id)
    assert "<form method=post>" in check_page(await anonymous.get(path))
    assert (await sojourn.sessions.get(session.id)).status is Status.ACTIVE
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert "signed out" in check_page(await anonymous.post(path, headers=form))
    assert (await sojourn.sessions.get(session.id)).status is Status.REVOKED
    assert "signed out" in check_page(await anonymous.post(path))


@pytest.mark.parametrize("token", ["x", "%3Cscript%3E", "%00", "a" * 4000])
async def test_a_link_that_is_none(anonymous: httpx.AsyncClient, token: str) -> None:
    """People get a page that says so, and nothing of what they sent."""
    for method in ("GET", "POST"):
        text = check_page(await anonymous.request(method, f"/sojourn/v1/end?token={token}"))
        assert "not valid" in text
        assert "form" not in text.replace("form-action", "")


async def test_refusals(http: httpx.AsyncClient, anonymous: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A link is made with a secret key, for a session that there is, for a bounded time."""
    session = await new_session(sojourn)
    check_error(await anonymous.post(CREATE.format(session.id)), 401, "clerk_key_invalid")
    check_error(await http.post(CREATE.format("sess_none")), 404, "resource_not_found")
    for seconds in (0, 10**9, "x"):
        answer = await http.post(CREATE.format(session.id), json={"expires_in_seconds": seconds})
        check_error(answer, 422, "form_param_value_invalid", "expires_in_seconds")
    check_error(await anonymous.get("/sojourn/v1/end?token=" + "a" * MAX_URL), 414, "request_url_too_long")
