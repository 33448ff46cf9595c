"""Endings by description: previewed, done in one step or in resumable ones, watched and cancelled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sojourn import Sojourn
from sojourn.core.errors import Invalid, NotFound
from sojourn.core.session import Reason, Session, Status
from sojourn.service import endings
from sojourn.service.filters import SessionFilter
from tests.embedded import event_types, opened, user_id, watch

SHOP = SessionFilter(application="shop")


async def fill(sojourn: Sojourn, count: int = 7) -> tuple[list[Session], list[Session]]:
    """Sessions of an application, and others between them."""
    user = await user_id(sojourn)
    ours, others = [], []
    for _ in range(count):
        ours.append(await sojourn.sessions.create(user_id=user, application="shop"))
        others.append(await sojourn.sessions.create(user_id=user))
    return ours, others


async def statuses(sojourn: Sojourn, sessions: list[Session]) -> set[Status]:
    """Where sessions stand."""
    return {(await sojourn.sessions.get(session.id)).status for session in sessions}


async def test_a_preview_ends_nothing() -> None:
    """It counts what lives and shows the newest."""
    async with opened() as sojourn:
        ours, others = await fill(sojourn, 12)
        await sojourn.sessions.revoke(ours[0].id)
        preview = await sojourn.endings.preview(SHOP)
        assert preview.count == 11
        assert [s.id for s in preview.sample] == [s.id for s in reversed(ours)][: endings.SAMPLE]
        assert await statuses(sojourn, ours[1:] + others) == {Status.ACTIVE}


@pytest.mark.parametrize("url", ["memory://", "sqlite"])
async def test_an_ending_in_steps(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that fit end, each with reason, note and event; the others, and what is created later, live."""
    monkeypatch.setattr(endings, "BATCH", 3)
    monkeypatch.setattr(endings, "WINDOW", 4)
    async with opened(url if url != "sqlite" else f"sqlite:///{tmp_path}/e.db") as sojourn:
        ours, others = await fill(sojourn)
        begun = await sojourn.endings.begin(SHOP, note="key leaked")
        assert (begun.state, begun.method) == ("running", "steps")
        later = await sojourn.sessions.create(user_id=ours[0].user_id, application="shop")
        assert await sojourn.endings.work_off() == len(ours)
        assert await statuses(sojourn, ours) == {Status.REVOKED}
        assert await statuses(sojourn, [*others, later]) == {Status.ACTIVE}
        ended = (await sojourn.sessions.get(ours[0].id)).ending
        assert ended is not None
        assert (ended.reason, ended.note) == (Reason.PREDICATE, "key leaked")
        done = await sojourn.endings.get(begun.id)
        assert (done.state, done.ended) == ("done", len(ours))
        assert (await event_types(sojourn)).count("session.revoked") == len(ours)
        assert await sojourn.endings.work_off() == 0


async def test_an_ending_is_resumed_by_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one process began and left half done, the next one finishes; none is ended twice."""
    monkeypatch.setattr(endings, "BATCH", 2)
    url = f"sqlite:///{tmp_path}/e.db"
    async with opened(url) as first:
        ours, _ = await fill(first)
        begun = await first.endings.begin(SHOP)
        assert await first.endings._advance(begun) == 2  # pyright: ignore[reportPrivateUsage]
    async with opened(url) as second:
        assert (await second.endings.get(begun.id)).state == "running"
        assert await second.endings.work_off() == len(ours) - 2
        assert (await second.endings.get(begun.id)).ended == len(ours)
        assert (await event_types(second)).count("session.revoked") == len(ours)


async def test_two_processes_work_off_one_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the same time, with users who sign out meanwhile: every session ends once, the count is that of the
    sessions that the ending ended."""
    monkeypatch.setattr(endings, "BATCH", 2)
    url = f"sqlite:///{tmp_path}/e.db"
    async with opened(url) as first, opened(url) as second:
        ours, others = await fill(first, 30)
        begun = await first.endings.begin(SHOP)
        await asyncio.gather(
            first.endings.work_off(),
            second.endings.work_off(),
            *(first.sessions.end(session.id) for session in ours[::5]),
        )
        assert await statuses(first, ours) <= {Status.REVOKED, Status.ENDED}
        assert await statuses(first, others) == {Status.ACTIVE}
        types = await event_types(first)
        assert types.count("session.revoked") + types.count("session.ended") == len(ours)
        assert (await first.endings.get(begun.id)).ended == types.count("session.revoked")


