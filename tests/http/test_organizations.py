"""Organizations over HTTP: what a caller may send and what comes back. Attack cases A-02, A-03 and A-05."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sojourn import Policy, Sojourn
from sojourn.http.app import App
from tests.embedded import opened, user_id
from tests.http.conftest import SECRET, check_answer, check_error

STRANGERS = {
    "id": "org_mine",
    "version": 99,
    "sequence": 1,
    "members_count": 5,
    "updated_at": 1,
    "permissions": ["org:a:b"],
    "organization_id": "org_mine",
    "members": [],
}
"""Members that the resources have, and no body of an operation."""


async def made(http: httpx.AsyncClient, **members: Any) -> str:
    """The id of a new organization."""
    return check_answer(await http.post("/v1/organizations", json={"name": "A", **members}))["id"]


async def joined(http: httpx.AsyncClient, where: str, role: str = "org:member") -> str:
    """The id of a new user who is a member."""
    user = check_answer(await http.post("/v1/users", json={}))["id"]
    body = {"user_id": user, "role": role}
    check_answer(await http.post(f"/v1/organizations/{where}/memberships", json=body))
    return user


async def test_the_resources(http: httpx.AsyncClient) -> None:
    """An organization and a membership have exactly these members, absence included."""
    bare = check_answer(await http.post("/v1/organizations", json={"name": "A"}))
    assert set(bare) == {
        "object", "id", "name", "slug", "image_url", "has_image", "max_allowed_memberships",
        "admin_delete_enabled", "public_metadata", "private_metadata", "created_at", "updated_at",
    }  # fmt: skip
    assert (bare["slug"], bare["max_allowed_memberships"], bare["admin_delete_enabled"]) == ("", 0, True)
    user = await joined(http, bare["id"], "org:billing_manager")
    (member,) = check_answer(await http.get(f"/v1/users/{user}/organization_memberships"))["data"]
    assert set(member) == {
        "object", "id", "role", "role_name", "permissions", "public_metadata", "private_metadata",
        "organization", "public_user_data", "created_at", "updated_at",
    }  # fmt: skip
    assert (member["role_name"], member["organization"]["id"]) == ("Billing Manager", bare["id"])
    assert member["public_user_data"]["identifier"] is None


async def test_a02_a_membership_of_another_organization(http: httpx.AsyncClient) -> None:
    """A-02: a member is reached through the own organization only; through another one there is none, and
    nothing has changed."""
    mine, theirs = await made(http), await made(http)
    user = await joined(http, mine)
    path = f"/v1/organizations/{theirs}/memberships/{user}"
    for method, body in (("PATCH", {"role": "org:admin"}), ("DELETE", None)):
        check_error(await http.request(method, path, json=body), 404, "resource_not_found")
    check_error(
        await http.patch(f"{path}/metadata", json={"public_metadata": {"a": 1}}), 404, "resource_not_found"
    )
    (member,) = check_answer(await http.get(f"/v1/organizations/{mine}/memberships"))["data"]
    assert (member["role"], member["public_metadata"]) == ("org:member", {})
    assert check_answer(await http.get(f"/v1/organizations/{theirs}/memberships"))["total_count"] == 0


@pytest.mark.parametrize("member", STRANGERS)
async def test_a03_members_that_no_body_has(http: httpx.AsyncClient, sojourn: Sojourn, member: str) -> None:
    """A-03: what is the service's own to say is refused by its name in every body, and nothing is changed."""
    where = await made(http)
    user = await joined(http, where)
    before = (await sojourn.organizations.get(where), await sojourn.memberships.get(where, user))
    extra = {member: STRANGERS[member]}
    base = f"/v1/organizations/{where}"
    for method, path, body in (
        ("POST", "/v1/organizations", {"name": "B"}),
        ("PATCH", base, {"name": "B"}),
        ("PATCH", f"{base}/metadata", {"public_metadata": {"a": 1}}),
        ("POST", f"{base}/memberships", {"user_id": user, "role": "org:admin"}),
        ("PATCH", f"{base}/memberships/{user}", {"role": "org:admin"}),
        ("PATCH", f"{base}/memberships/{user}/metadata", {"public_metadata": {"a": 1}}),
    ):
        answer = await http.request(method, path, json={**body, **extra})
        check_error(answer, 422, "form_param_unknown", member)
    assert (await sojourn.organizations.get(where), await sojourn.memberships.get(where, user)) == before
    assert len(await sojourn.organizations.list()) == 1


