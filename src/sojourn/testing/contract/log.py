"""Contract: the log of events is read in one order, and nothing ever appears behind a position already
read."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sojourn.core.errors import PositionLost
from sojourn.core.events import Event, EventType
from sojourn.core.session import Instigator, Reason
from sojourn.service.ports import AppendEvent, DeleteUser, PutInstance, Store
from sojourn.testing.contract.base import (
    DAY,
    INSTANCE,
    NOW,
    ContractBase,
    event_ids,
    log,
    make_event,
    refusal,
    seed,
)

FULL = Event(
    id="evt_1",
    type=EventType.SESSION_REVOKED,
    at=NOW,
    session_id="sess_a",
    user_id="user_a",
    client_id="client_a",
    organization_id="org_a",
    actor="user_🙂",
    instigator=Instigator.APPLICATION,
    reason=Reason.REVOKED,
    note="it's «off» \\ \n",
    request_id="req_1",
)


async def purge_events(store: Store, before: int, limit: int = 100) -> int:
    """Purge nothing but events."""
    return await store.purge(ended_before=0, events_before=before, once_before=0, limit=limit)


class LogContract(ContractBase):
    """`events`, `end_of_events`, and what a purge leaves of them."""

    async def test_an_empty_log(self, store: Store) -> None:
        """There is nothing to read, and still a position to go on from."""
        await seed(store)
        page = await store.events(None, 10)
        assert (list(page.events), page.position) == ([], await store.end_of_events())
        await log(store, "evt_1")
        assert await event_ids(store, page.position) == ["evt_1"]

    async def test_an_event_comes_back_as_it_was_given(self, store: Store) -> None:
        """Every field survives, set or not."""
        bare = make_event("evt_2", type=EventType.INSTANCE_SESSIONS_ENDED)
        await store.commit([AppendEvent(FULL), AppendEvent(bare)])
        assert list((await store.events(None, 10)).events) == [FULL, bare]

    async def test_every_type_reason_and_instigator_can_be_logged(self, store: Store) -> None:
        """No word of the vocabulary is unknown to a store."""
        given = [make_event(f"evt_t{n}", type=kind) for n, kind in enumerate(EventType)]
        given += [make_event(f"evt_r{n}", reason=reason) for n, reason in enumerate(Reason)]
        given += [make_event(f"evt_i{n}", instigator=who) for n, who in enumerate(Instigator)]
        await store.commit([AppendEvent(event) for event in given])
        assert list((await store.events(None, 500)).events) == given

    async def test_events_are_read_in_the_order_of_the_commits(self, store: Store) -> None:
        """By none of ids and instants; in a commit, in the order of its operations."""
        await log(store, "evt_9", at=NOW + DAY)
        await log(store, "evt_5", "evt_1", "evt_7", at=NOW - DAY)
        await log(store, "evt_0")
        assert await event_ids(store) == ["evt_9", "evt_5", "evt_1", "evt_7", "evt_0"]

    @pytest.mark.parametrize("limit", [1, 2, 5, 9, 10, 500])
    async def test_pages_of_events(self, store: Store, limit: int) -> None:
        """No page is larger than asked for, and together they give every event once."""
        await seed(store)
        given = [f"evt_{n}" for n in range(10)]
        await log(store, *given)
        found: list[str] = []
        position = None
        while (page := await store.events(position, limit)).events:
            assert len(page.events) <= limit
            found += [event.id for event in page.events]
            position = page.position
        assert found == given
        assert page.position == position == await store.end_of_events()

    async def test_a_position_can_be_used_again(self, store: Store) -> None:
        """Reading takes nothing away: the same position gives the same events and whatever came since."""
        await seed(store)
        await log(store, "evt_1", "evt_2", "evt_3")
        middle = (await store.events(None, 1)).position
        assert await event_ids(store, middle) == ["evt_2", "evt_3"]
        await log(store, "evt_4")
        assert await event_ids(store, middle) == ["evt_2", "evt_3", "evt_4"]

    async def test_the_end_is_where_the_next_event_comes(self, store: Store) -> None:
        """From `end_of_events` a reader sees what is committed later and nothing else."""
        await seed(store)
        await log(store, "evt_1")
        end = await store.end_of_events()
        assert await event_ids(store, end) == []
        await log(store, "evt_2")
        assert await event_ids(store, end) == ["evt_2"]

    async def test_nothing_appears_behind_a_reader(self, store: Store) -> None:
        """A reader that follows while many commit at once sees exactly what is there in the end."""
        await seed(store)
        seen: list[str] = []
        done = asyncio.Event()

        async def follow() -> None:
            position = None
            while True:
                last_round = done.is_set()
                page = await store.events(position, 3)
                position = page.position
                seen.extend(event.id for event in page.events)
                if last_round and not page.events:
                    return
                await asyncio.sleep(0)

        reader = asyncio.create_task(follow())
        await asyncio.gather(*(log(store, *(f"evt_{n}_{m}" for m in range(1 + n % 3))) for n in range(40)))
        done.set()
        await reader
        assert seen == await event_ids(store)
        assert len(seen) == len(set(seen)) == sum(1 + n % 3 for n in range(40))

    async def test_a_refused_commit_logs_nothing(self, store: Store) -> None:
        """An event is there exactly when the change that it tells of is."""
        await seed(store)
        end = await store.end_of_events()
        await refusal(store, AppendEvent(FULL), DeleteUser("user_z"))
        assert await store.end_of_events() == end
        assert await event_ids(store) == []

    async def test_positions_begin_with_the_epoch(self, store: Store) -> None:
        """The epoch and a dot stand before whatever the store counts with."""
        await seed(store)
        await log(store, "evt_1")
        for position in (await store.end_of_events(), (await store.events(None, 1)).position):
            assert position.startswith(f"{INSTANCE.epoch}.")

    async def test_a_position_of_another_epoch_is_lost(self, store: Store) -> None:
        """When history may have been rewritten, every position of before is refused, and new ones work."""
        await seed(store)
        await log(store, "evt_1", "evt_2")
        old = [(await store.events(None, 1)).position, await store.end_of_events()]
        await store.commit([PutInstance(replace(INSTANCE, epoch="epoch2"))])
        for position in old:
            with pytest.raises(PositionLost):
                await store.events(position, 10)
        assert (await store.end_of_events()).startswith("epoch2.")
        assert await event_ids(store) == ["evt_1", "evt_2"]

    async def test_a_malformed_position_is_lost(self, store: Store) -> None:
        """Whatever a caller sends as a position, it is refused as lost, and is no fault."""
        await seed(store)
        await log(store, "evt_1", "evt_2")
        epoch = INSTANCE.epoch
        tails = (
            "",
            ".",
            ".x",
            ".-1",
            ".+1",
            ". 1",
            ".1 ",
            ".1.1",
            ".1e0",
            ".٣",
            ".1\n",
            ".0x1",
            ".1_0",
            ".NaN",
        )
        for position in (
            "",
            " ",
            "1",
            ".1",
            f" {epoch}.1",
            f"{epoch}1",
            "🙂",
            *(epoch + tail for tail in tails),
        ):
            with pytest.raises(PositionLost):
                await store.events(position, 10)

    async def test_a_position_of_the_future_is_lost(self, store: Store) -> None:
        """A position that nobody can have been given is refused rather than waited for."""
        await seed(store)
        await log(store, "evt_1")
        for number in ("1000", "9" * 18, "9" * 40, "9" * 5000):
            with pytest.raises(PositionLost):
                await store.events(f"{INSTANCE.epoch}.{number}", 10)

    async def test_a_purge_of_events_keeps_the_newer_ones(self, store: Store) -> None:
        """None reads from the oldest kept; a position from which nothing is missing still works."""
        await seed(store)
        await log(store, "evt_1", "evt_2", at=NOW - 1)
        start = (await store.events(None, 1)).position
        border = await store.end_of_events()
        await log(store, "evt_3", "evt_4", at=NOW)
        assert await purge_events(store, NOW) == 2
        assert await event_ids(store) == ["evt_3", "evt_4"]
        assert await event_ids(store, border) == ["evt_3", "evt_4"]
        with pytest.raises(PositionLost):
            await store.events(start, 10)

    async def test_after_a_purge_of_everything_reading_goes_on(self, store: Store) -> None:
        """The end stays the end, and no position is ever given twice."""
        await seed(store)
        beginning = await store.end_of_events()
        await log(store, "evt_1", "evt_2", at=NOW - 1)
        middle = (await store.events(None, 1)).position
        end = await store.end_of_events()
        assert await purge_events(store, NOW) == 2
        assert await store.end_of_events() == end
        empty = await store.events(None, 10)
        assert (list(empty.events), empty.position) == ([], end)
        await log(store, "evt_3")
        assert await event_ids(store, end) == await event_ids(store) == ["evt_3"]
        for position in (beginning, middle):
            with pytest.raises(PositionLost):
                await store.events(position, 10)

    async def test_a_purge_leaves_no_hole_unnoticed(self, store: Store) -> None:
        """An event that is purged before older ones (its instant lies further back) is not skipped in
        silence."""
        await seed(store)
        await log(store, "evt_1", at=NOW - 9)
        await log(store, "evt_2", at=NOW + 9)
        await log(store, "evt_3", at=NOW - 9)
        middle = (await store.events(None, 2)).position
        await purge_events(store, NOW)
        try:
            assert await event_ids(store, middle) == ["evt_3"]
        except PositionLost:
            return

    async def test_a_purge_of_events_is_bounded(self, store: Store) -> None:
        """At most `limit` go at once, the oldest first, until none is left."""
        await seed(store)
        await log(store, *(f"evt_{n}" for n in range(7)), at=NOW - 1)
        left: list[list[str]] = []
        while gone := await purge_events(store, NOW, limit=3):
            assert gone <= 3
            left.append(await event_ids(store))
        assert left == [["evt_3", "evt_4", "evt_5", "evt_6"], ["evt_6"], []]

    async def test_a_position_so_far_back(self, store: Store) -> None:
        """Exactly so many events lie behind it, or all that are kept where they are fewer."""
        await seed(store)
        assert await store.position_back(5) == await store.end_of_events()
        await log(store, "evt_1", "evt_2", at=NOW - 1)
        await log(store, "evt_3", "evt_4", "evt_5", at=NOW)
        assert await event_ids(store, await store.position_back(2)) == ["evt_4", "evt_5"]
        assert await store.position_back(0) == await store.end_of_events()
        assert len(await event_ids(store, await store.position_back(99))) == 5
        await purge_events(store, NOW)
        assert await event_ids(store, await store.position_back(4)) == ["evt_3", "evt_4", "evt_5"]
        await purge_events(store, NOW + 1)
        assert await store.position_back(4) == await store.end_of_events()

    async def test_a_commit_wakes_whoever_waits(self, store: Store) -> None:
        """Who waits for a commit is woken by one, long before the time is over; without one, by the time."""
        await seed(store)
        await store.wait_for_commit(0.001)
        waiting = [asyncio.create_task(store.wait_for_commit(3600)) for _ in range(2)]
        await asyncio.sleep(0)
        await log(store, "evt_1")
        async with asyncio.timeout(5):
            await asyncio.gather(*waiting)
