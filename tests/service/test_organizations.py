"""Organizations as the service keeps them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sojourn import NewUser, NotFound, Sojourn
from sojourn.core.directory import Organization
from sojourn.core.errors import Conflict, IdempotencyMismatch, Invalid, OrganizationLimitReached, Taken
from sojourn.core.ids import Prefix, is_id
from sojourn.service.context import Once
from sojourn.service.ports import OrganizationQuery, Refused
from sojourn.testing import ManualClock
from tests.embedded import all_events, event_types, user_id, watch

FULL: dict[str, Any] = {
    "name": "Ünïted",
    "slug": "united-0",
    "max_allowed_memberships": 5,
    "public_metadata": {"a": {"b": 1}},
    "private_metadata": {"c": None},
    "created_at": 1,
}
ONCE = Once(b"k" * 32, b"f" * 32)


async def test_an_organization_from_creation_to_deletion(sojourn: Sojourn, clock: ManualClock) -> None:
    """It comes back as it was made, by id and by slug, changes member by member, and is gone; the log has
    every step with its id."""
    made = await sojourn.organizations.create(**FULL)
    assert is_id(made.id, Prefix.ORGANIZATION)
    assert {name: getattr(made, name) for name in FULL} == FULL
    read = await sojourn.organizations.get(made.id)
    assert read == await sojourn.organizations.get("united-0")
    clock.advance(seconds=1)
    changed = await sojourn.organizations.update(made.id, name="B", admin_delete_enabled=False)
    assert (changed.name, changed.slug, changed.version) == ("B", "united-0", 2)
    assert changed.updated_at == made.updated_at + 1000
    assert await sojourn.organizations.get(made.id) == changed
    await sojourn.organizations.delete(made.id)
    for name in (made.id, "united-0"):
        with pytest.raises(NotFound):
            await sojourn.organizations.get(name)
    with pytest.raises(NotFound):
        await sojourn.organizations.delete(made.id)
    kinds = ["organization.created", "organization.updated", "organization.deleted"]
    events = await all_events(sojourn)
    assert [(event.type.value, event.organization_id) for event in events] == [(k, made.id) for k in kinds]


async def test_who_creates_becomes_an_administrator(sojourn: Sojourn) -> None:
    """In the same step; without a creator there is no member; nobody cannot create, and nothing is left."""
    user = await user_id(sojourn)
    mine = await sojourn.organizations.create(name="A", created_by=user)
    assert mine.created_by == user
    (member,) = await sojourn.memberships.list(organization_id=mine.id)
    assert (member.user.id, member.membership.role) == (user, "org:admin")
    created = (await all_events(sojourn))[1:]
    assert [event.type.value for event in created] == [
        "organization.created",
        "organizationMembership.created",
    ]
    assert {(event.organization_id, event.user_id) for event in created} == {(mine.id, user)}
    alone = await sojourn.organizations.create(name="B")
    counted = await sojourn.organizations.get(alone.id, counts=True)
    assert (counted.members_count, counted.missing_admin) == (0, True)
    with pytest.raises(Invalid, match="created_by"):
        await sojourn.organizations.create(name="C", created_by="user_none")
    assert len(await sojourn.organizations.list()) == 2


async def test_the_limit_of_a_creator(sojourn: Sojourn) -> None:
    """A user with a limit creates so many under any race, and more after a deletion; 0 and none are no
    limit."""
    for limit in (0, None):
        free = await sojourn.users.create(NewUser(create_organizations_limit=limit))
        for _ in range(3):
            await sojourn.organizations.create(name="A", created_by=free.id)
    user = (await sojourn.users.create(NewUser(create_organizations_limit=2))).id
    attempts = [sojourn.organizations.create(name=f"B{n}", created_by=user) for n in range(10)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    made = [outcome for outcome in outcomes if isinstance(outcome, Organization)]
    assert len(made) == 2
    assert {type(outcome) for outcome in outcomes} == {Organization, OrganizationLimitReached}
    await sojourn.organizations.delete(made[0].id)
    await sojourn.organizations.create(name="C", created_by=user)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("name", ""),
        ("name", " \t"),
        ("name", "x" * 257),
        ("name", "a\ud800"),
        ("slug", ""),
        ("slug", "A"),
        ("slug", "a b"),
        ("slug", "a_b"),
        ("slug", "é"),
        ("slug", "a\n"),
        ("slug", "x" * 257),
        ("max_allowed_memberships", -1),
        ("max_allowed_memberships", 2**31 + 1),
        ("created_at", 2**53),
        ("created_at", -(2**53)),
    ],
)
async def test_what_no_organization_can_have(sojourn: Sojourn, parameter: str, value: object) -> None:
    """Whether made or changed, what does not fit is refused by its name, and nothing has happened."""
    arguments: dict[str, Any] = {"name": "A", parameter: value}
    with pytest.raises(Invalid) as error:
        await sojourn.organizations.create(**arguments)
    assert error.value.meta["param_name"] == parameter
    one = await sojourn.organizations.create(name="A")
    change: dict[str, Any] = {parameter: value}
    with pytest.raises(Invalid) as error:
        await sojourn.organizations.update(one.id, **change)
    assert error.value.meta["param_name"] == parameter
    assert await sojourn.organizations.get(one.id) == (await sojourn.organizations.list())[0]
    assert await event_types(sojourn) == ["organization.created"]


async def test_a_slug_is_taken_once(sojourn: Sojourn) -> None:
    """By whoever has it, in creation and in change; its own owner may say it again."""
    first = await sojourn.organizations.create(name="A", slug="a")
    second = await sojourn.organizations.create(name="B")
    with pytest.raises(Taken, match="slug"):
        await sojourn.organizations.create(name="C", slug="a")
    with pytest.raises(Taken, match="slug"):
        await sojourn.organizations.update(second.id, slug="a")
    assert (await sojourn.organizations.update(first.id, slug="a", name="D")).name == "D"


async def test_nothing_new_is_no_change(sojourn: Sojourn) -> None:
    """A change to what it is already writes nothing and tells nobody; None leaves as it is."""
    one = await sojourn.organizations.create(**FULL)
    same = await sojourn.organizations.update(one.id, **FULL)
    assert same == await sojourn.organizations.update(one.id)
    assert same == await sojourn.organizations.merge_metadata(one.id)
    assert same.version == 1
    assert await event_types(sojourn) == ["organization.created"]
    for attempt in (
        sojourn.organizations.update("org_none", name="B"),
        sojourn.organizations.merge_metadata("org_none"),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_metadata_is_replaced_or_merged(sojourn: Sojourn) -> None:
    """An update replaces it as a whole; a merge goes level by level, and null takes a key away."""
    one = await sojourn.organizations.create(name="A", public_metadata={"a": {"b": 1, "c": 2}, "d": 3})
    merged = await sojourn.organizations.merge_metadata(
        one.id, public_metadata={"a": {"b": None, "e": {"f": 1}}, "g": [1]}, private_metadata={"h": 1}
    )
    assert merged.public_metadata == {"a": {"c": 2, "e": {"f": 1}}, "d": 3, "g": [1]}
    assert merged.private_metadata == {"h": 1}
    replaced = await sojourn.organizations.update(one.id, public_metadata={"x": 1})
    assert (replaced.public_metadata, replaced.private_metadata) == ({"x": 1}, {"h": 1})
    assert "private" not in repr(replaced)


async def test_changes_at_the_same_moment_all_count(sojourn: Sojourn) -> None:
    """Merges that race lose nothing; a storm is a Conflict."""
    one = await sojourn.organizations.create(name="A")
    merges = [sojourn.organizations.merge_metadata(one.id, public_metadata={f"k{n}": n}) for n in range(6)]
    await asyncio.gather(*merges)
    stored = await sojourn.organizations.get(one.id)
    assert stored.public_metadata == {f"k{n}": n for n in range(6)}
    assert stored.version == 7
    watch(sojourn).failing["commit"] = Refused(Refused.CHANGED, None)
    with pytest.raises(Conflict):
        await sojourn.organizations.update(one.id, name="B")


async def test_a_creation_under_a_key_is_done_once(sojourn: Sojourn) -> None:
    """However often and at once it is asked for; the key with another request is refused."""
    user = await user_id(sojourn)
    attempts = [
        sojourn.organizations.create(name="A", slug="a", created_by=user, once=ONCE) for _ in range(8)
    ]
    made = await asyncio.gather(*attempts)
    assert len({one.id for one in made}) == 1
    assert len(await sojourn.organizations.list()) == 1
    with pytest.raises(IdempotencyMismatch):
        await sojourn.organizations.create(name="B", once=Once(ONCE.digest, b"x" * 32))


async def test_organizations_are_listed(sojourn: Sojourn) -> None:
    """Newest first, by text, by member, in pages with a total; the bounds of a page hold."""
    user = await user_id(sojourn)
    made = [await sojourn.organizations.create(name=f"Team {n}", slug=f"s-{n}") for n in range(3)]
    mine = await sojourn.organizations.create(name="Mine", created_by=user)
    ids = [one.id for one in (mine, *made[::-1])]
    assert [one.id for one in await sojourn.organizations.list()] == ids
    assert [one.id for one in await sojourn.organizations.list(query="tEAM", limit=2)] == ids[1:3]
    assert [one.id for one in await sojourn.organizations.list(user_id=user)] == [mine.id]
    page = await sojourn.organizations.page(OrganizationQuery(text="s-", offset=1, limit=1))
    assert ([one.id for one in page.items], page.total) == ([made[1].id], 3)
    for limit, offset in ((0, 0), (501, 0), (1, -1)):
        with pytest.raises(Invalid):
            await sojourn.organizations.list(limit=limit, offset=offset)
