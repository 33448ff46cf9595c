"""Users over HTTP: what is accepted and what is refused by name, in creations, changes and lists; how much
metadata may be given. Attack cases A-03 and A-05."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from sojourn.http.routes import BODY_LIMIT, METADATA_LIMIT
from sojourn.testing import ManualClock
from tests.http.conftest import check_answer, check_error

FACTORS = ["password", "password_digest", "password_hasher", "totp_secret", "backup_codes", "web3_wallet"]
REQUIRED = {
    "id", "object", "external_id", "primary_email_address_id", "primary_phone_number_id",
    "primary_web3_wallet_id", "username", "first_name", "last_name", "has_image", "public_metadata",
    "email_addresses", "phone_numbers", "web3_wallets", "passkeys", "password_enabled", "two_factor_enabled",
    "totp_enabled", "backup_code_enabled", "mfa_enabled_at", "mfa_disabled_at", "external_accounts",
    "saml_accounts", "enterprise_accounts", "last_sign_in_at", "banned", "locked",
    "lockout_expires_in_seconds",
    "verification_attempts_remaining", "updated_at", "created_at", "delete_self_enabled",
    "create_organization_enabled", "last_active_at", "legal_accepted_at",
}  # fmt: skip


async def test_every_field_that_sdks_require_is_there(http: httpx.AsyncClient) -> None:
    """A user made of nothing has the 35 required fields."""
    assert len(REQUIRED) == 35
    assert set(check_answer(await http.post("/v1/users"))) >= REQUIRED


async def test_everything_that_can_be_given(http: httpx.AsyncClient) -> None:
    """Each member comes back where the specification has it."""
    body = {
        "external_id": "42",
        "username": "anna",
        "first_name": "Anna",
        "last_name": "Muster",
        "locale": "de-AT",
        "email_address": ["Anna@Example.org", "b@x.org"],
        "email_address_identification_status": ["verified", "reserved"],
        "phone_number": ["+43 316 1234"],
        "public_metadata": {"a": [1, {"b": None}]},
        "private_metadata": {"b": 2**70},
        "unsafe_metadata": {"c": 1.5},
        "banned": True,
        "locked": True,
        "bypass_client_trust": True,
        "delete_self_enabled": False,
        "create_organization_enabled": False,
        "create_organizations_limit": 0,
        "legal_accepted_at": "2026-01-01T00:00:00Z",
        "created_at": "2020-09-13T14:26:40+02:00",
    }
    user = check_answer(await http.post("/v1/users", json=body))
    same = ("external_id", "username", "first_name", "last_name", "locale", "public_metadata", "banned",
            "private_metadata", "unsafe_metadata", "locked", "bypass_client_trust", "delete_self_enabled",
            "create_organization_enabled", "create_organizations_limit")  # fmt: skip
    assert {name: user[name] for name in same} == {name: body[name] for name in same}
    emails = [(e["email_address"], e["reserved"]) for e in user["email_addresses"]]
    assert emails == [("anna@example.org", False), ("b@x.org", True)]
    assert user["primary_email_address_id"] == user["email_addresses"][0]["id"]
    assert user["phone_numbers"][0]["phone_number"] == "+43 316 1234"
    assert (user["created_at"], user["legal_accepted_at"]) == (1_600_000_000_000, 1_767_225_600_000)
    assert check_answer(await http.get(f"/v1/users/{user['id']}")) == user


async def test_skip_flags_are_accepted(http: httpx.AsyncClient) -> None:
    """The flags that skip checks there are none of are accepted."""
    flags = (
        "skip_legal_checks",
        "skip_password_checks",
        "skip_password_requirement",
        "skip_user_requirement",
    )
    check_answer(await http.post("/v1/users", json=dict.fromkeys(flags, True)))


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("value", ["canary-value", ["canary-value"], 7])
async def test_factors_are_refused_by_name(http: httpx.AsyncClient, factor: str, value: object) -> None:
    """A password and the like is a 422 that names it and never repeats it; no user is made."""
    answer = await http.post("/v1/users", json={"external_id": "1", factor: value})
    check_error(answer, 422, "form_param_value_invalid", factor)
    assert "canary" not in answer.text
    assert check_answer(await http.get("/v1/users")) == []


async def test_factors_that_are_null_are_not_there(http: httpx.AsyncClient) -> None:
    """SDKs that send every field as null are understood."""
    check_answer(await http.post("/v1/users", json=dict.fromkeys(FACTORS)))


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"email_address": "a@x.org"}, "email_address"),
        ({"email_address": ["nobody"]}, "email_address"),
        ({"email_address": ["a@x.org", "A@X.ORG"]}, "email_address"),
        ({"email_address": ["a@" + "x" * 320]}, "email_address"),
        ({"phone_number": ["call me"]}, "phone_number"),
        ({"phone_number": ["+1555", "+1555"]}, "phone_number"),
        ({"email_address_identification_status": ["verified"]}, "email_address_identification_status"),
        (
            {"email_address": ["a@x.org"], "email_address_identification_status": ["odd"]},
            "email_address_identification_status",
        ),
        ({"external_id": ""}, "external_id"),
        ({"external_id": 42}, "external_id"),
        ({"username": "x" * 321}, "username"),
        ({"first_name": "x" * 257}, "first_name"),
        ({"public_metadata": []}, "public_metadata"),
        ({"public_metadata": "x"}, "public_metadata"),
        ({"banned": "yes"}, "banned"),
        ({"create_organizations_limit": -1}, "create_organizations_limit"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": 1_600_000_000}, "created_at"),
        ({"legal_accepted_at": "2026-13-01T00:00:00Z"}, "legal_accepted_at"),
    ],
)
async def test_values_that_are_not_accepted(
    http: httpx.AsyncClient, body: dict[str, Any], parameter: str
) -> None:
    """A value that does not fit is a 422 with the member's name."""
    check_error(await http.post("/v1/users", json=body), 422, "form_param_value_invalid", parameter)


