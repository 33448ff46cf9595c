"""Tickets: made, revoked, redeemed once. Attack cases S-13, S-14 and T-28 of the reliability catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sojourn import Actor, Policy, Sojourn
from sojourn.core.errors import Conflict, Invalid, Missing, NotAMember, NotFound, SojournError, UserBanned
from sojourn.core.ids import Prefix, is_id
from sojourn.core.session import Status
from sojourn.core.ticket import ActorTokenSubjectNotFound, TicketRefused, TicketStatus
from sojourn.service.ports import Refused
from sojourn.service.tickets import IssuedTicket
from sojourn.testing import ManualClock
from sojourn.tokens import bearer
from tests.embedded import DAY, HOUR, MINUTE, all_events, event_types, opened, store_of, user_id, watch
from tests.service.conftest import Opening

IMPERSONATOR = {"sub": "user_outside", "iss": "https://admin.test", "note": [1, None, {"a": "\u00e9"}]}


async def sign_in_token(sojourn: Sojourn, **arguments: Any) -> IssuedTicket:
    """A sign-in token of the one user."""
    return await sojourn.tickets.create_sign_in_token(user_id=await user_id(sojourn), **arguments)


async def actor_token(sojourn: Sojourn, **arguments: Any) -> IssuedTicket:
    """An actor token for the one user."""
    arguments.setdefault("actor", IMPERSONATOR)
    return await sojourn.tickets.create_actor_token(user_id=await user_id(sojourn), **arguments)


MAKERS = pytest.mark.parametrize("make", [sign_in_token, actor_token])
Maker = Callable[..., Awaitable[IssuedTicket]]


async def code(attempt: Awaitable[object]) -> str:
    """The code with which an attempt is refused."""
    try:
        await attempt
    except SojournError as error:
        return error.code
    return "none"


@MAKERS
async def test_a_ticket_signs_in(sojourn: Sojourn, make: Maker) -> None:
    """The session is the user's and active; the ticket is accepted and names it; the log has both."""
    issued = await make(sojourn)
    session = await sojourn.tickets.redeem(issued.token)
    assert (session.user_id, session.status) == (issued.ticket.user_id, Status.ACTIVE)
    assert (await sojourn.sessions.get(session.id)).status is Status.ACTIVE
    ticket = await sojourn.tickets.get(issued.ticket.id)
    assert (ticket.status, ticket.session_id) == (TicketStatus.ACCEPTED, session.id)
    kind = ticket.kind.value
    types = ["user.created", f"{kind}.created", "session.created", f"{kind}.accepted"]
    assert await event_types(sojourn) == types


async def test_a_ticket_redeemed_on_a_client(sojourn: Sojourn) -> None:
    """The session joins the client that is named; for one that is not there nothing is used up."""
    first = await sojourn.tickets.redeem((await sign_in_token(sojourn)).token)
    issued = await sign_in_token(sojourn)
    with pytest.raises(NotFound):
        await sojourn.tickets.redeem(issued.token, client_id="client_none")
    second = await sojourn.tickets.redeem(issued.token, client_id=first.client_id)
    assert (second.client_id, second.id != first.id) == (first.client_id, True)


@MAKERS
async def test_s14_a_ticket_works_once(sojourn: Sojourn, make: Maker) -> None:
    """S-14: of 100 that redeem it at once one gets a session, the others the published code."""
    issued = await make(sojourn)
    done = await asyncio.gather(
        *(code(sojourn.tickets.redeem(issued.token)) for _ in range(100)), return_exceptions=True
    )
    used = f"{issued.ticket.kind.value}_already_used_code"
    assert sorted(map(str, done)) == sorted(["none", *[used] * 99])
    assert len(await sojourn.sessions.list(limit=500)) == 1
    assert await code(sojourn.tickets.redeem(issued.token)) == used


async def test_s14_a_ticket_works_once_for_two_processes(tmp_path: Any, clock: ManualClock) -> None:
    """S-14: two stores on one file, 50 redemptions each: one session."""
    url = f"sqlite:///{tmp_path}/two.db"
    async with opened(url, clock=clock) as one, opened(url, clock=clock) as two:
        issued = await sign_in_token(one)
        done = await asyncio.gather(*(code(s.tickets.redeem(issued.token)) for s in (one, two) * 50))
        assert done.count("none") == 1
        assert set(done) == {"none", "sign_in_token_already_used_code"}
        assert len(await two.sessions.list(limit=500)) == 1


