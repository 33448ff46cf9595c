"""Claims of a session token, v1 and v2, read back by the rules that the published SDKs follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.core.claims import ActiveOrganization, session_claims
from sojourn.core.directory import Membership, Organization
from sojourn.core.plans import Plan
from sojourn.core.session import Actor, Session, Status

NOW = 1_767_225_600
SESSION = Session(
    id="sess_1",
    user_id="user_1",
    client_id="client_1",
    status=Status.ACTIVE,
    last_active_at=NOW * 1000,
    expire_at=(NOW + 86_400) * 1000,
    abandon_at=(NOW + 86_400) * 1000,
    updated_at=NOW * 1000,
    created_at=NOW * 1000,
)
BASE: dict[str, Any] = {
    "exp": NOW + 60,
    "fva": [-1, -1],
    "iat": NOW,
    "iss": "https://clerk.example.com",
    "jti": "0123456789abcdef0123",
    "nbf": NOW - 10,
    "sid": "sess_1",
    "sts": "active",
    "sub": "user_1",
}


def claims(session: Session = SESSION, **changes: Any) -> dict[str, Any]:
    """The claims of a token, NOW, for a minute."""
    values: dict[str, Any] = {
        "issuer": BASE["iss"],
        "now_seconds": NOW,
        "lifetime_seconds": 60,
        "jti": BASE["jti"],
    }
    return session_claims(session, **{**values, **changes})


def active(*permissions: str, role: str = "org:admin", slug: str | None = "acme") -> ActiveOrganization:
    """An organization that is active, with the user's permissions in it."""
    return ActiveOrganization(
        organization=Organization(id="org_1", name="Acme", slug=slug, created_at=0, updated_at=0),
        membership=Membership(
            id="orgmem_1",
            organization_id="org_1",
            user_id="user_1",
            role=role,
            permissions=permissions,
            created_at=0,
            updated_at=0,
        ),
    )


def read_as_node(token: dict[str, Any]) -> set[str]:
    """Permissions as @clerk/backend reads them: the masks belong to the organization's features alone."""
    features = [f.split(":")[1] for f in token.get("fea", "").split(",") if f.split(":")[0].count("o")]
    return unpack(token["o"], features)


def read_as_python(token: dict[str, Any]) -> set[str]:
    """Permissions as the Python and PHP SDKs read them: the masks belong to all features in their order."""
    return unpack(token["o"], [f.partition(":")[2] for f in token.get("fea", "").split(",")])


def unpack(o: dict[str, str], features: list[str]) -> set[str]:
    """The n-th mask is that of the n-th feature; its bits, lowest first, stand for the permissions."""
    if "per" not in o:
        return set()
    names = o["per"].split(",")
    masks = [int(mask) for mask in o["fpm"].split(",")]
    assert len(masks) <= len(features)
    found: set[str] = set()
    for feature, mask in zip(features, masks, strict=False):  # the features of a plan have none
        assert 0 < mask < 1 << len(names)
        found |= {f"org:{feature}:{name}" for bit, name in enumerate(names) if mask >> bit & 1}
    return found


def test_version_2_without_an_organization() -> None:
    """Exactly these claims: no `aud`, no `azp`, no `act`, no `o`, and `v` is a number."""
    assert claims() == {**BASE, "v": 2}


@pytest.mark.parametrize(("age", "minutes"), [(0, 0), (59, 0), (60, 1), (3599, 59), (-30, 0)])
def test_the_ages_of_factors(age: int, minutes: int) -> None:
    """Whole minutes since each factor was attested, -1 for never; a clock behind makes no negative age."""
    session = replace(SESSION, second_factor_at=(NOW - age) * 1000)
    assert claims(session)["fva"] == [-1, minutes]
    assert claims(replace(session, first_factor_at=NOW * 1000), version=1)["fva"] == [0, minutes]


def test_version_1_without_an_organization() -> None:
    """As version 2 but for `v`."""
    assert claims(version=1) == BASE


def test_version_2_with_an_organization() -> None:
    """The role loses its prefix, and there is no claim of version 1."""
    token = claims(organization=active())
    assert token == {**BASE, "v": 2, "o": {"id": "org_1", "rol": "admin", "slg": "acme"}}
    assert "slg" not in claims(organization=active(slug=None))["o"]


def test_version_1_with_an_organization() -> None:
    """The role keeps its prefix, permissions are a list."""
    token = claims(version=1, organization=active("org:billing:read", role="org:member"))
    expected = {"org_id": "org_1", "org_role": "org:member", "org_slug": "acme"}
    assert token == {**BASE, **expected, "org_permissions": ["org:billing:read"]}
    assert "org_slug" not in claims(version=1, organization=active(slug=None))