@pytest.mark.parametrize(
    "body",
    [{"external_id": "1"}, {"username": "u"}, {"email_address": ["A@x.org"]}, {"phone_number": ["+1555"]}],
)
async def test_identifiers_that_are_taken(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """An identifier that somebody has is a 422 with its name."""
    check_answer(await http.post("/v1/users", json=body))
    check_error(await http.post("/v1/users", json=body), 422, "form_identifier_exists", next(iter(body)))


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("web3_wallet=0x1", "web3_wallet"),
        ("provider=oauth_google", "provider"),
        ("provider_user_id=1", "provider_user_id"),
        ("order_by=web3wallet", "order_by"),
        ("order_by=shoe_size", "order_by"),
        ("banned=yes", "banned"),
        ("created_at_before=yesterday", "created_at_before"),
        ("query=", "query"),
        ("starting_after=user_none", "starting_after"),
        ("starting_after=user_none&offset=1", "starting_after"),
        ("starting_after=user_none&order_by=username", "starting_after"),
        ("limit=501", "limit"),
        ("paginated=true", "paginated"),
        ("&".join(f"user_id=u{n}" for n in range(101)), "user_id"),
    ],
)
async def test_filters_that_are_not_accepted(http: httpx.AsyncClient, query: str, parameter: str) -> None:
    """A filter that is not served is refused: leaving it out would answer with the wrong users. Counting
    refuses what it has of them."""
    check_error(await http.get(f"/v1/users?{query}"), 422, "form_param_value_invalid", parameter)
    if parameter != "starting_after":
        check_error(await http.get(f"/v1/users/count?{query}"), 422, "form_param_value_invalid", parameter)


async def test_activity_is_known_by_its_day(http: httpx.AsyncClient, clock: ManualClock) -> None:
    """Since an instant of today finds who was active today; since tomorrow, or after now, nobody."""
    user = check_answer(await http.post("/v1/users"))["id"]
    check_answer(await http.post("/v1/users"))
    session = check_answer(await http.post("/v1/sessions", json={"user_id": user}))["id"]
    clock.advance(seconds=61)
    check_answer(await http.post(f"/v1/sessions/{session}/tokens"))
    await asyncio.sleep(0)
    today, tomorrow = clock.now(), clock.now() + 86_400_000

    async def found(**query: int) -> list[str]:
        return [one["id"] for one in check_answer(await http.get("/v1/users", params=query))]

    seen = check_answer(await http.get(f"/v1/users/{user}"))["last_active_at"]
    assert seen == today - today % 86_400_000
    assert await found(last_active_at_since=today) == [user]
    assert await found(last_active_at_since=tomorrow) == []
    assert await found(last_active_at_after=seen - 1) == [user]
    assert await found(last_active_at_after=seen) == await found(last_active_at_before=seen) == []
    assert await found(last_sign_in_at_after=today - 61_001) == [user]


