"""Sessions while they live: made, read, listed, touched."""

from __future__ import annotations

import asyncio

import pytest

from sojourn import Activity, Actor, Limits, NotFound, Policy, Sojourn, Status
from sojourn.core.errors import Conflict, IdempotencyMismatch, Invalid, UserBanned
from sojourn.core.session import Session
from sojourn.service.context import Once
from sojourn.testing import ManualClock
from tests.embedded import DAY, HOUR, MINUTE, event_types, user_id, watch
from tests.service.conftest import Opening

ONCE = Once(digest=b"d" * 32, fingerprint=b"f" * 32)
OTHER_REQUEST = Once(digest=b"d" * 32, fingerprint=b"g" * 32)


async def test_a_new_session_has_its_deadlines(sojourn: Sojourn, clock: ManualClock) -> None:
    """A session is active on a client of its own, with the deadlines of the policy."""
    user = await user_id(sojourn)
    session = await sojourn.sessions.create(user_id=user)
    now = clock.now()
    assert (session.user_id, session.status, session.created_at) == (user, Status.ACTIVE, now)
    assert (session.last_active_at, session.updated_at) == (now, now)
    assert session.expire_at == now + 7 * DAY * 1000
    assert session.abandon_at == now + 30 * DAY * 1000
    assert (await sojourn.clients.get(session.client_id)).sessions[0].id == session.id


async def test_what_is_read_is_what_was_made(sojourn: Sojourn) -> None:
    """A session read back has every member that the creation answered."""
    made = await sojourn.sessions.create(
        user_id=await user_id(sojourn),
        actor=Actor("user_admin", {"reason": ["support", 7]}),
        activity=Activity(id="sess_activity_1", is_mobile=True, city="Graz"),
        tasks=["choose-organization"],
    )
    assert (await sojourn.sessions.get(made.id)).to_wire() == made.to_wire()


async def test_an_unknown_session_is_not_found(sojourn: Sojourn) -> None:
    """Every method that takes a session id raises NotFound for one that is not there."""
    for method in ("get", "touch", "activate", "end", "remove", "revoke"):
        with pytest.raises(NotFound):
            await getattr(sojourn.sessions, method)("sess_none")


async def test_who_cannot_have_a_session(sojourn: Sojourn) -> None:
    """Unknown users, clients and organizations and banned users are refused, and nothing is left behind."""
    user = await user_id(sojourn)
    banned = await user_id(sojourn, "banned")
    await sojourn.users.ban(banned)
    for arguments, error in [
        ({"user_id": "user_none"}, NotFound),
        ({"user_id": banned}, UserBanned),
        ({"user_id": user, "client_id": "client_none"}, NotFound),
        ({"user_id": user, "organization_id": "org_none"}, NotFound),
    ]:
        with pytest.raises(error):
            await sojourn.sessions.create(**arguments)
    assert (await sojourn.sessions.page(count=True)).total == 0
    assert (await sojourn.clients.list(count=True)).total == 0
    assert "session.created" not in await event_types(sojourn)


async def test_several_sessions_on_one_client(sojourn: Sojourn) -> None:
    """By default a client holds several live sessions, and shows the last one as last active."""
    user = await user_id(sojourn)
    first = await sojourn.sessions.create(user_id=user)
    second = await sojourn.sessions.create(user_id=user, client_id=first.client_id)
    view = await sojourn.clients.get(first.client_id)
    assert [s.id for s in view.sessions] == [second.id, first.id]
    assert all(s.live for s in view.sessions)
    assert view.client.last_active_session_id == second.id


async def test_lists_are_newest_first(sojourn: Sojourn) -> None:
    """The order is that of creation even within one millisecond; limit and offset cut pages out of it."""
    user = await user_id(sojourn)
    made = [(await sojourn.sessions.create(user_id=user)).id for _ in range(12)]
    newest = made[::-1]
    assert [s.id for s in await sojourn.sessions.list(user_id=user)] == newest[:10]
    assert [s.id for s in await sojourn.sessions.list(limit=500)] == newest
    assert [s.id for s in await sojourn.sessions.list(limit=3, offset=4)] == newest[4:7]
    assert list(await sojourn.sessions.list(offset=12)) == []
    page = await sojourn.sessions.page(limit=5, count=True)
    assert ([s.id for s in page.items], page.total) == (newest[:5], 12)


