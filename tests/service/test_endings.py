"""How sessions end: one by one, all of a user, all of the instance; and what the log says about it."""

from __future__ import annotations

import asyncio

import pytest

from sojourn import NotFound, Policy, Sojourn
from sojourn.core.errors import Conflict
from sojourn.core.events import Event
from sojourn.core.session import Session
from sojourn.service.context import ATTEMPTS, request_id
from sojourn.service.ports import Refused
from sojourn.testing import ManualClock
from tests.embedded import DAY, HOUR, MINUTE, all_events, event_types, user_id, watch
from tests.service.conftest import Opening


async def new_session(sojourn: Sojourn, **arguments: object) -> Session:
    """A session of the one user."""
    user = await user_id(sojourn)
    return await sojourn.sessions.create(user_id=user, **arguments)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("method", "status", "reason", "instigator"),
    [
        ("end", "ended", "signed_out", "user"),
        ("remove", "removed", "removed_from_client", "user"),
        ("revoke", "revoked", "revoked", "application"),
    ],
)
async def test_each_way_to_end(
    sojourn: Sojourn, clock: ManualClock, method: str, status: str, reason: str, instigator: str
) -> None:
    """Each end has its status, reason and instigator, in the session and in its one event."""
    session = await new_session(sojourn)
    now = clock.advance(seconds=5)
    ended = await getattr(sojourn.sessions, method)(session.id)
    assert (ended.status, ended.updated_at) == (status, now)
    assert ended.ending is not None
    assert (ended.ending.reason, ended.ending.instigator, ended.ending.at) == (reason, instigator, now)
    read = await sojourn.sessions.get(session.id)
    assert (read.to_wire(), read.ending) == (ended.to_wire(), ended.ending)
    event = (await all_events(sojourn))[-1]
    assert (event.type, event.reason, event.instigator) == (f"session.{status}", reason, instigator)
    assert (event.session_id, event.user_id, event.client_id) == (
        session.id,
        session.user_id,
        session.client_id,
    )


async def test_end_states_absorb(sojourn: Sojourn) -> None:
    """Once ended, a session stays as it is, whatever is tried, and no further event is written."""
    for first in ("end", "remove", "revoke"):
        session = await new_session(sojourn)
        ended = await getattr(sojourn.sessions, first)(session.id)
        before = len(await all_events(sojourn))
        for then in ("end", "remove", "revoke", "activate", "touch"):
            assert (await getattr(sojourn.sessions, then)(session.id)).to_wire() == ended.to_wire()
        assert len(await all_events(sojourn)) == before


async def test_a_note_says_why(sojourn: Sojourn) -> None:
    """The text given with a revocation stands in the session's ending and in its event."""
    session = await new_session(sojourn)
    revoked = await sojourn.sessions.revoke(session.id, note="stolen laptop")
    assert revoked.ending is not None
    assert revoked.ending.note == "stolen laptop"
    assert (await all_events(sojourn))[-1].note == "stolen laptop"


async def test_updated_at_grows_even_when_time_stands_still(sojourn: Sojourn) -> None:
    """Two changes within one millisecond still have different times of update."""
    session = await new_session(sojourn, tasks=["setup-mfa"])
    active = await sojourn.sessions.activate(session.id)
    revoked = await sojourn.sessions.revoke(session.id)
    assert session.updated_at < active.updated_at < revoked.updated_at


async def test_every_change_has_its_event_and_nothing_else_has(sojourn: Sojourn, clock: ManualClock) -> None:
    """Creations and ends are logged, once each; reads, touches and token requests are not."""
    session = await new_session(sojourn)
    clock.advance(seconds=2 * MINUTE)
    await sojourn.sessions.touch(session.id)
    token = await sojourn.tokens.create(session.id)
    await sojourn.tokens.verify(token)
    await sojourn.tokens.settle()
    await sojourn.sessions.get(session.id)
    await sojourn.sessions.list()
    await sojourn.sessions.end(session.id)
    assert await event_types(sojourn) == ["user.created", "session.created", "session.ended"]