@MAKERS
async def test_s14_a_ticket_expires(sojourn: Sojourn, clock: ManualClock, make: Maker) -> None:
    """S-14: good until the millisecond before its end, useless from that on."""
    issued, early = await make(sojourn, expires_in_seconds=60), await make(sojourn, expires_in_seconds=60)
    clock.advance(ms=59_999)
    await sojourn.tickets.redeem(early.token)
    clock.advance(ms=1)
    assert await code(sojourn.tickets.redeem(issued.token)) == "ticket_expired_code"
    assert (await sojourn.tickets.get(issued.ticket.id)).status is TicketStatus.PENDING


async def test_the_defaults_are_the_published_ones(sojourn: Sojourn) -> None:
    """30 days; an hour, and half an hour for the session."""
    plain, actor = (await sign_in_token(sojourn)).ticket, (await actor_token(sojourn)).ticket
    assert plain.expire_at - plain.created_at == 30 * DAY * 1000
    assert actor.expire_at - actor.created_at == HOUR * 1000
    assert actor.session_lifetime_seconds == 30 * MINUTE


@MAKERS
async def test_s14_a_revoked_ticket_is_useless(sojourn: Sojourn, make: Maker) -> None:
    """S-14: revoked once, then neither redeemed nor revoked; a used one is not revoked either."""
    issued, used = await make(sojourn), await make(sojourn)
    kind = issued.ticket.kind.value
    revoke = getattr(sojourn.tickets, f"revoke_{kind}")
    revoked = await revoke(issued.ticket.id)
    assert revoked.status is TicketStatus.REVOKED
    assert await sojourn.tickets.get(issued.ticket.id) == revoked
    assert await code(sojourn.tickets.redeem(issued.token)) == f"{kind}_revoked_code"
    session = await sojourn.tickets.redeem(used.token)
    for ticket in (issued.ticket, used.ticket):
        assert await code(revoke(ticket.id)) == f"{kind}_cannot_be_revoked_code"
    assert (await sojourn.sessions.get(session.id)).live
    assert (await event_types(sojourn)).count(f"{kind}.revoked") == 1
    other = "sign_in_token" if kind == "actor_token" else "actor_token"
    for unknown in ("act_none", "", (await make(sojourn)).ticket.id):
        assert await code(getattr(sojourn.tickets, f"revoke_{other}")(unknown)) == "resource_not_found"


@MAKERS
async def test_redemption_and_revocation_at_once(sojourn: Sojourn, make: Maker) -> None:
    """Whoever is first wins: there is a session, or the ticket is revoked, never both or neither."""
    for _ in range(20):
        issued = await make(sojourn)
        revoke = getattr(sojourn.tickets, f"revoke_{issued.ticket.kind.value}")
        redeemed, revoked = await asyncio.gather(
            code(sojourn.tickets.redeem(issued.token)), code(revoke(issued.ticket.id))
        )
        assert (redeemed == "none") is not (revoked == "none")
        ticket = await sojourn.tickets.get(issued.ticket.id)
        assert (ticket.session_id is not None) is (redeemed == "none")


@MAKERS
async def test_s14_a_ticket_of_a_banned_or_deleted_user(sojourn: Sojourn, make: Maker) -> None:
    """S-14, S-10: refused for as long as the user is banned, and for ever once deleted; not used up."""
    issued = await make(sojourn)
    user = issued.ticket.user_id
    await sojourn.users.ban(user)
    with pytest.raises(UserBanned):
        await sojourn.tickets.redeem(issued.token)
    with pytest.raises(UserBanned):
        await make(sojourn)
    await sojourn.users.unban(user)
    assert (await sojourn.tickets.get(issued.ticket.id)).status is TicketStatus.PENDING
    await sojourn.users.delete(user)
    expected = ActorTokenSubjectNotFound if issued.ticket.actor else NotFound
    with pytest.raises(expected):
        await sojourn.tickets.redeem(issued.token)
    assert await sojourn.sessions.list() == []


async def test_a_sign_in_token_for_an_organization(sojourn: Sojourn) -> None:
    """The session begins in it; when the membership has ended meanwhile, the ticket stays unused."""
    user = await user_id(sojourn)
    mine = await sojourn.organizations.create(name="A", created_by=user)
    await sojourn.organizations.create(name="B", created_by=user)
    first, second = [await sign_in_token(sojourn, organization_id=mine.id) for _ in range(2)]
    assert (await sojourn.tickets.redeem(first.token)).last_active_organization_id == mine.id
    await sojourn.memberships.remove(mine.id, user)
    with pytest.raises(NotAMember):
        await sojourn.tickets.redeem(second.token)
    assert (await sojourn.tickets.get(second.ticket.id)).status is TicketStatus.PENDING


