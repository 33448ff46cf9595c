"""Session tokens as the service makes and checks them; how they are verified offline is tests/tokens'."""

from __future__ import annotations

import asyncio
import base64
import json
import logging

import pytest

from sojourn import Actor, Limits, NotFound, Policy, Sojourn
from sojourn.core.errors import Invalid, InvalidSessionToken, StorageFailed
from sojourn.core.session import Session
from sojourn.testing import ManualClock
from sojourn.tokens import jws
from tests.embedded import DAY, MINUTE, opened, user_id, watch
from tests.service.conftest import Opening


async def new_session(sojourn: Sojourn, **arguments: object) -> Session:
    """A session of the one user."""
    user = await user_id(sojourn)
    return await sojourn.sessions.create(user_id=user, **arguments)  # pyright: ignore[reportArgumentType]


async def test_claims_and_header(sojourn: Sojourn, clock: ManualClock) -> None:
    """A token says who, which session, since and until when, and nothing about its audience."""
    session = await new_session(sojourn)
    token = await sojourn.tokens.create(session.id)
    verified = jws.verify(token, sojourn.keys.public)
    now = clock.wall() // 1000
    claims = dict(verified.claims)
    assert len(str(claims.pop("jti"))) == 20
    assert claims == {
        "sid": session.id,
        "sub": session.user_id,
        "iss": sojourn.issuer,
        "iat": now,
        "fva": [0, -1],
        "nbf": now - 10,
        "exp": now + 60,
        "sts": "active",
        "v": 2,
    }
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    kid = sojourn.keys.current.kid
    assert header == {"alg": "RS256", "typ": "JWT", "kid": kid, "cat": jws.SESSION}


async def test_claims_of_an_actor_an_origin_and_a_pending_session(sojourn: Sojourn) -> None:
    """The actor stands in `act`, the origin in `azp`, and open tasks in `sts`."""
    session = await new_session(sojourn, actor=Actor("user_admin", {"x": 1}), tasks=["setup-mfa"])
    claims = await sojourn.tokens.verify(
        await sojourn.tokens.create(session.id, origin="https://app.example.org")
    )
    assert claims["act"] == {"sub": "user_admin", "x": 1}
    assert claims["azp"] == "https://app.example.org"
    assert claims["sts"] == "pending"


async def test_version_1_and_another_issuer(opening: Opening) -> None:
    """The version of the claims and the issuer are settings."""
    async with opening(token_version=1, issuer="https://id.example.org") as sojourn:
        claims = await sojourn.tokens.verify(await sojourn.tokens.create((await new_session(sojourn)).id))
        assert claims["iss"] == "https://id.example.org"
        assert "v" not in claims


async def test_every_request_signs_anew(sojourn: Sojourn) -> None:
    """Tokens requested within one second, by one or at once, all have their own jti."""
    session = await new_session(sojourn)
    tokens = await asyncio.gather(*(sojourn.tokens.create(session.id) for _ in range(20)))
    claims = [await sojourn.tokens.verify(token) for token in tokens]
    assert len({c["jti"] for c in claims}) == 20
    assert len(set(tokens)) == 20


async def test_lifetime_is_as_asked_and_capped(sojourn: Sojourn, clock: ManualClock) -> None:
    """A token lives as long as asked for, by default as the policy says, never longer than the session."""
    session = await new_session(sojourn, limits=Limits(lifetime_seconds=10 * MINUTE))

    async def lifetime(asked: int | None) -> int:
        claims = await sojourn.tokens.verify(
            await sojourn.tokens.create(session.id, expires_in_seconds=asked)
        )
        return claims["exp"] - claims["iat"]  # pyright: ignore[reportOperatorIssue]

    assert await lifetime(None) == 60
    assert await lifetime(120) == 120
    assert await lifetime(DAY) == 600
    clock.advance(seconds=9 * MINUTE + 30)
    assert await lifetime(None) == 30
    for wrong in (0, -5, 10**10):
        with pytest.raises(Invalid):
            await sojourn.tokens.create(session.id, expires_in_seconds=wrong)


async def test_ended_sessions_get_no_token(opening: Opening, clock: ManualClock) -> None:
    """After every kind of end the very next token request is refused, and so is the token from before."""
    async with opening(policy=Policy(inactivity_seconds=10 * MINUTE)) as sojourn:
        user = await user_id(sojourn)

        async def idle() -> None:
            clock.advance(seconds=10 * MINUTE)

        for end in (
            lambda s: sojourn.sessions.end(s.id),
            lambda s: sojourn.sessions.remove(s.id),
            lambda s: sojourn.sessions.revoke(s.id),
            lambda s: sojourn.sessions.revoke_all_of_user(s.user_id),
            lambda _: sojourn.sessions.revoke_all(),
            lambda _: idle(),
            lambda s: sojourn.users.ban(s.user_id),
        ):
            session = await sojourn.sessions.create(user_id=user)
            token = await sojourn.tokens.create(session.id, expires_in_seconds=DAY)
            await end(session)
            with pytest.raises(NotFound):
                await sojourn.tokens.create(session.id)
            with pytest.raises(InvalidSessionToken):
                await sojourn.tokens.verify(token)
            with pytest.raises(NotFound):
                await sojourn.tokens.verify_session(session.id, token)