@pytest.mark.embedded  # over the network each request has an id of its own
async def test_events_carry_the_request_and_no_personal_data(sojourn: Sojourn) -> None:
    """The id of the request in hand stands in the event; an actor is named by its sub alone."""
    token = request_id.set("trace-1")
    try:
        await new_session(sojourn)
    finally:
        request_id.reset(token)
    created = (await all_events(sojourn))[-1]
    assert created.request_id == "trace-1"
    assert created.id.startswith("evt_")
    assert set(Event.__dataclass_fields__) == {
        "id", "type", "at", "session_id", "user_id", "client_id", "organization_id",
        "actor", "instigator", "reason", "note", "request_id", "resource_id",
    }  # fmt: skip


async def test_all_sessions_of_a_user_end_in_one_step(sojourn: Sojourn, clock: ManualClock) -> None:
    """Every session of the user is revoked at once, by one event; others and later ones live."""
    mine = [await new_session(sojourn) for _ in range(30)]
    other = await sojourn.sessions.create(user_id=await user_id(sojourn, "other"))
    store = watch(sojourn)
    now = clock.advance(seconds=1)
    await sojourn.sessions.revoke_all_of_user(mine[0].user_id, note="sign out everywhere")
    assert store.calls["commit"] == 1
    for session in mine:
        found = await sojourn.sessions.get(session.id)
        assert (found.status, found.updated_at) == ("revoked", now)
        assert found.ending is not None
        assert (found.ending.reason, found.ending.note) == ("all_sessions_of_user", "sign out everywhere")
    assert (await sojourn.sessions.get(other.id)).live
    assert (await new_session(sojourn)).live
    assert [s.status for s in await sojourn.sessions.list(user_id=mine[0].user_id, status="active")] == [
        "active"
    ]
    events = [e for e in await all_events(sojourn) if e.type == "user.sessions_ended"]
    assert [(e.user_id, e.note) for e in events] == [(mine[0].user_id, "sign out everywhere")]


async def test_a_session_made_in_the_same_millisecond_survives(sojourn: Sojourn) -> None:
    """The order of creation decides what an end of all covers, not the clock, which stands still here."""
    before = await new_session(sojourn)
    await sojourn.sessions.revoke_all_of_user(before.user_id)
    after = await new_session(sojourn)
    assert (await sojourn.sessions.get(before.id)).status == "revoked"
    assert (await sojourn.sessions.get(after.id)).status == "active"


async def test_ending_all_of_nobody(sojourn: Sojourn) -> None:
    """An unknown user has no sessions to end."""
    with pytest.raises(NotFound):
        await sojourn.sessions.revoke_all_of_user("user_none")


async def test_all_sessions_of_the_instance_end_in_one_step(sojourn: Sojourn, clock: ManualClock) -> None:
    """Every session ends at once; the users stay and can sign in again."""
    sessions = [
        await sojourn.sessions.create(user_id=await user_id(sojourn, str(number))) for number in range(20)
    ]
    clock.advance(seconds=1)
    await sojourn.sessions.revoke_all(note="incident")
    for session in sessions:
        found = await sojourn.sessions.get(session.id)
        assert found.ending is not None
        assert (found.status, found.ending.reason) == ("revoked", "all_sessions_of_instance")
    page = await sojourn.sessions.page(statuses=None, count=True)
    assert page.total == 20
    assert {s.status for s in page.items} == {"revoked"}
    assert (await new_session(sojourn)).live
    assert (await event_types(sojourn)).count("instance.sessions_ended") == 1


@pytest.mark.parametrize("method", ["ban", "delete"])
async def test_a_ban_and_a_deletion_end_all_sessions_in_the_same_step(sojourn: Sojourn, method: str) -> None:
    """The user's state and the end of all sessions are one commit: there is no moment in between."""
    sessions = [await new_session(sojourn) for _ in range(3)]
    user = sessions[0].user_id
    store = watch(sojourn)
    await getattr(sojourn.users, method)(user)
    assert store.calls["commit"] == 1
    found = [await sojourn.sessions.get(s.id) for s in sessions]
    assert {s.status for s in found} == {"revoked"}
    assert {s.ending.reason for s in found if s.ending} == {
        "user_banned" if method == "ban" else "user_deleted"
    }
    for session in sessions:
        with pytest.raises(NotFound):
            await sojourn.tokens.create(session.id)


