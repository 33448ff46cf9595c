"""Users: found or made, listed, banned, deleted."""

from __future__ import annotations

import asyncio

import pytest

from sojourn import NewContact, NewUser, NotFound, Sojourn
from sojourn.core.directory import IdentifierKind
from sojourn.core.errors import Taken
from sojourn.service.context import Once
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
    """Users come newest first or oldest first, by page, by id and by identifier."""
    users = [await user_id(sojourn, str(number)) for number in range(7)]
    anna = (await sojourn.users.create(NewUser(email_addresses=[NewContact(value="anna@x.org")]))).id

    async def ids(**query: object) -> list[str]:
        return [u.id for u in await sojourn.users.list(**query)]  # pyright: ignore[reportArgumentType]

    assert await ids() == [anna, *users[::-1]]
    assert await ids(newest_first=False, limit=3, offset=2) == users[2:5]
    assert await ids(ids=[users[1], users[4], "user_none"]) == [users[4], users[1]]
    assert await ids(ids=[]) == []
    email = (IdentifierKind.EMAIL_ADDRESS, "Anna@X.org")
    external = (IdentifierKind.EXTERNAL_ID, "3")
    assert await ids(identifiers=[email, external]) == [anna, users[3]]
    assert await ids(identifiers=[(IdentifierKind.USERNAME, "3")]) == []
    assert await ids(ids=[users[0]], identifiers=[external]) == []


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
    for method in (sojourn.users.ban, sojourn.users.unban, sojourn.users.delete, sojourn.users.get):
        with pytest.raises(NotFound):
            await method("user_none")


async def test_a_repeated_creation_makes_one_user(sojourn: Sojourn) -> None:
    """Under one idempotency key twenty creations at once make one user."""
    once = Once(digest=b"d" * 32, fingerprint=b"f" * 32)
    made = await asyncio.gather(*(sojourn.users.create(once=once) for _ in range(20)))
    assert len({user.id for user in made}) == 1
    assert len(await sojourn.users.list()) == 1
