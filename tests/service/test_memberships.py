"""Memberships as the service keeps them, and what users may do by them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sojourn import NotFound, Sojourn
from sojourn.core.errors import (
    AlreadyAMember,
    Conflict,
    IdempotencyMismatch,
    Invalid,
    MembershipLimitReached,
)
from sojourn.core.events import CHANGES_CLAIMS
from sojourn.core.ids import Prefix, is_id
from sojourn.service.context import Once
from sojourn.service.ports import MembershipQuery, Refused
from sojourn.testing import ManualClock
from tests.embedded import all_events, user_id, watch
from tests.service.conftest import Opening

ROLES = {"org:editor": ("org:posts:manage", "org:posts:read"), "org:admin": ("org:posts:read",)}
ONCE = Once(b"k" * 32, b"f" * 32)


@pytest.fixture
async def sojourn(opening: Opening) -> AsyncIterator[Sojourn]:
    """A Sojourn with a role of the application's own."""
    async with opening(roles=ROLES) as made:
        yield made


async def organization(sojourn: Sojourn, **members: Any) -> str:
    """The id of a new organization."""
    return (await sojourn.organizations.create(name="A", **members)).id


async def test_a_membership_from_beginning_to_end(sojourn: Sojourn, clock: ManualClock) -> None:
    """A user is added, promoted and removed; each step comes back whole, is what is read, and stands in the
    log with both ids; the last two make older tokens stale."""
    user, where = await user_id(sojourn), await organization(sojourn)
    added = await sojourn.memberships.add(where, user, role="org:member", public_metadata={"a": 1})
    assert is_id(added.membership.id, Prefix.MEMBERSHIP)
    assert (added.user.id, added.organization.id) == (user, where)
    assert added == await sojourn.memberships.get(where, user)
    clock.advance(seconds=1)
    promoted = await sojourn.memberships.update(where, user, role="org:admin")
    assert (promoted.membership.role, promoted.membership.version) == ("org:admin", 2)
    assert promoted.membership.updated_at == added.membership.updated_at + 1000
    assert promoted == await sojourn.memberships.get(where, user)
    assert promoted == await sojourn.memberships.update(where, user, role="org:admin")
    assert promoted == await sojourn.memberships.remove(where, user)
    for attempt in (
        sojourn.memberships.get(where, user),
        sojourn.memberships.remove(where, user),
        sojourn.memberships.update(where, user, role="org:admin"),
    ):
        with pytest.raises(NotFound):
            await attempt
    events = [event for event in await all_events(sojourn) if "Membership" in event.type.value]
    kinds = [f"organizationMembership.{step}" for step in ("created", "updated", "deleted")]
    assert [event.type.value for event in events] == kinds
    assert {(event.organization_id, event.user_id) for event in events} == {(where, user)}
    assert [event.type in CHANGES_CLAIMS for event in events] == [False, True, True]


async def test_a_role_has_what_the_configuration_says(sojourn: Sojourn) -> None:
    """Built in, added to what is built in, of the application's own, and one that nobody knows."""
    where = await organization(sojourn)
    expected = {
        "org:member": ("org:sys_memberships:read",),
        "org:admin": (
            "org:posts:read",
            "org:sys_memberships:manage",
            "org:sys_memberships:read",
            "org:sys_profile:delete",
            "org:sys_profile:manage",
        ),
        "org:editor": ("org:posts:manage", "org:posts:read"),
        "org:guest": (),
    }
    for role, permissions in expected.items():
        user = (await sojourn.users.create()).id
        added = await sojourn.memberships.add(where, user, role=role)
        assert added.membership.permissions == permissions
        (listed,) = await sojourn.memberships.list(user_id=user)
        assert listed.membership.permissions == permissions
        assert added.to_wire()["permissions"] == list(permissions)


@pytest.mark.parametrize("role", ["", "admin", "org:", "org:Admin", "org:a b", "org:a,b", "org:" + "x" * 64])
async def test_what_is_no_role(sojourn: Sojourn, role: str) -> None:
    """A role has to read org: and a key that a token can carry."""
    user, where = await user_id(sojourn), await organization(sojourn)
    with pytest.raises(Invalid) as error:
        await sojourn.memberships.add(where, user, role=role)
    assert error.value.meta["param_name"] == "role"
    await sojourn.memberships.add(where, user, role="org:member")
    with pytest.raises(Invalid):
        await sojourn.memberships.update(where, user, role=role)


