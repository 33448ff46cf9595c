"""Contract: clients and users, their versions, and identifiers that belong to one user each."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sojourn.core.directory import Contact, IdentifierKind, User
from sojourn.service.ports import (
    ClientQuery,
    DeleteUser,
    InsertClient,
    InsertUser,
    Refused,
    Store,
    UpdateClient,
    UpdateUser,
    UserQuery,
)
from sojourn.testing.contract.base import (
    NOW,
    ContractBase,
    insert,
    made,
    make_client,
    make_session,
    make_user,
    refusal,
    seed,
    stored,
    the_user,
)

TEXTS = ("42", "Zoë", "Zoe\u0308", "zoë", "O'Hara; --", "100%", "a_b", "👩‍👩‍👧", " ", "\u202e", "x" * 1000)
KINDS = list(IdentifierKind)


def known_as(kind: IdentifierKind, value: str, user_id: str = "user_a") -> User:
    """A user with one identifier."""
    contact = (Contact(id=f"idn_{user_id}", value=value, created_at=NOW),)
    given: dict[IdentifierKind, dict[str, Any]] = {
        IdentifierKind.EXTERNAL_ID: {"external_id": value},
        IdentifierKind.USERNAME: {"username": value},
        IdentifierKind.EMAIL_ADDRESS: {"email_addresses": contact},
        IdentifierKind.PHONE_NUMBER: {"phone_numbers": contact},
    }
    return make_user(user_id, **given[kind])


def full_user() -> User:
    """A user of whom everything is known."""
    return make_user(
        external_id="42",
        username="zoë",
        first_name="Zoë 'Z' \\",
        last_name="O'Hara\n",
        email_addresses=(
            Contact(id="idn_1", value="zoe@example.com", created_at=NOW),
            Contact(id="idn_2", value="other@example.com", created_at=NOW + 1, verified=False),
        ),
        phone_numbers=(Contact(id="idn_3", value="+15555550100", created_at=NOW + 2),),
        public_metadata={"ключ": [1, 2.5, None, {"a": True}]},
        private_metadata={"": "", "🙂": {}},
        unsafe_metadata={"n": 2**53},
        banned=True,
        locked=True,
        locale="fr-CA",
        legal_accepted_at=NOW - 9,
        last_sign_in_at=NOW - 8,
        last_active_at=NOW - 7,
        delete_self_enabled=False,
        create_organization_enabled=False,
        create_organizations_limit=3,
        bypass_client_trust=True,
        version=7,
    )


class DirectoryContract(ContractBase):
    """Clients and users."""

    async def test_clients_come_back_as_they_were_given(self, store: Store) -> None:
        """Every field survives but the sequence; absence is None."""
        given = make_client(last_active_session_id="sess_a", last_authentication_strategy="ticket", version=3)
        assert await store.client("client_a") is None
        await store.commit([InsertClient(given)])
        found = await store.client("client_a")
        assert found == replace(given, sequence=found.sequence if found else -1)

    async def test_clients_are_listed_newest_first(self, store: Store) -> None:
        """In the order of creation within one ms, page by page, with a total on demand."""
        empty = await store.clients(ClientQuery(count=True))
        assert (list(empty.items), empty.total) == ([], 0)
        names = [f"client_{(n * 3) % 7}" for n in range(7)]
        for name in names:
            await store.commit([InsertClient(make_client(name))])
        found: list[str] = []
        for offset in range(0, 9, 3):
            page = await store.clients(ClientQuery(limit=3, offset=offset, count=True))
            found += [client.id for client in page.items]
            assert page.total == 7
        assert found == names[::-1]
        assert (await store.clients(ClientQuery())).total is None

    async def test_clients_change_by_version(self, store: Store) -> None:
        """Of two changes from one reading the second is refused; a client that is not there has changed."""
        await seed(store)
        before = await store.client("client_a")
        assert before is not None
        after = replace(before, last_active_session_id="sess_a", updated_at=NOW + 1, version=2)
        assert await made(store, UpdateClient(client=after, expected_version=1))
        assert not await made(store, UpdateClient(client=replace(after, version=9), expected_version=1))
        assert not await made(
            store, UpdateClient(client=make_client("client_b", version=2), expected_version=1)
        )
        assert await store.client("client_a") == after
        assert await store.client("client_b") is None

    async def test_users_come_back_as_they_were_given(self, store: Store) -> None:
        """Every field survives but the sequence, by insert and by update; absence is None."""
        assert await store.user("user_a") is None
        given = full_user()
        await store.commit([InsertUser(given)])
        found = await the_user(store)
        assert found == replace(given, sequence=found.sequence)
        bare = make_user(version=8, updated_at=NOW + 1)
        assert await made(store, UpdateUser(user=bare, expected_version=7))
        after = await the_user(store)
        kept = replace(bare, last_sign_in_at=after.last_sign_in_at, last_active_at=after.last_active_at)
        assert after == replace(kept, sequence=found.sequence)

    async def test_a_user_changes_by_version(self, store: Store) -> None:
        """Of two changes from one reading the second is refused, identifiers and all."""
        await seed(store)
        before = await the_user(store)
        first = replace(before, username="first", version=2)
        assert await made(store, UpdateUser(user=first, expected_version=1))
        assert not await made(
            store, UpdateUser(user=replace(before, username="second", version=2), expected_version=1)
        )
        assert not await made(store, UpdateUser(user=make_user("user_b", version=2), expected_version=1))
        assert await the_user(store) == first
        assert await store.user_by(IdentifierKind.USERNAME, "second") is None
        assert await store.user("user_b") is None

    async def test_a_change_of_a_user_undoes_no_sign_in_and_no_activity(self, store: Store) -> None:
        """What sign-ins and touches wrote after the reading stays: neither counts a version."""
        await seed(store)
        before = await the_user(store)
        await insert(store, make_session())
        assert await store.touch("sess_a", now=NOW)
        noted = await the_user(store)
        assert noted.version == before.version
        assert await made(
            store, UpdateUser(user=replace(before, username="zoe", version=2), expected_version=1)
        )
        assert await the_user(store) == replace(noted, username="zoe", version=2)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_users_are_found_by_identifier(self, store: Store, kind: IdentifierKind) -> None:
        """Every text is found exactly as it was given, under its own kind only."""
        for n, value in enumerate(TEXTS):
            await store.commit([InsertUser(known_as(kind, value, f"user_{n}"))])
        for n, value in enumerate(TEXTS):
            found = await store.user_by(kind, value)
            assert found is not None
            assert found.id == f"user_{n}"
            for other in KINDS:
                assert other is kind or await store.user_by(other, value) is None
        for value in ("", "%", "4", "420", "A_B", "a-b"):
            assert await store.user_by(kind, value) is None

    @pytest.mark.parametrize("kind", KINDS)
    async def test_an_identifier_belongs_to_one_user(self, store: Store, kind: IdentifierKind) -> None:
        """It is taken on insert and on update, and free again after a change or a deletion."""
        await store.commit(
            [InsertUser(known_as(kind, "x", "user_a")), InsertUser(known_as(kind, "y", "user_b"))]
        )
        insert_c = InsertUser(known_as(kind, "x", "user_c"))
        assert (await refusal(store, insert_c)).why == Refused.IDENTIFIER_TAKEN
        grab = UpdateUser(user=replace(known_as(kind, "x", "user_b"), version=2), expected_version=1)
        assert (await refusal(store, grab)).why == Refused.IDENTIFIER_TAKEN
        assert await store.user("user_c") is None
        assert (await the_user(store, "user_b")).identifiers() == [(kind, "y")]
        moved = UpdateUser(user=replace(known_as(kind, "z", "user_a"), version=2), expected_version=1)
        await store.commit([moved, insert_c])
        assert {v: u and u.id for v in "xyz" for u in [await store.user_by(kind, v)]} == {
            "x": "user_c",
            "y": "user_b",
            "z": "user_a",
        }
        await store.commit([DeleteUser("user_c"), grab])
        assert (await the_user(store, "user_b")).identifiers() == [(kind, "x")]
        assert await store.user_by(kind, "y") is None

    async def test_an_identifier_is_taken_within_its_kind(self, store: Store) -> None:
        """The same text may be one user's name and another's id."""
        for n, kind in enumerate(KINDS):
            await store.commit([InsertUser(known_as(kind, "same", f"user_{n}"))])
        found = [await store.user_by(kind, "same") for kind in KINDS]
        assert [user and user.id for user in found] == ["user_0", "user_1", "user_2", "user_3"]

    async def test_an_update_may_keep_and_reorder_identifiers(self, store: Store) -> None:
        """A user's own identifiers do not stand in the user's way."""
        await store.commit([InsertUser(full_user())])
        before = await the_user(store)
        after = replace(before, email_addresses=before.email_addresses[::-1], version=8)
        assert await made(store, UpdateUser(user=after, expected_version=7))
        assert await the_user(store) == after

    async def test_a_race_for_an_identifier_has_one_winner(self, store: Store) -> None:
        """Of many who insert the same identifier at once, one succeeds and all others are told."""
        users = [known_as(IdentifierKind.EXTERNAL_ID, "42", f"user_{n}") for n in range(12)]
        outcomes = await asyncio.gather(
            *(store.commit([InsertUser(u)]) for u in users), return_exceptions=True
        )
        winners = [user for user, outcome in zip(users, outcomes, strict=True) if outcome is None]
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
        assert (len(winners), len(refused)) == (1, 11)
        assert {r.why for r in refused} == {Refused.IDENTIFIER_TAKEN}
        found = await store.user_by(IdentifierKind.EXTERNAL_ID, "42")
        assert found is not None
        assert found.id == winners[0].id

    async def test_a_deleted_user_is_gone(self, store: Store) -> None:
        """The sessions stay for the sweeper, the user and all identifiers go; deleting again is
        USER_MISSING."""
        await store.commit(
            [InsertUser(replace(full_user(), banned=False, locked=False)), InsertClient(make_client())]
        )
        await insert(store, make_session())
        await store.commit([DeleteUser("user_a")])
        assert await store.user("user_a") is None
        assert await store.count_users(UserQuery()) == 0
        for kind, value in full_user().identifiers():
            assert await store.user_by(kind, value) is None
        assert (await stored(store)).user_id == "user_a"
        assert (await refusal(store, DeleteUser("user_a"))).why == Refused.USER_MISSING
