"""The sweeper: it writes back and announces, and nobody who reads can tell whether it has run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from sojourn import Limits, NotFound, Policy, Sojourn
from sojourn.core.errors import StorageFailed
from sojourn.core.session import Session
from sojourn.service.sweeper import BATCH, Sweeper
from sojourn.testing import ManualClock
from tests.embedded import DAY, HOUR, MINUTE, all_events, opened, store_of, until, user_id, watch
from tests.service.conftest import Opening

POLICY = Policy(inactivity_seconds=2 * HOUR, lifetime_seconds=DAY, abandonment_seconds=2 * DAY)
ENDS = ("session.expired", "session.abandoned", "session.revoked")


async def stored(sojourn: Sojourn, session_id: str) -> Session:
    """A session as it is stored, not settled."""
    held = await store_of(sojourn).session(session_id)
    assert held is not None
    return held.session


async def sessions_that_end(sojourn: Sojourn, clock: ManualClock) -> list[str]:
    """Sessions that end in every way there is without anybody ending them one by one, and some that live."""
    user, other = await user_id(sojourn), await user_id(sojourn, "other")
    made = [
        await sojourn.sessions.create(user_id=user, limits=Limits(lifetime_seconds=3 * HOUR)),
        await sojourn.sessions.create(user_id=user, limits=Limits(inactivity_seconds=HOUR)),
        await sojourn.sessions.create(user_id=user, limits=Limits(abandonment_seconds=HOUR), tasks=["x"]),
        await sojourn.sessions.create(user_id=other),
        await sojourn.sessions.create(user_id=other, tasks=["setup-mfa"]),
    ]
    clock.advance(seconds=10 * MINUTE)
    await sojourn.sessions.revoke_all_of_user(other, note="everywhere")
    made += [
        await sojourn.sessions.create(user_id=other),
        await sojourn.sessions.create(user_id=user, client_id=made[0].client_id),
    ]
    clock.advance(seconds=100 * MINUTE)
    for session in (made[0], made[5], made[6]):
        await sojourn.sessions.touch(session.id)
    clock.advance(seconds=90 * MINUTE)
    return [session.id for session in made]


async def everything(sojourn: Sojourn, ids: list[str]) -> list[object]:
    """Every answer about these sessions, field by field."""
    answers: list[object] = []
    for session_id in ids:
        session = await sojourn.sessions.get(session_id)
        answers += [session.to_wire(), session.ending, session.version]
        view = await sojourn.clients.get(session.client_id)
        answers.append(view.client.to_wire(view.sessions))
    for status in ("active", "pending", "expired", "abandoned", "revoked"):
        answers.append([s.to_wire() for s in await sojourn.sessions.list(status=status)])
    page = await sojourn.sessions.page(limit=500, count=True)
    answers += [[s.to_wire() for s in page.items], page.total]
    return answers


async def test_a_sweep_is_invisible_to_readers(opening: Opening, clock: ManualClock) -> None:
    """Every answer is the same before and after the sweep, though what is stored has changed."""
    async with opening(policy=POLICY) as sojourn:
        ids = await sessions_that_end(sojourn, clock)
        before = await everything(sojourn, ids)
        assert [(await stored(sojourn, i)).ending for i in ids] == [None] * 7
        assert await sojourn.sweeper.sweep() == 5
        assert await everything(sojourn, ids) == before
        ended = [(await stored(sojourn, i)).ending is not None for i in ids]
        assert ended == [True, True, True, True, True, False, False]
        assert await sojourn.sweeper.sweep() == 0


async def test_each_end_is_announced_once(opening: Opening, clock: ManualClock) -> None:
    """One event a session, with the instant, reason, instigator and note of its end."""
    async with opening(policy=POLICY) as sojourn:
        ids = await sessions_that_end(sojourn, clock)
        for _ in range(3):
            await sojourn.sweeper.sweep()
        events = {e.session_id: e for e in await all_events(sojourn) if e.type in ENDS}
        assert set(events) == set(ids[:5])
        assert len([e for e in await all_events(sojourn) if e.type in ENDS]) == 5
        for session_id in ids[:5]:
            session, event = await sojourn.sessions.get(session_id), events[session_id]
            assert session.ending is not None
            assert event.type == f"session.{session.status.value}"
            assert (event.at, event.reason, event.instigator, event.note) == (
                session.ending.at,
                session.ending.reason,
                session.ending.instigator,
                session.ending.note,
            )


async def test_many_batches(sojourn: Sojourn, clock: ManualClock) -> None:
    """More sessions than a batch holds are all written back, in transactions of at most a batch."""
    user = await user_id(sojourn)
    for _ in range(3 * BATCH + 5):
        await sojourn.sessions.create(user_id=user)
    clock.advance(seconds=8 * DAY)
    store = watch(sojourn)
    assert await sojourn.sweeper.sweep() == 3 * BATCH + 5
    assert store.calls["commit"] == 4
    assert {s.status.value for s in await sojourn.sessions.list(limit=500)} == {"expired"}


@pytest.mark.parametrize("change", ["touch", "revoke"])
async def test_a_sweep_loses_gracefully(opening: Opening, clock: ManualClock, change: str) -> None:
    """A session that is touched or revoked between the look and the write is left to whoever was faster."""
    async with opening(policy=POLICY) as sojourn:
        user = await user_id(sojourn)
        raced = await sojourn.sessions.create(user_id=user)
        idle = await sojourn.sessions.create(user_id=user)
        clock.advance(seconds=2 * HOUR)
        store = watch(sojourn)

        async def faster() -> None:
            # Another process, whose clock is a little behind and for which the session is not idle yet.
            behind = clock.now() - MINUTE * 1000
            if change == "touch":
                assert await store.inner.touch(raced.id, now=behind)
            else:
                slow = ManualClock(behind)
                object.__setattr__(sojourn._context, "clock", slow)
                await sojourn.sessions.revoke(raced.id)
                object.__setattr__(sojourn._context, "clock", clock)

        store.before["commit"] = faster
        assert await sojourn.sweeper.sweep() == 1
        assert store.calls["overdue"] == 2  # the others of the batch were not put off
        found = await sojourn.sessions.get(raced.id)
        assert found.status == ("active" if change == "touch" else "revoked")
        assert (await sojourn.sessions.get(idle.id)).status == "expired"
        ends = [(e.session_id, e.type) for e in await all_events(sojourn) if e.type in ENDS]
        expected = [(idle.id, "session.expired")]
        assert ends == (expected if change == "touch" else [(raced.id, "session.revoked"), *expected])


async def test_what_ended_long_ago_is_purged(sojourn: Sojourn, clock: ManualClock) -> None:
    """Ended sessions go when their retention is over, with clients that hold nothing; live ones stay."""
    user = await user_id(sojourn)
    old = await sojourn.sessions.revoke((await sojourn.sessions.create(user_id=user)).id)
    clock.advance(seconds=2 * DAY)
    newer = await sojourn.sessions.create(user_id=user)
    clock.advance(seconds=28 * DAY - 1)
    await sojourn.sweeper.sweep()
    await sojourn.sweeper.purge()
    assert (await sojourn.sessions.get(old.id)).status == "revoked"
    clock.advance(seconds=2)
    live = await sojourn.sessions.create(user_id=user)
    assert await sojourn.sweeper.purge() > 0
    for gone in (sojourn.sessions.get(old.id), sojourn.clients.get(old.client_id)):
        with pytest.raises(NotFound):
            await gone
    assert (await sojourn.sessions.get(newer.id)).status == "expired"
    assert (await sojourn.sessions.get(live.id)).live
    assert await sojourn.sweeper.purge() == 0


async def test_retention_is_a_policy(opening: Opening, clock: ManualClock) -> None:
    """Sessions and events are kept as long as the policy says."""
    async with opening(policy=Policy(retention_seconds=HOUR, event_retention_seconds=2 * HOUR)) as sojourn:
        user = await user_id(sojourn)
        session = await sojourn.sessions.revoke((await sojourn.sessions.create(user_id=user)).id)
        clock.advance(seconds=HOUR, ms=1)
        await sojourn.sweeper.purge()
        with pytest.raises(NotFound):
            await sojourn.sessions.get(session.id)
        assert len(await all_events(sojourn)) == 3
        clock.advance(seconds=HOUR)
        await sojourn.sweeper.purge()
        assert await all_events(sojourn) == []


async def test_a_purge_of_many(sojourn: Sojourn, clock: ManualClock) -> None:
    """More rows than a batch holds all go."""
    user = await user_id(sojourn)
    for _ in range(250):
        await sojourn.sessions.create(user_id=user)
    await sojourn.sessions.revoke_all_of_user(user)
    await sojourn.sweeper.sweep()
    clock.advance(seconds=31 * DAY)
    assert await sojourn.sweeper.purge() >= 500
    assert (await sojourn.sessions.page(count=True)).total == 0
    assert (await sojourn.clients.list(count=True)).total == 0


async def test_a_dead_sweeper_changes_no_answer(opening: Opening, clock: ManualClock) -> None:
    """Without a sweep in years every status is true, and no token is signed for what has ended."""
    async with opening() as sojourn:
        user = await user_id(sojourn)
        session = await sojourn.sessions.create(user_id=user)
        clock.advance(seconds=1000 * DAY)
        assert (await sojourn.sessions.get(session.id)).status == "expired"
        assert list(await sojourn.sessions.list(status="active")) == []
        with pytest.raises(NotFound):
            await sojourn.tokens.create(session.id)


@pytest.mark.parametrize("fault", [StorageFailed("disk"), RuntimeError("a bug")])
async def test_faults_do_not_end_the_sweeper(
    sojourn: Sojourn, clock: ManualClock, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    """A fault is logged, and the sweeper tries again after its interval."""
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    clock.advance(seconds=8 * DAY)
    store = watch(sojourn)
    store.failing["overdue"] = fault
    sweeper = Sweeper(sojourn._context, sojourn.endings, interval_seconds=0.01)

    def called(verb: str, times: int) -> Callable[[], Awaitable[bool]]:
        async def met() -> bool:
            return store.calls[verb] >= times

        return met

    with caplog.at_level(logging.WARNING, "sojourn.sweeper"):
        running = asyncio.create_task(sweeper.run())
        await until(called("overdue", 3))
        store.failing.clear()
        await until(called("purge", 1))
    assert "sweep interrupted" in caplog.text
    assert (await stored(sojourn, session.id)).ending is not None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_sojourn_sweeps_by_itself(database_url: str, clock: ManualClock) -> None:
    """With sweeping on, which is the default, ended sessions are written back in the background."""
    async with opened(database_url, clock=clock, sweep=True, sweep_interval_seconds=0.01) as sojourn:
        session = await sojourn.sessions.create(user_id=await user_id(sojourn))
        clock.advance(seconds=8 * DAY)

        async def written_back() -> bool:
            return (await stored(sojourn, session.id)).ending is not None

        await until(written_back)
        assert "session.expired" in [e.type for e in await all_events(sojourn)]
