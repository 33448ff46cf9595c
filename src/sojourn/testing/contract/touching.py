"""Contract: a touch records activity on what is live, and changes nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sojourn.core.lifecycle import SubjectKind
from sojourn.core.session import Activity, Status
from sojourn.service.ports import DeleteUser, InsertCutoff, Store
from sojourn.testing.contract.base import (
    DAY,
    MIDNIGHT,
    NOW,
    ContractBase,
    cut,
    insert,
    make_cutoff,
    make_ended,
    make_session,
    seed,
    stored,
    the_user,
)

SEEN = Activity(id="sess_activity_1", is_mobile=True, browser_name="Firefox", city="Québec")
LATER = NOW + 90_000
DEADLINES: dict[str, dict[str, Any]] = {
    "maximum lifetime": {"expire_at": LATER},
    "abandonment": {"abandon_at": LATER},
    "inactivity": {"inactivity_seconds": 90},
}


class TouchContract(ContractBase):
    """`touch`."""

    async def test_a_touch_writes_its_columns_only(self, store: Store) -> None:
        """Instant and device change; version, `updated_at` and all the rest stay."""
        await seed(store, make_session(status=Status.PENDING, tasks=("setup",), inactivity_seconds=600))
        before = await stored(store)
        assert await store.touch("sess_a", now=LATER, activity=SEEN)
        assert await stored(store) == replace(before, last_active_at=LATER, latest_activity=SEEN)

    async def test_a_touch_without_a_device_keeps_the_last_one(self, store: Store) -> None:
        """Not knowing where a session was seen forgets nothing; knowing it replaces all of it."""
        await seed(store, make_session())
        assert await store.touch("sess_a", now=NOW + 1, activity=SEEN)
        assert await store.touch("sess_a", now=NOW + 2)
        assert (await stored(store)).latest_activity == SEEN
        other = Activity(id="sess_activity_2", country="CA")
        assert await store.touch("sess_a", now=NOW + 3, activity=other)
        assert (await stored(store)).latest_activity == other

    async def test_a_touch_changes_no_other_session(self, store: Store) -> None:
        """Sessions of the same user and client stay as they are."""
        await seed(store, make_session(), make_session("sess_b"))
        before = await stored(store, "sess_b")
        assert await store.touch("sess_a", now=LATER, activity=SEEN)
        assert await stored(store, "sess_b") == before

    async def test_activity_never_goes_back(self, store: Store) -> None:
        """A touch with an earlier clock leaves the later instant standing."""
        await seed(store, make_session())
        assert await store.touch("sess_a", now=LATER)
        assert await store.touch("sess_a", now=NOW - 5)
        assert (await stored(store)).last_active_at == LATER

    async def test_a_touch_is_no_event(self, store: Store) -> None:
        """The log stays as it is."""
        await seed(store, make_session())
        end = await store.end_of_events()
        assert await store.touch("sess_a", now=LATER, activity=SEEN)
        assert await store.end_of_events() == end

    async def test_a_touch_notes_the_day_on_the_user(self, store: Store) -> None:
        """The user gets the first ms of the day and keeps version and `updated_at`."""
        await seed(store, make_session())
        before = await the_user(store)
        assert await store.touch("sess_a", now=NOW)
        assert await the_user(store) == replace(before, last_active_at=MIDNIGHT)
        assert await store.touch("sess_a", now=MIDNIGHT + DAY - 1)
        assert (await the_user(store)).last_active_at == MIDNIGHT
        assert await store.touch("sess_a", now=MIDNIGHT + DAY)
        assert (await the_user(store)).last_active_at == MIDNIGHT + DAY
        assert await store.touch("sess_a", now=NOW)
        assert (await the_user(store)).last_active_at == MIDNIGHT + DAY

    async def test_a_touch_of_nothing_is_refused(self, store: Store) -> None:
        """What is not stored is not live."""
        assert not await store.touch("sess_a", now=NOW, activity=SEEN)

    @pytest.mark.parametrize("status", [status for status in Status if not status.live])
    async def test_a_touch_of_an_ended_session_is_refused(self, store: Store, status: Status) -> None:
        """An ended session takes no activity, and its user no day."""
        await seed(store, make_ended("sess_a", status))
        before = await stored(store)
        assert not await store.touch("sess_a", now=NOW, activity=SEEN)
        assert await stored(store) == before
        assert (await the_user(store)).last_active_at is None

    @pytest.mark.parametrize("deadline", DEADLINES)
    async def test_a_touch_at_a_deadline_is_refused(self, store: Store, deadline: str) -> None:
        """The last ms before a deadline is live, the deadline itself is not, swept or unswept."""
        await seed(store, make_session(**DEADLINES[deadline]))
        await insert(store, make_session("sess_b", **DEADLINES[deadline]))
        before = await stored(store)
        assert not await store.touch("sess_a", now=LATER, activity=SEEN)
        assert not await store.touch("sess_a", now=LATER + 10 * DAY)
        assert await stored(store) == before
        assert (await the_user(store)).last_active_at is None
        assert await store.touch("sess_b", now=LATER - 1, activity=SEEN)

    async def test_a_touch_moves_the_inactivity_deadline_and_no_other(self, store: Store) -> None:
        """A used session outlives its inactivity limit and never its maximum lifetime."""
        await seed(store, make_session(inactivity_seconds=90, expire_at=NOW + 200_000))
        assert await store.touch("sess_a", now=NOW + 80_000)
        assert await store.touch("sess_a", now=NOW + 160_000)
        assert not await store.touch("sess_a", now=NOW + 200_000)

    @pytest.mark.parametrize("kind", SubjectKind)
    async def test_a_touch_behind_a_cutoff_is_refused(self, store: Store, kind: SubjectKind) -> None:
        """A cutoff of user, client or instance stops touches at once; sessions created later take them."""
        await seed(store, make_session())
        await cut(store, kind)
        await insert(store, make_session("sess_b"))
        before = await stored(store)
        assert not await store.touch("sess_a", now=LATER, activity=SEEN)
        assert not await store.touch("sess_a", now=NOW - DAY)
        assert await stored(store) == before
        assert await store.touch("sess_b", now=LATER)

    async def test_a_touch_after_the_user_is_deleted_is_refused(self, store: Store) -> None:
        """Deleting a user with a cutoff in one commit stops touches, and touching brings nobody back."""
        await seed(store, make_session())
        await store.commit([DeleteUser("user_a"), InsertCutoff(make_cutoff())])
        assert not await store.touch("sess_a", now=LATER)
        assert await store.user("user_a") is None
