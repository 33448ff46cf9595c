"""Contract: organizations, their slugs, lists and limits, and what a deletion takes with it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sojourn.core.directory import Membership, Organization
from sojourn.service.ports import (
    DeleteOrganization,
    InsertMembership,
    InsertOrganization,
    InsertUser,
    OrganizationOrder,
    OrganizationQuery,
    Refused,
    Store,
    UpdateOrganization,
)
from sojourn.testing.contract.base import (
    NOW,
    ContractBase,
    made,
    make_ended,
    make_session,
    make_user,
    refusal,
    seed,
    stored,
    update,
)


def make_organization(organization_id: str = "org_a", **changes: Any) -> Organization:
    """An organization with nothing but a name, unless told otherwise."""
    values: dict[str, Any] = {"id": organization_id, "name": "A", "created_at": NOW, "updated_at": NOW}
    return Organization(**{**values, **changes})


def make_membership(organization_id: str = "org_a", user_id: str = "user_a", **changes: Any) -> Membership:
    """A plain membership."""
    values: dict[str, Any] = {
        "id": f"orgmem_{organization_id}_{user_id}",
        "organization_id": organization_id,
        "user_id": user_id,
        "role": "org:member",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Membership(**{**values, **changes})


def full_organization() -> Organization:
    """An organization of which everything is known."""
    return make_organization(
        name="Ünïted 'O' \\ \n",
        slug="united-0",
        created_by="user_a",
        max_allowed_memberships=7,
        admin_delete_enabled=False,
        public_metadata={"ключ": [1, 2.5, None, {"a": True}]},
        private_metadata={"": "", "🙂": {}},
        created_at=NOW - 9,
        version=3,
    )


async def found_ids(store: Store, **query: Any) -> list[str]:
    """Ids of the organizations that a query finds, whose number is told too."""
    asked: dict[str, Any] = {"limit": 500, **query}
    page = await store.organizations(OrganizationQuery(**asked))
    assert page.total == len(page.items)
    return [organization.id for organization in page.items]


async def populate(store: Store, members: dict[str, str]) -> None:
    """Store organizations and users by their letters: {"a": "xy"} has user_x and user_y in org_a."""
    for user in sorted(set("".join(members.values()))):
        await store.commit([InsertUser(make_user(f"user_{user}"))])
    for letter, users in members.items():
        one = make_organization(f"org_{letter}", name=letter.upper() * 3, slug=f"slug-{letter}")
        await store.commit([InsertOrganization(one)])
        for user in users:
            await store.commit([InsertMembership(make_membership(f"org_{letter}", f"user_{user}"))])


class OrganizationContract(ContractBase):
    """Organizations by themselves."""

    async def test_organizations_come_back_as_they_were_given(self, store: Store) -> None:
        """Every field survives but the sequence, by insert and by update, by id and by slug; the creator
        stays as first given; absence is None."""
        assert await store.organization("org_a") is None
        assert await store.organization_by_slug("united-0") is None
        given = full_organization()
        await store.commit([InsertOrganization(given)])
        found = await store.organization("org_a")
        assert found == replace(given, sequence=found.sequence if found else -1)
        assert await store.organization_by_slug("united-0") == found
        bare = make_organization(version=4, created_by="user_b")
        assert await made(store, UpdateOrganization(organization=bare, expected_version=3))
        assert await store.organization("org_a") == replace(
            bare, sequence=found.sequence if found else -1, created_by="user_a"
        )
        assert await store.organization_by_slug("united-0") is None

    async def test_what_is_stored_of_an_organization_is_a_copy(self, store: Store) -> None:
        """What the caller does with its metadata later changes nothing stored."""
        metadata: dict[str, Any] = {"a": [1]}
        await store.commit([InsertOrganization(make_organization(public_metadata=metadata))])
        metadata["a"].append(2)
        found = await store.organization("org_a")
        assert found is not None
        assert found.public_metadata == {"a": [1]}

    async def test_organizations_change_by_version(self, store: Store) -> None:
        """Of two changes from one reading the second is refused; one that is not there has changed."""
        await store.commit([InsertOrganization(make_organization())])
        first = make_organization(name="B", version=2)
        assert await made(store, UpdateOrganization(organization=first, expected_version=1))
        second = make_organization(name="C", version=2)
        assert not await made(store, UpdateOrganization(organization=second, expected_version=1))
        stranger = make_organization("org_b", version=2)
        assert not await made(store, UpdateOrganization(organization=stranger, expected_version=1))
        found = await store.organization("org_a")
        assert found is not None
        assert found.name == "B"
        assert await store.organization("org_b") is None

    async def test_a_slug_belongs_to_one_organization(self, store: Store) -> None:
        """It is taken on insert and on update, and free after a change or a deletion; none is no slug."""
        await store.commit([InsertOrganization(make_organization("org_a", slug="x"))])
        await store.commit([InsertOrganization(make_organization("org_b"))])
        await store.commit([InsertOrganization(make_organization("org_c"))])
        again = InsertOrganization(make_organization("org_d", slug="x"))
        refused = await refusal(store, again)
        assert (refused.why, refused.detail) == (Refused.IDENTIFIER_TAKEN, "slug")
        grab = UpdateOrganization(
            organization=make_organization("org_b", slug="x", version=2), expected_version=1
        )
        assert (await refusal(store, grab)).why == Refused.IDENTIFIER_TAKEN
        keep = make_organization("org_a", slug="x", name="B", version=2)
        assert await made(store, UpdateOrganization(organization=keep, expected_version=1))
        moved = make_organization("org_a", slug="y", version=3)
        await store.commit([UpdateOrganization(organization=moved, expected_version=2), again])
        await store.commit([DeleteOrganization(organization_id="org_d", now=NOW), grab])
        owners = {slug: await store.organization_by_slug(slug) for slug in ("x", "y", "X", "")}
        assert {slug: one and one.id for slug, one in owners.items()} == {
            "x": "org_b",
            "y": "org_a",
            "X": None,
            "": None,
        }

    async def test_a_race_for_a_slug_has_one_winner(self, store: Store) -> None:
        """Of many who insert the same slug at once, one succeeds and all others are told."""
        operations = [InsertOrganization(make_organization(f"org_{n}", slug="same")) for n in range(8)]
        outcomes = await asyncio.gather(*(store.commit([o]) for o in operations), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(Refused) == 7
        assert len(await found_ids(store)) == 1

    async def test_a_creator_may_have_so_many(self, store: Store) -> None:
        """At the limit the next one is refused, of this creator only, and one that is deleted makes room."""
        mine = [make_organization(f"org_{n}", created_by="user_a") for n in range(3)]
        await store.commit([InsertOrganization(one, at_most=2) for one in mine[:2]])
        full = InsertOrganization(mine[2], at_most=2)
        assert (await refusal(store, full)).why == Refused.FULL
        theirs = make_organization("org_x", created_by="user_b")
        await store.commit([InsertOrganization(theirs, at_most=1)])
        await store.commit([DeleteOrganization(organization_id="org_0", now=NOW), full])
        assert await found_ids(store) == ["org_2", "org_x", "org_1"]

    async def test_organizations_are_sorted(self, store: Store) -> None:
        """By instant, name and number of members, up and down; equal ones in the order of creation; pages
        have no gap."""
        await populate(store, {"c": "xy", "a": "", "b": "x", "d": "y"})
        later = make_organization("org_a", name="AAA", slug="slug-a", created_at=NOW + 1, version=2)
        assert await made(store, UpdateOrganization(organization=later, expected_version=1))
        expected = {
            OrganizationOrder.CREATED: ["org_c", "org_b", "org_d", "org_a"],
            OrganizationOrder.NAME: ["org_a", "org_b", "org_c", "org_d"],
            OrganizationOrder.MEMBERS: ["org_a", "org_b", "org_d", "org_c"],
        }
        for order, ids in expected.items():
            assert await found_ids(store, order=order, descending=False) == ids
            assert await found_ids(store, order=order) == ids[::-1]
            paged: list[str] = []
            for offset in (0, 3):
                query = OrganizationQuery(order=order, descending=False, limit=3, offset=offset)
                page = await store.organizations(query)
                assert page.total == 4
                paged += [one.id for one in page.items]
            assert paged == ids

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            ({"text": "aA"}, ["org_a"]),
            ({"text": "SLUG"}, ["org_d", "org_c", "org_b", "org_a"]),
            ({"text": "org_b"}, ["org_b"]),
            ({"text": "org_"}, []),
            ({"text": "%"}, []),
            ({"text": "_"}, []),
            ({"ids": ("org_a", "org_x", "org_c", "org_a")}, ["org_c", "org_a"]),
            ({"ids": ()}, []),
            ({"without_ids": ("org_a", "org_x")}, ["org_d", "org_c", "org_b"]),
            ({"user_ids": ("user_x", "user_q")}, ["org_c", "org_a"]),
            ({"user_ids": ("user_x", "user_z")}, ["org_d", "org_c", "org_a"]),
            ({"user_ids": ()}, []),
            ({"without_user_ids": ("user_x", "user_q")}, ["org_d", "org_b"]),
            ({"user_ids": ("user_x",), "without_user_ids": ("user_y",)}, ["org_a"]),
            ({"user_ids": ("user_x",), "ids": ("org_c", "org_d"), "text": "c"}, ["org_c"]),
        ],
    )
    async def test_organizations_are_filtered(
        self, store: Store, query: dict[str, Any], ids: list[str]
    ) -> None:
        """By id, by a part of name or slug whatever its case, by members and by those who are none, and by
        all of it together."""
        await populate(store, {"a": "x", "b": "", "c": "xy", "d": "z"})
        assert await found_ids(store, **query) == ids

    async def test_members_are_counted_on_demand(self, store: Store) -> None:
        """Their number, and whether an administrator is missing, as it is now; untold where not asked."""
        await populate(store, {"a": "xyz", "b": "x", "c": ""})
        await store.commit(
            [
                InsertUser(make_user("user_o")),
                InsertMembership(make_membership("org_b", "user_o", role="org:admin")),
            ]
        )
        asked = await store.organizations(OrganizationQuery(counts=True, descending=False))
        assert [(o.members_count, o.missing_admin) for o in asked.items] == [(3, True), (2, False), (0, True)]
        plain = await store.organizations(OrganizationQuery())
        assert {(o.members_count, o.missing_admin) for o in plain.items} == {(None, None)}

    async def test_a_deleted_organization_leaves_the_sessions(self, store: Store) -> None:
        """In the same step it is active in no session that has not ended, whosever that is; ended ones and
        those of other organizations keep theirs; deleting again is ORGANIZATION_MISSING."""
        in_a: dict[str, Any] = {"last_active_organization_id": "org_a"}
        await seed(
            store,
            make_session("sess_a", **in_a),
            make_session("sess_b", user_id="user_b", updated_at=NOW + 50, **in_a),
            make_session("sess_c", last_active_organization_id="org_b"),
            make_ended("sess_d", **in_a),
            make_session("sess_e"),
            users=("user_a", "user_b"),
        )
        await store.commit([InsertOrganization(make_organization(o)) for o in ("org_a", "org_b")])
        before = {n: await stored(store, f"sess_{n}") for n in "abcde"}
        await store.commit([DeleteOrganization(organization_id="org_a", now=NOW + 9)])
        after = {n: await stored(store, f"sess_{n}") for n in "abcde"}
        for n, at in (("a", NOW + 9), ("b", NOW + 51)):
            assert after[n] == replace(
                before[n],
                last_active_organization_id=None,
                version=before[n].version + 1,
                updated_at=at,
            )
        assert [after[n] for n in "cde"] == [before[n] for n in "cde"]
        again = DeleteOrganization(organization_id="org_a", now=NOW)
        assert (await refusal(store, again)).why == Refused.ORGANIZATION_MISSING

    async def test_a_change_read_before_does_not_bring_an_organization_back(self, store: Store) -> None:
        """A deletion counts a version of each session that it changes."""
        await seed(store, make_session(last_active_organization_id="org_a"))
        await store.commit([InsertOrganization(make_organization())])
        before = await stored(store)
        await store.commit([DeleteOrganization(organization_id="org_a", now=NOW)])
        assert not await update(store, before, replace(before, tasks=("x",), version=2))
        assert (await stored(store)).last_active_organization_id is None

    async def test_memberships_go_with_their_organization(self, store: Store) -> None:
        """All of them at once, and no others; a refused deletion takes none."""
        await populate(store, {"a": "xy", "b": "x"})
        gone = DeleteOrganization(organization_id="org_a", now=NOW)
        missing = DeleteOrganization(organization_id="org_q", now=NOW)
        assert (await refusal(store, gone, missing)).why == Refused.ORGANIZATION_MISSING
        assert await store.membership("org_a", "user_x") is not None
        assert await store.organization_by_slug("slug-a") is not None
        await store.commit([gone])
        assert [await store.membership("org_a", f"user_{n}") for n in "xy"] == [None, None]
        assert await store.membership("org_b", "user_x") is not None
        assert await store.next_organization("user_y") is None
