"""Contract: memberships, who is a member at the moment that counts, and where a next session begins."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sojourn.core.directory import Contact, Member, User
from sojourn.service.ports import (
    DeleteMembership,
    DeleteUser,
    InsertMembership,
    InsertOrganization,
    InsertUser,
    MembershipOrder,
    MembershipQuery,
    NoteOrganization,
    Refused,
    RequireMembership,
    Store,
    UpdateMembership,
)
from sojourn.testing.contract.base import (
    NOW,
    ContractBase,
    cut,
    held,
    made,
    make_ended,
    make_session,
    make_user,
    refusal,
    seed,
    stored,
    the_user,
)
from sojourn.testing.contract.organizations import make_membership, make_organization, populate


async def the_member(store: Store, organization_id: str = "org_a", user_id: str = "user_a") -> Member:
    """A membership that must be there."""
    found = await store.membership(organization_id, user_id)
    assert found is not None, f"{user_id} is no member of {organization_id}"
    return found


async def member_ids(store: Store, **query: Any) -> list[str]:
    """Who the members are that a query finds, whose number is told too."""
    asked: dict[str, Any] = {"limit": 500, **query}
    page = await store.memberships(MembershipQuery(**asked))
    assert page.total == len(page.items)
    return [member.user.id.removeprefix("user_") for member in page.items]


def person(letter: str, **changes: Any) -> User:
    """A user with a name and identifiers made from a letter."""

    def contacts(value: str) -> tuple[Contact, ...]:
        return (Contact(id=f"idn_{value}", value=value, created_at=NOW),)

    values: dict[str, Any] = {
        "first_name": f"First{letter}",
        "last_name": f"Last{letter}",
        "username": f"name_{letter}",
        "external_id": f"external-{letter}",
        "email_addresses": contacts(f"{letter}@example.org"),
        "phone_numbers": contacts(f"+4331600{ord(letter)}"),
    }
    return make_user(f"user_{letter}", **{**values, **changes})


async def gather_people(store: Store) -> None:
    """An organization of c, a and b, who joined in this order, and of d, of whom nothing is known."""
    people = [
        person("c", last_active_at=NOW),
        person("a", created_at=NOW - 5, last_active_at=NOW - 9),
        person("b", first_name="FIRSTA", created_at=NOW - 9),
        make_user("user_d"),
    ]
    await store.commit([InsertOrganization(make_organization(o)) for o in ("org_a", "org_b")])
    for user in people:
        role = "org:admin" if user.id == "user_a" else "org:member"
        await store.commit([InsertUser(user), InsertMembership(make_membership(user_id=user.id, role=role))])
    await store.commit([InsertMembership(make_membership("org_b", "user_a"))])


class MembershipContract(ContractBase):
    """Memberships, and what they mean for sessions."""

    async def test_memberships_come_back_as_they_were_given(self, store: Store) -> None:
        """Every field survives but sequence and permissions, together with organization and user; an update
        changes role and metadata and nothing else; absence is None."""
        await seed(store)
        await store.commit([InsertOrganization(make_organization())])
        assert await store.membership("org_a", "user_a") is None
        given = make_membership(
            role="org:editor-in_chief",
            permissions=("org:a:b",),
            public_metadata={"ключ": [1, {"a": True}]},
            private_metadata={"🙂": None},
            created_at=NOW - 5,
            version=3,
        )
        await store.commit([InsertMembership(given)])
        found = await the_member(store)
        assert found.membership == replace(given, sequence=found.membership.sequence, permissions=())
        assert found.organization == await store.organization("org_a")
        assert found.user == await the_user(store)
        wanted = replace(given, role="org:admin", public_metadata={}, private_metadata={"a": 1}, version=4)
        odd = replace(wanted, updated_at=NOW + 1, created_at=NOW + 1)
        assert await made(store, UpdateMembership(membership=odd, expected_version=3))
        changed = (await the_member(store)).membership
        kept = replace(wanted, updated_at=NOW + 1, sequence=changed.sequence, permissions=())
        assert changed == kept

    async def test_memberships_change_by_version(self, store: Store) -> None:
        """Of two changes from one reading the second is refused, and so is the removal of what has changed
        or is another membership of the same user."""
        await populate(store, {"a": "x"})
        before = (await the_member(store, "org_a", "user_x")).membership
        first = replace(before, role="org:admin", version=2)
        assert await made(store, UpdateMembership(membership=first, expected_version=1))
        second = replace(before, role="org:boss", version=2)
        assert not await made(store, UpdateMembership(membership=second, expected_version=1))
        assert not await made(store, DeleteMembership(membership=before, expected_version=1, now=NOW))
        other = replace(first, id="orgmem_other")
        assert not await made(store, UpdateMembership(membership=other, expected_version=2))
        assert not await made(store, DeleteMembership(membership=other, expected_version=2, now=NOW))
        assert (await the_member(store, "org_a", "user_x")).membership.role == "org:admin"
        assert await made(store, DeleteMembership(membership=first, expected_version=2, now=NOW))
        assert await store.membership("org_a", "user_x") is None
        assert not await made(store, DeleteMembership(membership=first, expected_version=2, now=NOW))

    async def test_what_no_membership_can_be_made_of(self, store: Store) -> None:
        """Without an organization, without a user, and a second time; the first one stays as it was."""
        await populate(store, {"a": "x"})
        cases = {
            Refused.ORGANIZATION_MISSING: make_membership("org_q", "user_x"),
            Refused.USER_MISSING: make_membership("org_a", "user_q"),
            Refused.REPEATED: make_membership("org_a", "user_x", id="orgmem_2", role="org:admin"),
        }
        for why, membership in cases.items():
            assert (await refusal(store, InsertMembership(membership))).why == why
        assert (await the_member(store, "org_a", "user_x")).membership.role == "org:member"

    async def test_an_organization_takes_so_many(self, store: Store) -> None:
        """Under 12 who want in at once exactly three come in; who leaves makes room; 0 is no limit."""
        names = [f"user_{n}" for n in range(12)]
        await store.commit([InsertUser(make_user(name)) for name in names])
        small = make_organization(max_allowed_memberships=3)
        await store.commit([InsertOrganization(small), InsertOrganization(make_organization("org_b"))])
        wanted = [InsertMembership(make_membership(user_id=name)) for name in names]
        outcomes = await asyncio.gather(*(store.commit([one]) for one in wanted), return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
        assert {one.why for one in refused} == {Refused.FULL}
        members = await store.memberships(MembershipQuery(organization_id="org_a"))
        assert (len(refused), members.total) == (9, 3)
        gone = members.items[0].membership
        await store.commit([DeleteMembership(membership=gone, expected_version=1, now=NOW)])
        (late,) = (one for one in wanted if one.membership.user_id == gone.user_id)
        await store.commit([late])
        await store.commit([InsertMembership(make_membership("org_b", name)) for name in names])
        assert len(await member_ids(store, organization_id="org_b")) == 12

    async def test_a_removed_member_leaves_the_organization_in_every_session(self, store: Store) -> None:
        """In the same step it is active in no session of that user that has not ended; other members, other
        organizations and ended sessions keep theirs."""
        in_a: dict[str, Any] = {"last_active_organization_id": "org_a"}
        await populate(store, {"a": "xy", "b": "x"})
        x: dict[str, Any] = {"user_id": "user_x"}
        y: dict[str, Any] = {"user_id": "user_y"}
        await seed(
            store,
            make_session("sess_a", **x, **in_a),
            make_session("sess_b", **y, **in_a),
            make_session("sess_c", **x, last_active_organization_id="org_b"),
            make_ended("sess_d", **x, **in_a),
        )
        before = {n: await stored(store, f"sess_{n}") for n in "abcd"}
        gone = (await the_member(store, "org_a", "user_x")).membership
        await store.commit([DeleteMembership(membership=gone, expected_version=1, now=NOW + 9)])
        after = {n: await stored(store, f"sess_{n}") for n in "abcd"}
        assert after["a"] == replace(
            before["a"], last_active_organization_id=None, version=2, updated_at=NOW + 9
        )
        assert [after[n] for n in "bcd"] == [before[n] for n in "bcd"]

    async def test_memberships_go_with_their_user(self, store: Store) -> None:
        """In the same step as the user; the organization and its other members stay."""
        await populate(store, {"a": "xy", "b": "x"})
        await store.commit([DeleteUser("user_x")])
        assert await store.membership("org_a", "user_x") is None
        assert await member_ids(store) == ["y"]
        assert await store.organization("org_b") is not None
        await store.commit([InsertUser(make_user("user_x"))])
        assert await store.next_organization("user_x") is None

    async def test_a_membership_may_be_required(self, store: Store) -> None:
        """What a commit requires holds at that commit: what follows a removal is refused with all else."""
        await populate(store, {"a": "x", "b": ""})
        required = RequireMembership(organization_id="org_a", user_id="user_x")
        await store.commit([required])
        for organization_id, user_id in (("org_b", "user_x"), ("org_a", "user_y"), ("org_q", "user_x")):
            other = RequireMembership(organization_id=organization_id, user_id=user_id)
            assert (await refusal(store, other)).why == Refused.MEMBERSHIP_MISSING
        gone = DeleteMembership(
            membership=(await the_member(store, "org_a", "user_x")).membership, expected_version=1, now=NOW
        )
        assert (await refusal(store, gone, required)).why == Refused.MEMBERSHIP_MISSING
        assert await made(store, required, gone)

    async def test_the_next_session_begins_where_the_user_was_last(self, store: Store) -> None:
        """Becoming a member and choosing both count, the latest wins; without it the one before does; none is
        none until there is another; nobody's wish to be where they do not belong counts."""

        def note(organization_id: str | None) -> NoteOrganization:
            return NoteOrganization(organization_id=organization_id, user_id="user_x")

        await populate(store, {"a": "x", "b": "xy", "c": "y"})
        assert await store.next_organization("user_q") is None
        assert await store.next_organization("user_x") == "org_b"
        await store.commit([note("org_a")])
        assert await store.next_organization("user_x") == "org_a"
        for other in ("org_c", "org_q"):
            await store.commit([note(other)])
            assert await store.next_organization("user_x") == "org_a"
        assert await store.next_organization("user_y") == "org_c"
        gone = (await the_member(store, "org_a", "user_x")).membership
        await store.commit([DeleteMembership(membership=gone, expected_version=1, now=NOW)])
        assert await store.next_organization("user_x") == "org_b"
        await store.commit([note(None)])
        assert await store.next_organization("user_x") is None
        await store.commit([InsertMembership(make_membership("org_a", "user_x"))])
        assert await store.next_organization("user_x") == "org_a"

    async def test_a_session_is_read_with_its_organization(self, store: Store) -> None:
        """Session, cutoffs, organization and membership come together; without a membership of this very
        user, without an organization and without a session there is that much less."""
        await populate(store, {"a": "xy"})
        x: dict[str, Any] = {"user_id": "user_x"}
        await seed(
            store,
            make_session("sess_a", **x, last_active_organization_id="org_a"),
            make_session("sess_b", **x, last_active_organization_id="org_q"),
            make_session("sess_c", **x),
            make_session("sess_d", last_active_organization_id="org_a"),
        )
        await cut(store, subject="user_x")
        found = await store.session_in_organization("sess_a")
        assert found is not None
        member = await the_member(store, "org_a", "user_x")
        assert (found.organization, found.membership) == (member.organization, member.membership)
        assert found.held == await held(store, "sess_a")
        assert found.held.cutoffs.user is not None
        for name in "bcd":
            less = await store.session_in_organization(f"sess_{name}")
            assert less is not None
            assert (less.organization, less.membership) == (None, None)
            assert less.held == await held(store, f"sess_{name}")
        assert await store.session_in_organization("sess_q") is None

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            ({}, "dbac"),
            ({"organization_id": "org_q"}, ""),
            ({"user_ids": ("user_a", "user_d", "user_q")}, "da"),
            ({"user_ids": ()}, ""),
            ({"without_user_ids": ("user_a", "user_q")}, "dbc"),
            ({"user_ids": ("user_a", "user_b"), "without_user_ids": ("user_a",)}, "b"),
            ({"roles": ("org:admin", "org:other")}, "a"),
            ({"roles": ("org:member",), "user_ids": ("user_a", "user_c")}, "c"),
            ({"email_addresses": ("a@example.org", "q@example.org", "B@example.org")}, "a"),
            ({"email_addresses": ("external-a", "name_a")}, ""),
            ({"phone_numbers": ("+433160098", "+433160097")}, "ba"),
            ({"usernames": ("name_c", "name_")}, "c"),
            ({"usernames": ()}, ""),
            ({"text": "FIRST"}, "bac"),
            ({"text": "firsta"}, "ba"),
            ({"text": "User_D"}, "d"),
            ({"text": "a last"}, "ba"),
            ({"text": "@EXAMPLE"}, "bac"),
            ({"text": "3316"}, "bac"),
            ({"text": "name_b"}, "b"),
            ({"text": "external"}, ""),
            ({"text": "%"}, ""),
            ({"email_address_text": "A@EX"}, "a"),
            ({"email_address_text": "name"}, ""),
            ({"phone_number_text": "0097"}, "a"),
            ({"username_text": "E_B"}, "b"),
            ({"username_text": "ext"}, ""),
            ({"name_text": "firsta last"}, "ba"),
            ({"name_text": "firstalast"}, ""),
            ({"last_active_before": NOW}, "a"),
            ({"last_active_after": NOW - 9}, "c"),
            ({"last_active_after": NOW - 10, "last_active_before": NOW + 1}, "ac"),
            ({"created_before": NOW - 5}, "b"),
            ({"created_after": NOW - 5}, "dc"),
            ({"created_after": NOW - 10, "created_before": NOW, "text": "firsta"}, "ba"),
        ],
    )
    async def test_memberships_are_filtered(self, store: Store, query: dict[str, Any], ids: str) -> None:
        """By what the membership says and by what the user has: exactly, or in part whatever the case."""
        await gather_people(store)
        assert await member_ids(store, **{"organization_id": "org_a", **query}) == list(ids)

    @pytest.mark.parametrize(
        ("order", "ids"),
        [
            (MembershipOrder.CREATED, "cabd"),
            (MembershipOrder.FIRST_NAME, "dbac"),
            (MembershipOrder.LAST_NAME, "dabc"),
            (MembershipOrder.USERNAME, "dabc"),
            (MembershipOrder.EMAIL_ADDRESS, "dabc"),
            (MembershipOrder.PHONE_NUMBER, "dabc"),
        ],
    )
    async def test_memberships_are_sorted(self, store: Store, order: MembershipOrder, ids: str) -> None:
        """By when they were made or by what the user has, up and down, nothing before everything; pages have
        no gap."""
        await gather_people(store)
        asked: dict[str, Any] = {"organization_id": "org_a", "order": order}
        assert await member_ids(store, **asked, descending=False) == list(ids)
        assert await member_ids(store, **asked) == list(ids)[::-1]
        found: list[str] = []
        for offset in (0, 3):
            query = MembershipQuery(**asked, descending=False, limit=3, offset=offset)
            page = await store.memberships(query)
            assert page.total == 4
            found += [member.user.id.removeprefix("user_") for member in page.items]
        assert found == list(ids)

    async def test_memberships_of_a_user_are_listed(self, store: Store) -> None:
        """All of a user, newest first, each with its organization; and all of everybody."""
        await gather_people(store)
        page = await store.memberships(MembershipQuery(user_ids=("user_a",)))
        assert [member.organization.id for member in page.items] == ["org_b", "org_a"]
        assert len(await member_ids(store)) == 5