async def test_a_ticket_for_nobody(sojourn: Sojourn) -> None:
    """No user, no ticket; no organization that is not there or not the user's either."""
    with pytest.raises(NotFound):
        await sojourn.tickets.create_sign_in_token(user_id="user_none")
    with pytest.raises(NotFound):
        await sojourn.tickets.create_actor_token(user_id="user_none", actor=IMPERSONATOR)
    with pytest.raises(NotFound):
        await sign_in_token(sojourn, organization_id="org_none")
    theirs = await sojourn.organizations.create(name="A")
    with pytest.raises(NotAMember):
        await sign_in_token(sojourn, organization_id=theirs.id)
    with pytest.raises(NotFound):
        await sojourn.tickets.get("sit_none")


@pytest.mark.parametrize("seconds", [0, -1, 10**12])
async def test_durations_have_bounds(sojourn: Sojourn, seconds: int) -> None:
    """From a second to ten years, each named when it is out of them."""
    for make, name in (
        (sign_in_token, "expires_in_seconds"),
        (actor_token, "expires_in_seconds"),
        (actor_token, "session_max_duration_in_seconds"),
    ):
        with pytest.raises(Invalid) as error:
            await make(sojourn, **{name: seconds})
        assert error.value.meta == {"param_name": name}


async def test_the_actor_comes_back_unchanged(sojourn: Sojourn) -> None:
    """An actor need not be known here; every member ends in the session and in every token of it (S-13)."""
    session = await sojourn.tickets.redeem((await actor_token(sojourn)).token)
    assert session.actor is not None
    assert session.actor.to_wire() == IMPERSONATOR
    for _ in range(2):
        claims = await sojourn.tokens.verify(await sojourn.tokens.create(session.id))
        assert (claims["act"], claims["sub"]) == (IMPERSONATOR, session.user_id)
    for event in (await all_events(sojourn))[1:]:
        assert (event.actor, event.user_id) == ("user_outside", session.user_id)


@pytest.mark.parametrize(("asked", "given"), [(60, 60), (1799, 1799), (1800, 1800), (7 * DAY, 1800)])
async def test_s13_an_impersonation_is_short(sojourn: Sojourn, asked: int, given: int) -> None:
    """S-13: as short as asked for, never longer than the policy allows an actor."""
    issued = await actor_token(sojourn, session_max_duration_in_seconds=asked)
    session = await sojourn.tickets.redeem(issued.token)
    assert session.expire_at - session.created_at == given * 1000
    assert session.inactivity_seconds == (600 if given > 600 else None)


async def test_s13_the_policy_caps_impersonation(opening: Opening) -> None:
    """S-13: the policy's own limits for actors hold, whatever the ticket says."""
    policy = Policy(impersonation_lifetime_seconds=600, impersonation_inactivity_seconds=120)
    async with opening(policy=policy) as sojourn:
        session = await sojourn.tickets.redeem((await actor_token(sojourn)).token)
        assert (session.expire_at - session.created_at, session.inactivity_seconds) == (600_000, 120)


@pytest.mark.parametrize(
    ("actor", "parameter"),
    [
        ({}, "actor.sub"),
        ({"sub": ""}, "actor.sub"),
        ({"sub": 1}, "actor.sub"),
        ({"sub": "a", "act": {"sub": "b"}}, "actor.act"),
        ({"sub": "a", "act": None}, "actor.act"),
        ({"sub": "a", "long": "x" * 2048}, "actor"),
        ({"sub": "a", "none": float("nan")}, "actor"),
        ({"sub": "a", "text": "\ud800"}, "actor"),
        ({"sub": "a", "set": {1}}, "actor"),
    ],
    ids=str,
)
async def test_t28_actors_that_are_refused(sojourn: Sojourn, actor: Any, parameter: str) -> None:
    """T-28, S-13: no actor within an actor, none without a name, none that a token could not carry."""
    with pytest.raises(Invalid) as error:
        await actor_token(sojourn, actor=actor)
    assert error.value.meta == {"param_name": parameter}
    assert isinstance(error.value, Missing) is (actor == {})


