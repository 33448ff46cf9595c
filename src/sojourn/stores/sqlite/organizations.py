"""Organizations and memberships on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import apsw

from sojourn.core.directory import Member, Organization
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
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows import sessions as rows
from sojourn.stores.sql.rows.organizations import (
    ORGANIZATION_WIDTH,
    member_of,
    membership_of,
    organization_document,
    organization_of,
)
from sojourn.stores.sql.rows.sessions import Row
from sojourn.stores.sqlite.changes import DUPLICATE, Change
from sojourn.stores.sqlite.conditions import LISTED, about_user, chosen
from sojourn.stores.sqlite.driver import extended_code
from sojourn.stores.sqlite.reads import Reads, Statement

_SQL = queries("sqlite")


class Organizations:
    """The verbs for organizations and memberships."""

    _reads: Reads

    async def organization(self, organization_id: str) -> Organization | None:
        """As the port says."""
        found = await self._reads.point(_SQL["organization_get"], (organization_id,))
        return organization_of(found[0]) if found else None

    async def organization_by_slug(self, slug: str) -> Organization | None:
        """As the port says."""
        found = await self._reads.point(_SQL["organization_by_slug"], (slug,))
        return organization_of(found[0]) if found else None

    async def organizations(self, query: OrganizationQuery) -> OrganizationPage:
        """As the port says."""
        where, bindings = _of_organizations(query)
        way = "DESC" if query.descending else "ASC"
        order = f"ORDER BY {_ORGANIZATION_ORDER[query.order]} {way}, o.seq {way}"
        columns = _SQL["organization_page_counted" if query.counts else "organization_page"]
        page = Statement(f"{columns} {where} {order} LIMIT :limit OFFSET :offset", bindings)
        count = Statement(f"{_SQL['organization_count']} {where}", bindings)
        found, ((total,),) = await self._reads.far(page, count)
        return OrganizationPage([organization_of(row) for row in found], total)

    async def membership(self, organization_id: str, user_id: str) -> Member | None:
        """As the port says."""
        found = await self._reads.point(_SQL["membership_get"], (organization_id, user_id))
        return member_of(found[0]) if found else None

    async def memberships(self, query: MembershipQuery) -> MembershipPage:
        """As the port says."""
        where, bindings = _of_memberships(query)
        way = "DESC" if query.descending else "ASC"
        order = f"ORDER BY {_MEMBERSHIP_ORDER[query.order]} {way}, m.seq {way}"
        page = Statement(f"{_SQL['membership_page']} {where} {order} LIMIT :limit OFFSET :offset", bindings)
        count = Statement(f"{_SQL['membership_count']} {where}", bindings)
        found, ((total,),) = await self._reads.far(page, count)
        return MembershipPage([member_of(row) for row in found], total)

    async def session_in_organization(self, session_id: str) -> HeldInOrganization | None:
        """As the port says."""
        found = await self._reads.point(_SQL["session_in_organization"], (session_id,))
        if not found:
            return None
        held, rest = rows.held_of(found[0]), found[0][rows.HELD_WIDTH :]
        if rest[0] is None:
            return HeldInOrganization(held)
        return HeldInOrganization(held, organization_of(rest), membership_of(rest[ORGANIZATION_WIDTH:]))

    async def next_organization(self, user_id: str) -> str | None:
        """As the port says."""
        found = await self._reads.point(_SQL["next_organization"], (user_id,))
        return found[0][0] if found else None


# Which ones ------------------------------------------------------------------------------------------------

_ORGANIZATION_ORDER = {
    OrganizationOrder.CREATED: "o.created_at",
    OrganizationOrder.NAME: "o.name",
    OrganizationOrder.MEMBERS: _SQL["members_count"],
}
_MEMBERSHIP_ORDER = {
    MembershipOrder.CREATED: "m.seq",
    MembershipOrder.FIRST_NAME: "u.document ->> 'first_name'",
    MembershipOrder.LAST_NAME: "u.document ->> 'last_name'",
    MembershipOrder.USERNAME: "u.document ->> 'username'",
    MembershipOrder.EMAIL_ADDRESS: "u.document ->> '$.email_addresses[0][1]'",
    MembershipOrder.PHONE_NUMBER: "u.document ->> '$.phone_numbers[0][1]'",
}


def _of_organizations(query: OrganizationQuery) -> tuple[str, dict[str, Any]]:
    """The condition and the bindings of a query."""
    conditions = {
        "text": (query.text, _SQL["organization_text_filter"]),
        "ids": (query.ids, LISTED.format("o.id", "ids")),
        "without_ids": (query.without_ids or None, LISTED.format("o.id NOT", "without_ids")),
        "user_ids": (query.user_ids, _SQL["organization_with_members"]),
        "without_user_ids": (query.without_user_ids or None, _SQL["organization_without_members"]),
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
            LISTED.format("m.user_id NOT", "without_user_ids"),
        ),
        "roles": (query.roles, LISTED.format("m.role", "roles")),
        "email_addresses": (query.email_addresses, _SQL["user_has_email"]),
        "phone_numbers": (query.phone_numbers, _SQL["user_has_phone"]),
        "usernames": (query.usernames, _SQL["user_has_username"]),
        **about_user(query),
    }
    where, bindings = chosen(conditions)
    return where, {**bindings, "limit": query.limit, "offset": query.offset}


# What each operation does ----------------------------------------------------------------------------------


def _insert_organization(change: Change, operation: InsertOrganization) -> None:
    one = operation.organization
    if operation.at_most is not None:
        ((standing,),) = change.execute(_SQL["organizations_created"], (one.created_by,)).fetchall()
        if standing >= operation.at_most:
            raise Refused(Refused.FULL, operation)
    values = (
        one.id,
        one.slug,
        one.name,
        one.created_by,
        one.max_allowed_memberships,
        one.version,
        one.created_at,
        one.updated_at,
        organization_document(one),
    )
    if _slug_taken(change, one):
        raise Refused(Refused.IDENTIFIER_TAKEN, operation, "slug")
    change.insert("organization_insert", values, one.id)


def _update_organization(change: Change, operation: UpdateOrganization) -> None:
    one = operation.organization
    values = (
        one.slug,
        one.name,
        one.max_allowed_memberships,
        one.version,
        one.created_at,
        one.updated_at,
        organization_document(one),
        one.id,
        operation.expected_version,
    )
    try:
        change.update("organization_update", values, operation)
    except apsw.ConstraintError as error:
        if extended_code(error) in DUPLICATE:
            raise Refused(Refused.IDENTIFIER_TAKEN, operation, "slug") from None
        raise


def _slug_taken(change: Change, one: Organization) -> bool:
    return bool(change.execute(_SQL["organization_by_slug"], (one.slug,)).fetchall())


def _delete_organization(change: Change, operation: DeleteOrganization) -> None:
    bindings = {"organization_id": operation.organization_id, "now": operation.now}
    change.execute(_SQL["sessions_leave_organization"], bindings)
    # The memberships go with it, by their reference.
    change.execute(_SQL["organization_delete"], (operation.organization_id,))
    if not change.count():
        raise Refused(Refused.ORGANIZATION_MISSING, operation)


def _insert_membership(change: Change, operation: InsertMembership) -> None:
    one = operation.membership
    room = change.execute(_SQL["organization_room"], (one.organization_id,)).fetchall()
    if not room:
        raise Refused(Refused.ORGANIZATION_MISSING, operation)
    if not _any(change.execute(_SQL["user_exists"], (one.user_id,))):
        raise Refused(Refused.USER_MISSING, operation)
    if _any(change.execute(_SQL["membership_exists"], (one.organization_id, one.user_id))):
        raise Refused(Refused.REPEATED, operation)
    if not room[0][0]:
        raise Refused(Refused.FULL, operation)
    values = (
        one.id,
        one.organization_id,
        one.user_id,
        one.role,
        one.version,
        one.created_at,
        one.updated_at,
        organization_document(one),
        one.user_id,
    )
    change.insert("membership_insert", values, one.id)


def _update_membership(change: Change, operation: UpdateMembership) -> None:
    one = operation.membership
    values = (
        one.role,
        one.version,
        one.updated_at,
        organization_document(one),
        one.id,
        operation.expected_version,
    )
    change.update("membership_update", values, operation)


def _delete_membership(change: Change, operation: DeleteMembership) -> None:
    one = operation.membership
    change.update("membership_delete", (one.id, operation.expected_version), operation)
    bindings = {"organization_id": one.organization_id, "user_id": one.user_id, "now": operation.now}
    change.execute(_SQL["sessions_of_user_leave_organization"], bindings)


def _require_membership(change: Change, operation: RequireMembership) -> None:
    if not _any(change.execute(_SQL["membership_exists"], (operation.organization_id, operation.user_id))):
        raise Refused(Refused.MEMBERSHIP_MISSING, operation)


def _note_organization(change: Change, operation: NoteOrganization) -> None:
    if operation.organization_id is None:
        change.execute(_SQL["membership_note_none"], (operation.user_id,))
    else:
        bindings = {"organization_id": operation.organization_id, "user_id": operation.user_id}
        change.execute(_SQL["membership_note"], bindings)


def _any(found: Iterable[Row]) -> bool:
    return bool(list(found))


CHANGES: Mapping[type, Callable[..., None]] = {
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
LONG = frozenset({DeleteOrganization})
"""Operations that change as many rows as an organization has sessions and members: not in the event loop."""
