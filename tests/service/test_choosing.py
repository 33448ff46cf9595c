"""The active organization of a session and its tasks, and what tokens say of both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from sojourn import NotFound, Policy, Sojourn
from sojourn.core.errors import Conflict, Invalid, Missing, NotAMember
from sojourn.core.session import CHOOSE_ORGANIZATION, Session, Status
from sojourn.service.ports import Refused
from sojourn.testing import ManualClock
from tests.embedded import all_events, event_types, user_id, watch
from tests.service.conftest import Opening

ROLES = {"org:editor": ("org:posts:manage", "org:posts:read", "org:pages:read")}
REQUIRED = Policy(require_organization=True)


async def organization(sojourn: Sojourn, user: str | None = None, slug: str | None = None) -> str:
    """The id of a new organization, with its creator as a member."""
    return (await sojourn.organizations.create(name="A", slug=slug, created_by=user)).id


async def claims(sojourn: Sojourn, session: Session) -> Mapping[str, Any]:
    """What a token of the session says now."""
    return await sojourn.tokens.verify(await sojourn.tokens.create(session.id))


# Beginning -------------------------------------------------------------------------------------------------


async def test_a_session_begins_in_the_organization_asked_for(sojourn: Sojourn) -> None:
    """The one that is named, if the user is a member; else the error says which of the two is wrong."""
    user = await user_id(sojourn)
    first, other = await organization(sojourn, user), await organization(sojourn)
    await organization(sojourn, user)
    session = await sojourn.sessions.create(user_id=user, organization_id=first)
    assert session.last_active_organization_id == first
    assert (await sojourn.sessions.get(session.id)).last_active_organization_id == first
    with pytest.raises(NotAMember):
        await sojourn.sessions.create(user_id=user, organization_id=other)
    for unknown in ("org_none", ""):
        with pytest.raises(NotFound):
            await sojourn.sessions.create(user_id=user, organization_id=unknown)
    with pytest.raises(NotFound, match="user_none"):
        await sojourn.sessions.create(user_id="user_none", organization_id=first)
    assert len(await sojourn.sessions.list()) == 1


async def test_a_session_begins_where_the_user_was_last(sojourn: Sojourn) -> None:
    """In the organization that the user last joined or chose, in any session; in none after none was
    chosen."""
    user = await user_id(sojourn)

    async def begins() -> str | None:
        return (await sojourn.sessions.create(user_id=user)).last_active_organization_id

    assert await begins() is None
    first, second = await organization(sojourn, user), await organization(sojourn, user)
    assert await begins() == second
    session = await sojourn.sessions.create(user_id=user)
    await sojourn.sessions.set_organization(session.id, first)
    assert await begins() == first
    await sojourn.memberships.remove(first, user)
    assert await begins() == second
    await sojourn.sessions.set_organization(session.id, second)
    await sojourn.sessions.set_organization(session.id, None)
    assert await begins() is None


async def test_a_membership_that_ends_meanwhile_does_not_stop_a_sign_in(sojourn: Sojourn) -> None:
    """The organization was not asked for: the session begins without it."""
    user = await user_id(sojourn)
    where = await organization(sojourn, user)
    store = watch(sojourn)
    store.before["commit"] = lambda: sojourn.memberships.remove(where, user)
    assert (await sojourn.sessions.create(user_id=user)).last_active_organization_id is None
    await sojourn.memberships.add(where, user, role="org:member")
    store.before["commit"] = lambda: sojourn.memberships.remove(where, user)
    with pytest.raises(NotAMember):
        await sojourn.sessions.create(user_id=user, organization_id=where)


# Choosing --------------------------------------------------------------------------------------------------


async def test_an_organization_is_chosen_and_left(sojourn: Sojourn) -> None:
    """Each choice is a change with an event; the same again, and any on an ended session, is none."""
    user = await user_id(sojourn)
    session = await sojourn.sessions.create(user_id=user)
    where = await organization(sojourn, user)
    chosen = await sojourn.sessions.set_organization(session.id, where)
    assert (chosen.last_active_organization_id, chosen.version) == (where, 2)
    assert chosen == await sojourn.sessions.get(session.id)
    assert chosen == await sojourn.sessions.set_organization(session.id, where)
    left = await sojourn.sessions.set_organization(session.id, None)
    assert left.last_active_organization_id is None
    changes = [e for e in await all_events(sojourn) if e.type.value == "session.organization_changed"]
    assert [(event.session_id, event.organization_id) for event in changes] == [
        (session.id, where),
        (session.id, None),
    ]
    ended = await sojourn.sessions.revoke(session.id)
    assert await sojourn.sessions.set_organization(session.id, where) == ended
    with pytest.raises(NotFound):
        await sojourn.sessions.set_organization("sess_none", where)


async def test_who_is_no_member_cannot_choose(sojourn: Sojourn) -> None:
    """Neither an organization of others nor one that is not there; the session stays as it was."""
    user = await user_id(sojourn)
    session = await sojourn.sessions.create(user_id=user)
    with pytest.raises(NotAMember):
        await sojourn.sessions.set_organization(session.id, await organization(sojourn))
    with pytest.raises(NotFound):
        await sojourn.sessions.set_organization(session.id, "org_none")
    assert await sojourn.sessions.get(session.id) == (await sojourn.sessions.list())[0]
    assert (await sojourn.sessions.get(session.id)).version == 1


async def test_a_choice_and_a_removal_at_the_same_moment(sojourn: Sojourn) -> None:
    """Whichever is first, in the end no session is in an organization of which the user is no member."""
    user = await user_id(sojourn)
    for _ in range(5):
        session = await sojourn.sessions.create(user_id=user)
        where = await organization(sojourn, user)
        outcomes = await asyncio.gather(
            sojourn.sessions.set_organization(session.id, where),
            sojourn.memberships.remove(where, user),
            return_exceptions=True,
        )
        assert all(isinstance(o, NotAMember) or not isinstance(o, Exception) for o in outcomes)
        assert (await sojourn.sessions.get(session.id)).last_active_organization_id is None


async def test_a_choice_that_always_loses_is_a_conflict(sojourn: Sojourn) -> None:
    """A storm ends after so many attempts, for choices and for tasks."""
    user = await user_id(sojourn)
    session = await sojourn.sessions.create(user_id=user, tasks=["setup-mfa"])
    where = await organization(sojourn, user)
    watch(sojourn).failing["commit"] = Refused(Refused.CHANGED, None)
    with pytest.raises(Conflict):
        await sojourn.sessions.set_organization(session.id, where)
    with pytest.raises(Conflict):
        await sojourn.sessions.complete_task(session.id, "setup-mfa")


# Tasks -----------------------------------------------------------------------------------------------------


async def test_a_policy_that_requires_an_organization(opening: Opening) -> None:
    """A session without one is pending with the published task, its tokens say so; choosing one makes it
    active, and none cannot be chosen. A session that begins in one is active at once."""
    async with opening(policy=REQUIRED) as sojourn:
        user = await user_id(sojourn)
        session = await sojourn.sessions.create(user_id=user)
        assert (session.status, session.tasks) == (Status.PENDING, (CHOOSE_ORGANIZATION,))
        assert (await claims(sojourn, session))["sts"] == "pending"
        where = await organization(sojourn, user)
        with pytest.raises(Invalid):
            await sojourn.sessions.set_organization(session.id, None)
        chosen = await sojourn.sessions.set_organization(session.id, where)
        assert (chosen.status, chosen.tasks) == (Status.ACTIVE, None)
        told = await claims(sojourn, session)
        assert (told["sts"], told["o"]["id"]) == ("active", where)
        assert (await sojourn.sessions.create(user_id=user)).status is Status.ACTIVE
        types = await event_types(sojourn)
        assert types[1:2] == ["session.pending"]
        assert types[4:6] == ["session.activated", "session.organization_changed"]


async def test_who_cannot_be_told_of_a_pending_session_gets_none(opening: Opening) -> None:
    """Where the caller knows no pending session, the organization has to be named, and nothing is made."""
    async with opening(policy=REQUIRED) as sojourn:
        user = await user_id(sojourn)
        with pytest.raises(Missing, match="organization"):
            await sojourn.sessions.create(user_id=user, pending=False)
        assert await sojourn.sessions.list() == []
        where = await organization(sojourn, user)
        session = await sojourn.sessions.create(user_id=user, pending=False, organization_id=where)
        assert session.status is Status.ACTIVE


async def test_tasks_are_completed_one_by_one(sojourn: Sojourn) -> None:
    """With the last one the session is active; one that is none of its tasks changes nothing."""
    user = await user_id(sojourn)
    session = await sojourn.sessions.create(user_id=user, tasks=["setup-mfa", "reset-password", "setup-mfa"])
    assert session.tasks == ("setup-mfa", "reset-password")
    assert await sojourn.sessions.complete_task(session.id, "other") == await sojourn.sessions.get(session.id)
    half = await sojourn.sessions.complete_task(session.id, "setup-mfa")
    assert (half.status, half.tasks) == (Status.PENDING, ("reset-password",))
    done = await sojourn.sessions.complete_task(session.id, "reset-password")
    assert (done.status, done.tasks) == (Status.ACTIVE, None)
    assert done == await sojourn.sessions.complete_task(session.id, "reset-password")
    types = await event_types(sojourn)
    assert types[2:] == ["session.task_completed", "session.activated", "session.task_completed"]
    with pytest.raises(NotFound):
        await sojourn.sessions.complete_task("sess_none", "setup-mfa")


async def test_choosing_does_one_task_and_leaves_the_others(sojourn: Sojourn) -> None:
    """With another task open the session stays pending, whichever is done first; an ended one keeps all."""
    user = await user_id(sojourn)
    where = await organization(sojourn, user)
    tasks = [CHOOSE_ORGANIZATION, "setup-mfa"]
    session = await sojourn.sessions.create(user_id=user, tasks=tasks)
    assert session.last_active_organization_id == where
    chosen = await sojourn.sessions.set_organization(session.id, where)
    assert (chosen.status, chosen.tasks) == (Status.PENDING, ("setup-mfa",))
    assert (await sojourn.sessions.complete_task(session.id, "setup-mfa")).status is Status.ACTIVE
    other = await sojourn.sessions.create(user_id=user, tasks=tasks)
    ended = await sojourn.sessions.end(other.id)
    assert await sojourn.sessions.complete_task(other.id, "setup-mfa") == ended


# Tokens ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
async def test_tokens_tell_of_the_organization(opening: Opening, version: int) -> None:
    """Id, slug, role and permissions as they are when the token is made; of the system's nothing."""
    async with opening(token_version=version, roles=ROLES) as sojourn:
        user = await user_id(sojourn)
        where = await organization(sojourn, slug="united")
        await sojourn.memberships.add(where, user, role="org:editor")
        session = await sojourn.sessions.create(user_id=user)
        told = await claims(sojourn, session)
        if version == 2:
            o = {"id": where, "slg": "united", "rol": "editor", "per": "manage,read", "fpm": "2,3"}
            assert (told["o"], told["fea"]) == (o, "o:pages,o:posts")
        else:
            granted = ["org:pages:read", "org:posts:manage", "org:posts:read"]
            assert (told["org_id"], told["org_slug"], told["org_role"]) == (where, "united", "org:editor")
            assert told["org_permissions"] == granted
        await sojourn.memberships.update(where, user, role="org:admin")
        told = await claims(sojourn, session)
        assert (told["o"]["rol"] if version == 2 else told["org_role"]) in ("admin", "org:admin")
        assert "fea" not in told
        assert not told.get("org_permissions")