async def test_t28_nobody_acts_as_oneself(sojourn: Sojourn) -> None:
    """T-28, S-13: the actor is somebody else than the user."""
    with pytest.raises(Invalid) as error:
        await actor_token(sojourn, actor=Actor(await user_id(sojourn)))
    assert error.value.meta == {"param_name": "actor.sub"}


async def test_odd_numbers_of_an_actor_survive(sojourn: Sojourn) -> None:
    """What JSON can say comes back from session and token, also beyond 64 bits."""
    actor = {"sub": "a", "big": 2**70, "deep": {"a": [{"b": [0.1, -(2**63), True]}]}, "": ""}
    session = await sojourn.tickets.redeem((await actor_token(sojourn, actor=actor)).token)
    stored = (await sojourn.sessions.get(session.id)).actor
    assert stored is not None
    assert stored.to_wire() == actor
    assert (await sojourn.tokens.verify(await sojourn.tokens.create(session.id)))["act"] == actor


async def test_s13_an_actor_who_has_signed_out(sojourn: Sojourn) -> None:
    """S-13: where the actor names the session it acts from, the ticket dies with that session."""
    admin = await sojourn.sessions.create(user_id=await user_id(sojourn, "admin"))
    named = {"sub": admin.user_id, "sid": admin.id}
    first, second = await actor_token(sojourn, actor=named), await actor_token(sojourn, actor=named)
    foreign = await actor_token(sojourn, actor={"sub": "x", "sid": "sess_elsewhere"})
    await sojourn.tickets.redeem(first.token)
    await sojourn.sessions.revoke(admin.id)
    assert await code(sojourn.tickets.redeem(second.token)) == "actor_token_cannot_be_used_code"
    assert await code(sojourn.tickets.redeem(foreign.token)) == "none"


@pytest.mark.parametrize("change", ["claims", "signature", "cut", "case", "padding"])
async def test_a_changed_ticket_is_none(sojourn: Sojourn, change: str) -> None:
    """Whatever is altered, also what decoders let pass: it is unknown, and the true one still works."""
    issued = await sign_in_token(sojourn)
    head, body, tail = issued.token.split(".")
    later = bearer.claims_of(issued.token) | {"exp": 2**33, "st": "actor_token"}
    texts = {
        "claims": f"{head}.{bearer.make(later, secret=b'x' * 32).split('.')[1]}.{tail}",
        "signature": f"{head}.{body}.{tail[::-1]}",
        "cut": issued.token[:-1],
        "case": issued.token.swapcase(),
        "padding": issued.token + "=",
    }
    assert await code(sojourn.tickets.redeem(texts[change])) == "ticket_invalid_code"
    assert await code(sojourn.tickets.redeem(issued.token)) == "none"


@pytest.mark.parametrize(
    "text", ["", "x", "." * 8000, "a" * 1_000_000, "\ud800", "é.é.é", "\0"], ids=lambda t: t[:5]
)
async def test_t26_odd_tickets_are_refused(sojourn: Sojourn, front: str, text: str) -> None:
    """T-26: whatever comes is answered as an unknown ticket; what no request can hold does not get so far."""
    refused = {"a" * 1_000_000: "request_body_too_large", "\ud800": "form_param_value_invalid"}
    expected = refused.get(text, "ticket_invalid_code") if front == "network" else "ticket_invalid_code"
    assert await code(sojourn.tickets.redeem(text)) == expected


async def test_t22_a_ticket_of_another_instance(sojourn: Sojourn, clock: ManualClock) -> None:
    """T-22, S-16: unknown here, as one that was never made."""
    async with opened(clock=clock) as other:
        issued = await sign_in_token(other)
    assert await code(sojourn.tickets.redeem(issued.token)) == "ticket_invalid_code"
    assert await code(sojourn.tickets.revoke_sign_in_token(issued.ticket.id)) == "resource_not_found"


@MAKERS
async def test_t21_a_ticket_is_no_session_token(sojourn: Sojourn, make: Maker) -> None:
    """T-21: nor is a session token a ticket."""
    issued = await make(sojourn)
    assert await code(sojourn.tokens.verify(issued.token)) == "invalid_session_token"
    session = await sojourn.tickets.redeem(issued.token)
    assert await code(sojourn.tokens.verify(issued.token)) == "invalid_session_token"
    token = await sojourn.tokens.create(session.id)
    assert await code(sojourn.tickets.redeem(token)) == "ticket_invalid_code"