async def test_lists_filter_on_the_settled_status(sojourn: Sojourn, clock: ManualClock) -> None:
    """Status is compared as it is now, whatever is stored; user and client narrow the list."""
    user, other = await user_id(sojourn), await user_id(sojourn, "other")
    short = await sojourn.sessions.create(user_id=user, limits=Limits(lifetime_seconds=HOUR))
    pending = await sojourn.sessions.create(user_id=user, tasks=["setup-mfa"])
    revoked = await sojourn.sessions.revoke((await sojourn.sessions.create(user_id=user)).id)
    foreign = await sojourn.sessions.create(user_id=other)
    clock.advance(seconds=HOUR)

    async def ids(**query: object) -> list[str]:
        return [s.id for s in await sojourn.sessions.list(**query)]  # pyright: ignore[reportArgumentType]

    assert await ids(status="expired") == [short.id]
    assert await ids(status=Status.PENDING) == [pending.id]
    assert await ids(status="revoked") == [revoked.id]
    assert await ids(status="active") == [foreign.id]
    assert await ids(user_id=user) == [revoked.id, pending.id, short.id]
    assert await ids(client_id=short.client_id) == [short.id]
    assert await ids(client_id=short.client_id, user_id=other) == []
    assert await ids(status="ended") == []
    page = await sojourn.sessions.page(
        statuses=frozenset({Status.EXPIRED, Status.ACTIVE}), excluded=frozenset({Status.ACTIVE}), count=True
    )
    assert ([s.id for s in page.items], page.total) == ([short.id], 1)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": -1}, "limit"),
        ({"offset": -1}, "offset"),
        ({"status": "alive"}, "status"),
    ],
)
async def test_lists_are_bounded(sojourn: Sojourn, query: dict[str, object], parameter: str) -> None:
    """A page without an end, or a status that does not exist, is refused by name."""
    with pytest.raises(Invalid) as error:
        await sojourn.sessions.list(**query)  # pyright: ignore[reportArgumentType]
    assert error.value.meta == {"param_name": parameter}


async def test_every_list_is_bounded(sojourn: Sojourn) -> None:
    """Clients, users and events have the same bounds as sessions."""
    for list_ in (sojourn.clients.list, sojourn.users.list, sojourn.events.read):
        for limit in (0, 501):
            with pytest.raises(Invalid):
                await list_(limit=limit)


async def test_a_client_lists_and_hides_what_was_removed(sojourn: Sojourn) -> None:
    """A removed session is off its client, an ended one stays on it; clients are newest first."""
    user = await user_id(sojourn)
    first = await sojourn.sessions.create(user_id=user)
    second = await sojourn.sessions.create(user_id=user, client_id=first.client_id)
    other = await sojourn.sessions.create(user_id=user)
    await sojourn.sessions.end(first.id)
    await sojourn.sessions.remove(second.id)
    assert [s.id for s in (await sojourn.clients.get(first.client_id)).sessions] == [first.id]
    listed = await sojourn.clients.list(count=True)
    assert [view.client.id for view in listed.items] == [other.client_id, first.client_id]
    assert listed.total == 2
    with pytest.raises(NotFound):
        await sojourn.clients.get("client_none")


async def test_touches_coalesce(sojourn: Sojourn, clock: ManualClock) -> None:
    """Activity is written at most once in the touch interval, and the session's version stays."""
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    store = watch(sojourn)
    for _ in range(5):
        await sojourn.sessions.touch(session.id)
    assert store.calls["touch"] == 0
    clock.advance(seconds=59)
    assert (await sojourn.sessions.touch(session.id)).last_active_at == session.created_at
    now = clock.advance(seconds=1)
    seen = Activity(id="sess_activity_1", browser_name="Firefox")
    touched = await sojourn.sessions.touch(session.id, activity=seen)
    for _ in range(5):
        await sojourn.sessions.touch(session.id)
    assert store.calls["touch"] == 1
    assert (touched.last_active_at, touched.latest_activity) == (now, seen)
    assert (touched.version, touched.updated_at) == (session.version, session.updated_at)


async def test_a_touch_of_an_ended_session_changes_nothing(sojourn: Sojourn, clock: ManualClock) -> None:
    """A session that has ended comes back from a touch as it is."""
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    ended = await sojourn.sessions.end(session.id)
    clock.advance(seconds=5 * MINUTE)
    assert (await sojourn.sessions.touch(session.id)).to_wire() == ended.to_wire()