@pytest.mark.parametrize("ending", ["membership", "organization"])
async def test_what_is_over_stands_in_no_token(sojourn: Sojourn, ending: str) -> None:
    """After a removal or a deletion the session has no organization, and neither has any token."""
    user = await user_id(sojourn)
    where = await organization(sojourn, user)
    sessions = [await sojourn.sessions.create(user_id=user) for _ in range(3)]
    assert (await claims(sojourn, sessions[0]))["o"]["id"] == where
    if ending == "membership":
        await sojourn.memberships.remove(where, user)
    else:
        await sojourn.organizations.delete(where)
    for session in sessions:
        assert "o" not in await claims(sojourn, session)
        after = await sojourn.sessions.get(session.id)
        assert (after.last_active_organization_id, after.status) == (None, Status.ACTIVE)


async def test_what_ends_while_a_token_is_made(sojourn: Sojourn) -> None:
    """Session and membership are read together, last: an end in between is told, whichever it is."""
    user = await user_id(sojourn)
    where = await organization(sojourn, user)
    session = await sojourn.sessions.create(user_id=user)
    store = watch(sojourn)
    store.before["session_in_organization"] = lambda: sojourn.memberships.remove(where, user)
    assert "o" not in await claims(sojourn, session)
    await sojourn.memberships.add(where, user, role="org:member")
    await sojourn.sessions.set_organization(session.id, where)
    store.before["session_in_organization"] = lambda: sojourn.sessions.revoke(session.id)
    with pytest.raises(NotFound):
        await sojourn.tokens.create(session.id)


@pytest.mark.embedded
async def test_a_session_without_an_organization_costs_no_read_more(
    sojourn: Sojourn, clock: ManualClock
) -> None:
    """The plain token is made from one read of the store; one with an organization from two."""
    user = await user_id(sojourn)
    plain = await sojourn.sessions.create(user_id=user)
    await sojourn.tokens.create(plain.id)  # the first token of an hour is noted
    clock.advance(seconds=5)  # in its first seconds it is looked up whether a cutoff came just before it
    store = watch(sojourn)
    await sojourn.tokens.create(plain.id)
    assert store.calls == {"session": 1}
    await organization(sojourn, user)
    inside = await sojourn.sessions.create(user_id=user)
    clock.advance(seconds=5)
    store.calls.clear()
    await sojourn.tokens.create(inside.id)
    assert store.calls == {"session": 1, "session_in_organization": 1}
