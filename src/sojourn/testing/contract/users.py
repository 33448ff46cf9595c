"""Contract: which users a query finds, in what order, page by page and by number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sojourn.service.ports import DeleteUser, InsertUser, Store, UpdateUser, UserOrder, UserQuery
from sojourn.testing.contract.base import (
    NOW,
    ContractBase,
    insert,
    made,
    make_session,
    make_user,
    seed,
    the_user,
)
from sojourn.testing.contract.memberships import gather_people, person


async def user_ids(store: Store, **query: Any) -> list[str]:
    """Ids of the users that a query finds, without `user_`."""
    asked: dict[str, Any] = {"limit": 500, **query}
    return [user.id.removeprefix("user_") for user in await store.users(UserQuery(**asked))]


async def gather_users(store: Store) -> None:
    """Those of `gather_people`, in their order of creation b, a, c, d; and e, who is banned and signed in
    once."""
    await gather_people(store)
    await store.commit(
        [InsertUser(make_user("user_e", banned=True, last_sign_in_at=NOW - 3, created_at=NOW + 1))]
    )


class UserContract(ContractBase):
    """Lists and numbers of users."""

    async def test_users_are_listed_in_the_order_of_creation(self, store: Store) -> None:
        """By their instant and within one ms as they came, page by page; changes move nobody."""
        names = [f"{(n * 3) % 7}" for n in range(7)]
        for name in names:
            await store.commit([InsertUser(make_user(f"user_{name}"))])
        changed = make_user(f"user_{names[2]}", version=2)
        assert await made(store, UpdateUser(user=changed, expected_version=1))
        await store.commit([InsertUser(make_user("user_early", created_at=NOW - 1))])
        oldest_first = ["early", *names]
        for descending in (True, False):
            expected = oldest_first[::-1] if descending else oldest_first
            assert await user_ids(store, descending=descending) == expected
            pages = [await user_ids(store, descending=descending, limit=3, offset=o) for o in (0, 3, 6, 9)]
            assert [name for page in pages for name in page] == expected
        assert await store.count_users(UserQuery(limit=1, offset=5)) == 8

    @pytest.mark.parametrize("descending", [True, False])
    async def test_a_page_begins_behind_a_user(self, store: Store, descending: bool) -> None:
        """Whoever is created or deleted meanwhile, nobody is left out or told twice, within one ms too."""
        await seed(store, users=[f"user_{n}" for n in range(6)])
        expected = [str(n) for n in range(6)]
        after: tuple[int, int] | None = None
        found: list[str] = []
        for _ in range(3):
            query = UserQuery(descending=descending, limit=2, after=after)
            page = await store.users(query)
            assert len(page) == 2
            found += [user.id.removeprefix("user_") for user in page]
            after = (page[-1].created_at, page[-1].sequence)
            late = f"user_late{len(found)}"
            await store.commit([InsertUser(make_user(late, created_at=NOW + 1 if descending else NOW - 1))])
        assert found == (expected[::-1] if descending else expected)
        assert await user_ids(store, descending=descending, after=after) == []
        lists = {"descending": descending, "after": (NOW, 10**9) if descending else (NOW, 0)}
        assert await user_ids(store, **lists, ids=("user_1",)) == ["1"]

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            ({}, "edcab"),
            ({"ids": ()}, ""),
            ({"ids": ("user_a", "user_d", "user_d", "user_q")}, "da"),
            ({"without_ids": ("user_a", "user_q")}, "edcb"),
            ({"ids": ("user_a", "user_b"), "without_ids": ("user_a",)}, "b"),
            ({"external_ids": ("external-a", "external-q", "a@example.org")}, "a"),
            ({"external_ids": ()}, ""),
            ({"without_external_ids": ("external-a",)}, "edcb"),
            ({"email_addresses": ("a@example.org", "q@example.org", "B@example.org")}, "a"),
            ({"email_addresses": ("external-a", "name_a")}, ""),
            ({"phone_numbers": ("+433160098", "+433160097")}, "ab"),
            ({"usernames": ("name_c", "name_")}, "c"),
            ({"usernames": ()}, ""),
            ({"usernames": ("name_c", "name_a"), "email_addresses": ("a@example.org",)}, "a"),
            ({"usernames": ("name_c",), "email_addresses": ("a@example.org",)}, ""),
            ({"organization_ids": ("org_b", "org_q")}, "a"),
            ({"organization_ids": ("org_a", "org_b")}, "dcab"),
            ({"organization_ids": ()}, ""),
            ({"without_organization_ids": ("org_b", "org_q")}, "edcb"),
            ({"organization_ids": ("org_a",), "without_organization_ids": ("org_b",)}, "dcb"),
            ({"text": "FIRST"}, "cab"),
            ({"text": "firsta"}, "ab"),
            ({"text": "User_D"}, "d"),
            ({"text": "a last"}, "ab"),
            ({"text": "@EXAMPLE"}, "cab"),
            ({"text": "3316"}, "cab"),
            ({"text": "name_b"}, "b"),
            ({"text": "external"}, ""),
            ({"text": "%"}, ""),
            ({"email_address_text": "A@EX"}, "a"),
            ({"email_address_text": "name"}, ""),
            ({"phone_number_text": "0097"}, "a"),
            ({"username_text": "E_B"}, "b"),
            ({"username_text": "ext"}, ""),
            ({"name_text": "firsta last"}, "ab"),
            ({"name_text": "firstalast"}, ""),
            ({"banned": True}, "e"),
            ({"banned": False}, "dcab"),
            ({"last_active_before": NOW}, "a"),
            ({"last_active_after": NOW - 9}, "c"),
            ({"last_active_after": NOW - 10, "last_active_before": NOW + 1}, "ca"),
            ({"created_before": NOW - 5}, "b"),
            ({"created_after": NOW}, "e"),
            ({"last_sign_in_before": NOW - 2}, "e"),
            ({"last_sign_in_before": NOW - 3}, ""),
            ({"last_sign_in_after": NOW - 4}, "e"),
            ({"last_sign_in_after": NOW - 3}, ""),
            ({"created_after": NOW - 10, "created_before": NOW, "text": "firsta"}, "ab"),
        ],
    )
    async def test_users_are_filtered(self, store: Store, query: dict[str, Any], ids: str) -> None:
        """By what they are, have and belong to; every member has to fit; and as many are counted."""
        await gather_users(store)
        assert await user_ids(store, **query) == list(ids)
        assert await store.count_users(UserQuery(**query)) == len(ids)

    @pytest.mark.parametrize(
        ("order", "ids"),
        [
            (UserOrder.CREATED, "bacde"),
            (UserOrder.UPDATED, "cabde"),
            (UserOrder.LAST_ACTIVE, "bdeac"),
            (UserOrder.LAST_SIGN_IN, "cabde"),
            (UserOrder.FIRST_NAME, "debac"),
            (UserOrder.LAST_NAME, "deabc"),
            (UserOrder.USERNAME, "deabc"),
            (UserOrder.EMAIL_ADDRESS, "deabc"),
            (UserOrder.PHONE_NUMBER, "deabc"),
        ],
    )
    async def test_users_are_sorted(self, store: Store, order: UserOrder, ids: str) -> None:
        """Up and down, nothing before everything, equal ones as they came; pages have no gap."""
        await gather_users(store)
        assert await user_ids(store, order=order, descending=False) == list(ids)
        assert await user_ids(store, order=order) == list(ids)[::-1]
        pages = [await user_ids(store, order=order, descending=False, limit=2, offset=o) for o in (0, 2, 4)]
        assert [name for page in pages for name in page] == list(ids)

    async def test_users_are_found_by_what_they_have_now(self, store: Store) -> None:
        """A change takes away what was found by before; activity and sign-ins show at once."""
        await seed(store, users=())
        await store.commit([InsertUser(person("a"))])
        assert await user_ids(store, text="firsta", usernames=("name_a",)) == ["a"]
        before = await the_user(store)
        after = replace(before, first_name="Other", username="other", banned=False, version=2)
        assert await made(store, UpdateUser(user=after, expected_version=1))
        assert await user_ids(store, text="firsta") == await user_ids(store, usernames=("name_a",)) == []
        assert await user_ids(store, name_text="other lasta", usernames=("other",)) == ["a"]
        assert await user_ids(store, last_active_after=0) == await user_ids(store, last_sign_in_after=0) == []
        await insert(store, make_session())
        assert await store.touch("sess_a", now=NOW)
        assert await user_ids(store, last_active_after=NOW - 86_400_000, last_sign_in_after=NOW - 1) == ["a"]
        await store.commit([DeleteUser("user_a")])
        assert await store.count_users(UserQuery()) == 0
