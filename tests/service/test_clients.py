"""Clients by their token: recognised, rotated at sign-in, emptied and destroyed. Attack cases S-01, S-02,
S-04, C-10, T-21 and R11 of the reliability catalogue, as far as they are decided here."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from sojourn import Policy, Sojourn
from sojourn.core.client import GRACE_MS, MAX_ROTATIONS
from sojourn.core.errors import (
    CookieInvalid,
    InvalidSessionToken,
    NotFound,
    SessionCreationNotAllowed,
    SessionExists,
    UserBanned,
)
from sojourn.core.policy import SessionLimitAction
from sojourn.core.session import Reason, Status
from sojourn.core.ticket import TicketRefused
from sojourn.service.clients import Recognised, SignedIn
from sojourn.testing import ManualClock
from sojourn.tokens import bearer
from sojourn.tokens.encoding import b64url_decode
from tests.embedded import all_events, event_types, opened, store_of, user_id
from tests.service.conftest import Opening

GRACE_SECONDS = GRACE_MS / 1000


async def ticket(sojourn: Sojourn, name: str = "42", **arguments: Any) -> str:
    """The text of a sign-in token."""
    issued = await sojourn.tickets.create_sign_in_token(user_id=await user_id(sojourn, name), **arguments)
    return issued.token


async def acting(sojourn: Sojourn, name: str = "42") -> str:
    """The text of an actor token: somebody outside acts as the user."""
    user = await user_id(sojourn, name)
    return (await sojourn.tickets.create_actor_token(user_id=user, actor={"sub": "user_outside"})).token


async def sign_in(sojourn: Sojourn, token: str | None = None, name: str = "42") -> SignedIn:
    """A sign-in in the browser that presents this token."""
    return await sojourn.clients.sign_in(await ticket(sojourn, name), token=token)


async def known(sojourn: Sojourn, token: str) -> Recognised:
    """The client of a token that must be good."""
    found = await sojourn.clients.recognise(token)
    assert found is not None
    return found


# Recognising -----------------------------------------------------------------------------------------------


@pytest.mark.embedded  # uat is for whoever sets the cookies
async def test_a_new_client_is_recognised(sojourn: Sojourn) -> None:
    """By its token, which stays the same as long as nobody signs in; it holds no session."""
    made = await sojourn.clients.create()
    found = await known(sojourn, made.token)
    assert (found.id, found.token, found.renewed) == (made.id, made.token, False)
    assert list(found.view.sessions) == []
    assert sojourn.clients.uat(found.view) == sojourn.clients.uat(None) == 0


async def test_the_token_says_two_things(sojourn: Sojourn) -> None:
    """Exactly `id` and `rotating_token`, of 256 bits and a generation."""
    made = await sojourn.clients.create()
    claims = bearer.claims_of(made.token)
    assert set(claims) == {"id", "rotating_token"}
    assert claims["id"] == made.id
    assert len(str(claims["rotating_token"])) == (4 + 32) * 4 // 3


@pytest.mark.embedded  # no request holds a text of that size
@pytest.mark.parametrize("token", [None, "", "x", "a.b.c", "\u00e9.x.y", "." * 3, "x" * 100_000])
async def test_c10_what_is_no_token_is_nobody(sojourn: Sojourn, token: str | None) -> None:
    """C-10: None for anything that was not issued here, and no client comes into being by it."""
    assert await sojourn.clients.recognise(token) is None
    assert (await sojourn.clients.list()).items == []


async def test_c10_a_well_formed_token_of_elsewhere_is_never_adopted(sojourn: Sojourn) -> None:
    """C-10: neither a forged token for a client that exists, nor another instance's, opens anything."""
    made = await sign_in(sojourn)
    forged = bearer.make({"id": made.id, "rotating_token": "A" * 48}, secret=bytes(32))
    assert await sojourn.clients.recognise(forged) is None
    async with opened() as other:
        there = await sign_in(other)
        assert await sojourn.clients.recognise(there.token) is None
        signed = await sign_in(sojourn, there.token)
        assert signed.id not in (there.id, made.id)


async def test_t21_a_client_token_is_no_session_token(sojourn: Sojourn) -> None:
    """T-21: it verifies as a session nowhere, and a session token is nobody's client."""
    signed = await sign_in(sojourn)
    with pytest.raises(InvalidSessionToken):
        await sojourn.tokens.verify(signed.token)
    assert await sojourn.clients.recognise(await sojourn.tokens.create(signed.session.id)) is None


