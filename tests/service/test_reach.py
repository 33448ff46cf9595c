"""Revoke with proof: the answer comes when no verifier accepts it any more, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest

from sojourn import Sojourn
from sojourn.service import reach as reaches
from tests.embedded import store_of, until, user_id
from tests.service.conftest import Opening
from tests.service.listening import Message, messages, until_event


@asynccontextmanager
async def listening(
    sojourn: Sojourn, *, lease_ms: int = 60_000, by: Sojourn | None = None, answers: bool = True
) -> AsyncGenerator[list[Message]]:
    """A verifier that acknowledges what it is asked for, at `by` if that is another process."""
    heard: list[Message] = []

    async def listen() -> None:
        subscription = ""
        async with aclosing(messages(sojourn.feed.stream(lease_ms=lease_ms))) as stream:
            async for kind, data in stream:
                heard.append((kind, data))
                subscription = data.get("subscription", subscription)
                if answers and kind == "heartbeat" and data["acknowledge"]:
                    await (by or sojourn).reach.acknowledge(subscription, data["position"])

    task = asyncio.create_task(listen())

    async def vouched_for() -> bool:
        return any(kind == "heartbeat" for kind, _ in heard)

    await until(vouched_for)
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_nobody_listens(sojourn: Sojourn) -> None:
    """Then there is nobody to wait for."""
    found = await sojourn.reach.wait()
    assert (found.verifiers, found.acknowledged, found.lapsed) == (0, 0, 0)


async def test_the_answer_comes_when_all_have_acknowledged(sojourn: Sojourn) -> None:
    """Every verifier has been told by then, though their leases would last for a minute."""
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    async with listening(sojourn) as one, listening(sojourn) as other:
        await sojourn.sessions.revoke(session.id)
        async with asyncio.timeout(20):
            found = await sojourn.reach.wait()
        assert (found.verifiers, found.acknowledged) == (2, 2)
        for heard in (one, other):
            told = [data["entries"] for kind, data in heard if kind == "revocations"]
            assert told[-1][0]["session_id"] == session.id


async def test_one_that_does_not_answer_is_waited_for_until_its_lease_is_over(sojourn: Sojourn) -> None:
    """The control: without its acknowledgement the answer waits for the lease, and says so."""
    async with listening(sojourn), listening(sojourn, lease_ms=400, answers=False):
        async with asyncio.timeout(20):
            found = await sojourn.reach.wait()
        assert (found.verifiers, found.acknowledged, found.lapsed) == (2, 1, 1)
    async with listening(sojourn, answers=False):
        waiting = asyncio.create_task(sojourn.reach.wait())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        waiting.cancel()


async def test_one_that_has_left_is_waited_for_until_its_lease_is_over(sojourn: Sojourn) -> None:
    """What it was told last it may still trust, though nobody can ask it any more."""
    async with listening(sojourn, lease_ms=700):
        pass
    async with asyncio.timeout(20):
        found = await sojourn.reach.wait()
    assert (found.verifiers, found.acknowledged) == (1, 0)


async def test_the_verifiers_of_other_processes(database_url: str, opening: Opening) -> None:
    """Whichever process revokes, verifiers of all of them are waited for, and an acknowledgement counts that
    comes to another process than the one that asked."""
    if database_url == "memory://":
        pytest.skip("lives in one process")
    async with opening() as one, opening() as other, opening() as third:
        async with listening(one), listening(other), listening(other, by=one):
            for revoking in (third, one, other):
                async with asyncio.timeout(30):
                    found = await revoking.reach.wait()
                assert (found.verifiers, found.acknowledged) == (3, 3)
        async with listening(one, answers=False):
            waiting = asyncio.create_task(third.reach.wait())
            await asyncio.sleep(0.2)
            assert not waiting.done()
            waiting.cancel()


async def test_a_process_that_died_is_waited_for_and_then_forgotten(
    sojourn: Sojourn, clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its verifiers may trust it until their lease is over; a minute later its document is removed."""
    monkeypatch.setattr(reaches, "RENEW_SECONDS", 0.01)
    now = sojourn._context.clock.now()
    content = {"at": now, "lease_ms": 300, "verifiers": 2, "answered": 0, "asked": 0, "acknowledged": 0}
    put = reaches.PutDocument(kind="feed_worker", id="dead", content=content, expected_version=0)
    await store_of(sojourn).commit([put])
    async with asyncio.timeout(20):
        found = await sojourn.reach.wait()
    assert (found.verifiers, found.acknowledged) == (2, 0)
    assert found.ms >= 300
    clock.advance(ms=reaches.FORGOTTEN_MS + 1)  # pyright: ignore[reportAttributeAccessIssue]
    assert (await sojourn.reach.wait()).verifiers == 0

    async def gone() -> bool:
        return await store_of(sojourn).document("feed_worker", "dead") is None

    async with listening(sojourn):
        await until(gone)


async def test_a_process_without_listeners_leaves_nothing(sojourn: Sojourn) -> None:
    """Its document goes with the last lease."""

    async def documents() -> int:
        return len(await store_of(sojourn).documents("feed_worker", 10))

    async with listening(sojourn, lease_ms=1):
        assert await documents() == 1

    async def gone() -> bool:
        return await documents() == 0

    await until(gone)
    assert not sojourn.feed.serving.is_set()


async def test_nothing_is_vouched_for_before_others_know(sojourn: Sojourn) -> None:
    """A heartbeat is of a read of the log after the document of this process was stored."""
    async with aclosing(messages(sojourn.feed.stream())) as stream:
        beat = await until_event(stream, "heartbeat")
        assert await store_of(sojourn).documents("feed_worker", 10)
        assert beat["clock"] >= int(sojourn.feed._registered_at * 1000)