@MAKERS
async def test_the_text_is_told_once(sojourn: Sojourn, database_url: str, tmp_path: Any, make: Maker) -> None:
    """Neither text nor secret is in a repr, in the log or in the database, where there is only a hash."""
    issued = await make(sojourn)
    assert is_id(issued.ticket.id, Prefix.ACTOR_TOKEN if issued.ticket.actor else Prefix.SIGN_IN_TOKEN)
    assert issued.url == f"https://127.0.0.1:8787/v1/tickets/accept?ticket={issued.token}"
    claims = bearer.claims_of(issued.token)
    assert set(claims) == {"eis", "exp", "iid", "sid", "st"}
    assert (claims["sid"], claims["iid"]) == (issued.ticket.id, sojourn.instance.id)
    secret = issued.token.rpartition(".")[2]
    assert secret not in repr(issued)
    await sojourn.tickets.redeem(issued.token)
    assert secret not in repr(await all_events(sojourn))
    if database_url.startswith("sqlite"):
        stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert secret.encode() not in stored
        assert issued.ticket.digest in stored


async def test_old_tickets_are_purged(sojourn: Sojourn, clock: ManualClock) -> None:
    """Kept as long as sessions are after their end, then gone and unknown; a pending one stays."""
    used, pending = await sign_in_token(sojourn), await sign_in_token(sojourn, expires_in_seconds=90 * DAY)
    await sojourn.tickets.redeem(used.token)
    clock.advance(seconds=30 * DAY)
    await sojourn.sweeper.purge()
    assert await sojourn.tickets.get(used.ticket.id)
    clock.advance(ms=2)
    await sojourn.sweeper.purge()
    assert await code(sojourn.tickets.redeem(used.token)) == "ticket_invalid_code"
    assert await code(sojourn.tickets.redeem(pending.token)) == "none"


async def test_single_session_mode_holds_for_tickets(opening: Opening) -> None:
    """A ticket redeemed on a client takes the place of the session that is there."""
    async with opening(policy=Policy(single_session=True)) as sojourn:
        first = await sojourn.tickets.redeem((await sign_in_token(sojourn)).token)
        await sojourn.tickets.redeem((await sign_in_token(sojourn)).token, client_id=first.client_id)
        assert (await sojourn.sessions.get(first.id)).status is Status.REPLACED


async def test_a_refused_commit_uses_nothing_up(sojourn: Sojourn) -> None:
    """A ticket whose user is banned between the look and the commit stays pending, without a session."""
    issued = await sign_in_token(sojourn)
    store = watch(sojourn)

    async def ban() -> None:
        await sojourn.users.ban(issued.ticket.user_id)

    store.before["commit"] = ban
    with pytest.raises(UserBanned):
        await sojourn.tickets.redeem(issued.token)
    assert (await sojourn.tickets.get(issued.ticket.id)).status is TicketStatus.PENDING
    assert await sojourn.sessions.list() == []


async def test_a_revocation_that_always_loses(sojourn: Sojourn) -> None:
    """Somebody else changes the ticket before every attempt: Conflict, and not an endless loop."""
    issued = await sign_in_token(sojourn)
    inner = store_of(sojourn)
    store = watch(sojourn)
    store.failing["commit"] = Refused(Refused.CHANGED, None)
    with pytest.raises(Conflict):
        await sojourn.tickets.revoke_sign_in_token(issued.ticket.id)
    assert store.calls["commit"] < 20
    found = await inner.ticket(issued.ticket.id)
    assert found == issued.ticket


async def test_testing_tokens_look_as_published(sojourn: Sojourn, clock: ManualClock) -> None:
    """`<unix>-c_<random>`, an hour, in seconds; never the same twice."""
    made = [await sojourn.testing_tokens.create() for _ in range(100)]
    now = clock.wall() // 1000
    assert {token.expires_at for token in made} == {now + 3600}
    assert len({token.token for token in made}) == 100
    for token in made:
        assert token.token.startswith(f"{now}-c_")
        assert len(token.token) == len("1713877200-c_2J2MvPu9PnXcuhbPZNao0LOXqK9A7YrnBn0HmIWxy")
        assert token.token.split("-c_")[1].isalnum()


async def test_refusals_are_told_apart_from_faults(sojourn: Sojourn) -> None:
    """A refused ticket is an error of its own with a message that says why."""
    with pytest.raises(TicketRefused, match="no ticket"):
        await sojourn.tickets.redeem("x")