async def test_only_a_hash_is_kept(sojourn: Sojourn, database_url: str, tmp_path: Any) -> None:
    """The secret stands in no value that the store gives back, nor in its file, before and after rotation."""
    tokens = [(await sojourn.clients.create()).token]
    tokens.append((await sign_in(sojourn, tokens[0])).token)
    client = (await known(sojourn, tokens[1])).view.client
    assert client.secret is not None
    assert "digest" not in repr(client)
    secrets = [str(bearer.claims_of(token)["rotating_token"]) for token in tokens]
    files = [path.read_bytes() for path in tmp_path.iterdir() if path.is_file()]
    assert bool(files) is ("sqlite" in database_url)
    for secret in secrets:
        raw = b64url_decode(secret.encode())[4:]
        assert raw != client.secret.digest
        for content in files:
            assert secret.encode() not in content
            assert raw not in content


async def test_the_server_secret_is_sealed(tmp_path: Any) -> None:
    """Under a master key the secret of the instance lies sealed, and tokens outlive a start."""
    opening = partial(opened, f"sqlite:///{tmp_path}/sealed.db", master_key="A" * 42 + "E=")
    async with opening() as sojourn:
        rows = await store_of(sojourn).stored_keys()
        assert {row.material[:3] for row in rows} == {b"sjs"}
        token = (await sign_in(sojourn)).token
    async with opening() as again:
        assert await again.clients.recognise(token) is not None


# Signing in ------------------------------------------------------------------------------------------------


@pytest.mark.embedded  # uat is for whoever sets the cookies
async def test_a_sign_in_without_a_token_makes_a_client(sojourn: Sojourn) -> None:
    """The session is in front on a client of its own, with a token that the browser has to be given."""
    signed = await sign_in(sojourn)
    assert (signed.renewed, signed.session.client_id) == (True, signed.id)
    assert signed.view.last_active == signed.session
    assert signed.view.client.last_authentication_strategy == "ticket"
    found = await known(sojourn, signed.token)
    assert (found.view, found.renewed) == (signed.view, False)
    assert sojourn.clients.uat(found.view) == signed.session.created_at // 1000


async def test_s01_the_secret_is_replaced_at_sign_in(sojourn: Sojourn, clock: ManualClock) -> None:
    """S-01: whoever knew the token of a client before somebody signed in there gets nothing by it: not at
    once, not with a ticket of one's own, and later on it ends the session that it cannot have."""
    planted = (await sojourn.clients.create()).token
    victim = await sign_in(sojourn, planted)
    assert victim.token != planted
    assert await sojourn.clients.recognise(planted) is None
    attacker = await sign_in(sojourn, planted, "attacker")
    assert attacker.id != victim.id
    assert (await known(sojourn, victim.token)).view.live == [victim.session]
    clock.advance(seconds=GRACE_SECONDS)
    assert await sojourn.clients.recognise(planted) is None
    assert await sojourn.clients.recognise(victim.token) is None
    assert (await sojourn.sessions.get(victim.session.id)).status is Status.REVOKED


async def test_s01_control_without_a_new_secret(sojourn: Sojourn) -> None:
    """The control: a session that is made on the client without a sign-in there is seen by the old token."""
    planted = await sojourn.clients.create()
    made = await sojourn.sessions.create(user_id=await user_id(sojourn), client_id=planted.id)
    assert [s.id for s in (await known(sojourn, planted.token)).view.live] == [made.id]


async def test_several_users_on_one_client(sojourn: Sojourn, clock: ManualClock) -> None:
    """Each sign-in adds a session and replaces the secret; the replaced one is told the successor for as long
    as the grace lasts."""
    first = await sign_in(sojourn)
    second = await sign_in(sojourn, first.token, "43")
    assert (second.id, second.token != first.token) == (first.id, True)
    assert [s.id for s in second.view.live] == [second.session.id, first.session.id]
    assert second.view.last_active == second.session
    clock.advance(ms=GRACE_MS - 1)
    late = await known(sojourn, first.token)
    assert (late.token, late.renewed) == (second.token, True)


