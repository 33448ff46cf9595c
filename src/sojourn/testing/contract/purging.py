"""Contract: a purge deletes what is old enough, in bounded steps, and nothing that is still needed."""

from __future__ import annotations

from sojourn.core.lifecycle import SubjectKind
from sojourn.core.session import Status
from sojourn.service.ports import ClientQuery, InsertSession, Store, UpdateClient
from sojourn.testing.contract.base import (
    DAY,
    MIDNIGHT,
    NOW,
    ContractBase,
    cut,
    event_ids,
    insert,
    list_ids,
    log,
    made,
    make_client,
    make_ended,
    make_session,
    refusal,
    seed,
    status_of,
    stored,
)
from sojourn.testing.contract.keys import make_once
from sojourn.testing.contract.sweeping import sweep


async def purge(store: Store, *, ended: int = 0, events: int = 0, once: int = 0, limit: int = 100) -> int:
    """Purge what is older than the given instants, by default nothing."""
    return await store.purge(ended_before=ended, events_before=events, once_before=once, limit=limit)


async def client_ids(store: Store) -> list[str]:
    """Ids of all clients."""
    return [client.id for client in (await store.clients(ClientQuery(limit=500))).items]


class PurgeContract(ContractBase):
    """`purge`."""

    async def test_a_purge_of_nothing(self, store: Store) -> None:
        """Nothing is old enough: nothing goes."""
        assert await purge(store, ended=NOW, events=NOW, once=NOW) == 0
        await seed(store, make_session("sess_a"), make_ended("sess_b"))
        await store.commit([make_once("a")])
        await log(store, "evt_a")
        assert await purge(store, ended=NOW, events=NOW, once=NOW) == 0
        assert await list_ids(store) == ["sess_b", "sess_a"]

    async def test_ended_sessions_go_by_their_end(self, store: Store) -> None:
        """Strictly before the instant, by when they ended and not by when they were created."""
        await seed(
            store,
            make_ended("sess_a", at=NOW - 1),
            make_ended("sess_b", at=NOW),
            make_ended("sess_c", Status.EXPIRED, at=NOW - DAY, created_at=NOW + DAY),
            make_ended("sess_d", at=NOW + 1, created_at=NOW - 99 * DAY),
        )
        assert await purge(store, ended=NOW) == 2
        assert await list_ids(store) == ["sess_d", "sess_b"]
        assert await store.session("sess_a") is None
        assert await list_ids(store, user_id="user_a") == ["sess_d", "sess_b"]
        assert await list_ids(store, client_id="client_a") == ["sess_d", "sess_b"]

    async def test_what_is_stored_as_live_stays(self, store: Store) -> None:
        """Also when it ended long ago: its end must be written back and announced before it goes."""
        await seed(store, make_session("sess_a", expire_at=NOW - 40 * DAY), make_session("sess_b"))
        assert await purge(store, ended=NOW) == 0
        assert await sweep(store, NOW) == ["sess_a"]
        assert await purge(store, ended=NOW) == 1
        assert await list_ids(store) == ["sess_b"]

    async def test_a_cutoff_holds_as_long_as_it_is_needed(self, store: Store) -> None:
        """However far a sweep has come, a purge lets no covered session come back to life."""
        for kind in SubjectKind:
            await seed(
                store,
                *(
                    make_session(f"sess_{kind}_{n}", user_id=f"user_{kind}", client_id=f"client_{kind}")
                    for n in range(3)
                ),
                users=(f"user_{kind}",),
                clients=(f"client_{kind}",),
            )
            subject = None if kind is SubjectKind.INSTANCE else f"{kind}_{kind}"
            await cut(store, kind, subject=subject)
        names = await list_ids(store)
        assert len(names) == 9
        live = frozenset({Status.ACTIVE})
        assert await purge(store, ended=NOW + 99 * DAY) == 0
        assert await list_ids(store, statuses=live) == []
        await store.overdue(NOW, 2)
        await store.overdue(NOW, 100)
        assert await purge(store, ended=NOW + 99 * DAY) == 0
        assert await list_ids(store, statuses=live) == []
        assert [await status_of(store, name) for name in names] == [Status.REVOKED] * 9
        assert sorted(await sweep(store, NOW)) == sorted(names)

    async def test_no_place_in_the_order_is_given_twice(self, store: Store) -> None:
        """A session created after everything was purged is not covered by a cutoff of before."""
        await seed(store, make_ended("sess_a", at=NOW - 9), make_ended("sess_b", at=NOW - 9))
        newest = (await stored(store, "sess_b")).sequence
        for kind in SubjectKind:
            await cut(store, kind)
        await insert(store, make_ended("sess_c", at=NOW - 9))
        assert await purge(store, ended=NOW) == 3
        await insert(store, make_session("sess_d"))
        assert (await stored(store, "sess_d")).sequence > newest + 1
        assert await status_of(store, "sess_d") is Status.ACTIVE
        await cut(store, SubjectKind.USER, at=NOW)
        assert await status_of(store, "sess_d") is Status.REVOKED

    async def test_clients_go_with_their_last_session(self, store: Store) -> None:
        """When they hold none any more and were last changed before the instant too; else they stay."""
        names = ("client_a", "client_b", "client_c")
        await seed(
            store,
            make_ended("sess_a", at=NOW - 9, client_id="client_a"),
            make_ended("sess_b", at=NOW - 9, client_id="client_b"),
            make_session("sess_b2", client_id="client_b"),
            make_ended("sess_c", at=NOW - 9, client_id="client_c"),
            clients=names,
        )
        assert await purge(store, ended=NOW) == 3
        assert await client_ids(store) == ["client_c", "client_b", "client_a"], "all were changed since"
        recent = make_client("client_c", updated_at=NOW + 5, version=2)
        assert await made(store, UpdateClient(client=recent, expected_version=1))
        while await purge(store, ended=NOW + 1):
            pass
        assert await client_ids(store) == ["client_c", "client_b"]
        while await purge(store, ended=NOW + 6):
            pass
        assert await client_ids(store) == ["client_b"]
        refused = await refusal(store, InsertSession(make_session("sess_n", client_id="client_a")))
        assert refused.why == refused.CLIENT_MISSING
        await insert(store, make_session("sess_n", client_id="client_b"))

    async def test_users_stay(self, store: Store) -> None:
        """A user without sessions is still a user."""
        await seed(store, make_ended("sess_a", at=NOW - 9))
        await purge(store, ended=NOW + DAY)
        assert await store.user("user_a") is not None

    async def test_records_of_creations_go_by_age(self, store: Store) -> None:
        """Strictly before the instant; the key can then be used again."""
        await store.commit([make_once("a", NOW - 1), make_once("b", NOW)])
        assert await purge(store, once=NOW) == 1
        assert await store.once(make_once("a").digest) is None
        assert await store.once(make_once("b").digest) == make_once("b", NOW)
        await store.commit([make_once("a", NOW + 1)])

    async def test_each_instant_is_for_its_own_kind(self, store: Store) -> None:
        """Sessions, events and records have a retention each."""
        await seed(store, make_ended("sess_a", at=NOW - 9))
        await log(store, "evt_a", at=NOW - 9)
        await store.commit([make_once("a", NOW - 9)])
        assert await purge(store, events=NOW) == 1
        assert (await list_ids(store), await event_ids(store)) == (["sess_a"], [])
        assert await store.once(make_once("a").digest) is not None
        assert await purge(store, once=NOW) == 1
        assert await list_ids(store) == ["sess_a"]
        assert await purge(store, ended=NOW) == 1
        assert await list_ids(store) == []

    async def test_a_purge_is_bounded(self, store: Store) -> None:
        """At most `limit` of a kind go at once; purging until nothing goes deletes everything that is old."""
        sessions = [make_ended(f"sess_{n}", at=MIDNIGHT + n, client_id=f"client_{n}") for n in range(10)]
        await seed(store, *sessions, clients=[session.client_id for session in sessions])
        await log(store, *(f"evt_{n}" for n in range(10)), at=MIDNIGHT)
        await store.commit([make_once(str(n), MIDNIGHT) for n in range(10)])
        left = [10]
        total = 0
        while gone := await purge(store, ended=NOW + 1, events=NOW, once=NOW, limit=3):
            total += gone
            assert gone <= 4 * 3
            left.append(len(await list_ids(store)))
            assert left[-2] - left[-1] <= 3
            assert len(left) < 50
        assert total == 40
        assert await list_ids(store) == await client_ids(store) == await event_ids(store) == []