async def test_touches_put_inactivity_off(opening: Opening, clock: ManualClock) -> None:
    """A session in use outlives the inactivity limit; one that is not used expires by it."""
    async with opening(policy=Policy(inactivity_seconds=10 * MINUTE)) as sojourn:
        user = await user_id(sojourn)
        used = await sojourn.sessions.create(user_id=user)
        idle = await sojourn.sessions.create(user_id=user)
        for _ in range(4):
            clock.advance(seconds=9 * MINUTE)
            assert (await sojourn.sessions.touch(used.id)).status == "active"
        expired = await sojourn.sessions.get(idle.id)
        assert expired.status == "expired"
        assert expired.ending is not None
        assert (expired.ending.reason, expired.ending.at) == (
            "inactivity",
            idle.created_at + 10 * MINUTE * 1000,
        )


async def test_a_touch_notes_the_day_on_the_user(sojourn: Sojourn, clock: ManualClock) -> None:
    """The user's last activity has the precision of a day; the sign-in has that of the clock."""
    user = await user_id(sojourn)
    session = await sojourn.sessions.create(user_id=user)
    signed_in = clock.now()
    now = clock.advance(seconds=DAY + HOUR)
    await sojourn.sessions.touch(session.id)
    found = await sojourn.users.get(user)
    assert (found.last_sign_in_at, found.last_active_at) == (signed_in, now - now % (DAY * 1000))


async def test_pending_until_activated(sojourn: Sojourn) -> None:
    """Open tasks make a session pending; activating it once is enough, and more changes nothing."""
    session = await sojourn.sessions.create(
        user_id=await user_id(sojourn), tasks=["setup-mfa", "reset-password"]
    )
    assert (session.status, session.tasks) == (Status.PENDING, ("setup-mfa", "reset-password"))
    active = await sojourn.sessions.activate(session.id)
    assert (active.status, active.tasks) == (Status.ACTIVE, None)
    assert active.updated_at > session.updated_at
    assert (await sojourn.sessions.activate(session.id)).to_wire() == active.to_wire()
    assert (await event_types(sojourn))[-2:] == ["session.pending", "session.activated"]


async def test_an_ended_session_is_not_activated(sojourn: Sojourn) -> None:
    """Activating what was revoked while pending leaves it revoked."""
    session = await sojourn.sessions.create(user_id=await user_id(sojourn), tasks=["setup-mfa"])
    await sojourn.sessions.revoke(session.id)
    assert (await sojourn.sessions.activate(session.id)).status == "revoked"


async def test_limits_override_the_policy(sojourn: Sojourn, clock: ManualClock) -> None:
    """A session's own limits replace those of the policy, for this session alone."""
    user = await user_id(sojourn)
    own = Limits(lifetime_seconds=2 * HOUR, inactivity_seconds=HOUR, abandonment_seconds=30 * MINUTE)
    limited = await sojourn.sessions.create(user_id=user, limits=own)
    usual = await sojourn.sessions.create(user_id=user)
    now = clock.now()
    assert limited.expire_at == now + 2 * HOUR * 1000
    assert limited.abandon_at == now + 30 * MINUTE * 1000
    assert limited.inactivity_seconds == HOUR
    assert (usual.expire_at, usual.inactivity_seconds) == (now + 7 * DAY * 1000, None)
    clock.advance(seconds=30 * MINUTE)
    assert (await sojourn.sessions.get(limited.id)).status == "abandoned"


@pytest.mark.parametrize(
    ("limits", "parameter"),
    [
        (Limits(lifetime_seconds=-1), "lifetime_seconds"),
        (Limits(lifetime_seconds=10**9), "lifetime_seconds"),
        (Limits(inactivity_seconds=8 * DAY), "inactivity_seconds"),
        (Limits(inactivity_seconds=MINUTE), "inactivity_seconds"),
        (Limits(abandonment_seconds=-5), "abandonment_seconds"),
    ],
)
async def test_limits_that_do_not_fit_are_refused(sojourn: Sojourn, limits: Limits, parameter: str) -> None:
    """Limits that contradict the policy or each other are refused by name, and no session is made."""
    user = await user_id(sojourn)
    with pytest.raises(Invalid) as error:
        await sojourn.sessions.create(user_id=user, limits=limits)
    assert error.value.meta == {"param_name": parameter}
    assert list(await sojourn.sessions.list()) == []