async def test_r11_a_replay_after_the_grace_ends_the_family(sojourn: Sojourn, clock: ManualClock) -> None:
    """R11: every session of the client, whoever's, and both secrets; the event names the reason; sessions of
    the same users elsewhere live on."""
    elsewhere = await sign_in(sojourn)
    first = await sign_in(sojourn)
    second = await sign_in(sojourn, first.token, "43")
    clock.advance(ms=GRACE_MS)
    assert await sojourn.clients.recognise(first.token) is None
    assert await sojourn.clients.recognise(second.token) is None
    for session in (first.session, second.session):
        ended = await sojourn.sessions.get(session.id)
        assert ended.ending is not None
        assert (ended.status, ended.ending.reason) == (Status.REVOKED, Reason.CLIENT_SECRET_REUSED)
    assert (await sojourn.sessions.get(elsewhere.session.id)).live
    (event,) = [e for e in await all_events(sojourn) if e.type == "client.sessions_ended"]
    assert (event.client_id, event.reason, event.instigator) == (first.id, "client_secret_reused", "system")
    assert await sojourn.clients.recognise(first.token) is None
    assert (await event_types(sojourn)).count("client.sessions_ended") == 1
    again = await sign_in(sojourn, second.token)
    assert again.id != first.id


async def test_r11_an_old_generation_is_told_from_a_forged_one(sojourn: Sojourn, clock: ManualClock) -> None:
    """R11: a secret that was replaced many sign-ins ago is a replay; rotations within one grace are none,
    though several came in it."""
    tokens = [(await sign_in(sojourn)).token]
    for n in range(3):
        tokens.append((await sign_in(sojourn, tokens[-1], f"{n}")).token)
    for token in tokens:
        assert (await known(sojourn, token)).token == tokens[-1]
    clock.advance(ms=GRACE_MS)
    tokens.append((await sign_in(sojourn, tokens[-1], "last")).token)
    assert (await known(sojourn, tokens[-2])).token == tokens[-1]
    assert await sojourn.clients.recognise(tokens[0]) is None
    assert await sojourn.clients.recognise(tokens[-1]) is None


async def test_rotations_in_one_grace_are_bounded(sojourn: Sojourn) -> None:
    """More sign-ins in ten seconds than anybody does leave the oldest secret a replay."""
    first = last = await sign_in(sojourn)
    for n in range(MAX_ROTATIONS):
        assert (await known(sojourn, first.token)).token == last.token
        last = await sign_in(sojourn, last.token, f"user {n}")
    assert (await known(sojourn, first.token)).token == last.token
    last = await sign_in(sojourn, last.token, "one more")
    assert await sojourn.clients.recognise(first.token) is None


async def test_a_failed_sign_in_changes_nothing(sojourn: Sojourn) -> None:
    """A ticket that cannot be used, or a user who is banned, leaves client, session and secret as they
    were."""
    signed = await sign_in(sojourn)
    used = await ticket(sojourn)
    await sojourn.tickets.redeem(used)
    with pytest.raises(TicketRefused):
        await sojourn.clients.sign_in(used, token=signed.token)
    banned = await ticket(sojourn, "43")
    await sojourn.users.ban(await user_id(sojourn, "43"))
    with pytest.raises(UserBanned):
        await sojourn.clients.sign_in(banned, token=signed.token)
    found = await known(sojourn, signed.token)
    assert (found.view, found.renewed) == (signed.view, False)


async def test_signing_in_again_replaces_ones_own_session(sojourn: Sojourn, clock: ManualClock) -> None:
    """The same user's session of before is replaced, but not one of a moment ago: that is another tab's. The
    other user's stays."""
    other = await sign_in(sojourn)
    first = await sign_in(sojourn, other.token, "43")
    twin = await sign_in(sojourn, first.token, "43")
    assert {s.id for s in twin.view.live} == {other.session.id, first.session.id, twin.session.id}
    clock.advance(ms=GRACE_MS)
    again = await sign_in(sojourn, twin.token, "43")
    assert {s.id for s in again.view.live} == {other.session.id, again.session.id}
    assert (await sojourn.sessions.get(first.session.id)).status is Status.REPLACED


