"""Contract: whatever happens at once, no change is lost, no end undone, and nobody slips past a ban."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from sojourn.core.lifecycle import SubjectKind, settle
from sojourn.core.session import Session, Status
from sojourn.service.ports import (
    DeleteUser,
    InsertApiKey,
    InsertClient,
    InsertCutoff,
    InsertSession,
    Operation,
    PutStoredKey,
    RaiseLastExp,
    Refused,
    RevokeApiKey,
    SessionQuery,
    Store,
    UpdateClient,
    UpdateStoredKey,
    UpdateUser,
)
from sojourn.testing.contract.base import (
    NOW,
    ContractBase,
    cut,
    end,
    insert,
    list_ids,
    made,
    make_client,
    make_cutoff,
    make_session,
    seed,
    status_of,
    stored,
    the_user,
    update,
)
from sojourn.testing.contract.keys import make_api_key, make_once, make_stored_key

ROUNDS = 10
ENDS = [status for status in Status if not status.live]


async def outcome(work: Awaitable[Any]) -> str:
    """'done', or why it was refused."""
    try:
        await work
    except Refused as refused:
        return refused.why
    return "done"


class RaceContract(ContractBase):
    """Many at once."""

    async def test_of_racing_ends_one_wins_and_stays(self, store: Store) -> None:
        """Of six ends and two other changes from one reading exactly one is made, and an end is not
        undone."""
        await seed(store)
        for n in range(ROUNDS):
            await insert(store, make_session(f"sess_{n}"))
            before = await stored(store, f"sess_{n}")
            wanted = [end(before, status, at=NOW + k) for k, status in enumerate(ENDS)]
            wanted += [replace(before, version=2, last_active_organization_id=f"org_{k}") for k in range(2)]
            wanted = wanted[n % 8 :] + wanted[: n % 8]
            results = await asyncio.gather(*(update(store, before, after) for after in wanted))
            assert results.count(True) == 1
            after = await stored(store, f"sess_{n}")
            assert after == wanted[results.index(True)]
            if not after.live:
                again = [update(store, after, replace(before, version=3)) for _ in range(3)]
                assert not any(await asyncio.gather(*again))
                assert await stored(store, f"sess_{n}") == after

    async def test_no_change_is_lost(self, store: Store) -> None:
        """Each of many who read, change and try again until it is made counts exactly once."""
        await seed(store, make_session())

        async def change(n: int) -> None:
            while True:
                before = await stored(store)
                done = (*(before.tasks or ()), str(n))
                if await update(store, before, replace(before, version=before.version + 1, tasks=done)):
                    return

        await asyncio.gather(*(change(n) for n in range(12)))
        after = await stored(store)
        assert after.version == 13
        assert sorted(after.tasks or (), key=int) == [str(n) for n in range(12)]

    async def test_touches_never_undo_an_end(self, store: Store) -> None:
        """A revocation amid touches is final, and no touch that begins after it is accepted."""
        await seed(store)
        for n in range(ROUNDS):
            await insert(store, make_session(f"sess_{n}"))
            before = await stored(store, f"sess_{n}")

            async def revoke(before: Session = before) -> bool:
                assert await update(store, before, end(before))
                return await store.touch(before.id, now=NOW + 99)

            touches = [store.touch(before.id, now=NOW + k) for k in range(8)]
            late = (await asyncio.gather(*touches[:4], revoke(), *touches[4:]))[4]
            assert late is False
            after = await stored(store, before.id)
            assert after.status is Status.REVOKED
            assert after.last_active_at <= NOW + 7

    async def test_a_touch_and_an_end_by_inactivity_exclude_each_other(self, store: Store) -> None:
        """Either the session was touched and lives, or it has ended and was not touched."""
        await seed(store)
        for n in range(ROUNDS):
            await insert(store, make_session(f"sess_{n}", inactivity_seconds=600))
            before = await stored(store, f"sess_{n}")
            idle = update(store, before, end(before, Status.EXPIRED), active_at=before.last_active_at)
            touch = store.touch(before.id, now=NOW + 1)
            both = (touch, idle) if n % 2 else (idle, touch)
            assert sorted(await asyncio.gather(*both)) == [False, True]
            after = await stored(store, before.id)
            assert after.live == (after.last_active_at == NOW + 1)

    async def test_nobody_slips_past_a_ban(self, store: Store) -> None:
        """After a ban with its cutoff no session of the user is live, however creation and ban fell."""
        for n in range(ROUNDS):
            name = f"user_{n}"
            await seed(store, users=(name,), clients=(f"client_{n}",))
            user = await the_user(store, name)
            ban: list[Operation] = [
                UpdateUser(user=replace(user, banned=True, version=2), expected_version=1),
                InsertCutoff(make_cutoff(subject=name)),
            ]
            sessions = [
                make_session(f"sess_{n}_{k}", user_id=name, client_id=f"client_{n}") for k in range(6)
            ]
            work = [outcome(store.commit([InsertSession(session)])) for session in sessions]
            work.insert(n % 7, outcome(store.commit(ban)))
            results = await asyncio.gather(*work)
            assert results.pop(n % 7) == "done"
            assert set(results) <= {"done", Refused.USER_BANNED}
            assert await list_ids(store, user_id=name, excluded=frozenset({Status.REVOKED})) == []
            assert len(await list_ids(store, user_id=name)) == results.count("done")

    async def test_nobody_slips_past_a_deletion(self, store: Store) -> None:
        """After a deletion with its cutoff no session of the user is live."""
        for n in range(ROUNDS):
            name = f"user_{n}"
            await seed(store, users=(name,), clients=(f"client_{n}",))
            delete: list[Operation] = [DeleteUser(name), InsertCutoff(make_cutoff(subject=name))]
            sessions = [
                make_session(f"sess_{n}_{k}", user_id=name, client_id=f"client_{n}") for k in range(6)
            ]
            work = [outcome(store.commit([InsertSession(session)])) for session in sessions]
            work.insert(n % 7, outcome(store.commit(delete)))
            assert set(await asyncio.gather(*work)) <= {"done", Refused.USER_MISSING}
            assert await list_ids(store, user_id=name, excluded=frozenset({Status.REVOKED})) == []

    async def test_a_cutoff_parts_what_was_before_from_what_comes_later(self, store: Store) -> None:
        """Every session acknowledged before a cutoff began is covered, none that began after it was made."""
        await seed(store)
        for n, kind in enumerate((SubjectKind.USER, SubjectKind.CLIENT, SubjectKind.INSTANCE) * 2):
            await insert(store, make_session(f"sess_{n}_before"))
            meanwhile = [insert(store, make_session(f"sess_{n}_{k}")) for k in range(8)]
            await asyncio.gather(*meanwhile[:4], cut(store, kind, at=NOW + n), *meanwhile[4:])
            await insert(store, make_session(f"sess_{n}_after"))
            page = await store.sessions(SessionQuery(now=NOW, limit=10))
            settled = [settle(item.session, item.cutoffs, NOW) for item in page.items]
            assert (settled[0].id, settled[0].live) == (f"sess_{n}_after", True)
            assert (settled[-1].id, settled[-1].live) == (f"sess_{n}_before", False)
            # In the order of creation there is one border: ended below it, live above.
            lives = [session.live for session in settled]
            assert lives == sorted(lives, reverse=True)
            await cut(store, kind, at=NOW + n)

    async def test_racing_creations_get_places_of_their_own(self, store: Store) -> None:
        """No two sessions share a place in the order, and the list follows it."""
        await seed(store)
        await asyncio.gather(*(insert(store, make_session(f"sess_{n}")) for n in range(40)))
        page = await store.sessions(SessionQuery(now=NOW, limit=500, count=True))
        sequences = [item.session.sequence for item in page.items]
        assert sequences == sorted(set(sequences), reverse=True)
        assert len(sequences) == page.total == 40

    async def test_what_is_done_once_has_one_winner(self, store: Store) -> None:
        """Of many creations under one idempotency key, or with one API key, one is made; the others are
        told."""
        await seed(store)
        creations = [
            outcome(store.commit([InsertSession(make_session(f"sess_{n}")), make_once("same", NOW + n)]))
            for n in range(10)
        ]
        results = await asyncio.gather(*creations)
        assert sorted(results) == ["done", *[Refused.REPEATED] * 9]
        assert await list_ids(store) == [f"sess_{results.index('done')}"]
        once = await store.once(make_once("same").digest)
        assert once is not None
        assert once.at == NOW + results.index("done")
        keys = [outcome(store.commit([InsertApiKey(make_api_key("sk_same"))])) for _ in range(5)]
        assert sorted(await asyncio.gather(*keys)) == ["done", *[Refused.REPEATED] * 4]

    async def test_a_client_guards_what_is_done_on_it(self, store: Store) -> None:
        """Of sign-ins on one client that read the same version, one alone gets its session in."""
        await store.commit([InsertClient(make_client("client_b"))])
        await seed(store)

        def sign_in(n: int) -> list[Operation]:
            client = make_client("client_b", version=2, last_active_session_id=f"sess_{n}")
            session = make_session(f"sess_{n}", client_id="client_b")
            return [UpdateClient(client=client, expected_version=1), InsertSession(session)]

        results = await asyncio.gather(*(made(store, *sign_in(n)) for n in range(8)))
        assert results.count(True) == 1
        winner = f"sess_{results.index(True)}"
        client = await store.client("client_b")
        assert client is not None
        assert client.last_active_session_id == winner
        assert await list_ids(store, client_id="client_b") == [winner]
        assert await status_of(store, winner) is Status.ACTIVE

    async def test_of_racing_rotations_one_is_made(self, store: Store) -> None:
        """Those who change a key at the version that all of them have read make one change, however often
        its last `exp` is raised meanwhile, and no raise is lost."""
        key = make_stored_key("kid_0")
        await store.commit([PutStoredKey(key)])

        async def rotate(n: int) -> str:
            guard = UpdateStoredKey(key=replace(key, version=2), expected_version=1)
            return await outcome(store.commit([guard, PutStoredKey(make_stored_key(f"kid_new{n}"))]))

        async def raise_to(n: int) -> str:
            return await outcome(store.commit([RaiseLastExp(kid="kid_0", at=NOW + n)]))

        outcomes = await asyncio.gather(*(work(n) for n in range(ROUNDS) for work in (rotate, raise_to)))
        assert sorted(outcomes[::2]) == [Refused.CHANGED] * (ROUNDS - 1) + ["done"]
        assert set(outcomes[1::2]) == {"done"}
        (old, new) = await store.stored_keys()
        assert (old.version, old.last_exp_at) == (2, NOW + ROUNDS - 1)
        assert new.kid == f"kid_new{outcomes[::2].index('done')}"

    async def test_of_racing_revocations_one_key_is_left(self, store: Store) -> None:
        """However many revoke the secret keys one by one, the last one stays."""
        keys = [make_api_key(f"sk_{n}") for n in range(ROUNDS)]
        await store.commit([InsertApiKey(key) for key in keys])
        outcomes = await asyncio.gather(
            *(outcome(store.commit([RevokeApiKey(id=key.id, at=NOW)])) for key in keys)
        )
        assert sorted(outcomes) == ["done"] * (ROUNDS - 1) + [Refused.LAST_KEY]
        assert [key.revoked_at for key in await store.api_keys()].count(None) == 1
