"""The limit of concurrent sessions, and ending all sessions of a user but one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sojourn import Policy, Sojourn
from sojourn.core.errors import NotFound, SessionLimitReached
from sojourn.core.session import Instigator, Reason, Session, Status
from sojourn.testing import ManualClock
from tests.embedded import event_types, opened, user_id

RACING = 100
LIVE = frozenset({Status.ACTIVE, Status.PENDING})


async def live(sojourn: Sojourn, user: str) -> list[Session]:
    """The user's live sessions, newest first."""
    return list((await sojourn.sessions.page(user_id=user, statuses=LIVE, limit=500)).items)


def limited(most: int, action: str = "deny") -> Policy:
    """A policy with a limit."""
    return Policy(max_sessions_per_user=most).with_changes({"session_limit_action": action})


async def test_the_limit_denies() -> None:
    """At the limit a new session is refused, and nothing of it is left; other users have their own limit."""
    async with opened(policy=limited(2)) as sojourn:
        user, other = await user_id(sojourn), await user_id(sojourn, "43")
        kept = [await sojourn.sessions.create(user_id=user) for _ in range(2)]
        with pytest.raises(SessionLimitReached):
            await sojourn.sessions.create(user_id=user)
        assert [s.id for s in await live(sojourn, user)] == [kept[1].id, kept[0].id]
        assert await sojourn.sessions.create(user_id=other)
        await sojourn.sessions.revoke(kept[0].id)
        assert await sojourn.sessions.create(user_id=user)


@pytest.mark.parametrize(("action", "gone"), [("evict_oldest", 0), ("evict_idle", 1)])
async def test_the_limit_evicts(action: str, gone: int) -> None:
    """The oldest session, or the one idle for the longest, is replaced by policy, with reason and event."""
    clock = ManualClock()
    async with opened(policy=limited(2, action), clock=clock) as sojourn:
        user = await user_id(sojourn)
        before = [await sojourn.sessions.create(user_id=user) for _ in range(2)]
        clock.advance(seconds=120)
        await sojourn.sessions.touch(before[0].id)
        new = await sojourn.sessions.create(user_id=user)
        assert {s.id for s in await live(sojourn, user)} == {new.id, before[1 - gone].id}
        evicted = await sojourn.sessions.get(before[gone].id)
        assert evicted.status is Status.REPLACED
        assert evicted.ending is not None
        assert (evicted.ending.reason, evicted.ending.instigator) == (Reason.SESSION_LIMIT, Instigator.POLICY)
        assert (await event_types(sojourn))[-2:] == ["session.replaced", "session.created"]


@pytest.mark.parametrize("action", ["deny", "evict_oldest", "evict_idle"])
@pytest.mark.parametrize("stores", [1, 2])
async def test_a_hundred_racing_creations(tmp_path: Path, action: str, stores: int) -> None:
    """S-12: however many are created at once, over one store or two on a file: never more than the limit, and
    where sessions are evicted every creation succeeds."""
    url, policy = f"sqlite:///{tmp_path}/race.db", limited(3, action)
    async with opened(url, policy=policy) as first, opened(url, policy=policy) as second:
        user = await user_id(first)
        both = (first, second)
        made = await asyncio.gather(
            *(both[n % stores].sessions.create(user_id=user) for n in range(RACING)), return_exceptions=True
        )
        created = [one for one in made if isinstance(one, Session)]
        assert all(isinstance(one, Session | SessionLimitReached) for one in made)
        assert len(await live(first, user)) == 3
        assert len(created) == (3 if action == "deny" else RACING)


async def test_without_the_limit_more_are_created(tmp_path: Path) -> None:
    """The control of the race: with no limit, all of them live."""
    async with opened(f"sqlite:///{tmp_path}/race.db") as sojourn:
        user = await user_id(sojourn)
        await asyncio.gather(*(sojourn.sessions.create(user_id=user) for _ in range(RACING)))
        assert len(await live(sojourn, user)) == RACING


async def test_all_others_of_a_user_end() -> None:
    """All but the session in hand end at once; it goes on, and so do other users' sessions."""
    async with opened() as sojourn:
        user, other = await user_id(sojourn), await user_id(sojourn, "43")
        sessions = [await sojourn.sessions.create(user_id=user) for _ in range(5)]
        foreign = await sojourn.sessions.create(user_id=other)
        await sojourn.sessions.revoke_all_of_user(
            user, note="password changed", except_session_id=sessions[2].id
        )
        assert [s.id for s in await live(sojourn, user)] == [sessions[2].id]
        assert await sojourn.tokens.create(sessions[2].id)
        with pytest.raises(NotFound):
            await sojourn.tokens.create(sessions[3].id)
        await sojourn.sweeper.sweep()
        assert (await event_types(sojourn)).count("session.revoked") == 4
        assert [s.id for s in await live(sojourn, user)] == [sessions[2].id]
        with pytest.raises(NotFound):
            await sojourn.sessions.revoke_all_of_user(user, except_session_id=foreign.id)
        assert (await sojourn.sessions.get(foreign.id)).live