def test_permissions_are_packed_as_published() -> None:
    """One mask a feature, lowest bit first, in the order of `fea` and `per`."""
    token = claims(organization=active("org:dash:read", "org:dash:manage", "org:teams:read"))
    assert token["fea"] == "o:dash,o:teams"
    assert token["o"]["per"] == "manage,read"
    assert token["o"]["fpm"] == "3,2"


def test_permissions_of_the_system_are_in_no_token() -> None:
    """Neither version carries `org:sys_…`; a member with no others has no packed claims at all."""
    system = "org:sys_memberships:manage"
    assert claims(version=1, organization=active(system, "org:a:b"))["org_permissions"] == ["org:a:b"]
    token = claims(organization=active(system))
    assert "fea" not in token
    assert set(token["o"]) == {"id", "rol", "slg"}


WORDS = st.text("abcdefghijklmnopqrstuvwxyz_-", min_size=1, max_size=8).filter(
    lambda w: not w.startswith("sys_")
)
GRANTS = st.sets(st.tuples(WORDS, WORDS), max_size=40)


@given(grants=GRANTS)
def test_packed_permissions_are_read_back_by_every_sdk(grants: set[tuple[str, str]]) -> None:
    """Node and Python, which count features differently, both find exactly what was granted."""
    permissions = {f"org:{feature}:{name}" for feature, name in grants}
    token = claims(organization=active(*permissions))
    assert read_as_node(token) == read_as_python(token) == permissions
    assert all(":" in feature for feature in token.get("fea", "o:").split(","))


PLANS = st.builds(Plan, WORDS, st.lists(WORDS, unique=True, max_size=5).map(tuple))


@given(grants=GRANTS, plan=st.none() | PLANS, user_plan=st.none() | PLANS)
def test_plans_leave_permissions_as_they_are(
    grants: set[tuple[str, str]], plan: Plan | None, user_plan: Plan | None
) -> None:
    """Whatever features come on top, both SDKs find exactly what was granted, and every feature is there
    once."""
    permissions = {f"org:{feature}:{name}" for feature, name in grants}
    organization = replace(active(*permissions), plan=plan)
    token = claims(organization=organization, user_plan=user_plan)
    assert read_as_node(token) == read_as_python(token) == permissions
    features = token["fea"].split(",") if "fea" in token else []
    assert len(set(features)) == len(features)
    assert {f[2:] for f in features if f[0] == "o"} == {f for f, _ in grants} | set(
        plan.features if plan else ()
    )
    assert [f[2:] for f in features if f[0] == "u"] == list(user_plan.features if user_plan else ())
    plans = [f"{scope}:{one.slug}" for scope, one in (("o", plan), ("u", user_plan)) if one]
    assert token.get("pla", "") == ",".join(plans)
    assert {"pla", "fea", "v"}.isdisjoint(claims(version=1, organization=organization, user_plan=user_plan))


def test_the_plan_of_a_user_without_an_organization() -> None:
    """Plan and features stand there without `o`; an empty plan has no `fea`."""
    assert claims(user_plan=Plan("pro", ("a", "b"))) == {**BASE, "v": 2, "pla": "u:pro", "fea": "u:a,u:b"}
    assert claims(user_plan=Plan("free")) == {**BASE, "v": 2, "pla": "u:free"}


def test_more_permissions_than_a_machine_word_has_bits() -> None:
    """Masks are decimal numbers of any size."""
    permissions = {f"org:all:p{n:03}" for n in range(100)}
    assert read_as_python(claims(organization=active(*permissions))) == permissions


@given(expire_at=st.integers(NOW * 1000 - 5000, (NOW + 4000) * 1000), lifetime=st.integers(1, 3600))
def test_a_token_never_outlives_its_session(expire_at: int, lifetime: int) -> None:
    """`exp` is the lifetime of the token or, rounded down, the end of the session, whichever is earlier."""
    token = claims(replace(SESSION, expire_at=expire_at), lifetime_seconds=lifetime)
    assert token["exp"] * 1000 <= expire_at
    assert token["exp"] == min(NOW + lifetime, expire_at // 1000)


def test_the_origin_is_there_when_it_is_known() -> None:
    """`azp` is the origin of the browser's request."""
    assert claims(azp="https://app.example.com") == {**BASE, "v": 2, "azp": "https://app.example.com"}


@pytest.mark.parametrize("version", [1, 2])
def test_an_actor_is_there_as_it_was_given(version: int) -> None:
    """`act` is the whole object."""
    actor = Actor("user_9", {"iss": "https://support.example", "type": "agent"})
    token = claims(replace(SESSION, actor=actor), version=version)
    assert token["act"] == {"sub": "user_9", "iss": "https://support.example", "type": "agent"}


@pytest.mark.parametrize("version", [1, 2])
def test_a_pending_session_says_so(version: int) -> None:
    """`sts` tells verifiers to treat the user as signed out for now."""
    pending = replace(SESSION, status=Status.PENDING, tasks=("setup-mfa",))
    assert claims(pending, version=version)["sts"] == "pending"