@pytest.mark.parametrize("action", ["deny", "evict_oldest"])
async def test_signing_in_again_at_the_limit(
    opening: Opening, clock: ManualClock, action: SessionLimitAction
) -> None:
    """The session that is replaced makes the room that the new one needs; no other one has to go."""
    policy = Policy(max_sessions_per_user=2, session_limit_action=action)
    async with opening(policy=policy) as sojourn:
        elsewhere = await sign_in(sojourn)
        first = await sign_in(sojourn)
        clock.advance(ms=GRACE_MS)
        again = await sign_in(sojourn, first.token)
        assert again.view.live == [again.session]
        assert (await sojourn.sessions.get(elsewhere.session.id)).live


async def test_single_session_mode(opening: Opening) -> None:
    """A client that holds a session takes no other; after its end it does. The application may replace."""
    async with opening(policy=Policy(single_session=True)) as sojourn:
        first = await sign_in(sojourn)
        unused = await ticket(sojourn, "43")
        with pytest.raises(SessionExists):
            await sojourn.clients.sign_in(unused, token=first.token)
        assert (await known(sojourn, first.token)).view.live == [first.session]
        await sojourn.sessions.revoke(first.session.id)
        second = await sojourn.clients.sign_in(unused, token=first.token)
        assert (second.id, second.view.live) == (first.id, [second.session])
        third = await sojourn.sessions.create(user_id=first.session.user_id, client_id=first.id)
        assert (await sojourn.sessions.get(second.session.id)).status is Status.REPLACED
        assert third.live


# Impersonation ---------------------------------------------------------------------------------------------


async def test_s02_the_secret_is_replaced_around_an_impersonation(sojourn: Sojourn) -> None:
    """S-02: at its start and at its end the token is a new one, however it ends; in between no other session
    can be made on the client."""
    admin = await sign_in(sojourn, None, "admin")
    started = await sojourn.clients.sign_in(await acting(sojourn), token=admin.token)
    assert (started.id, started.token != admin.token) == (admin.id, True)
    assert {s.id for s in started.view.live} == {admin.session.id, started.session.id}
    unused = await ticket(sojourn, "43")
    for attempt in (unused, await acting(sojourn)):
        with pytest.raises(SessionCreationNotAllowed):
            await sojourn.clients.sign_in(attempt, token=started.token)
    with pytest.raises(SessionCreationNotAllowed):
        await sojourn.sessions.create(user_id=admin.session.user_id, client_id=admin.id)
    during = await known(sojourn, started.token)
    assert (during.token, during.renewed) == (started.token, False)
    ended = await sojourn.clients.end_session(during, started.session.id)
    assert (ended.renewed, ended.token != started.token) == (True, True)
    assert [s.id for s in ended.view.live] == [admin.session.id]
    assert (await known(sojourn, ended.token)).renewed is False
    assert (await sojourn.clients.sign_in(unused, token=ended.token)).id == admin.id


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_s02_an_impersonation_that_ends_elsewhere(
    sojourn: Sojourn, clock: ManualClock, how: str
) -> None:
    """S-02: ended by the application or by its deadline, the next presentation gets a new token, once."""
    admin = await sign_in(sojourn, None, "admin")
    started = await sojourn.clients.sign_in(await acting(sojourn), token=admin.token)
    if how == "revoked":
        await sojourn.sessions.revoke(started.session.id)
    else:
        clock.set(started.session.expire_at)
    found = await known(sojourn, started.token)
    assert (found.renewed, [s.id for s in found.view.live]) == (True, [admin.session.id])
    assert (await known(sojourn, started.token)).token == found.token
    assert (await known(sojourn, found.token)).renewed is False
    clock.advance(ms=GRACE_MS)
    assert await sojourn.clients.recognise(started.token) is None


# What a browser does ---------------------------------------------------------------------------------------


async def test_s05_one_session_of_three_ends(sojourn: Sojourn) -> None:
    """S-05, S-06: exactly that one. Ended it stays on its client, removed it leaves it; another one is in
    front then. What is not on the client is not touched, and repeating it changes nothing."""
    first = await sign_in(sojourn)
    second = await sign_in(sojourn, first.token, "43")
    third = await sign_in(sojourn, second.token, "44")
    stranger = await sign_in(sojourn)
    held = await sojourn.clients.end_session(third, third.session.id)
    assert [s.status for s in held.view.sessions] == [Status.ENDED, Status.ACTIVE, Status.ACTIVE]
    assert held.view.last_active is not None
    assert held.view.client.updated_at > third.view.client.updated_at
    assert held.view.last_active.id == second.session.id
    held = await sojourn.clients.remove_session(held, second.session.id)
    assert [s.id for s in held.view.sessions] == [third.session.id, first.session.id]
    assert await sojourn.clients.remove_session(held, second.session.id) == held
    for unknown in (stranger.session.id, "sess_none"):
        with pytest.raises(NotFound):
            await sojourn.clients.end_session(held, unknown)
    assert (await sojourn.sessions.get(stranger.session.id)).live


