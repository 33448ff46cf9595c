"""API versions: which is served, and what old ones are not shown."""

from __future__ import annotations

import httpx
import pytest

from sojourn import Sojourn
from sojourn.http.versions import NEWEST, VERSIONS, version_of
from tests.embedded import user_id
from tests.http.conftest import check_answer, check_error, new_session

DATES = ["2021-02-05", "2024-10-01", "2025-03-12", "2025-04-10", "2025-11-10", "2026-05-12"]
OLD, NEW = DATES[:2], DATES[2:]


def test_the_documented_versions() -> None:
    """All six are there, in their order."""
    assert [v.date for v in VERSIONS] == DATES
    assert NEWEST.date == DATES[-1]


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        *((date, date) for date in DATES),
        ("2021-02-06", "2021-02-05"),
        ("2024-09-30", "2021-02-05"),
        ("2025-03-11", "2024-10-01"),
        ("2025-04-09", "2025-03-12"),
        ("2025-11-09", "2025-04-10"),
        ("2026-05-11", "2025-11-10"),
        ("2099-12-31", "2026-05-12"),
    ],
)
def test_the_newest_version_not_after_the_date(asked: str, served: str) -> None:
    """Any date is served, by header and by query, as the newest version not after it."""
    assert version_of(asked.encode(), ()).date == served
    assert version_of(None, (asked,)).date == served
    assert version_of(asked.encode(), (asked, asked)).date == served


def test_none_given() -> None:
    """Without a version the newest is served."""
    assert version_of(None, ()) is NEWEST


BAD = ["", "x", "2021-02-04", "0001-01-01", "2025-13-01", "2025-02-30", "20250312", "2025-3-12", "2025-W10-3",
       " 2025-03-12", "2025-03-12T00:00:00", "latest", "\uff12025-03-12", "2025-03-12\x00"]  # fmt: skip


@pytest.mark.parametrize("asked", BAD)
async def test_what_is_no_version(http: httpx.AsyncClient, asked: str) -> None:
    """What is no date or lies before the first version is a 400, by header and by query."""
    by_query = await http.get("/v1/sessions", params={"__clerk_api_version": asked})
    check_error(by_query, 400, "api_version_invalid")
    if asked.isascii() and asked.isprintable():
        by_header = await http.get("/v1/sessions", headers={"Clerk-API-Version": asked})
        check_error(by_header, 400, "api_version_invalid")


@pytest.mark.parametrize(
    ("header", "query", "status"),
    [
        ("2025-04-10", "2025-04-10", 200),
        ("2025-04-10", "2025-04-11", 400),
        ("2025-04-10", "", 400),
        (None, "2025-04-10&__clerk_api_version=2025-04-10", 200),
        (None, "2025-04-10&__clerk_api_version=2025-04-11", 400),
    ],
)
async def test_header_and_query_have_to_agree(
    http: httpx.AsyncClient, header: str | None, query: str, status: int
) -> None:
    """Two different versions in one request are a 400, even where they are served alike."""
    headers = {} if header is None else {"Clerk-API-Version": header}
    answer = await http.get(f"/v1/users?__clerk_api_version={query}", headers=headers)
    if status == 400:
        check_error(answer, 400, "api_version_invalid")
    else:
        check_answer(answer)


@pytest.mark.parametrize("date", [None, *DATES])
async def test_everything_is_served_in_every_version(
    http: httpx.AsyncClient, sojourn: Sojourn, date: str | None
) -> None:
    """Verify and the list of clients stay, whatever the version."""
    headers = {} if date is None else {"Clerk-API-Version": date}
    session = await new_session(sojourn)
    token = await sojourn.tokens.create(session.id)
    url = f"/v1/sessions/{session.id}"
    verified = check_answer(await http.post(f"{url}/verify", json={"token": token}, headers=headers))
    assert verified == check_answer(await http.get(url, headers=headers))
    assert ("tasks" in verified) == (date not in OLD)
    (client,) = check_answer(await http.get("/v1/clients", headers=headers))
    assert client["sessions"] == [verified]
    assert ("last_authentication_strategy" in client) == (date != "2025-03-12")
    assert check_answer(await http.post(f"{url}/revoke", headers=headers))["status"] == "revoked"


@pytest.mark.parametrize("date", OLD)
async def test_old_versions_see_no_pending_session(
    http: httpx.AsyncClient, sojourn: Sojourn, date: str
) -> None:
    """A pending session does not exist for versions that do not know the word: not by id, in no list."""
    headers = {"Clerk-API-Version": date}
    pending = await new_session(sojourn, tasks=["setup-mfa"])
    active = await sojourn.sessions.create(user_id=await user_id(sojourn), client_id=pending.client_id)
    url = f"/v1/sessions/{pending.id}"
    token = await sojourn.tokens.create(pending.id)
    check_error(await http.get(url, headers=headers), 404, "resource_not_found")
    hidden = await http.post(f"{url}/verify", json={"token": token}, headers=headers)
    check_error(hidden, 404, "resource_not_found")
    page = check_answer(await http.get("/v1/sessions?paginated=true", headers=headers))
    assert ([s["id"] for s in page["data"]], page["total_count"]) == ([active.id], 1)
    client = check_answer(await http.get(f"/v1/clients/{pending.client_id}", headers=headers))
    assert client["session_ids"] == [active.id]
    asked = await http.get("/v1/sessions?status=pending", headers=headers)
    check_error(asked, 422, "form_param_value_invalid", "status")
    revoked = check_answer(await http.post(f"{url}/revoke", headers=headers))
    assert revoked["status"] == "revoked"
    assert check_answer(await http.get(url, headers=headers))["status"] == "revoked"


@pytest.mark.parametrize("date", NEW)
async def test_new_versions_see_pending_sessions(
    http: httpx.AsyncClient, sojourn: Sojourn, date: str
) -> None:
    """Newer versions show pending sessions with their tasks; all but the first of them may ask for them."""
    headers = {"Clerk-API-Version": date}
    pending = await new_session(sojourn, tasks=["setup-mfa", "reset-password"])
    found = check_answer(await http.get(f"/v1/sessions/{pending.id}", headers=headers))
    assert (found["status"], found["tasks"]) == ("pending", [{"key": "setup-mfa"}, {"key": "reset-password"}])
    assert check_answer(await http.get("/v1/sessions", headers=headers)) == [found]
    asked = await http.get("/v1/sessions?status=pending", headers=headers)
    if date == "2025-03-12":
        check_error(asked, 422, "form_param_value_invalid", "status")
    else:
        assert check_answer(asked) == [found]