async def test_everything_that_can_be_changed(http: httpx.AsyncClient) -> None:
    """Each member is replaced by what is given and stays where nothing is; null empties what can be empty."""
    made = check_answer(await http.post("/v1/users", json={"email_address": ["a@x.org", "b@x.org"]}))
    path = f"/v1/users/{made['id']}"
    changes = {
        "external_id": "42",
        "username": "anna",
        "first_name": "Anna",
        "last_name": "Muster",
        "locale": "de-AT",
        "create_organizations_limit": 3,
        "delete_self_enabled": False,
        "create_organization_enabled": False,
        "bypass_client_trust": True,
        "primary_email_address_id": made["email_addresses"][1]["id"],
    }
    times = {"legal_accepted_at": "2026-01-01T00:00:00Z", "created_at": "2020-09-13T14:26:40+02:00"}
    changed = check_answer(await http.patch(path, json={**changes, **times}))
    assert {**changed, **changes} == changed
    assert (changed["created_at"], changed["legal_accepted_at"]) == (1_600_000_000_000, 1_767_225_600_000)
    assert [email["email_address"] for email in changed["email_addresses"]] == ["b@x.org", "a@x.org"]
    assert check_answer(await http.patch(path, json={})) == changed
    assert check_answer(await http.patch(path, json=dict.fromkeys(["password", "created_at"]))) == changed
    empty = [
        "external_id", "username", "first_name", "last_name", "locale", "create_organizations_limit",
        "legal_accepted_at",
    ]  # fmt: skip
    emptied = check_answer(await http.patch(path, json=dict.fromkeys(empty)))
    assert {**changed, **dict.fromkeys(empty), "updated_at": emptied["updated_at"]} == emptied
    assert check_answer(await http.get("/v1/users?username=anna")) == []


@pytest.mark.parametrize("member", [*FACTORS[:5], "primary_web3_wallet_id", "profile_image_id"])
async def test_changes_that_are_not_ours_to_make(http: httpx.AsyncClient, member: str) -> None:
    """Factors, wallets and images stay with the application; flags that would do nothing are refused where
    they are set."""
    user = check_answer(await http.post("/v1/users"))
    path = f"/v1/users/{user['id']}"
    refused = await http.patch(path, json={"first_name": "Anna", member: "canary-value"})
    check_error(refused, 422, "form_param_value_invalid", member)
    assert "canary" not in refused.text
    for flag in ("sign_out_of_other_sessions", "notify_primary_email_address_changed"):
        check_error(await http.patch(path, json={flag: True}), 422, "form_param_value_invalid", flag)
        check_answer(await http.patch(path, json={flag: False}))
    assert check_answer(await http.get(path)) == user


@pytest.mark.parametrize("version", ["2021-02-05", "2025-11-10", "2026-05-12"])
async def test_metadata_in_a_change(http: httpx.AsyncClient, version: str) -> None:
    """Replaces what is there before 2026-05-12; from then on it is refused by name, and has its own paths:
    merged by PATCH, replaced by PUT."""
    user = check_answer(await http.post("/v1/users", json={"public_metadata": {"a": {"b": 1, "c": 2}}}))
    path, headers = f"/v1/users/{user['id']}", {"Clerk-API-Version": version}
    for name in ("public_metadata", "private_metadata", "unsafe_metadata"):
        answer = await http.patch(path, json={name: {"d": 3}}, headers=headers)
        if version == "2026-05-12":
            check_error(answer, 422, "form_param_unknown", name)
        else:
            assert check_answer(answer)[name] == {"d": 3}
    before = check_answer(await http.get(path, headers=headers))
    changes = {"public_metadata": {"a": {"b": None, "e": 4}, "f": None}, "unsafe_metadata": {"g": 5}}
    merged = check_answer(await http.patch(f"{path}/metadata", json=changes, headers=headers))
    if version == "2026-05-12":
        assert merged["public_metadata"] == {"a": {"c": 2, "e": 4}}
    else:
        assert merged["public_metadata"] == {"d": 3, "a": {"e": 4}}
    assert merged["unsafe_metadata"] == {**before["unsafe_metadata"], "g": 5}
    put = check_answer(
        await http.put(f"{path}/metadata", json={"public_metadata": {"h": 6}}, headers=headers)
    )
    assert put["public_metadata"] == {"h": 6}
    assert (put["private_metadata"], put["unsafe_metadata"]) == (
        merged["private_metadata"],
        merged["unsafe_metadata"],
    )


