"""Templates: what may be saved, and the claims of a token that is made by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sojourn.core import claims as session
from sojourn.core import templates
from sojourn.core.claims import session_claims
from sojourn.core.errors import Invalid
from sojourn.core.session import Actor
from sojourn.core.templates import RESERVED, ClaimsTooLarge, ReservedClaim, Template, check, template_claims
from tests.core.test_claims import NOW, SESSION, active

TEMPLATE = Template(id="jtmp_1", name="hasura", claims={}, created_at=1, updated_at=2)


def nested(depth: int) -> dict[str, Any]:
    """Objects within one another, `depth` of them."""
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize("claim", sorted(RESERVED))
def test_t28_reserved_claims_cannot_be_set(claim: str) -> None:
    """T-28: no template sets what the service says itself; further down the same word is anybody's."""
    with pytest.raises(ReservedClaim) as error:
        check(replace(TEMPLATE, claims={"a": 1, claim: "{{user.id}}"}))
    assert error.value.code == "jwt_template_reserved_claim"
    assert claim in error.value.detail
    check(replace(TEMPLATE, claims={"a": {claim: 1}, claim.upper(): 1, f"{claim}_": 1}))


def test_t28_every_claim_of_a_session_token_is_reserved() -> None:
    """T-28: whatever a session token of either version says by itself, no template can say."""
    every: set[str] = set()
    for version in (1, 2):
        made = session_claims(
            replace(SESSION, actor=Actor("user_9", {})),
            issuer="https://x.test",
            now_seconds=NOW,
            lifetime_seconds=60,
            jti="0",
            version=version,
            azp="https://app.test",
            organization=active("org:a:b"),
        )
        every |= set(made)
    assert every - RESERVED == set()
    assert {"sub", "sid", "act", "o", "org_id"} <= every
    assert session.NOT_BEFORE_LEEWAY_SECONDS == 10


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 65,
        ".",
        "..",
        "a/b",
        "a?b",
        "a#b",
        "a%b",
        "a\\b",
        " a",
        "a ",
        "a\nb",
        "\x7f",
        "a\u2028b",
        "\ud800",
    ],
)
def test_names_that_no_path_carries(name: str) -> None:
    """A name stands in the path of requests, so that some characters cannot be in it."""
    with pytest.raises(Invalid) as error:
        check(replace(TEMPLATE, name=name))
    assert error.value.meta["param_name"] == "name"


@pytest.mark.parametrize("name", ["a", "x" * 64, "my template", "\u00e9\u4e2d", "a.b", "hasura-2_x", "..."])
def test_names_that_are_fine(name: str) -> None:
    """Letters of any script, spaces inside, dots and dashes."""
    check(replace(TEMPLATE, name=name))


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"lifetime_seconds": 29}, "lifetime"),
        ({"lifetime_seconds": 315_360_001}, "lifetime"),
        ({"allowed_clock_skew_seconds": -1}, "allowed_clock_skew"),
        ({"allowed_clock_skew_seconds": 301}, "allowed_clock_skew"),
        ({"claims": nested(9)}, "claims"),
        ({"claims": {"a": "{{user.id}}" * 129}}, "claims"),
        ({"claims": {"a": float("nan")}}, "claims"),
        ({"claims": {"a": 2**64}}, "claims"),
        ({"claims": {"a": -(2**63) - 1}}, "claims"),
        ({"claims": {"a": "\ud800"}}, "claims"),
        ({"claims": {"a": {"\udfff": 1}}}, "claims"),
        ({"claims": {"a": {1: 1}}}, "claims"),
        ({"claims": {"a": {1, 2}}}, "claims"),
        ({"claims": {"a": b"x"}}, "claims"),
    ],
)
def test_bounds(changes: dict[str, Any], parameter: str) -> None:
    """What is out of bounds, or could not be in a token as it is, is refused by its name."""
    with pytest.raises(Invalid) as error:
        check(replace(TEMPLATE, **changes))
    assert error.value.meta["param_name"] == parameter


@pytest.mark.parametrize(
    "changes",
    [
        {"lifetime_seconds": 30},
        {"lifetime_seconds": 315_360_000},
        {"allowed_clock_skew_seconds": 0},
        {"allowed_clock_skew_seconds": 300},
        {"claims": nested(8)},
        {"claims": {"a": "{{user.id}}" * 128}},
        {"claims": {"a": [2**64 - 1, -(2**63), 1.5, True, None, "\u00e9", {}, []]}},
        {"claims": {"a": "x" * 8184}},
    ],
)
def test_within_bounds(changes: dict[str, Any]) -> None:
    """The last values that are accepted."""
    check(replace(TEMPLATE, **changes))


def test_claims_that_fit_into_no_token() -> None:
    """One byte more than the longest token has."""
    with pytest.raises(ClaimsTooLarge) as error:
        check(replace(TEMPLATE, claims={"a": "x" * 8185}))
    assert error.value.code == "form_param_value_too_large"


def test_the_budget_is_told_by_its_size() -> None:
    """Up to 1200 bytes of JSON nothing is said, above it how many there are."""
    assert replace(TEMPLATE, claims={"a": "x" * 1192}).over_budget is None
    assert replace(TEMPLATE, claims={"a": "x" * 1193}).over_budget == 1201
    assert replace(TEMPLATE, claims={"a": "\u00e9" * 600}).over_budget == 1208


def minted(custom: dict[str, object], **changes: Any) -> dict[str, object]:
    """The claims of a token, NOW."""
    values: dict[str, Any] = {
        "custom": custom,
        "issuer": "https://x.test",
        "now_seconds": NOW,
        "lifetime_seconds": None,
        "jti": "0f",
    }
    return template_claims(TEMPLATE, SESSION, **{**values, **changes})


def test_the_claims_of_a_token() -> None:
    """What is always there, and nothing that only a session token says; `nbf` follows the allowed skew."""
    always = {
        "exp": NOW + 60,
        "iat": NOW,
        "iss": "https://x.test",
        "jti": "0f",
        "nbf": NOW - 5,
        "sub": "user_1",
    }
    assert minted({"aud": "a", "x": 1}) == {**always, "aud": "a", "x": 1}
    assert minted({}, azp="https://app.test") == {**always, "azp": "https://app.test"}
    assert set(always) | {"azp"} == templates.OF_EVERY_TOKEN


def test_the_lifetime_of_a_token() -> None:
    """The one asked for, else the template's, never longer than the session's."""
    assert minted({}, lifetime_seconds=300)["exp"] == NOW + 300
    assert minted({}, lifetime_seconds=10**8)["exp"] == NOW + 86_400


def test_t28_a_template_that_was_never_checked_sets_no_reserved_claim() -> None:
    """T-28: what is reserved falls away before anything is filled in, wherever the template comes from."""
    claims: dict[str, object] = dict.fromkeys(RESERVED, "forged")
    assert templates.unreserved({**claims, "aud": "a"}) == {"aud": "a"}


def test_the_resource_has_no_word_about_the_key() -> None:
    """It says whether there is one, and nothing more."""
    wire = replace(TEMPLATE, key_id="kid_1", signing_algorithm="HS256").to_wire()
    assert wire == {
        "object": "jwt_template",
        "id": "jtmp_1",
        "name": "hasura",
        "claims": {},
        "lifetime": 60,
        "allowed_clock_skew": 5,
        "custom_signing_key": True,
        "signing_algorithm": "HS256",
        "created_at": 1,
        "updated_at": 2,
    }
