"""Users: found or made, listed, changed, banned, locked, deleted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sojourn import NewContact, NewUser, NotFound, Sojourn
from sojourn.core.errors import Invalid, Taken, UserLocked
from sojourn.service.context import Once
from sojourn.service.ports import UserOrder, UserQuery
from sojourn.testing import ManualClock
from tests.embedded import all_events, event_types, user_id

EVERYTHING = NewUser(
    external_id="42",
    username="anna",
    first_name="Anna",
    last_name="Muster",
    email_addresses=[NewContact(value="Anna@Example.org"), NewContact(value="b@x.org", verified=False)],
    phone_numbers=[NewContact(value="+43 316 1234")],
    public_metadata={"plan": ["a", {"b": None}], "n": 2**60},
    private_metadata={"secret": "ä☃"},
    unsafe_metadata={"t": True},
    locale="de-AT",
    created_at=1_600_000_000_000,
    legal_accepted_at=1_600_000_000_001,
    delete_self_enabled=False,
    create_organizations_limit=3,
)


async def test_a_user_needs_nothing(sojourn: Sojourn, clock: ManualClock) -> None:
    """A user made of nothing has an id and the time, and is in the log."""
    user = await sojourn.users.create()
    assert user.id.startswith("user_")
    assert (user.created_at, user.updated_at) == (clock.now(), clock.now())
    event = (await all_events(sojourn))[-1]
    assert (event.type, event.user_id) == ("user.created", user.id)


async def test_everything_given_is_kept(sojourn: Sojourn) -> None:
    """Every member comes back as it was given, e-mail addresses in lower case."""
    made = await sojourn.users.create(EVERYTHING)
    found = await sojourn.users.get(made.id)
    assert found.to_wire() == made.to_wire()
    assert found.public_metadata == {"plan": ["a", {"b": None}], "n": 2**60}
    assert found.private_metadata == {"secret": "ä☃"}
    assert [(c.value, c.verified) for c in found.email_addresses] == [
        ("anna@example.org", True),
        ("b@x.org", False),
    ]
    assert found.created_at == 1_600_000_000_000


async def test_ensure_finds_or_makes(sojourn: Sojourn) -> None:
    """The first call makes the user, every later one finds it; another id is another user."""
    first = await sojourn.users.ensure(external_id="42")
    assert (await sojourn.users.ensure(external_id="42")).id == first.id
    assert (await sojourn.users.ensure(external_id="43")).id != first.id


async def test_fifty_racing_ensures_make_one_user(sojourn: Sojourn) -> None:
    """However many ask at once, there is one user and one event."""
    found = await asyncio.gather(*(sojourn.users.ensure(external_id="42") for _ in range(50)))
    assert len({user.id for user in found}) == 1
    assert await event_types(sojourn) == ["user.created"]


@pytest.mark.parametrize(
    ("clash", "parameter"),
    [
        (NewUser(external_id="42"), "external_id"),
        (NewUser(username="anna"), "username"),
        (NewUser(email_addresses=[NewContact(value="ANNA@example.org")]), "email_address"),
        (NewUser(phone_numbers=[NewContact(value="+43 316 1234")]), "phone_number"),
    ],
)
async def test_identifiers_belong_to_one_user(sojourn: Sojourn, clash: NewUser, parameter: str) -> None:
    """An identifier that somebody has is refused by its name, and no second user is made."""
    await sojourn.users.create(EVERYTHING)
    with pytest.raises(Taken) as error:
        await sojourn.users.create(clash)
    assert error.value.meta == {"param_name": parameter}
    assert len(await sojourn.users.list()) == 1


async def test_a_deleted_users_identifiers_are_free(sojourn: Sojourn) -> None:
    """After a deletion the identifiers can be given again; the user is gone and its id is not reused."""
    first = await sojourn.users.create(EVERYTHING)
    await sojourn.users.delete(first.id)
    with pytest.raises(NotFound):
        await sojourn.users.get(first.id)
    with pytest.raises(NotFound):
        await sojourn.users.delete(first.id)
    assert (await sojourn.users.create(EVERYTHING)).id != first.id


async def test_lists(sojourn: Sojourn) -> None:
    """Users come newest first, by page, by text, by organization and by every filter; as many are counted."""
    users = [await user_id(sojourn, str(number)) for number in range(7)]
    anna = (await sojourn.users.create(NewUser(email_addresses=[NewContact(value="anna@x.org")]))).id
    organization = await sojourn.organizations.create(name="A", created_by=users[2])

    async def ids(**query: Any) -> list[str]:
        return [u.id for u in await sojourn.users.list(**query)]

    assert await ids() == [anna, *users[::-1]]
    assert await ids(limit=3, offset=2) == users[5:2:-1]
    assert await ids(query="NNA@") == [anna]
    assert await ids(organization_id=organization.id) == [users[2]]
    email = UserQuery(email_addresses=("Anna@X.org", "other@x.org"))
    assert [u.id for u in await sojourn.users.page(email)] == [anna]
    assert (await sojourn.users.count(email), await sojourn.users.count()) == (1, 8)


async def test_pages_behind_a_user(sojourn: Sojourn, clock: ManualClock) -> None:
    """A cursor goes on behind its user, whoever comes meanwhile; it goes with nothing that has no such order
    and needs a user who is there."""
    users: list[str] = []
    for number in range(5):
        users.append(await user_id(sojourn, str(number)))
        clock.advance(ms=1)
    found = [u.id for u in await sojourn.users.page(UserQuery(limit=2))]
    late = await user_id(sojourn, "late")
    while page := await sojourn.users.page(UserQuery(limit=2), starting_after=found[-1]):
        found += [u.id for u in page]
    assert found == users[::-1]
    upwards = await sojourn.users.page(UserQuery(descending=False), starting_after=users[3])
    assert [u.id for u in upwards] == [users[4], late]
    for query, cursor in (
        (UserQuery(order=UserOrder.USERNAME), users[0]),
        (UserQuery(offset=1), users[0]),
        (UserQuery(), "user_none"),
    ):
        with pytest.raises(Invalid) as refused:
            await sojourn.users.page(query, starting_after=cursor)
        assert refused.value.meta == {"param_name": "starting_after"}


async def test_a_user_is_changed(sojourn: Sojourn) -> None:
    """What is given changes and what is cleared is gone, at once everywhere; nothing else does, and what
    changes nothing is no event."""
    user = await sojourn.users.create(EVERYTHING)
    primary = user.email_addresses[0].id
    changed = await sojourn.users.update(
        user.id, username="new", clear=("first_name",), primary_email_address_id=primary
    )
    assert changed == replace(
        user,
        username="new",
        first_name=None,
        updated_at=changed.updated_at,
        version=2,
        sequence=changed.sequence,
    )
    assert changed.updated_at > user.updated_at
    assert await sojourn.users.get(user.id) == changed
    assert await sojourn.users.update(user.id, username="new", clear=("first_name",)) == changed
    assert (await event_types(sojourn)).count("user.updated") == 1


async def test_the_primary_address(sojourn: Sojourn) -> None:
    """The one that is named comes first; one of somebody else, or one that is not verified, is refused."""
    contacts = [
        NewContact(value="a@x.org"),
        NewContact(value="b@x.org"),
        NewContact(value="c@x.org", verified=False),
    ]
    user = await sojourn.users.create(NewUser(email_addresses=contacts))
    a, b, c = (contact.id for contact in user.email_addresses)
    changed = await sojourn.users.update(user.id, primary_email_address_id=b)
    assert [contact.id for contact in changed.email_addresses] == [b, a, c]
    for odd in (c, "idn_none"):
        with pytest.raises(Invalid) as refused:
            await sojourn.users.update(user.id, primary_email_address_id=odd)
        assert refused.value.meta == {"param_name": "primary_email_address_id"}
    with pytest.raises(Invalid):
        await sojourn.users.update(user.id, primary_phone_number_id=a)
    with pytest.raises(Invalid):
        await sojourn.users.update(user.id, clear=("created_at",))


async def test_changes_at_once_lose_nothing(sojourn: Sojourn) -> None:
    """However many change different things of one user at the same time, all of it is there in the end."""
    user = await user_id(sojourn)
    await asyncio.gather(
        *(sojourn.users.merge_metadata(user, public_metadata={str(n): n}) for n in range(4)),
        sojourn.users.update(user, first_name="Anna"),
        sojourn.users.lock(user),
    )
    found = await sojourn.users.get(user)
    assert found.public_metadata == {str(n): n for n in range(4)}
    assert (found.first_name, found.locked) == ("Anna", True)


async def test_an_identifier_of_somebody_else(sojourn: Sojourn) -> None:
    """Is refused by its name in a change, and the user stays as before."""
    await sojourn.users.create(NewUser(username="taken"))
    user = await user_id(sojourn)
    with pytest.raises(Taken) as refused:
        await sojourn.users.update(user, username="taken", first_name="Anna")
    assert refused.value.meta == {"param_name": "username"}
    assert (await sojourn.users.get(user)).first_name is None


async def test_s10_a_lock_keeps_out_and_ends_nothing(sojourn: Sojourn) -> None:
    """S-10: while a user is locked nobody signs in as them, by a ticket or without one; what lives goes on
    living, and the ticket still works once the lock is off."""
    user = await user_id(sojourn)
    session = await sojourn.sessions.create(user_id=user)
    ticket = await sojourn.tickets.create_sign_in_token(user_id=user)
    locked = await sojourn.users.lock(user)
    assert locked.locked
    assert await sojourn.users.lock(user) == locked
    with pytest.raises(UserLocked):
        await sojourn.sessions.create(user_id=user)
    with pytest.raises(UserLocked):
        await sojourn.tickets.redeem(ticket.token)
    assert (await sojourn.sessions.get(session.id)).live
    assert await sojourn.tokens.create(session.id)
    await sojourn.users.unlock(user)
    assert (await sojourn.tickets.redeem(ticket.token)).live
    kinds = [t for t in await event_types(sojourn) if t.startswith("user.")]
    assert kinds == ["user.created", "user.locked", "user.unlocked"]


async def test_a_ban_is_lifted_but_revives_nothing(sojourn: Sojourn) -> None:
    """After the ban is lifted the user can sign in again; the sessions that it ended stay ended."""
    user = await user_id(sojourn)
    session = await sojourn.sessions.create(user_id=user)
    banned = await sojourn.users.ban(user)
    assert banned.banned
    assert (await sojourn.users.ban(user)).updated_at == banned.updated_at
    lifted = await sojourn.users.unban(user)
    assert not lifted.banned
    assert lifted.updated_at > banned.updated_at
    assert (await sojourn.sessions.get(session.id)).status == "revoked"
    assert (await sojourn.sessions.create(user_id=user)).live
    kinds = [t for t in await event_types(sojourn) if t.startswith("user.")]
    assert kinds == ["user.created", "user.sessions_ended", "user.banned", "user.unbanned"]


async def test_racing_bans_make_one_event(sojourn: Sojourn) -> None:
    """Many bans at once are one change of state."""
    user = await user_id(sojourn)
    done = await asyncio.gather(*(sojourn.users.ban(user) for _ in range(10)))
    assert all(u.banned for u in done)
    assert (await event_types(sojourn)).count("user.banned") == 1


async def test_nobody_to_ban(sojourn: Sojourn) -> None:
    """Banning, lifting a ban and deleting raise NotFound for an unknown user."""
    users = sojourn.users
    for method in (users.ban, users.unban, users.delete, users.get, users.update, users.lock, users.unlock):
        with pytest.raises(NotFound):
            await method("user_none")


async def test_a_repeated_creation_makes_one_user(sojourn: Sojourn) -> None:
    """Under one idempotency key twenty creations at once make one user."""
    once = Once(digest=b"d" * 32, fingerprint=b"f" * 32)
    made = await asyncio.gather(*(sojourn.users.create(once=once) for _ in range(20)))
    assert len({user.id for user in made}) == 1
    assert len(await sojourn.users.list()) == 1
