"""Creating users: what is accepted, what is refused by name, how much metadata may be given."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sojourn.http.routes import BODY_LIMIT, METADATA_LIMIT
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
        ("query=anna", "query"),
        ("organization_id=org_1", "organization_id"),
        ("order_by=last_name", "order_by"),
        ("order_by=created_at&order_by=created_at", "order_by"),
        ("limit=501", "limit"),
        ("&".join(f"user_id=u{n}" for n in range(101)), "user_id"),
    ],
)
async def test_filters_that_are_not_there_yet(http: httpx.AsyncClient, query: str, parameter: str) -> None:
    """A filter that is not served is refused: leaving it out would answer with the wrong users."""
    check_error(await http.get(f"/v1/users?{query}"), 422, "form_param_value_invalid", parameter)


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
