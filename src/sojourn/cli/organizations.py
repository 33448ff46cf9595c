"""organizations: look at them and their members, make and delete them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from cyclopts import App

from sojourn.cli.common import Target, moment, table
from sojourn.core.directory import Member, Organization
from sojourn.runtime import Sojourn
from sojourn.service.ports import MembershipQuery, OrganizationQuery

app = App(name="organizations", help="Look at organizations and their members, make and delete them.")
_PAGE = 500


@app.command(name="list")
def list_organizations(
    *,
    query: str | None = None,
    user_id: str | None = None,
    limit: int = 20,
    target: Target = Target(),  # noqa: B008  # cyclopts reads the default; the value is frozen
) -> None:
    """Show organizations, newest first.

    Parameters
    ----------
    query
        With this id, or with this text in the name or the slug.
    user_id
        Of which this user is a member.
    limit
        At most so many.
    target
        The database.
    """
    users = None if user_id is None else (user_id,)
    asked = OrganizationQuery(text=query, user_ids=users, counts=True)
    found = asyncio.run(_list(target, asked, limit))
    rows = [(one.id, one.slug, one.name, one.members_count, moment(one.created_at)) for one in found]
    text = table(("organization", "slug", "name", "members", "created"), rows)
    target.emit(
        {"organizations": [one.to_wire() for one in found]}, text if rows else "No organization fits."
    )


@app.command
def show(id_or_slug: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Show everything about an organization.

    Parameters
    ----------
    id_or_slug
        The organization.
    target
        The database.
    """
    facts = asyncio.run(_get(target, id_or_slug)).to_wire()
    rows = [
        (name, moment(value) if isinstance(value, int) and name.endswith("_at") else value)
        for name, value in facts.items()
    ]
    target.emit(facts, table(("fact", "value"), rows))


@app.command
def create(
    name: str,
    /,
    *,
    slug: str | None = None,
    created_by: str | None = None,
    max_allowed_memberships: int = 0,
    target: Target = Target(),  # noqa: B008
) -> None:
    """Make an organization.

    Parameters
    ----------
    name
        Its name.
    slug
        Small letters, digits and dashes.
    created_by
        The user who becomes its administrator.
    max_allowed_memberships
        How many members it takes; 0 for any number.
    target
        The database.
    """
    made = asyncio.run(_create(target, name, slug, created_by, max_allowed_memberships))
    target.emit(made.to_wire(), made.id)


@app.command
def delete(organization_id: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Delete an organization with its memberships; it leaves every session.

    Parameters
    ----------
    organization_id
        The organization.
    target
        The database.
    """
    asyncio.run(_delete(target, organization_id))
    target.emit({"id": organization_id, "deleted": True}, f"{organization_id} is deleted.")


@app.command
def members(id_or_slug: str, /, *, limit: int = 100, target: Target = Target()) -> None:  # noqa: B008
    """Show the members of an organization, newest first.

    Parameters
    ----------
    id_or_slug
        The organization.
    limit
        At most so many.
    target
        The database.
    """
    found = asyncio.run(_members(target, id_or_slug, limit))
    rows = [
        (one.user.id, one.membership.role, one.user.username, moment(one.membership.created_at))
        for one in found
    ]
    text = table(("user", "role", "user name", "since"), rows) if rows else "It has no members."
    target.emit({"members": [one.to_wire() for one in found]}, text)


async def _list(target: Target, asked: OrganizationQuery, limit: int) -> Sequence[Organization]:
    found: list[Organization] = []
    async with Sojourn.open(config=target.settings()) as sojourn:
        while len(found) < limit:
            wanted = min(_PAGE, limit - len(found))
            page = await sojourn.organizations.page(replace(asked, limit=wanted, offset=len(found)))
            found += page.items
            if len(found) >= page.total or not page.items:
                break
    return found


async def _get(target: Target, id_or_slug: str) -> Organization:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.organizations.get(id_or_slug, counts=True)


async def _create(
    target: Target, name: str, slug: str | None, created_by: str | None, most: int
) -> Organization:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.organizations.create(
            name=name, slug=slug, created_by=created_by, max_allowed_memberships=most
        )


async def _delete(target: Target, organization_id: str) -> None:
    async with Sojourn.open(config=target.settings()) as sojourn:
        await sojourn.organizations.delete(organization_id)


async def _members(target: Target, id_or_slug: str, limit: int) -> Sequence[Member]:
    found: list[Member] = []
    async with Sojourn.open(config=target.settings()) as sojourn:
        organization = await sojourn.organizations.get(id_or_slug)
        while len(found) < limit:
            wanted = min(_PAGE, limit - len(found))
            asked = MembershipQuery(organization_id=organization.id, limit=wanted, offset=len(found))
            page = await sojourn.memberships.page(asked)
            found += page.items
            if len(found) >= page.total or not page.items:
                break
    return found
