"""Templates as the service keeps them, and the tokens that are made by them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import jwt
import pytest

from sojourn import Actor, Limits, NewUser, NotFound, Policy, Sojourn
from sojourn.core.errors import Invalid, InvalidSessionToken, Missing, Taken
from sojourn.core.session import Session
from sojourn.core.templates import ClaimsTooLarge, ReservedClaim, SessionTokenTemplate
from sojourn.service import templates as service
from sojourn.testing import ManualClock
from sojourn.tokens import jws
from tests.embedded import event_types, watch
from tests.service.conftest import Opening
from tests.tokens.test_custom_keys import SECRET


async def new_session(sojourn: Sojourn, **arguments: Any) -> Session:
    """A session of a user with metadata."""
    user = await sojourn.users.create(NewUser(first_name="Anna", public_metadata={"plan": "pro", "n": 7}))
    return await sojourn.sessions.create(user_id=user.id, **arguments)


def header_of(token: str) -> dict[str, Any]:
    """The header, whatever the signature."""
    return jwt.get_unverified_header(token)


def claims_of(token: str) -> dict[str, Any]:
    """The claims, whatever the signature."""
    return jwt.decode(token, options={"verify_signature": False})


async def test_from_creation_to_deletion(sojourn: Sojourn, clock: ManualClock) -> None:
    """A template is found by id and name, changes by what is given, and goes; each is one event."""
    made = await sojourn.templates.create(name="a b", claims={"x": "{{user.id}}"})
    assert (made.lifetime_seconds, made.allowed_clock_skew_seconds, made.signing_algorithm) == (
        60,
        5,
        "RS256",
    )
    assert made.id.startswith("jtmp_")
    assert replace(await sojourn.templates.get(made.id), sequence=0) == made
    assert (await sojourn.templates.named("a b")).id == made.id
    clock.advance(seconds=1)
    changed = await sojourn.templates.update(made.id, name="b", lifetime_seconds=90)
    assert (changed.name, changed.claims, changed.lifetime_seconds) == ("b", {"x": "{{user.id}}"}, 90)
    assert changed.updated_at == made.updated_at + 1000
    assert (await sojourn.templates.update(made.id, claims={})).claims == {}
    await sojourn.templates.delete(made.id)
    for looking in (
        sojourn.templates.get(made.id),
        sojourn.templates.named("b"),
        sojourn.templates.delete(made.id),
        sojourn.templates.update(made.id, name="c"),
    ):
        with pytest.raises(NotFound):
            await looking
    assert (await event_types(sojourn))[-4:] == [
        "jwt_template.created",
        "jwt_template.updated",
        "jwt_template.updated",
        "jwt_template.deleted",
    ]


async def test_lists_are_pages(sojourn: Sojourn) -> None:
    """Newest first, with the number of all."""
    for name in "abc":
        await sojourn.templates.create(name=name, claims={})
    assert [one.name for one in await sojourn.templates.list()] == ["c", "b", "a"]
    page = await sojourn.templates.page(limit=1, offset=1)
    assert ([one.name for one in page.items], page.total) == (["b"], 3)
    with pytest.raises(Invalid):
        await sojourn.templates.list(limit=501)


async def test_what_is_refused(sojourn: Sojourn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are taken, reserved claims, keys without their flag or the reverse, and too many."""
    made = await sojourn.templates.create(name="a", claims={})
    await sojourn.templates.create(name="b", claims={})
    create, update = sojourn.templates.create, sojourn.templates.update
    with pytest.raises(Taken):
        await create(name="a", claims={})
    with pytest.raises(Taken):
        await update(made.id, name="b")
    with pytest.raises(ReservedClaim):
        await create(name="c", claims={"sub": 1})
    with pytest.raises(ReservedClaim):
        await update(made.id, claims={"sid": 1})
    for given, error, parameter in (
        ({"custom_signing_key": True}, Missing, "signing_key"),
        ({"custom_signing_key": True, "signing_key": SECRET}, Missing, "signing_algorithm"),
        ({"custom_signing_key": True, "signing_algorithm": "HS256"}, Missing, "signing_key"),
        ({"signing_key": SECRET}, Invalid, "signing_key"),
        ({"signing_algorithm": "HS256"}, Invalid, "signing_algorithm"),
        (
            {"custom_signing_key": True, "signing_key": SECRET, "signing_algorithm": "none"},
            Invalid,
            "signing_algorithm",
        ),
        (
            {"custom_signing_key": True, "signing_key": "x", "signing_algorithm": "HS256"},
            Invalid,
            "signing_key",
        ),
    ):
        arguments: dict[str, Any] = given
        for doing in (create(name="c", claims={}, **arguments), update(made.id, **arguments)):
            with pytest.raises(error) as raised:
                await doing
            assert raised.value.meta["param_name"] == parameter
            assert SECRET not in str(raised.value)
    monkeypatch.setattr(service, "MAX_TEMPLATES", 2)
    with pytest.raises(service.TemplateLimitReached):
        await create(name="c", claims={})