async def test_who_cannot_be_added(sojourn: Sojourn) -> None:
    """Nobody, nowhere, a second time, and where there is no room; nothing is left behind."""
    user, small = await user_id(sojourn), await organization(sojourn, max_allowed_memberships=1)
    with pytest.raises(NotFound, match="org_none"):
        await sojourn.memberships.add("org_none", user, role="org:member")
    with pytest.raises(NotFound, match="user_none"):
        await sojourn.memberships.add(small, "user_none", role="org:member")
    await sojourn.memberships.add(small, user, role="org:member")
    with pytest.raises(AlreadyAMember):
        await sojourn.memberships.add(small, user, role="org:admin")
    other = (await sojourn.users.create()).id
    with pytest.raises(MembershipLimitReached):
        await sojourn.memberships.add(small, other, role="org:member")
    assert [member.user.id for member in await sojourn.memberships.list(organization_id=small)] == [user]
    await sojourn.organizations.update(small, max_allowed_memberships=2)
    await sojourn.memberships.add(small, other, role="org:member")
    third = (await sojourn.users.create()).id
    with pytest.raises(MembershipLimitReached):
        await sojourn.memberships.add(small, third, role="org:member")
    await sojourn.organizations.update(small, max_allowed_memberships=0)
    await sojourn.memberships.add(small, third, role="org:member")


async def test_metadata_is_merged(sojourn: Sojourn) -> None:
    """Level by level, null takes a key away; races lose nothing; a storm is a Conflict."""
    user, where = await user_id(sojourn), await organization(sojourn)
    await sojourn.memberships.add(where, user, role="org:member", public_metadata={"a": {"b": 1, "c": 2}})
    merged = await sojourn.memberships.merge_metadata(
        where, user, public_metadata={"a": {"b": None}}, private_metadata={"d": 1}
    )
    assert merged.membership.public_metadata == {"a": {"c": 2}}
    assert merged.membership.private_metadata == {"d": 1}
    merges = [
        sojourn.memberships.merge_metadata(where, user, private_metadata={f"k{n}": n}) for n in range(5)
    ]
    await asyncio.gather(*merges)
    stored = (await sojourn.memberships.get(where, user)).membership
    assert stored.private_metadata == {"d": 1, **{f"k{n}": n for n in range(5)}}
    watch(sojourn).failing["commit"] = Refused(Refused.CHANGED, None)
    for attempt in (
        sojourn.memberships.update(where, user, role="org:admin"),
        sojourn.memberships.remove(where, user),
    ):
        with pytest.raises(Conflict):
            await attempt


async def test_an_addition_under_a_key_is_done_once(sojourn: Sojourn) -> None:
    """However often and at once it is asked for; the key with another request is refused."""
    user, where = await user_id(sojourn), await organization(sojourn)
    added = await asyncio.gather(
        *(sojourn.memberships.add(where, user, role="org:member", once=ONCE) for _ in range(8))
    )
    assert len({member.membership.id for member in added}) == 1
    with pytest.raises(IdempotencyMismatch):
        await sojourn.memberships.add(where, user, role="org:x", once=Once(ONCE.digest, b"x" * 32))


async def test_memberships_are_listed(sojourn: Sojourn) -> None:
    """Of an organization, of a user, of both, in pages with a total; the bounds of a page hold."""
    first, second = await organization(sojourn), await organization(sojourn)
    users = [(await sojourn.users.create()).id for _ in range(3)]
    for user in users:
        await sojourn.memberships.add(first, user, role="org:member")
    await sojourn.memberships.add(second, users[0], role="org:member")
    listed = await sojourn.memberships.list(organization_id=first)
    assert [member.user.id for member in listed] == users[::-1]
    assert [m.organization.id for m in await sojourn.memberships.list(user_id=users[0])] == [second, first]
    assert len(await sojourn.memberships.list(user_id=users[0], organization_id=second)) == 1
    page = await sojourn.memberships.page(MembershipQuery(organization_id=first, limit=1, offset=2))
    assert ([member.user.id for member in page.items], page.total) == ([users[0]], 3)
    for limit, offset in ((0, 0), (501, 0), (1, -1)):
        with pytest.raises(Invalid):
            await sojourn.memberships.list(limit=limit, offset=offset)


async def test_a_deleted_user_is_no_member(sojourn: Sojourn) -> None:
    """The memberships go in the same step as the user, and the organizations stay."""
    user = await user_id(sojourn)
    mine = await sojourn.organizations.create(name="A", created_by=user)
    await sojourn.users.delete(user)
    assert await sojourn.memberships.list(organization_id=mine.id) == []
    counted = await sojourn.organizations.get(mine.id, counts=True)
    assert (counted.members_count, counted.missing_admin, counted.created_by) == (0, True, user)