async def test_a_session_that_changes_meanwhile_is_not_left_behind() -> None:
    """Somebody changes one of a step's sessions just before the commit: it ends all the same."""
    async with opened() as sojourn:
        ours, _ = await fill(sojourn)
        begun = await sojourn.endings.begin(SHOP)
        watched = watch(sojourn)

        async def attest() -> None:
            await sojourn.sessions.attest(ours[2].id, second=True)

        watched.before["commit"] = attest
        await sojourn.endings.work_off()
        assert await statuses(sojourn, ours) == {Status.REVOKED}
        assert (await sojourn.endings.get(begun.id)).ended == len(ours)


@pytest.mark.parametrize("of", ["user", "client", "everything"])
async def test_whole_subjects_end_in_one_step(of: str) -> None:
    """All of a user, a client or the instance: done when the call returns, by a cutoff."""
    async with opened() as sojourn:
        ours, others = await fill(sojourn, 2)
        which = {
            "user": SessionFilter(user_id=ours[0].user_id),
            "client": SessionFilter(client_id=ours[0].client_id),
            "everything": SessionFilter(),
        }[of]
        done = await sojourn.endings.begin(which, note="drill", everything=True)
        assert (done.state, done.method) == ("done", "cutoff")
        covered = ours[:1] if of == "client" else ours + others
        assert await statuses(sojourn, covered) == {Status.REVOKED}
        left = [s for s in ours + others if s not in covered]
        assert await statuses(sojourn, left) <= {Status.ACTIVE}


async def test_refusals() -> None:
    """An empty filter without `everything`, an unknown user or client, an unknown ending, a bad network."""
    async with opened() as sojourn:
        with pytest.raises(Invalid):
            await sojourn.endings.begin(SessionFilter())
        with pytest.raises(Invalid):
            await sojourn.endings.begin(SessionFilter(addresses=("nowhere",)))
        for which in (SessionFilter(user_id="user_none"), SessionFilter(client_id="client_none")):
            with pytest.raises(NotFound):
                await sojourn.endings.begin(which)
        for call in (sojourn.endings.get, sojourn.endings.cancel):
            with pytest.raises(NotFound):
                await call("ending_none")
        assert list(await sojourn.endings.list()) == []


async def test_a_cancelled_ending_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has ended stays ended, the rest lives on; cancelling again changes nothing."""
    monkeypatch.setattr(endings, "BATCH", 2)
    async with opened() as sojourn:
        ours, _ = await fill(sojourn)
        begun = await sojourn.endings.begin(SHOP)
        await sojourn.endings._advance(begun)  # pyright: ignore[reportPrivateUsage]
        cancelled = await sojourn.endings.cancel(begun.id)
        assert cancelled.state == "cancelled"
        assert await sojourn.endings.work_off() == 0
        assert await statuses(sojourn, ours[-2:]) == {Status.REVOKED}
        assert await statuses(sojourn, ours[:-2]) == {Status.ACTIVE}
        assert await sojourn.endings.cancel(begun.id) == cancelled
        assert [one.id for one in await sojourn.endings.list()] == [begun.id]


async def test_an_ending_of_nothing_is_done() -> None:
    """In an instance without sessions there is nothing to wait for."""
    async with opened() as sojourn:
        assert (await sojourn.endings.begin(SHOP)).state == "done"