async def test_a_token_by_a_template(sojourn: Sojourn, clock: ManualClock) -> None:
    """Its claims are the template's, its lifetime and skew too; it is signed by the instance as no
    session's."""
    session = await new_session(sojourn, actor=Actor("user_9"))
    claims = {
        "aud": "app",
        "plan": "{{user.public_metadata.plan}}",
        "by": "{{session.actor.sub}}",
        "o2": "{{org.id}}",
    }
    await sojourn.templates.create(
        name="t", claims=claims, lifetime_seconds=300, allowed_clock_skew_seconds=7
    )
    token = await sojourn.tokens.create(session.id, template="t", origin="https://app.test")
    verified = jws.verify(token, sojourn.keys.public)
    now = clock.wall() // 1000
    found = dict(verified.claims)
    assert len(str(found.pop("jti"))) == 20
    assert found == {
        "aud": "app",
        "plan": "pro",
        "by": "user_9",
        "o2": None,
        "azp": "https://app.test",
        "exp": now + 300,
        "iat": now,
        "iss": sojourn.issuer,
        "nbf": now - 7,
        "sub": session.user_id,
    }
    assert header_of(token)["cat"] == jws.TEMPLATE
    asked = claims_of(await sojourn.tokens.create(session.id, template="t", expires_in_seconds=90))
    assert asked["exp"] - asked["iat"] == 90
    short = await new_session(sojourn, limits=Limits(lifetime_seconds=100))
    assert claims_of(await sojourn.tokens.create(short.id, template="t"))["exp"] == short.expire_at // 1000


async def test_t21_a_template_token_is_no_session_token(sojourn: Sojourn) -> None:
    """T-21: signed by the same key and about the same user, it is refused; the control, a session token, is
    not."""
    session = await new_session(sojourn)
    await sojourn.templates.create(name="t", claims={"x": 1})
    token = await sojourn.tokens.create(session.id, template="t")
    assert jws.verify(token, sojourn.keys.public).claims["sub"] == session.user_id
    for refused in (sojourn.tokens.verify(token), sojourn.tokens.verify_session(session.id, token)):
        with pytest.raises(InvalidSessionToken, match="token-type-mismatch"):
            await refused
    assert (await sojourn.tokens.verify(await sojourn.tokens.create(session.id)))["sid"] == session.id


async def test_a_template_reads_what_is_true_now(sojourn: Sojourn) -> None:
    """A change of the template, the user or the active organization is in the very next token."""
    session = await new_session(sojourn)
    claims = {
        "org": "{{org.slug}}",
        "role": "{{org.role}}",
        "all": "{{user.organizations}}",
        "n": "{{user.first_name}}",
    }
    made = await sojourn.templates.create(name="t", claims=claims)

    async def told() -> list[Any]:
        found = claims_of(await sojourn.tokens.create(session.id, template="t"))
        return [found.get(name) for name in ("org", "role", "all", "n")]

    assert await told() == [None, None, {}, "Anna"]
    first = await sojourn.organizations.create(name="A", slug="a", created_by=session.user_id)
    second = await sojourn.organizations.create(name="B", slug="b")
    await sojourn.memberships.add(organization_id=second.id, user_id=session.user_id, role="org:member")
    await sojourn.sessions.set_organization(session.id, first.id)
    roles = {first.id: "org:admin", second.id: "org:member"}
    assert await told() == ["a", "org:admin", roles, "Anna"]
    await sojourn.memberships.remove(first.id, session.user_id)
    assert await told() == [None, None, {second.id: "org:member"}, "Anna"]
    await sojourn.templates.update(made.id, claims={"n": "x"})
    assert await told() == [None, None, None, "x"]


