"""Contract: a sweep finds everything that has ended, ends with an empty batch, and never goes round in
circles."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sojourn.core.lifecycle import SubjectKind, settle
from sojourn.core.session import Reason, Status
from sojourn.service.ports import DeleteUser, Held, InsertCutoff, InsertSession, Store, UpdateSession
from sojourn.testing.contract.base import (
    DAY,
    NOW,
    ContractBase,
    cut,
    insert,
    list_ids,
    make_cutoff,
    make_ended,
    make_session,
    seed,
    stored,
)


async def write_back(store: Store, batch: Sequence[Held], now: int) -> list[str]:
    """Store what has ended in a batch, as the sweeper does. Ids of those."""
    swept: list[str] = []
    for item in batch:
        settled = settle(item.session, item.cutoffs, now)
        if settled.ending is None:
            continue
        idle = settled.ending.reason is Reason.INACTIVITY
        await store.commit(
            [
                UpdateSession(
                    session=settled,
                    expected_version=item.session.version,
                    expected_active_at=item.session.last_active_at if idle else None,
                )
            ]
        )
        swept.append(item.session.id)
    return swept


async def sweep(store: Store, now: int, limit: int = 3, most: int = 200) -> list[str]:
    """Sweep to the end. Ids of what was written back, in that order."""
    swept: list[str] = []
    for _ in range(most):
        batch = (await store.overdue(now, limit)).sessions
        assert len(batch) <= limit
        if not batch:
            return swept
        swept += await write_back(store, batch, now)
    raise AssertionError("the sweep does not come to an end")


class SweepContract(ContractBase):
    """`overdue`."""

    async def test_nothing_is_overdue(self, store: Store) -> None:
        """Live and ended sessions alike are none of the sweeper's business."""
        assert list((await store.overdue(NOW, 10)).sessions) == []
        await seed(
            store, make_session("sess_a"), make_ended("sess_b"), make_ended("sess_c", expire_at=NOW - 1)
        )
        assert await sweep(store, NOW) == []

    async def test_every_deadline_is_found(self, store: Store) -> None:
        """Maximum lifetime, inactivity and abandonment, of active and pending sessions, at their very
        instant."""
        await seed(
            store,
            make_session("sess_life", expire_at=NOW + 10),
            make_session("sess_idle", inactivity_seconds=1, last_active_at=NOW - 990),
            make_session("sess_left", status=Status.PENDING, tasks=("setup",), abandon_at=NOW + 10),
            make_session("sess_lives", expire_at=NOW + 11, inactivity_seconds=600),
        )
        assert await sweep(store, NOW + 9) == []
        assert sorted(await sweep(store, NOW + 10)) == ["sess_idle", "sess_left", "sess_life"]
        assert (await stored(store, "sess_life")).status is Status.EXPIRED
        assert (await stored(store, "sess_idle")).status is Status.EXPIRED
        assert (await stored(store, "sess_left")).status is Status.ABANDONED
        assert (await stored(store, "sess_lives")).status is Status.ACTIVE
        assert await sweep(store, NOW + 10) == []

    @pytest.mark.parametrize("kind", SubjectKind)
    async def test_what_a_cutoff_covers_is_found(self, store: Store, kind: SubjectKind) -> None:
        """All of its live sessions and no others, over several batches; a second cutoff finds the later
        ones."""
        first = [f"sess_a{n}" for n in range(7)]
        await seed(store, make_ended("sess_x"), *map(make_session, first))
        await cut(store, kind)
        later = [f"sess_b{n}" for n in range(5)]
        await insert(store, *map(make_session, later))
        assert sorted(await sweep(store, NOW)) == first
        assert sorted(await list_ids(store, statuses=frozenset({Status.ACTIVE}))) == later
        for session_id in first:
            ending = (await stored(store, session_id)).ending
            assert ending is not None
            assert ending.reason is make_cutoff(kind).reason
        await cut(store, kind, at=NOW + 1)
        assert sorted(await sweep(store, NOW)) == later
        assert await sweep(store, NOW + 1) == []

    async def test_cutoffs_of_all_kinds_and_deadlines_together(self, store: Store) -> None:
        """What several of them have ended is written back once, and nothing is forgotten."""
        given = [
            make_session(
                f"sess_{n}", user_id=f"user_{n % 2}", client_id=f"client_{n % 3}", expire_at=NOW + n % 4 * DAY
            )
            for n in range(24)
        ]
        await seed(store, users=("user_0", "user_1"), clients=("client_0", "client_1", "client_2"))
        await insert(store, *given[:8])
        await cut(store, SubjectKind.INSTANCE)
        await insert(store, *given[8:16])
        await cut(store, SubjectKind.USER, subject="user_0")
        await cut(store, SubjectKind.CLIENT, subject="client_1")
        await insert(store, *given[16:])
        expected = {
            f"sess_{n}" for n in range(24) if n < 8 or (n < 16 and (n % 2 == 0 or n % 3 == 1)) or n % 4 == 0
        }
        swept = await sweep(store, NOW, limit=5)
        assert len(swept) == len(set(swept))
        assert set(swept) == expected
        assert (
            set(await list_ids(store, statuses=frozenset({Status.ACTIVE})))
            == {s.id for s in given} - expected
        )

    async def test_a_batch_carries_the_cutoffs(self, store: Store) -> None:
        """What is handed out settles to the same as what a single read returns."""
        await seed(store, make_session(expire_at=NOW + 5))
        await cut(store, SubjectKind.CLIENT, at=NOW + 2)
        await cut(store, SubjectKind.USER, at=NOW + 3)
        (item,) = (await store.overdue(NOW + 9, 10)).sessions
        assert item == await store.session("sess_a")

    async def test_a_batch_that_is_not_written_back_comes_again(self, store: Store) -> None:
        """A sweeper that dies in the middle loses nothing."""
        await seed(store, *(make_session(f"sess_{n}", expire_at=NOW) for n in range(4)))
        await insert(store, *(make_session(f"sess_c{n}") for n in range(4)))
        await cut(store)
        for _ in range(5):
            assert len((await store.overdue(NOW, 3)).sessions) > 0
        assert len(await sweep(store, NOW, limit=3)) == 8

    async def test_a_batch_that_is_written_back_in_part_comes_again(self, store: Store) -> None:
        """Where one of a batch could not be written, the sweep ends only when that one is."""
        await seed(store, *(make_session(f"sess_{n}") for n in range(6)))
        await cut(store)
        batch = (await store.overdue(NOW, 4)).sessions
        swept = await write_back(store, batch[1:], NOW)
        swept += await sweep(store, NOW, limit=4)
        assert sorted(swept) == [f"sess_{n}" for n in range(6)]

    async def test_sessions_in_use_do_not_block_the_sweep(self, store: Store) -> None:
        """However many look idle and were touched, those behind them are found, and the sweep comes to its
        end."""
        busy = [f"sess_a{n:02}" for n in range(20)]
        idle = [f"sess_b{n}" for n in range(4)]
        await seed(store, *(make_session(name, inactivity_seconds=600) for name in busy + idle))
        for name in busy:
            assert await store.touch(name, now=NOW + 500_000)
        assert sorted(await sweep(store, NOW + 600_000, limit=3)) == idle
        assert list((await store.overdue(NOW + 600_000, 3)).sessions) == []

    async def test_a_session_found_to_live_is_not_handed_out_again(self, store: Store) -> None:
        """Bookkeeping moves on: at one instant a live session comes at most once."""
        await seed(store, *(make_session(f"sess_{n}", inactivity_seconds=600) for n in range(10)))
        for n in range(10):
            assert await store.touch(f"sess_{n}", now=NOW + 300_000)
        seen: list[str] = []
        for _ in range(15):
            seen += [item.session.id for item in (await store.overdue(NOW + 700_000, 2)).sessions]
        assert len(seen) == len(set(seen))

    async def test_a_session_found_to_live_is_found_when_it_ends(self, store: Store) -> None:
        """Moving on never skips the next deadline: idle after its last touch, or at the end of its
        lifetime."""
        await seed(
            store,
            make_session("sess_a", inactivity_seconds=600),
            make_session("sess_b", inactivity_seconds=600, expire_at=NOW + 1_000_000),
        )
        for name in ("sess_a", "sess_b"):
            assert await store.touch(name, now=NOW + 500_000)
        assert await sweep(store, NOW + 600_000) == []
        assert await sweep(store, NOW + 999_999) == []
        assert await sweep(store, NOW + 1_000_000) == ["sess_b"]
        assert await sweep(store, NOW + 1_099_999) == []
        assert await sweep(store, NOW + 1_100_000) == ["sess_a"]

    async def test_a_touch_between_reading_and_writing_wins(self, store: Store) -> None:
        """An idle session that is touched while a sweep has it in hand lives, and is found when it is idle
        again."""
        await seed(store, make_session(inactivity_seconds=600))
        (item,) = (await store.overdue(NOW + 600_000, 10)).sessions
        idle = settle(item.session, item.cutoffs, NOW + 600_000)
        assert await store.touch("sess_a", now=NOW + 599_999)
        change = UpdateSession(
            session=idle, expected_version=1, expected_active_at=item.session.last_active_at
        )
        assert change.expected_active_at == NOW
        try:
            await store.commit([change])
        except Exception as refused:
            assert getattr(refused, "why", None) == "changed"
        assert (await stored(store)).live
        assert await sweep(store, NOW + 600_000) == []
        assert await sweep(store, NOW + 1_199_999) == ["sess_a"]

    async def test_the_sessions_of_a_deleted_user_are_found(self, store: Store) -> None:
        """They end by the cutoff that came with the deletion."""
        await seed(store, make_session("sess_a"), make_session("sess_b"))
        await store.commit([DeleteUser("user_a"), InsertCutoff(make_cutoff(reason=Reason.USER_DELETED))])
        assert sorted(await sweep(store, NOW)) == ["sess_a", "sess_b"]
        ending = (await stored(store)).ending
        assert ending is not None
        assert ending.reason is Reason.USER_DELETED

    async def test_a_session_created_overdue_is_found(self, store: Store) -> None:
        """Also one whose deadline had passed when it was stored, by a clock that was set forward."""
        await seed(store)
        await store.commit([InsertSession(make_session(expire_at=NOW - DAY, abandon_at=NOW - DAY))])
        assert await sweep(store, NOW) == ["sess_a"]