TEXTS = ["' OR 1=1 --", '"; DROP TABLE organizations; --', "%", "_", "\x00", "*", "x" * 3000, "-", "+", " "]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:16])
async def test_a05_text_is_text(http: httpx.AsyncClient, text: str) -> None:
    """A-05: in every filter text finds what holds it and nothing else, or is refused; never a 5xx."""
    where = await made(http, name="Plain")
    await joined(http, where)
    for path, names in (
        ("/v1/organizations", ("query", "user_id", "organization_id", "order_by", "limit", "offset")),
        (
            f"/v1/organizations/{where}/memberships",
            ("query", "user_id", "role", "email_address", "phone_number", "username", "web3_wallet",
             "email_address_query", "phone_number_query", "username_query", "name_query", "order_by",
             "created_at_before", "last_active_at_after"),
        ),
    ):  # fmt: skip
        for name in names:
            answer = await http.get(path, params={name: text})
            if answer.status_code == 200:
                excludes = name in ("user_id", "organization_id") and text.startswith("-")
                held = text == " " and name in ("query", "name_query") and "memberships" in path
                expected = 1 if excludes or held else 0
                underscore = text == "_" and name == "query" and "memberships" in path  # it is in the id
                assert answer.json()["total_count"] == (1 if underscore else expected), (name, text)
            else:
                check_error(answer, 422, "form_param_value_invalid", name)


@pytest.mark.parametrize("text", ["\\ud800", "\\u0000", "' OR 1=1 --"])
async def test_a05_text_in_bodies(http: httpx.AsyncClient, sojourn: Sojourn, text: str) -> None:
    """A-05: as an id it is nobody's, as a name it comes back or is refused; a lone surrogate too."""
    where, user = await made(http), await user_id(sojourn)
    header = {"Content-Type": "application/json"}
    for method, path, body in (
        ("POST", "/v1/organizations", '{"name": "A", "created_by": "%s"}'),
        ("POST", "/v1/organizations", '{"name": "A", "slug": "%s"}'),
        ("POST", "/v1/organizations", '{"name": "%s"}'),
        ("POST", f"/v1/organizations/{where}/memberships", '{"role": "org:member", "user_id": "%s"}'),
        ("POST", f"/v1/organizations/{where}/memberships", f'{{"user_id": "{user}", "role": "%s"}}'),
        ("POST", "/v1/sessions", f'{{"user_id": "{user}", "active_organization_id": "%s"}}'),
    ):
        answer = await http.request(method, path, content=body % text, headers=header)
        assert answer.status_code in (200, 400, 404, 422), (path, body, answer.text)
        assert (answer.status_code == 200) <= ('"name": "%s"' in body)


async def test_signs_before_ids(http: httpx.AsyncClient) -> None:
    """Plus and none include, minus excludes, whether the plus was encoded or not."""
    first, second = await made(http), await made(http)
    for query, found in (
        (f"organization_id={first}", [first]),
        (f"organization_id=%2B{first}&organization_id=+{second}", [second, first]),
        (f"organization_id=-{first}", [second]),
        (f"organization_id={first}&organization_id=-{first}", []),
        ("organization_id=", []),
    ):
        page = check_answer(await http.get(f"/v1/organizations?{query}"))
        assert [one["id"] for one in page["data"]] == found, query


async def test_who_knows_no_pending_session_has_to_name_an_organization() -> None:
    """Where the policy requires one: an old version gets 422 and no session, a newer one a pending session
    that the old one does not see."""
    policy = Policy(require_organization=True)
    async with (
        opened(policy=policy, secret_key=(SECRET,)) as sojourn,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(App(sojourn)),
            base_url="http://sojourn.test",
            headers={"Authorization": f"Bearer {SECRET}"},
        ) as http,
    ):
        user = await user_id(sojourn)
        old, new = {"Clerk-API-Version": "2024-10-01"}, {"Clerk-API-Version": "2025-11-10"}
        body = {"user_id": user}
        refused = await http.post("/v1/sessions", json=body, headers=old)
        check_error(refused, 422, "form_param_missing", "active_organization_id")
        assert await sojourn.sessions.list() == []
        pending = check_answer(await http.post("/v1/sessions", json=body, headers=new))
        assert (pending["status"], pending["tasks"]) == ("pending", [{"key": "choose-organization"}])
        path = f"/v1/sessions/{pending['id']}"
        check_error(await http.get(path, headers=old), 404, "resource_not_found")
        where = await made(http, created_by=user)
        inside = {**body, "active_organization_id": where}
        assert check_answer(await http.post("/v1/sessions", json=inside, headers=old))["status"] == "active"
        await sojourn.sessions.set_organization(pending["id"], where)
        assert check_answer(await http.get(path, headers=old))["status"] == "active"
