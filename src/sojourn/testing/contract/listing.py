"""Contract: lists of sessions are newest first, without gaps or repeats, and filter by what is true now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sojourn.core.lifecycle import SubjectKind
from sojourn.core.session import Session, Status
from sojourn.service.ports import SessionQuery, Store
from sojourn.testing.contract.base import (
    DAY,
    NOW,
    ContractBase,
    cut,
    insert,
    list_ids,
    make_ended,
    make_session,
    seed,
    stored,
    update,
)


def shuffled(count: int) -> list[Session]:
    """Sessions of one ms whose ids say nothing about the order in which they are stored."""
    return [make_session(f"sess_{(n * 7) % count:02}") for n in range(count)]


class ListingContract(ContractBase):
    """`sessions`."""

    async def test_an_empty_list(self, store: Store) -> None:
        """Nothing stored, or a filter that finds nothing: an empty page with a total of 0."""
        everything = await store.sessions(SessionQuery(now=NOW, count=True))
        assert (list(everything.items), everything.total) == ([], 0)
        await seed(store, make_session())
        for query in (
            SessionQuery(now=NOW, count=True, user_id="user_b"),
            SessionQuery(now=NOW, count=True, client_id="client_b"),
            SessionQuery(now=NOW, count=True, statuses=frozenset({Status.ABANDONED})),
        ):
            page = await store.sessions(query)
            assert (list(page.items), page.total) == ([], 0)

    async def test_newest_first_within_one_ms(self, store: Store) -> None:
        """The order is that of creation, in one commit and over several, by none of ids and instants."""
        given = shuffled(20)
        await seed(store, *given[:8])
        for session in given[8:]:
            await insert(store, session)
        expected = [session.id for session in reversed(given)]
        assert await list_ids(store) == expected
        assert await list_ids(store, user_id="user_a") == expected
        assert await list_ids(store, client_id="client_a") == expected

    async def test_newest_first_with_a_clock_set_back(self, store: Store) -> None:
        """A session that says it is older but was created later comes first."""
        await seed(store, *[make_session(f"sess_{n}", created_at=NOW - n * DAY) for n in range(5)])
        assert await list_ids(store) == [f"sess_{n}" for n in reversed(range(5))]

    async def test_a_change_moves_no_session(self, store: Store) -> None:
        """Touches and updates leave the order alone."""
        await seed(store, *[make_session(f"sess_{n}") for n in range(4)])
        assert await store.touch("sess_0", now=NOW + 5)
        before = await stored(store, "sess_1")
        assert await update(store, before, replace(before, version=2, updated_at=NOW + 9))
        assert await list_ids(store) == ["sess_3", "sess_2", "sess_1", "sess_0"]

    @pytest.mark.parametrize("limit", [1, 4, 5, 22, 23, 500])
    async def test_pages_have_no_gaps_and_no_repeats(self, store: Store, limit: int) -> None:
        """Page behind page gives every session once, with the same total on each, and then an empty page."""
        given = shuffled(23)
        await seed(store, *given)
        found: list[str] = []
        for offset in range(0, 23 + limit, limit):
            page = await store.sessions(
                SessionQuery(now=NOW, user_id="user_a", limit=limit, offset=offset, count=True)
            )
            assert page.total == 23
            found += [item.session.id for item in page.items]
        assert found == [session.id for session in reversed(given)]
        beyond = await store.sessions(SessionQuery(now=NOW, limit=limit, offset=1000, count=True))
        assert (list(beyond.items), beyond.total) == ([], 23)

    async def test_a_total_is_counted_on_demand(self, store: Store) -> None:
        """`total` counts all matches of the filter, not the page, and is None where nobody asked."""
        await seed(store, make_session("sess_a"), make_ended("sess_b"), make_ended("sess_c"))
        revoked = frozenset({Status.REVOKED})
        page = await store.sessions(SessionQuery(now=NOW, statuses=revoked, limit=1, count=True))
        assert ([item.session.id for item in page.items], page.total) == (["sess_c"], 2)
        assert (await store.sessions(SessionQuery(now=NOW, statuses=revoked))).total is None

    async def test_user_and_client_filter_together(self, store: Store) -> None:
        """Both given, both must fit."""
        pairs = [(user, client) for user in "ab" for client in "ab"]
        sessions = [
            make_session(f"sess_{u}{c}", user_id=f"user_{u}", client_id=f"client_{c}") for u, c in pairs
        ]
        await seed(store, *sessions, users=("user_a", "user_b"), clients=("client_a", "client_b"))
        assert await list_ids(store, user_id="user_a") == ["sess_ab", "sess_aa"]
        assert await list_ids(store, client_id="client_a") == ["sess_ba", "sess_aa"]
        assert await list_ids(store, user_id="user_b", client_id="client_a") == ["sess_ba"]
        assert await list_ids(store, user_id="user_b", client_id="client_c") == []

    async def test_statuses_are_those_of_the_instant(self, store: Store) -> None:
        """What a deadline has ended is found under its end, though no sweep has run."""
        await seed(
            store,
            make_session("sess_live"),
            make_session("sess_todo", status=Status.PENDING, tasks=("setup",)),
            make_session("sess_old", expire_at=NOW + 10),
            make_session("sess_left", abandon_at=NOW + 10),
            make_session("sess_idle", inactivity_seconds=1, last_active_at=NOW - 990),
            make_ended("sess_gone", Status.ENDED),
        )
        expected = {
            NOW + 9: {"active": 4, "pending": 1, "ended": 1},
            NOW + 10: {"active": 1, "pending": 1, "ended": 1, "expired": 2, "abandoned": 1},
        }
        for now, counts in expected.items():
            for status in Status:
                ids = await list_ids(store, now=now, statuses=frozenset({status}))
                assert len(ids) == counts.get(status, 0), (now - NOW, status, ids)

    @pytest.mark.parametrize("kind", SubjectKind)
    async def test_statuses_know_cutoffs(self, store: Store, kind: SubjectKind) -> None:
        """What a cutoff has ended is found under the cutoff's status, at once."""
        await seed(store, make_session("sess_a"), make_session("sess_b", expire_at=NOW - 5))
        await cut(store, kind, status=Status.ENDED)
        await insert(store, make_session("sess_c"))
        assert await list_ids(store, statuses=frozenset({Status.ENDED})) == ["sess_a"]
        assert await list_ids(store, statuses=frozenset({Status.EXPIRED})) == ["sess_b"]
        assert await list_ids(store, statuses=frozenset({Status.ACTIVE})) == ["sess_c"]

    async def test_several_statuses_and_excluded_ones(self, store: Store) -> None:
        """`statuses` is any of them, `excluded` none of them, both on the settled status, both at once."""
        await seed(
            store,
            make_session("sess_a"),
            make_session("sess_p", status=Status.PENDING, tasks=("setup",)),
            make_session("sess_x", status=Status.PENDING, tasks=("setup",), expire_at=NOW),
            make_ended("sess_r", Status.REVOKED),
        )
        live = frozenset({Status.ACTIVE, Status.PENDING})
        pending = frozenset({Status.PENDING})
        assert await list_ids(store, statuses=live) == ["sess_p", "sess_a"]
        assert await list_ids(store, excluded=pending) == ["sess_r", "sess_x", "sess_a"]
        assert await list_ids(store, statuses=live, excluded=pending) == ["sess_a"]
        page = await store.sessions(SessionQuery(now=NOW, excluded=pending, limit=1, offset=1, count=True))
        assert ([item.session.id for item in page.items], page.total) == (["sess_x"], 3)

    async def test_a_list_returns_what_is_stored(self, store: Store) -> None:
        """Sessions come as stored, not settled: the caller settles them with the cutoffs beside them."""
        await seed(store, make_session(expire_at=NOW - 1))
        (item,) = (await store.sessions(SessionQuery(now=NOW, statuses=frozenset({Status.EXPIRED})))).items
        assert item.session == await stored(store)
        assert item.session.status is Status.ACTIVE