async def test_who_gets_no_token_by_a_template(sojourn: Sojourn) -> None:
    """No session, one that has ended, one with open tasks, and no such template: all are not found."""
    session = await new_session(sojourn)
    pending = await new_session(sojourn, tasks=["setup-mfa"])
    await sojourn.templates.create(name="t", claims={})
    await sojourn.tokens.create(session.id, template="t")
    await sojourn.tokens.create(pending.id)
    for session_id, name in ((session.id, "T"), (session.id, ""), ("sess_none", "t"), (pending.id, "t")):
        with pytest.raises(NotFound):
            await sojourn.tokens.create(session_id, template=name)
    await sojourn.sessions.revoke(session.id)
    with pytest.raises(NotFound):
        await sojourn.tokens.create(session.id, template="t")


async def test_a_revocation_while_a_template_is_read(sojourn: Sojourn) -> None:
    """A session that ends after it was first looked at, and before what is last, gets no token."""
    session = await new_session(sojourn)
    await sojourn.templates.create(name="t", claims={"a": "{{user.organizations}}"})
    store = watch(sojourn)
    for verb in ("template_by_name", "user", "memberships", "session_in_organization"):
        other = await new_session(sojourn)
        store.before[verb] = lambda other=other: sojourn.sessions.revoke(other.id)
        with pytest.raises(NotFound):
            await sojourn.tokens.create(other.id, template="t")
        assert verb not in store.before
    assert await sojourn.tokens.create(session.id, template="t")


async def test_a_revocation_while_a_plan_is_read(opening: Opening) -> None:
    """The user whose plan is looked up is read before the session, whether there is a plan or not."""
    async with opening(plans={"u:pro": ("export",)}) as sojourn:
        store = watch(sojourn)
        for plan in ("pro", "none"):
            user = await sojourn.users.create(NewUser(public_metadata={"plan": plan}))
            session = await sojourn.sessions.create(user_id=user.id)
            found = claims_of(await sojourn.tokens.create(session.id))
            assert (found.get("pla"), found.get("fea")) == (
                ("u:pro", "u:export") if plan == "pro" else (None, None)
            )
            store.before["user"] = lambda session=session: sojourn.sessions.revoke(session.id)
            with pytest.raises(NotFound):
                await sojourn.tokens.create(session.id)
            assert "user" not in store.before


@pytest.mark.embedded  # no request holds some of these texts
async def test_what_fits_into_no_token(sojourn: Sojourn) -> None:
    """Metadata that makes a token too long, or that UTF-8 cannot carry, is an error of its own."""
    user = await sojourn.users.create(
        NewUser(public_metadata={"long": "x" * 100_000, "just": "x" * 6200, "odd": "\ud800"})
    )
    session = await sojourn.sessions.create(user_id=user.id)
    for member, error in (("long", ClaimsTooLarge), ("just", ClaimsTooLarge), ("odd", Invalid)):
        claims = {"a": "{{user.public_metadata." + member + "}}"}
        await sojourn.templates.create(name=member, claims=claims)
        with pytest.raises(error):
            await sojourn.tokens.create(session.id, template=member)


async def test_the_budget_is_a_named_warning(sojourn: Sojourn, caplog: pytest.LogCaptureFixture) -> None:
    """Claims above the budget are told when saved, and once for each version when minted; below it nothing
    is."""
    session = await new_session(sojourn)
    caplog.set_level(logging.WARNING, "sojourn.templates")
    await sojourn.templates.create(name="small", claims={"a": "x" * 1000})
    await sojourn.tokens.create(session.id, template="small")
    assert caplog.messages == []
    made = await sojourn.templates.create(name="large", claims={"a": "x" * 1300})
    assert [m.partition(":")[0] for m in caplog.messages] == ["claims_over_budget"]
    caplog.clear()
    for _ in range(3):
        await sojourn.tokens.create(session.id, template="large")
    assert len(caplog.messages) == 1
    assert "1308 bytes" in caplog.messages[0]
    await sojourn.templates.update(made.id, lifetime_seconds=90)
    caplog.clear()
    await sojourn.tokens.create(session.id, template="large")
    assert len(caplog.messages) == 1