@pytest.mark.embedded  # uat is for whoever sets the cookies
async def test_all_sessions_leave(sojourn: Sojourn) -> None:
    """Signing out of all leaves an empty client with the same token, and 0 as its instant."""
    first = await sign_in(sojourn)
    second = await sign_in(sojourn, first.token, "43")
    held = await sojourn.clients.remove_sessions(second)
    assert (held.token, list(held.view.sessions)) == (second.token, [])
    assert sojourn.clients.uat(held.view) == 0
    assert (await event_types(sojourn))[-2:] == ["session.removed"] * 2
    assert (await known(sojourn, second.token)).id == first.id
    back = await sign_in(sojourn, second.token)
    assert back.id == first.id


async def test_s04_a_destroyed_client_is_nobody(sojourn: Sojourn, clock: ManualClock) -> None:
    """S-04: after signing out for good every token that the browser ever had is refused, and is no replay."""
    first = await sign_in(sojourn)
    second = await sign_in(sojourn, first.token, "43")
    gone = await sojourn.clients.destroy(second)
    assert [s.status for s in gone.sessions] == [Status.ENDED] * 2
    clock.advance(ms=GRACE_MS)
    for token in (first.token, second.token):
        assert await sojourn.clients.recognise(token) is None
        with pytest.raises(CookieInvalid):
            await sojourn.clients.verify(token)
    assert "client.sessions_ended" not in await event_types(sojourn)
    assert (await sojourn.clients.destroy(second)).client.id == first.id
    assert (await sign_in(sojourn, second.token)).id != first.id


async def test_a_session_is_put_in_front(sojourn: Sojourn) -> None:
    """The one that is named, if it lives on this client; the instant of the client moves on."""
    first = await sign_in(sojourn)
    second = await sign_in(sojourn, first.token, "43")
    held = await sojourn.clients.make_active(second, first.session.id)
    assert held.view.last_active is not None
    assert held.view.last_active.id == first.session.id
    assert held.view.client.updated_at > second.view.client.updated_at
    assert await sojourn.clients.make_active(held, first.session.id) == held
    await sojourn.sessions.revoke(second.session.id)
    for other in (second.session.id, "sess_none"):
        with pytest.raises(NotFound):
            await sojourn.clients.make_active(held, other)


# For the backend -------------------------------------------------------------------------------------------


async def test_verify_a_client(sojourn: Sojourn, clock: ManualClock) -> None:
    """A token in force, or replaced a moment ago, gets its client; every other the published code."""
    first = await sign_in(sojourn)
    second = await sign_in(sojourn, first.token, "43")
    for token in (first.token, second.token):
        assert await sojourn.clients.verify(token) == second.view
    clock.advance(ms=GRACE_MS)
    with pytest.raises(CookieInvalid, match="another one by now"):
        await sojourn.clients.verify(first.token)
    assert (await sojourn.sessions.get(second.session.id)).live is False
    for token, words in (
        ("x", "no JWT"),
        (bearer.make({"id": first.id}, secret=bytes(32)), "following claims: rotating_token"),
        (bearer.make({"id": first.id, "rotating_token": "x"}, secret=bytes(32)), "not issued"),
    ):
        with pytest.raises(CookieInvalid, match=words):
            await sojourn.clients.verify(token)


async def test_a_client_that_was_purged(sojourn: Sojourn, clock: ManualClock) -> None:
    """Its token is nobody's, and signing in makes a new one."""
    signed = await sign_in(sojourn)
    await sojourn.clients.remove_sessions(signed)
    clock.advance(seconds=sojourn.policy.retention_seconds + 1)
    await sojourn.sweeper.purge()
    assert await sojourn.clients.recognise(signed.token) is None
    with pytest.raises(NotFound):
        await sojourn.clients.verify(signed.token)
    assert (await sign_in(sojourn, signed.token)).id != signed.id