async def test_impersonation_is_short(sojourn: Sojourn, clock: ManualClock) -> None:
    """With an actor a session lives half an hour, ten minutes when idle, whatever limits ask for."""
    user = await user_id(sojourn)
    actor = Actor("user_admin")
    generous = Limits(lifetime_seconds=5 * DAY, inactivity_seconds=DAY)
    short = Limits(lifetime_seconds=5 * MINUTE)
    now = clock.now()
    for limits, lifetime, inactivity in [
        (None, 30 * MINUTE, 10 * MINUTE),
        (generous, 30 * MINUTE, 10 * MINUTE),
        (short, 5 * MINUTE, None),
    ]:
        session = await sojourn.sessions.create(user_id=user, actor=actor, limits=limits)
        assert session.expire_at == now + lifetime * 1000
        assert session.inactivity_seconds == inactivity
    made = await sojourn.sessions.create(user_id=user, actor=actor)
    clock.advance(seconds=10 * MINUTE)
    assert (await sojourn.sessions.get(made.id)).status == "expired"


async def test_a_repeated_creation_makes_one_session(sojourn: Sojourn) -> None:
    """The same key with the same request answers the same session, as it is now."""
    user = await user_id(sojourn)
    first = await sojourn.sessions.create(user_id=user, once=ONCE)
    assert (await sojourn.sessions.create(user_id=user, once=ONCE)).id == first.id
    await sojourn.sessions.revoke(first.id)
    assert (await sojourn.sessions.create(user_id=user, once=ONCE)).status == "revoked"
    assert len(await sojourn.sessions.list()) == 1
    assert len((await sojourn.clients.list()).items) == 1


async def test_a_key_for_another_request_is_refused(sojourn: Sojourn) -> None:
    """The same key with another request is an error, for sessions and users alike, and makes nothing."""
    user = await user_id(sojourn)
    await sojourn.sessions.create(user_id=user, once=ONCE)
    with pytest.raises(IdempotencyMismatch):
        await sojourn.sessions.create(user_id=user, once=OTHER_REQUEST)
    with pytest.raises(IdempotencyMismatch):
        await sojourn.users.create(once=OTHER_REQUEST)
    assert len(await sojourn.sessions.list()) == 1


async def test_a_refused_creation_keeps_the_key_free(sojourn: Sojourn) -> None:
    """A creation that failed is not remembered: the same key works once the request does."""
    with pytest.raises(NotFound):
        await sojourn.sessions.create(user_id="user_none", once=ONCE)
    assert await sojourn.sessions.create(user_id=await user_id(sojourn), once=ONCE)


async def test_racing_creations_with_one_key_make_one_session(sojourn: Sojourn) -> None:
    """Twenty creations at once under one key all answer the one session that was made."""
    user = await user_id(sojourn)
    made = await asyncio.gather(*(sojourn.sessions.create(user_id=user, once=ONCE) for _ in range(20)))
    assert len({s.id for s in made}) == 1
    assert len(await sojourn.sessions.list()) == 1
    assert (await event_types(sojourn)).count("session.created") == 1


async def test_single_session_mode_replaces(opening: Opening) -> None:
    """In single-session mode the new session takes the old one's place on its client, not elsewhere."""
    async with opening(policy=Policy(single_session=True)) as sojourn:
        user = await user_id(sojourn)
        first = await sojourn.sessions.create(user_id=user)
        elsewhere = await sojourn.sessions.create(user_id=user)
        second = await sojourn.sessions.create(user_id=user, client_id=first.client_id)
        replaced = await sojourn.sessions.get(first.id)
        assert (replaced.status, (await sojourn.sessions.get(elsewhere.id)).status) == ("replaced", "active")
        assert replaced.ending is not None
        assert replaced.ending.reason == "replaced_on_client"
        view = await sojourn.clients.get(first.client_id)
        assert [(s.id, s.status.value) for s in view.sessions] == [
            (second.id, "active"),
            (first.id, "replaced"),
        ]
        assert set((await event_types(sojourn))[-2:]) == {"session.created", "session.replaced"}


async def test_racing_creations_on_one_client_leave_one_live(opening: Opening) -> None:
    """However fifty sign-ins on one client interleave, exactly one session is live afterwards."""
    async with opening(policy=Policy(single_session=True)) as sojourn:
        user = await user_id(sojourn)
        first = await sojourn.sessions.create(user_id=user)
        outcomes = await asyncio.gather(
            *(sojourn.sessions.create(user_id=user, client_id=first.client_id) for _ in range(50)),
            return_exceptions=True,
        )
        made = [o for o in outcomes if isinstance(o, Session)]
        assert made
        assert all(isinstance(o, Session | Conflict) for o in outcomes)
        sessions = await sojourn.sessions.list(client_id=first.client_id, limit=500)
        assert len(sessions) == len(made) + 1
        assert [s.status.value for s in sessions] == ["active", *["replaced"] * len(made)]