async def test_a_creation_racing_a_ban_is_ended_or_refused(sojourn: Sojourn) -> None:
    """Whatever wins, no live session of a banned user is left."""
    for number in range(20):
        user = await user_id(sojourn, f"racer {number}")
        await asyncio.gather(
            *(sojourn.sessions.create(user_id=user) for _ in range(3)),
            sojourn.users.ban(user),
            *(sojourn.sessions.create(user_id=user) for _ in range(3)),
            return_exceptions=True,
        )
        assert not [s for s in await sojourn.sessions.list(user_id=user) if s.live]


async def test_deadlines_end_sessions_when_read(opening: Opening, clock: ManualClock) -> None:
    """Without any sweep, a session is expired from the very millisecond of its deadline."""
    async with opening(policy=Policy(lifetime_seconds=HOUR)) as sojourn:
        session = await new_session(sojourn)
        clock.advance(seconds=HOUR, ms=-1)
        assert (await sojourn.sessions.get(session.id)).status == "active"
        clock.advance(ms=1)
        expired = await sojourn.sessions.get(session.id)
        assert (expired.status, expired.updated_at) == ("expired", session.expire_at)
        clock.set(session.created_at)  # somebody sets the clock back
        assert (await sojourn.sessions.get(session.id)).status == "expired"


async def test_a_pending_session_is_abandoned(opening: Opening, clock: ManualClock) -> None:
    """An abandonment shorter than the lifetime ends a session that never left pending."""
    async with opening(policy=Policy(abandonment_seconds=HOUR)) as sojourn:
        session = await new_session(sojourn, tasks=["setup-mfa"])
        clock.advance(seconds=HOUR)
        found = await sojourn.sessions.get(session.id)
        assert (found.status, found.ending and found.ending.reason) == ("abandoned", "abandonment")


async def test_revoking_what_has_expired_changes_nothing(sojourn: Sojourn, clock: ManualClock) -> None:
    """A deadline that has passed is how the session ended, even before anything wrote that down."""
    session = await new_session(sojourn)
    clock.advance(seconds=8 * DAY)
    assert (await sojourn.sessions.revoke(session.id)).status == "expired"
    assert "session.revoked" not in await event_types(sojourn)


async def test_racing_ends_have_one_winner(sojourn: Sojourn) -> None:
    """Of many ends at once one is made: all answers agree, and there is one event."""
    session = await new_session(sojourn)
    methods = [sojourn.sessions.end, sojourn.sessions.remove, sojourn.sessions.revoke] * 5
    ended = await asyncio.gather(*(method(session.id) for method in methods))
    assert len({s.status for s in ended}) == 1
    assert len({s.updated_at for s in ended}) == 1
    assert [t for t in await event_types(sojourn) if t not in ("user.created", "session.created")] == [
        f"session.{ended[0].status.value}"
    ]


async def test_a_change_looks_again_when_somebody_was_faster(sojourn: Sojourn) -> None:
    """A revocation that loses to an end answers the end; one that always loses is a conflict."""
    session = await new_session(sojourn)
    store = watch(sojourn)

    async def end_first() -> None:
        store.before.clear()
        await sojourn.sessions.end(session.id)

    store.before["commit"] = end_first
    assert (await sojourn.sessions.revoke(session.id)).status == "ended"
    other = await new_session(sojourn)
    store.failing["commit"] = Refused(Refused.CHANGED, None)  # pyright: ignore[reportArgumentType]
    store.calls.clear()
    with pytest.raises(Conflict):
        await sojourn.sessions.revoke(other.id)
    assert store.calls["commit"] == ATTEMPTS