# The session token ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
async def test_a_template_customises_session_tokens(opening: Opening, version: int) -> None:
    """Its claims come on top; everything else is as without it, in either version, for pending and acting
    too."""
    async with opening(token_version=version, roles={"org:admin": ("org:posts:read",)}) as sojourn:
        session = await new_session(sojourn, actor=Actor("user_9"), tasks=["setup-mfa"])
        organization = await sojourn.organizations.create(name="A", slug="a", created_by=session.user_id)
        await sojourn.sessions.set_organization(session.id, organization.id)
        before = claims_of(await sojourn.tokens.create(session.id))
        claims = {"plan": "{{user.public_metadata.plan}}", "org": "{{org.name}}"}
        await sojourn.templates.create(
            name="session",
            claims=claims,
            lifetime_seconds=900,
            custom_signing_key=True,
            signing_algorithm="HS256",
            signing_key=SECRET,
        )
        await sojourn.policies.change({"session_token_template": "session"})
        token = await sojourn.tokens.create(session.id)
        after = claims_of(token)
        assert before.pop("jti") != after.pop("jti")
        assert after == {**before, "plan": "pro", "org": "A"}
        assert ("o" in after, "org_id" in after, after["sts"]) == (version == 2, version == 1, "pending")
        assert header_of(token)["cat"] == jws.SESSION
        assert (await sojourn.tokens.verify(token))["plan"] == "pro"
        await sojourn.policies.reset()
        assert "plan" not in claims_of(await sojourn.tokens.create(session.id))


async def test_the_template_of_session_tokens_stays(opening: Opening) -> None:
    """It is neither deleted nor renamed while the policy names it, and may be afterwards."""
    async with opening(policy=Policy(session_token_template="s")) as sojourn:
        made = await sojourn.templates.create(name="s", claims={"a": 1})
        with pytest.raises(SessionTokenTemplate) as error:
            await sojourn.templates.delete(made.id)
        assert error.value.code == "session_token_jwt_template"
        with pytest.raises(Invalid):
            await sojourn.templates.update(made.id, name="t")
        assert (await sojourn.templates.update(made.id, name="s", claims={"a": 2})).claims == {"a": 2}
        await sojourn.policies.change({"session_token_template": None})
        await sojourn.templates.update(made.id, name="t")
        await sojourn.templates.delete(made.id)


async def test_a_template_that_is_not_there_is_told(
    opening: Opening, caplog: pytest.LogCaptureFixture
) -> None:
    """Session tokens go without it, and the log has one line about it."""
    async with opening(policy=Policy(session_token_template="gone")) as sojourn:
        session = await new_session(sojourn)
        with caplog.at_level(logging.ERROR, "sojourn.templates"):
            for _ in range(3):
                await sojourn.tokens.create(session.id)
        told = [record.message for record in caplog.records if record.name == "sojourn.templates"]
        assert len(told) == 1
        assert "'gone'" in told[0]


async def test_the_name_in_the_policy_is_a_text(sojourn: Sojourn) -> None:
    """A number is none."""
    with pytest.raises(Invalid):
        await sojourn.policies.change({"session_token_template": 7})


async def test_racing_changes_of_a_template_are_all_made(sojourn: Sojourn) -> None:
    """Those that touch different members are all there in the end."""
    made = await sojourn.templates.create(name="t", claims={})
    await asyncio.gather(
        sojourn.templates.update(made.id, lifetime_seconds=90),
        sojourn.templates.update(made.id, claims={"a": 1}),
        sojourn.templates.update(made.id, allowed_clock_skew_seconds=1),
    )
    found = await sojourn.templates.get(made.id)
    assert (found.lifetime_seconds, found.claims, found.allowed_clock_skew_seconds) == (90, {"a": 1}, 1)
