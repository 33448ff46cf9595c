"""users: look at them, make, ban, lock and delete them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from cyclopts import App

from sojourn.cli.common import Target, moment, table
from sojourn.core.directory import IdentifierKind, User
from sojourn.runtime import Sojourn
from sojourn.service.ports import UserQuery
from sojourn.service.users import NewContact, NewUser

app = App(name="users", help="Look at users, make, ban, lock and delete them.")
_PAGE = 500
_Change = Literal["ban", "unban", "lock", "unlock"]
_SHOWN = (IdentifierKind.USERNAME, IdentifierKind.EMAIL_ADDRESS, IdentifierKind.PHONE_NUMBER)


@app.command(name="list")
def list_users(
    *,
    query: str | None = None,
    organization_id: str | None = None,
    banned: bool | None = None,
    limit: int = 20,
    target: Target = Target(),  # noqa: B008  # cyclopts reads the default; the value is frozen
) -> None:
    """Show users, newest first.

    Parameters
    ----------
    query
        With this text in an id, a name, an e-mail address or a phone number.
    organization_id
        Members of this organization.
    banned
        Only those who are banned, or only those who are not.
    limit
        At most so many.
    target
        The database.
    """
    organizations = None if organization_id is None else (organization_id,)
    asked = UserQuery(text=query, organization_ids=organizations, banned=banned)
    found, total = asyncio.run(_list(target, asked, limit))
    rows = [
        (one.id, one.external_id, _name(one), _state(one), moment(one.last_active_at), moment(one.created_at))
        for one in found
    ]
    text = table(("user", "external id", "name", "state", "active on", "created"), rows)
    if len(found) < total:
        text += f"\n{len(found)} of {total:,}; more with --limit."
    target.emit(
        {"users": [one.to_wire() for one in found], "total_count": total}, text if rows else "No user fits."
    )


@app.command
def show(user_id: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Show everything about a user.

    Parameters
    ----------
    user_id
        The user, by the id here or by the application's own.
    target
        The database.
    """
    facts = asyncio.run(_get(target, user_id)).to_wire()
    rows = [
        (name, moment(value) if isinstance(value, int) and name.endswith("_at") else value)
        for name, value in facts.items()
        if value not in (None, [], {}, "", False)
    ]
    target.emit(facts, table(("fact", "value"), rows))


@app.command
def create(
    *,
    external_id: str | None = None,
    username: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    email_address: Sequence[str] = (),
    target: Target = Target(),  # noqa: B008
) -> None:
    """Make a user; nothing need be given.

    Parameters
    ----------
    external_id
        The application's own id of the user.
    username
        A name that nobody else has.
    first_name
        The first name.
    last_name
        The last name.
    email_address
        An address that nobody else has, counted as verified; several are given with the name again.
    target
        The database.
    """
    new = NewUser(
        external_id=external_id,
        username=username,
        first_name=first_name,
        last_name=last_name,
        email_addresses=[NewContact(value=one) for one in email_address],
    )
    made = asyncio.run(_create(target, new))
    target.emit(made.to_wire(), made.id)


@app.command
def ban(user_id: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Ban a user; all sessions of the user end with it.

    Parameters
    ----------
    user_id
        The user, by the id here or by the application's own.
    target
        The database.
    """
    _report(target, asyncio.run(_change(target, user_id, "ban")), "is banned")


@app.command
def unban(user_id: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Lift a ban; sessions that it ended stay ended.

    Parameters
    ----------
    user_id
        The user, by the id here or by the application's own.
    target
        The database.
    """
    _report(target, asyncio.run(_change(target, user_id, "unban")), "is not banned")


@app.command
def lock(user_id: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Lock a user: no new session until the lock is taken off; those that live stay.

    Parameters
    ----------
    user_id
        The user, by the id here or by the application's own.
    target
        The database.
    """
    _report(target, asyncio.run(_change(target, user_id, "lock")), "is locked")


@app.command
def unlock(user_id: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Take the lock off a user.

    Parameters
    ----------
    user_id
        The user, by the id here or by the application's own.
    target
        The database.
    """
    _report(target, asyncio.run(_change(target, user_id, "unlock")), "is not locked")


@app.command
def delete(user_id: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Delete a user; all sessions of the user end with it.

    Parameters
    ----------
    user_id
        The user, by the id here or by the application's own.
    target
        The database.
    """
    deleted = asyncio.run(_delete(target, user_id))
    target.emit({"id": deleted, "deleted": True}, f"{deleted} is deleted.")


def _report(target: Target, user: User, state: str) -> None:
    target.emit(user.to_wire(), f"{user.id} {state}.")


def _name(user: User) -> str | None:
    """What people know a user by."""
    whole = " ".join(part for part in (user.first_name, user.last_name) if part)
    return whole or next((value for kind, value in user.identifiers() if kind in _SHOWN), None)


def _state(user: User) -> str:
    return ", ".join(word for word, so in (("banned", user.banned), ("locked", user.locked)) if so)


async def _list(target: Target, asked: UserQuery, limit: int) -> tuple[Sequence[User], int]:
    found: list[User] = []
    async with Sojourn.open(config=target.settings()) as sojourn:
        total = await sojourn.users.count(asked)
        while len(found) < limit:
            wanted = replace(asked, limit=min(_PAGE, limit - len(found)))
            page = await sojourn.users.page(wanted, starting_after=found[-1].id if found else None)
            found += page
            if len(page) < wanted.limit:
                break
    return found, total


async def _find(sojourn: Sojourn, user_id: str) -> User:
    """The user with this id, or whom the application knows by it. No external id wins over an id of ours."""
    if user_id.startswith("user_"):
        return await sojourn.users.get(user_id)
    return await sojourn.users.by_external_id(user_id)


async def _get(target: Target, user_id: str) -> User:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await _find(sojourn, user_id)


async def _create(target: Target, new: NewUser) -> User:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.users.create(new)


async def _change(target: Target, user_id: str, change: _Change) -> User:
    async with Sojourn.open(config=target.settings()) as sojourn:
        found = await _find(sojourn, user_id)
        users = sojourn.users
        changes = {"ban": users.ban, "unban": users.unban, "lock": users.lock, "unlock": users.unlock}
        return await changes[change](found.id)


async def _delete(target: Target, user_id: str) -> str:
    async with Sojourn.open(config=target.settings()) as sojourn:
        found = await _find(sojourn, user_id)
        await sojourn.users.delete(found.id)
        return found.id
