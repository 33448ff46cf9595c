"""Contract: a commit does all of its operations or none, and what it has done is read at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from sojourn.core.directory import IdentifierKind
from sojourn.core.lifecycle import SubjectKind
from sojourn.core.session import Status
from sojourn.service.ports import (
    AppendEvent,
    ClientQuery,
    DeleteUser,
    DropStoredKey,
    ExpectMasterKey,
    InsertApiKey,
    InsertClient,
    InsertCutoff,
    InsertSession,
    InsertUser,
    Operation,
    PutInstance,
    PutStoredKey,
    RaiseLastExp,
    Refused,
    RevokeApiKey,
    SessionQuery,
    Store,
    UpdateClient,
    UpdateSession,
    UpdateStoredKey,
    UpdateUser,
    UserQuery,
)
from sojourn.testing.contract.base import (
    INSTANCE,
    NOW,
    ContractBase,
    end,
    event_ids,
    list_ids,
    make_client,
    make_cutoff,
    make_event,
    make_session,
    make_user,
    refusal,
    seed,
    stored,
    the_user,
)
from sojourn.testing.contract.keys import make_api_key, make_once, make_stored_key


async def fill(store: Store) -> None:
    """Something of everything, for commits to change and to stumble over."""
    await seed(store, make_session("sess_a"), make_session("sess_b"), clients=("client_a", "client_b"))
    users = [make_user("user_b", username="taken"), make_user("user_c"), make_user("user_x", banned=True)]
    rest: list[Operation] = [InsertUser(user) for user in users]
    await store.commit(
        [*rest, make_once("a"), InsertApiKey(make_api_key("sk_a")), AppendEvent(make_event("evt_a"))]
    )
    keys = [make_stored_key("kid_a"), make_stored_key("kid_b"), make_stored_key("kid_r", state="retired")]
    await store.commit([InsertApiKey(make_api_key("sk_b")), *(PutStoredKey(key) for key in keys)])


def all_kinds() -> list[Operation]:
    """One operation of each kind, all of which apply after `fill`."""
    return [
        InsertUser(make_user("user_n", username="new")),
        InsertClient(make_client("client_n")),
        InsertSession(make_session("sess_n", user_id="user_n", client_id="client_n")),
        UpdateSession(session=end(make_session("sess_b")), expected_version=1),
        UpdateClient(client=make_client("client_b", version=2, updated_at=NOW + 1), expected_version=1),
        UpdateUser(user=make_user("user_b", username="renamed", version=2), expected_version=1),
        DeleteUser("user_c"),
        InsertCutoff(make_cutoff()),
        InsertCutoff(make_cutoff(SubjectKind.INSTANCE)),
        AppendEvent(make_event("evt_n")),
        make_once("n"),
        InsertApiKey(make_api_key("sk_n")),
        PutStoredKey(make_stored_key("kid_n")),
        RevokeApiKey(id="key_sk_b", at=NOW),
        UpdateStoredKey(key=make_stored_key("kid_a", state="retired", version=2), expected_version=1),
        RaiseLastExp(kid="kid_b", at=NOW),
        DropStoredKey("kid_r"),
        ExpectMasterKey(None),
        PutInstance(replace(INSTANCE, publishable_key="pk_test_new")),
    ]


REFUSALS: dict[str, Callable[[], Operation]] = {
    "user_missing by a session": lambda: InsertSession(make_session("sess_z", user_id="user_z")),
    "user_missing by a deletion": lambda: DeleteUser("user_z"),
    "user_banned": lambda: InsertSession(make_session("sess_z", user_id="user_x")),
    "client_missing": lambda: InsertSession(make_session("sess_z", client_id="client_z")),
    "changed session": lambda: UpdateSession(session=end(make_session("sess_a")), expected_version=7),
    "changed client": lambda: UpdateClient(client=make_client("client_a", version=2), expected_version=7),
    "changed user": lambda: UpdateUser(user=make_user("user_a", version=2), expected_version=7),
    "identifier_taken by an insert": lambda: InsertUser(
        make_user("user_z", external_id="z", username="taken")
    ),
    "identifier_taken by an update": lambda: UpdateUser(
        user=make_user("user_a", external_id="z", username="taken", version=2), expected_version=1
    ),
    "repeated creation": lambda: make_once("a"),
    "repeated API key": lambda: InsertApiKey(make_api_key("sk_a")),
    "changed API key": lambda: RevokeApiKey(id="key_none", at=NOW),
    "changed stored key": lambda: UpdateStoredKey(key=make_stored_key("kid_a"), expected_version=7),
    "changed key that signs": lambda: RaiseLastExp(kid="kid_none", at=NOW),
    "changed master key": lambda: ExpectMasterKey("mk_other"),
}


def bad_is_free(refused: str, place: int) -> bool:
    """Whether an operation of `all_kinds` before this place has given up the name that the bad one wants."""
    return refused.startswith(Refused.IDENTIFIER_TAKEN) and place > 5


async def everything(store: Store) -> list[object]:
    """All that can be read."""
    sessions = await store.sessions(SessionQuery(now=NOW, limit=500, count=True))
    clients = await store.clients(ClientQuery(limit=500, count=True))
    kinds = (IdentifierKind.USERNAME, IdentifierKind.EXTERNAL_ID)
    owners = [
        await store.user_by(kind, value) for kind in kinds for value in ("taken", "new", "renamed", "z")
    ]
    return [
        list(sessions.items),
        sessions.total,
        list(clients.items),
        clients.total,
        list(await store.users(UserQuery(limit=500))),
        owners,
        await event_ids(store),
        await store.end_of_events(),
        [await store.once(make_once(name).digest) for name in "anz"],
        list(await store.api_keys()),
        list(await store.stored_keys()),
        await store.instance(),
    ]


class CommitContract(ContractBase):
    """`commit`."""

    async def test_a_commit_of_nothing(self, store: Store) -> None:
        """No operations: nothing happens, and nothing is refused."""
        await fill(store)
        before = await everything(store)
        await store.commit([])
        assert await everything(store) == before

    @pytest.mark.parametrize("refused", REFUSALS)
    async def test_all_or_nothing(self, store: Store, refused: str) -> None:
        """An operation that does not apply, at whatever place, takes all others of its commit with it."""
        await fill(store)
        before = await everything(store)
        for place in range(len(all_kinds()) + 1):
            operations = all_kinds()
            bad = REFUSALS[refused]()
            if bad_is_free(refused, place):
                continue
            operations.insert(place, bad)
            error = await refusal(store, *operations)
            assert error.why == refused.split(" ")[0]
            assert error.operation == bad
            assert await everything(store) == before, f"something of a commit refused at {place} has happened"
        await store.commit(all_kinds())
        assert await list_ids(store) == ["sess_n", "sess_b", "sess_a"]

    async def test_a_commit_is_read_at_once(self, store: Store) -> None:
        """Whatever was acknowledged is seen by every read that begins afterwards."""
        await fill(store)
        for n in range(20):
            session, user = make_session(f"sess_{n}"), make_user(f"user_{n}", username=f"name_{n}")
            await store.commit(
                [InsertSession(session), InsertUser(user), AppendEvent(make_event(f"evt_{n}"))]
            )
            assert (await stored(store, session.id)).id == session.id
            assert (await list_ids(store, limit=1)) == [session.id]
            assert (await list_ids(store, limit=1, user_id="user_a", client_id="client_a")) == [session.id]
            found = await store.user_by(IdentifierKind.USERNAME, f"name_{n}")
            assert found is not None
            assert [u.id for u in await store.users(UserQuery(limit=1))] == [user.id]
            assert (await event_ids(store))[-1] == f"evt_{n}"
            assert await store.touch(session.id, now=NOW + n + 1)
            assert (await stored(store, session.id)).last_active_at == NOW + n + 1

    async def test_an_operation_sees_those_before_it(self, store: Store) -> None:
        """In one commit a version can rise twice, and a deleted user's name be given to another."""
        await fill(store)
        first = make_user("user_b", username="other", version=2)
        await store.commit(
            [
                UpdateUser(user=first, expected_version=1),
                UpdateUser(user=replace(first, username="third", version=3), expected_version=2),
                InsertUser(make_user("user_d", username="taken")),
                DeleteUser("user_d"),
                InsertUser(make_user("user_e", username="taken")),
            ]
        )
        assert (await the_user(store, "user_b")).username == "third"
        assert await store.user("user_d") is None
        twice = [UpdateSession(session=end(make_session("sess_a")), expected_version=1)] * 2
        assert (await refusal(store, *twice)).why == Refused.CHANGED
        assert (await stored(store, "sess_a")).status is Status.ACTIVE

    async def test_a_refusal_says_which_and_why(self, store: Store) -> None:
        """The caller gets the operation, its reason, and for an identifier its kind."""
        await fill(store)
        for name, make in REFUSALS.items():
            bad = make()
            error = await refusal(store, AppendEvent(make_event("evt_z")), bad)
            assert error.operation == bad
            word = name.split(" ")[0]
            assert error.why == word
            if word == Refused.IDENTIFIER_TAKEN:
                assert error.detail == IdentifierKind.USERNAME

    async def test_refusals_do_not_spread(self, store: Store) -> None:
        """Of commits made at once the refused ones alone are undone, whatever the store does together."""
        await fill(store)

        async def attempt(n: int) -> bool:
            operations: list[Operation] = [
                AppendEvent(make_event(f"evt_{n:02}")),
                InsertUser(make_user(f"user_{n}")),
            ]
            if n % 3 == 0:
                operations.insert(n % 2, make_once("a"))
            try:
                await store.commit(operations)
            except Refused as refused:
                assert refused.why == Refused.REPEATED
                return False
            return True

        outcomes = await asyncio.gather(*(attempt(n) for n in range(30)))
        assert outcomes == [n % 3 != 0 for n in range(30)]
        logged = await event_ids(store)
        assert sorted(logged) == sorted(["evt_a"] + [f"evt_{n:02}" for n in range(30) if n % 3])
        for n in range(30):
            assert (await store.user(f"user_{n}") is not None) == (n % 3 != 0)

    async def test_a_large_commit(self, store: Store) -> None:
        """A thousand operations are one commit like any other."""
        await seed(store)
        operations: list[Operation] = []
        for n in range(500):
            operations += [
                InsertSession(make_session(f"sess_{n:03}")),
                AppendEvent(make_event(f"evt_{n:03}")),
            ]
        await refusal(store, *operations, DeleteUser("user_z"))
        assert await list_ids(store) == []
        await store.commit(operations)
        assert await list_ids(store) == [f"sess_{n:03}" for n in reversed(range(500))]
        assert len(await event_ids(store)) == 500
