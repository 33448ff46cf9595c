"""Contract: sessions are stored whole, change by compare-and-swap, and stay ended."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from sojourn.core.session import Activity, Actor, Ending, Instigator, Reason, Session, Status
from sojourn.service.ports import (
    InsertClient,
    InsertSession,
    InsertUser,
    Refused,
    Store,
    UpdateSession,
    UpdateUser,
)
from sojourn.testing.contract.base import (
    DAY,
    END_OF_STATUS,
    NOW,
    ContractBase,
    end,
    insert,
    make_client,
    make_ended,
    make_session,
    make_user,
    refusal,
    seed,
    stored,
    the_user,
    update,
)

ODD = "Zoë 👩‍👩‍👧 \u202eright to left\u202c 'quoted' \"twice\" \\ % _ ; -- \t\n\r end "
ENDED = [status for status in Status if not status.live]


def full_session() -> Session:
    """A session in which everything is set, much of it to odd text."""
    members: dict[str, object] = {
        "iss": ODD,
        "deep": {"list": [1, -2.5, True, None, "ß"], "empty": {}},
        "n": 2**53,
    }
    return make_session(
        status=Status.PENDING,
        actor=Actor("user_" + ODD, MappingProxyType(members)),
        last_active_organization_id="org_" + ODD,
        latest_activity=Activity(
            id="sess_activity_1",
            is_mobile=True,
            device_type="Öffi",
            browser_name=ODD,
            browser_version="1.2",
            ip_address="2001:db8::1",
            city="東京",
            country="JP",
        ),
        tasks=("choose-organization", ODD),
        inactivity_seconds=600,
    )


class SessionContract(ContractBase):
    """Insert, read and replace sessions."""

    async def test_a_session_that_is_not_stored_is_none(self, store: Store) -> None:
        """Absence is a value, also for text that was never an id."""
        for session_id in ("sess_a", "", ODD, "x" * 10_000):
            assert await store.session(session_id) is None

    async def test_a_session_comes_back_as_it_was_given(self, store: Store) -> None:
        """Every field survives, with odd text and nested members, and only the sequence is the store's."""
        await seed(store)
        for given in (full_session(), make_session("sess_b")):
            await insert(store, given)
            found = await stored(store, given.id)
            assert found == replace(given, sequence=found.sequence)
            assert found.sequence > 0

    @pytest.mark.parametrize("status", ENDED)
    async def test_an_ending_comes_back_as_it_was_given(self, store: Store, status: Status) -> None:
        """Instant, reason, instigator and note of an end survive, by insert and by update."""
        await seed(store, make_session())
        await insert(store, given := make_ended("sess_b", status))
        assert (await stored(store, "sess_b")).ending == given.ending
        before = await stored(store)
        assert await update(store, before, end(before, status, at=NOW + 5, note=ODD))
        after = await stored(store)
        reason, instigator = END_OF_STATUS[status]
        assert after.status is status
        assert after.ending == Ending(at=NOW + 5, reason=reason, instigator=instigator, note=ODD)

    async def test_what_the_caller_changes_later_is_not_stored(self, store: Store) -> None:
        """A store keeps its own copy of nested values."""
        deep: dict[str, object] = {"list": ["given"]}
        await seed(store, make_session(actor=Actor("user_b", deep)))
        deep["list"] = "changed"
        actor = (await stored(store)).actor
        assert actor is not None
        assert actor.members == {"list": ["given"]}

    async def test_sequences_rise_in_the_order_of_creation(self, store: Store) -> None:
        """Order follows the inserts, whatever ids and clocks say."""
        given = [make_session(f"sess_{9 - n}", created_at=NOW - n) for n in range(5)]
        await seed(store, *given[:3])
        await insert(store, *given[3:])
        sequences = [(await stored(store, session.id)).sequence for session in given]
        assert sequences == sorted(set(sequences))

    async def test_an_insert_notes_the_sign_in_on_the_user(self, store: Store) -> None:
        """`last_sign_in_at` is the creation of the newest session; nothing else of the user changes."""
        await seed(store)
        before = await the_user(store)
        assert before.last_sign_in_at is None
        await insert(store, make_session(created_at=NOW + 7))
        assert await the_user(store) == replace(before, last_sign_in_at=NOW + 7)

    async def test_an_insert_needs_a_user(self, store: Store) -> None:
        """Without its user a session is refused with USER_MISSING."""
        await seed(store, users=())
        refused = await refusal(store, InsertSession(make_session()))
        assert refused.why == Refused.USER_MISSING
        assert await store.session("sess_a") is None

    async def test_an_insert_for_a_banned_user_is_refused(self, store: Store) -> None:
        """A banned user gets no session: USER_BANNED."""
        await seed(store, users=())
        await store.commit([InsertUser(make_user(banned=True))])
        refused = await refusal(store, InsertSession(make_session()))
        assert refused.why == Refused.USER_BANNED
        assert await store.session("sess_a") is None

    async def test_an_insert_for_a_locked_user_is_refused(self, store: Store) -> None:
        """A locked user gets no session, USER_LOCKED, one who is banned as well is banned; and none once the
        lock is off is refused."""
        await seed(store, users=())
        await store.commit([InsertUser(make_user(locked=True))])
        assert (await refusal(store, InsertSession(make_session()))).why == Refused.USER_LOCKED
        assert await store.session("sess_a") is None
        both = make_user(locked=True, banned=True, version=2)
        await store.commit([UpdateUser(user=both, expected_version=1)])
        assert (await refusal(store, InsertSession(make_session()))).why == Refused.USER_BANNED
        await store.commit([UpdateUser(user=make_user(version=3), expected_version=2)])
        await store.commit([InsertSession(make_session())])
        assert await store.session("sess_a") is not None

    async def test_an_insert_needs_a_client(self, store: Store) -> None:
        """Without its client a session is refused with CLIENT_MISSING, and no sign-in is noted."""
        await seed(store, clients=())
        refused = await refusal(store, InsertSession(make_session()))
        assert refused.why == Refused.CLIENT_MISSING
        assert (await the_user(store)).last_sign_in_at is None

    async def test_user_and_client_may_come_in_the_same_commit(self, store: Store) -> None:
        """An operation sees what those before it have done."""
        await store.commit(
            [InsertUser(make_user()), InsertClient(make_client()), InsertSession(make_session())]
        )
        assert await stored(store)

    async def test_an_update_writes_state_and_nothing_else(self, store: Store) -> None:
        """Status, tasks, organization, version and `updated_at` change; a deadline or an owner never does."""
        await seed(store, make_session(status=Status.PENDING, tasks=("setup",), inactivity_seconds=600))
        before = await stored(store)
        state = replace(
            before,
            status=Status.ACTIVE,
            tasks=None,
            last_active_organization_id="org_b",
            version=before.version + 1,
            updated_at=NOW + 3,
        )
        wanted = replace(
            state,
            user_id="user_b",
            client_id="client_b",
            created_at=NOW - 1,
            expire_at=NOW + 99 * DAY,
            abandon_at=NOW + 99 * DAY,
            last_active_at=NOW + DAY,
            actor=Actor("user_c"),
            latest_activity=Activity(id="sess_activity_2"),
            inactivity_seconds=None,
            sequence=before.sequence + 99,
        )
        assert await update(store, before, wanted)
        assert await stored(store) == state

    async def test_an_update_can_empty_what_was_set(self, store: Store) -> None:
        """None is written like any other value."""
        await seed(store, full_session())
        before = await stored(store)
        wanted = replace(before, tasks=None, last_active_organization_id=None, version=2, updated_at=NOW + 1)
        assert await update(store, before, wanted)
        assert await stored(store) == wanted

    async def test_an_update_of_another_version_is_refused(self, store: Store) -> None:
        """Compare-and-swap: of two changes from one reading the second is refused, newer and older versions
        too."""
        await seed(store, make_session())
        before = await stored(store)
        once = replace(before, last_active_organization_id="org_1", version=2)
        assert await update(store, before, once)
        twice = replace(before, last_active_organization_id="org_2", version=2)
        assert not await update(store, before, twice)
        assert not await update(store, replace(before, version=3), replace(twice, version=4))
        assert await stored(store) == once
        assert await update(store, once, replace(once, last_active_organization_id="org_3", version=3))

    async def test_an_update_of_nothing_is_refused(self, store: Store) -> None:
        """A session that is not stored has changed, as far as the caller can know."""
        await seed(store)
        change = UpdateSession(session=make_session(version=2), expected_version=1)
        assert (await refusal(store, change)).why == Refused.CHANGED
        assert await store.session("sess_a") is None

    @pytest.mark.parametrize("status", ENDED)
    async def test_an_end_is_never_undone(self, store: Store, status: Status) -> None:
        """No update applies to an ended session, not even with the right version."""
        await seed(store, make_session())
        before = await stored(store)
        assert await update(store, before, end(before, status))
        ended = await stored(store)
        attempts = [replace(before, version=ended.version + 1)]
        attempts += [replace(end(before, other, at=NOW + 1), version=ended.version + 1) for other in ENDED]
        for attempt in attempts:
            assert not await update(store, ended, attempt)
            assert not await update(store, before, attempt)
        assert await stored(store) == ended

    async def test_an_end_by_inactivity_loses_to_a_touch(self, store: Store) -> None:
        """With `expected_active_at` an update applies to the activity that was read, and to no later one."""
        await seed(store, make_session(inactivity_seconds=600))
        before = await stored(store)
        idle = replace(
            before,
            status=Status.EXPIRED,
            ending=Ending(at=NOW + 600_000, reason=Reason.INACTIVITY, instigator=Instigator.POLICY),
            version=2,
            updated_at=NOW + 600_000,
        )
        assert await store.touch("sess_a", now=NOW + 599_999)
        assert not await update(store, before, idle, active_at=before.last_active_at)
        assert (await stored(store)).live
        touched = await stored(store)
        assert await update(store, touched, idle, active_at=touched.last_active_at)
        assert not await store.touch("sess_a", now=NOW + 600_001)
        assert (await stored(store)).status is Status.EXPIRED

    async def test_an_update_leaves_what_a_touch_wrote(self, store: Store) -> None:
        """A change of state from a reading before a touch keeps the later activity."""
        await seed(store, make_session())
        before = await stored(store)
        seen = Activity(id="sess_activity_1", browser_name="Firefox")
        assert await store.touch("sess_a", now=NOW + DAY, activity=seen)
        assert await update(store, before, replace(before, last_active_organization_id="org_a", version=2))
        after = await stored(store)
        assert after.last_active_organization_id == "org_a"
        assert (after.last_active_at, after.latest_activity) == (NOW + DAY, seen)