STRANGERS = {"id": "user_mine", "banned": False, "locked": False, "version": 9, "last_sign_in_at": 1,
             "last_active_at": 1, "updated_at": 1, "email_addresses": [], "sequence": 1}  # fmt: skip
"""Members that users have, and no change of one."""


@pytest.mark.parametrize("member", STRANGERS)
async def test_a03_members_that_no_change_has(http: httpx.AsyncClient, member: str) -> None:
    """A-03: what is the service's own to say, a ban and a lock above all, is refused by name in every change
    of a user, and nothing is changed."""
    user = check_answer(await http.post("/v1/users"))["id"]
    check_answer(await http.post(f"/v1/users/{user}/ban"))
    before = check_answer(await http.post(f"/v1/users/{user}/lock"))
    path, extra = f"/v1/users/{user}", {member: STRANGERS[member]}
    for method, where, body in (
        ("PATCH", path, {"first_name": "Anna"}),
        ("PATCH", f"{path}/metadata", {"public_metadata": {"a": 1}}),
        ("PUT", f"{path}/metadata", {"public_metadata": {"a": 1}}),
        ("POST", f"{path}/unban", {}),
        ("POST", f"{path}/unlock", {}),
    ):
        answer = await http.request(method, where, json={**body, **extra})
        check_error(answer, 422, "form_param_unknown", member)
    assert check_answer(await http.get(path)) == before


TEXTS = ["' OR 1=1 --", '"; DROP TABLE users; --', "%", "\x00", "*", "x" * 3000, "-", "+", " ", "[0]", "$.a"]
_OF_LISTS = (
    "user_id", "external_id", "organization_id", "email_address", "phone_number", "username", "query",
    "email_address_query", "phone_number_query", "username_query", "name_query", "banned",
    "created_at_before", "last_active_at_since", "order_by", "starting_after", "limit", "offset",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:16])
async def test_a05_text_is_text(http: httpx.AsyncClient, text: str) -> None:
    """A-05: in every filter text finds what holds it and nothing else, or is refused; never a 5xx."""
    user = check_answer(await http.post("/v1/users", json={"username": "plain", "first_name": "Plain"}))["id"]
    for name in _OF_LISTS:
        for path in ("/v1/users", "/v1/users/count"):
            answer = await http.get(path, params={name: text})
            if answer.status_code != 200:
                check_error(answer, 422, "form_param_value_invalid", name)
                continue
            excludes = name in ("user_id", "external_id", "organization_id") and text.startswith("-")
            held = text == " " and name in ("query", "name_query")  # between the names
            expected = 1 if excludes or held or name == "starting_after" else 0
            found = answer.json()
            assert (len(found) if isinstance(found, list) else found["total_count"]) == expected, name
    assert check_answer(await http.get(f"/v1/users/{user}"))["username"] == "plain"


@pytest.mark.parametrize("digits", [20, 300, 4301, 60_000])
async def test_numbers_of_any_length(http: httpx.AsyncClient, digits: int) -> None:
    """A whole number in metadata comes back as it was given, or is refused: it never is a fault of ours."""
    number = b"9" * digits
    answer = await http.post("/v1/users", content=b'{"public_metadata":{"n":' + number + b"}}")
    if answer.status_code == 200:
        assert b'"n":' + number in (await http.get(f"/v1/users/{answer.json()['id']}")).content
    else:
        check_error(answer, 400, "request_body_invalid")


async def test_metadata_of_a_megabyte(http: httpx.AsyncClient) -> None:
    """Metadata may be far larger than any other body, up to 1 MiB with everything around it."""
    text = "x" * (METADATA_LIMIT - 100)
    user = check_answer(await http.post("/v1/users", json={"private_metadata": {"note": text}}))
    assert user["private_metadata"] == {"note": text}
    answer = await http.post("/v1/users", json={"private_metadata": {"note": text + "x" * 100}})
    check_error(answer, 413, "request_body_too_large")
    answer = await http.post("/v1/sessions", json={"user_id": "x" * BODY_LIMIT})
    check_error(answer, 413, "request_body_too_large")