async def test_unknown_sessions_get_no_token(sojourn: Sojourn) -> None:
    """A session that is not there is answered like one that has ended."""
    with pytest.raises(NotFound):
        await sojourn.tokens.create("sess_none")


async def test_tokens_run_out(sojourn: Sojourn, clock: ManualClock) -> None:
    """A token is refused once it has expired, while its session lives on."""
    session = await new_session(sojourn)
    token = await sojourn.tokens.create(session.id)
    clock.advance(seconds=50)
    assert (await sojourn.tokens.verify(token))["sid"] == session.id
    clock.advance(seconds=30)
    with pytest.raises(InvalidSessionToken):
        await sojourn.tokens.verify(token)


async def test_verify_session_wants_the_sessions_own_token(sojourn: Sojourn) -> None:
    """The session comes back for its own token; another's is NotFound, a bad one InvalidSessionToken."""
    mine, other = await new_session(sojourn), await new_session(sojourn)
    token = await sojourn.tokens.create(mine.id)
    assert (await sojourn.tokens.verify_session(mine.id, token)).id == mine.id
    with pytest.raises(NotFound):
        await sojourn.tokens.verify_session(other.id, token)
    with pytest.raises(NotFound):
        await sojourn.tokens.verify_session("sess_none", token)
    signed, _, signature = token.rpartition(".")
    for bad in ("", "x", "a.b.c", f"{signed}.{signature[::-1]}", signed, token + "x", "é" * 10):
        with pytest.raises(InvalidSessionToken):
            await sojourn.tokens.verify_session(mine.id, bad)
        with pytest.raises(InvalidSessionToken):
            await sojourn.tokens.verify(bad)


async def test_tokens_of_another_instance_are_refused(sojourn: Sojourn, clock: ManualClock) -> None:
    """Another instance's token names a key that is not ours, whatever it claims."""
    async with opened(clock=clock, issuer=sojourn.issuer) as other:
        token = await other.tokens.create((await new_session(other)).id)
    with pytest.raises(InvalidSessionToken):
        await sojourn.tokens.verify(token)


async def test_unknown_kids_do_not_hammer_the_store(sojourn: Sojourn, clock: ManualClock) -> None:
    """Tokens with an unknown key make the ring look into the store once in ten seconds, not every time."""
    async with opened(clock=clock) as other:
        token = await other.tokens.create((await new_session(other)).id, expires_in_seconds=DAY)
    store = watch(sojourn)
    clock.advance(seconds=11)
    for _ in range(20):
        with pytest.raises(InvalidSessionToken):
            await sojourn.tokens.verify(token)
    assert store.calls["stored_keys"] == 1
    clock.advance(seconds=11)
    with pytest.raises(InvalidSessionToken):
        await sojourn.tokens.verify(token)
    assert store.calls["stored_keys"] == 2


async def test_activity_is_written_once_a_minute(sojourn: Sojourn, clock: ManualClock) -> None:
    """Many token requests and checks are one write a minute, also when they come at once."""
    session = await new_session(sojourn)
    store = watch(sojourn)
    for minute in range(1, 4):
        now = clock.advance(seconds=MINUTE)
        token = (await asyncio.gather(*(sojourn.tokens.create(session.id) for _ in range(20))))[0]
        await sojourn.tokens.settle()
        for _ in range(5):
            await sojourn.tokens.create(session.id)
            await sojourn.tokens.verify(token)
            await sojourn.tokens.verify_session(session.id, token)
        await sojourn.tokens.settle()
        assert store.calls["touch"] == minute
        assert (await sojourn.sessions.get(session.id)).last_active_at == now


@pytest.mark.parametrize("fault", [StorageFailed("disk"), RuntimeError("a bug")])
async def test_a_failing_touch_does_not_fail_the_token(
    sojourn: Sojourn, clock: ManualClock, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    """The token is answered, the fault is in the log, and the next request tries to write again."""
    session = await new_session(sojourn)
    store = watch(sojourn)
    store.failing["touch"] = fault
    clock.advance(seconds=MINUTE)
    with caplog.at_level(logging.WARNING, "sojourn.tokens"):
        token = await sojourn.tokens.create(session.id)
        await sojourn.tokens.settle()
    assert "activity not written" in caplog.text
    store.failing.clear()
    assert await sojourn.tokens.verify(token)
    await sojourn.tokens.settle()
    assert (await sojourn.sessions.get(session.id)).last_active_at == clock.now()
