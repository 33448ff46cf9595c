"""Organizations and memberships on PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sojourn.core.directory import Member, Membership, Organization
from sojourn.core.errors import clip
from sojourn.core.roles import ADMIN
from sojourn.service.ports import (
    DeleteMembership,
    DeleteOrganization,
    HeldInOrganization,
    InsertMembership,
    InsertOrganization,
    MembershipOrder,
    MembershipPage,
    MembershipQuery,
    NoteOrganization,
    OrganizationOrder,
    OrganizationPage,
    OrganizationQuery,
    Refused,
    RequireMembership,
    UpdateMembership,
    UpdateOrganization,
)
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.conditions import LISTED, UNLISTED, about_user, chosen, order
from sojourn.stores.postgres.driver import Dangling, Duplicate, constraint_of
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.postgres.statements import SQL
from sojourn.stores.sql.rows import sessions as rows
from sojourn.stores.sql.rows.organizations import (
    ORGANIZATION_WIDTH,
    member_of,
    membership_of,
    organization_document,
    organization_of,
)


class Organizations:
    """The verbs for organizations and memberships."""

    _reads: Reads

    async def organization(self, organization_id: str) -> Organization | None:
        """As the port says."""
        found = await self._reads.named("organization_get", id=organization_id)
        return organization_of(found[0]) if found else None

    async def organization_by_slug(self, slug: str) -> Organization | None:
        """As the port says."""
        found = await self._reads.named("organization_by_slug", slug=slug)
        return organization_of(found[0]) if found else None

    async def organizations(self, query: OrganizationQuery) -> OrganizationPage:
        """As the port says."""
        where, bindings = _of_organizations(query)
        sorting = order(_ORGANIZATION_ORDER[query.order], "o.seq", descending=query.descending)
        columns = SQL["organization_page_counted" if query.counts else "organization_page"]
        found = await self._reads.rows(f"{columns} {where} {sorting}", bindings)
        total = await self._reads.rows(f"{SQL['organization_count']} {where}", bindings)
        return OrganizationPage([organization_of(row) for row in found], total[0][0] if total else 0)

    async def membership(self, organization_id: str, user_id: str) -> Member | None:
        """As the port says."""
        found = await self._reads.named("membership_get", organization_id=organization_id, user_id=user_id)
        return member_of(found[0]) if found else None

    async def memberships(self, query: MembershipQuery) -> MembershipPage:
        """As the port says."""
        where, bindings = _of_memberships(query)
        sorting = order(_MEMBERSHIP_ORDER[query.order], "m.seq", descending=query.descending)
        found = await self._reads.rows(f"{SQL['membership_page']} {where} {sorting}", bindings)
        total = await self._reads.rows(f"{SQL['membership_count']} {where}", bindings)
        return MembershipPage([member_of(row) for row in found], total[0][0] if total else 0)

    async def session_in_organization(self, session_id: str) -> HeldInOrganization | None:
        """As the port says."""
        found = await self._reads.named("session_in_organization", id=session_id)
        if not found:
            return None
        held, rest = rows.held_of(found[0]), found[0][rows.HELD_WIDTH :]
        if rest[0] is None:
            return HeldInOrganization(held)
        organization, membership = rest[:ORGANIZATION_WIDTH], rest[ORGANIZATION_WIDTH:]
        return HeldInOrganization(held, organization_of(organization), membership_of(membership))

    async def next_organization(self, user_id: str) -> str | None:
        """As the port says."""
        found = await self._reads.named("next_organization", user_id=user_id)
        return found[0][0] if found else None


# Which ones ------------------------------------------------------------------------------------------------

_ORGANIZATION_ORDER = {
    OrganizationOrder.CREATED: "o.created_at",
    OrganizationOrder.NAME: "o.name",
    OrganizationOrder.MEMBERS: SQL["members_count"],
}
_MEMBERSHIP_ORDER = {
    MembershipOrder.CREATED: "m.seq",
    MembershipOrder.FIRST_NAME: "u.first_name",
    MembershipOrder.LAST_NAME: "u.last_name",
    MembershipOrder.USERNAME: "u.username",
    MembershipOrder.EMAIL_ADDRESS: "u.email_address",
    MembershipOrder.PHONE_NUMBER: "u.phone_number",
}


def _of_organizations(query: OrganizationQuery) -> tuple[str, dict[str, Any]]:
    """The condition and the bindings of a query."""
    conditions = {
        "text": (query.text, SQL["organization_text_filter"]),
        "ids": (query.ids, LISTED.format("o.id", "ids")),
        "without_ids": (query.without_ids or None, UNLISTED.format("o.id", "without_ids")),
        "user_ids": (query.user_ids, SQL["organization_with_members"]),
        "without_user_ids": (query.without_user_ids or None, SQL["organization_without_members"]),
    }
    where, bindings = chosen(conditions)
    return where, {**bindings, "admin": ADMIN, "limit": query.limit, "offset": query.offset}


def _of_memberships(query: MembershipQuery) -> tuple[str, dict[str, Any]]:
    """The condition and the bindings of a query."""
    conditions = {
        "organization_id": (query.organization_id, "m.organization_id = :organization_id"),
        "user_ids": (query.user_ids, LISTED.format("m.user_id", "user_ids")),
        "without_user_ids": (
            query.without_user_ids or None,
            UNLISTED.format("m.user_id", "without_user_ids"),
        ),
        "roles": (query.roles, LISTED.format("m.role", "roles")),
        "email_addresses": (query.email_addresses, SQL["user_has_email"]),
        "phone_numbers": (query.phone_numbers, SQL["user_has_phone"]),
        "usernames": (query.usernames, SQL["user_has_username"]),
        **about_user(query),
    }
    where, bindings = chosen(conditions)
    return where, {**bindings, "limit": query.limit, "offset": query.offset}


# What each operation does ----------------------------------------------------------------------------------
# Each is alone with its organization, or with those of its creator: locks.py.


async def _insert_organization(change: Change, operation: InsertOrganization) -> None:
    one = operation.organization
    if operation.at_most is not None:
        ((standing,),) = await change.rows("organizations_created", {"created_by": one.created_by})
        if standing >= operation.at_most:
            raise Refused(Refused.FULL, operation)
    if await change.rows("organization_by_slug", {"slug": one.slug}):
        raise Refused(Refused.IDENTIFIER_TAKEN, operation, "slug")
    try:
        await change.run("organization_insert", _organization_bindings(one))
    except Duplicate as error:
        if constraint_of(error) == "organizations_slug_key":
            raise Refused(Refused.IDENTIFIER_TAKEN, operation, "slug") from None
        raise ValueError(f"{clip(one.id)} is stored already; ids are never used twice") from None


async def _update_organization(change: Change, operation: UpdateOrganization) -> None:
    bindings = _organization_bindings(operation.organization)
    try:
        await change.update(
            "organization_update", bindings | {"expected_version": operation.expected_version}, operation
        )
    except Duplicate:
        raise Refused(Refused.IDENTIFIER_TAKEN, operation, "slug") from None


async def _delete_organization(change: Change, operation: DeleteOrganization) -> None:
    bindings = {"organization_id": operation.organization_id, "now": operation.now}
    await change.run("sessions_leave_organization", bindings)
    # The memberships go with it, by their reference.
    if not await change.run("organization_delete", bindings):
        raise Refused(Refused.ORGANIZATION_MISSING, operation)


async def _insert_membership(change: Change, operation: InsertMembership) -> None:
    one = operation.membership
    bindings = _membership_bindings(one)
    room = await change.rows("organization_room", bindings)
    if not room:
        raise Refused(Refused.ORGANIZATION_MISSING, operation)
    if not await change.rows("user_exists", {"id": one.user_id}):
        raise Refused(Refused.USER_MISSING, operation)
    if await change.rows("membership_exists", bindings):
        raise Refused(Refused.REPEATED, operation)
    if not room[0][0]:
        raise Refused(Refused.FULL, operation)
    try:
        await change.insert("membership_insert", bindings, one.id)
    except Dangling:
        # The user was deleted in this very moment; the organization cannot be.
        raise Refused(Refused.USER_MISSING, operation) from None


async def _update_membership(change: Change, operation: UpdateMembership) -> None:
    bindings = _membership_bindings(operation.membership)
    await change.update(
        "membership_update", bindings | {"expected_version": operation.expected_version}, operation
    )


async def _delete_membership(change: Change, operation: DeleteMembership) -> None:
    bindings = _membership_bindings(operation.membership) | {
        "expected_version": operation.expected_version,
        "now": operation.now,
    }
    await change.update("membership_delete", bindings, operation)
    await change.run("sessions_of_user_leave_organization", bindings)


async def _require_membership(change: Change, operation: RequireMembership) -> None:
    bindings = {"organization_id": operation.organization_id, "user_id": operation.user_id}
    if not await change.rows("membership_exists", bindings):
        raise Refused(Refused.MEMBERSHIP_MISSING, operation)


async def _note_organization(change: Change, operation: NoteOrganization) -> None:
    bindings = {"organization_id": operation.organization_id, "user_id": operation.user_id}
    await change.run(
        "membership_note_none" if operation.organization_id is None else "membership_note", bindings
    )


def _organization_bindings(one: Organization) -> dict[str, object]:
    return {
        "id": one.id,
        "slug": one.slug,
        "name": one.name,
        "created_by": one.created_by,
        "max_allowed_memberships": one.max_allowed_memberships,
        "version": one.version,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "document": organization_document(one),
    }


def _membership_bindings(one: Membership) -> dict[str, object]:
    return {
        "id": one.id,
        "organization_id": one.organization_id,
        "user_id": one.user_id,
        "role": one.role,
        "version": one.version,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "document": organization_document(one),
    }


CHANGES: Mapping[type, Callable[..., Awaitable[None]]] = {
    InsertOrganization: _insert_organization,
    UpdateOrganization: _update_organization,
    DeleteOrganization: _delete_organization,
    InsertMembership: _insert_membership,
    UpdateMembership: _update_membership,
    DeleteMembership: _delete_membership,
    RequireMembership: _require_membership,
    NoteOrganization: _note_organization,
}
"""What a commit does for each operation."""
