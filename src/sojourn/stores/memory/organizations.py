"""Organizations and memberships in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sojourn.core.directory import Member, Membership, Organization
from sojourn.core.errors import clip
from sojourn.core.roles import ADMIN
from sojourn.service.ports import (
    DeleteMembership,
    DeleteOrganization,
    Held,
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
from sojourn.stores.memory.describing import describes, key_of, within
from sojourn.stores.memory.tables import Change, Tables, own


class Organizations:
    """The verbs for organizations and memberships."""

    _tables: Tables

    async def organization(self, organization_id: str) -> Organization | None:
        """As the port says."""
        return self._tables.organizations.get(organization_id)

    async def organization_by_slug(self, slug: str) -> Organization | None:
        """As the port says."""
        found = self._tables.slugs.get(slug)
        return None if found is None else self._tables.organizations[found]

    async def organizations(self, query: OrganizationQuery) -> OrganizationPage:
        """As the port says."""
        found = [o for o in self._tables.organizations.values() if _admits(self._tables, query, o)]
        found.sort(key=lambda o: _organization_key(self._tables, query.order, o), reverse=query.descending)
        page = found[query.offset : query.offset + query.limit]
        if query.counts:
            page = [_counted(self._tables, organization) for organization in page]
        return OrganizationPage(page, len(found))

    async def membership(self, organization_id: str, user_id: str) -> Member | None:
        """As the port says."""
        found = self._tables.memberships.get((organization_id, user_id))
        return None if found is None else _member(self._tables, found)

    async def memberships(self, query: MembershipQuery) -> MembershipPage:
        """As the port says."""
        members = (_member(self._tables, m) for m in self._tables.memberships.values() if _names(query, m))
        found = [member for member in members if describes(query, member.user)]
        found.sort(key=lambda member: _member_key(query.order, member), reverse=query.descending)
        return MembershipPage(found[query.offset : query.offset + query.limit], len(found))

    async def session_in_organization(self, session_id: str) -> HeldInOrganization | None:
        """As the port says."""
        session = self._tables.sessions.get(session_id)
        if session is None:
            return None
        held = Held(session, self._tables.covering(session))
        organization_id = session.last_active_organization_id or ""
        membership = self._tables.memberships.get((organization_id, session.user_id))
        if membership is None:
            return HeldInOrganization(held)
        return HeldInOrganization(held, self._tables.organizations[organization_id], membership)

    async def next_organization(self, user_id: str) -> str | None:
        """As the port says."""
        noted = self._tables.noted.get(user_id, ())
        return next((o for o in reversed(noted) if (o, user_id) in self._tables.memberships), None)


# Which ones ------------------------------------------------------------------------------------------------


def _admits(tables: Tables, query: OrganizationQuery, organization: Organization) -> bool:
    def has(user_ids: Iterable[str]) -> bool:
        return any((organization.id, user_id) in tables.memberships for user_id in user_ids)

    return (
        (query.ids is None or organization.id in query.ids)
        and organization.id not in query.without_ids
        and (query.user_ids is None or has(query.user_ids))
        and not has(query.without_user_ids)
        and (
            query.text is None
            or query.text == organization.id
            or within(query.text, organization.name, organization.slug)
        )
    )


def _organization_key(tables: Tables, order: OrganizationOrder, organization: Organization) -> Any:
    keys: dict[OrganizationOrder, Callable[[], Any]] = {
        OrganizationOrder.CREATED: lambda: organization.created_at,
        OrganizationOrder.NAME: lambda: organization.name,
        OrganizationOrder.MEMBERS: lambda: _counted(tables, organization).members_count,
    }
    return keys[order](), organization.sequence


def _counted(tables: Tables, organization: Organization) -> Organization:
    roles = [m.role for m in tables.memberships.values() if m.organization_id == organization.id]
    return replace(organization, members_count=len(roles), missing_admin=ADMIN not in roles)


def _member(tables: Tables, membership: Membership) -> Member:
    return Member(
        membership=membership,
        organization=tables.organizations[membership.organization_id],
        user=tables.users[membership.user_id],
    )


def _names(query: MembershipQuery, membership: Membership) -> bool:
    return (
        query.organization_id in (None, membership.organization_id)
        and (query.user_ids is None or membership.user_id in query.user_ids)
        and membership.user_id not in query.without_user_ids
        and (query.roles is None or membership.role in query.roles)
    )


def _member_key(order: MembershipOrder, member: Member) -> Any:
    place = member.membership.sequence
    return place if order is MembershipOrder.CREATED else (key_of(order, member.user), place)


# What each operation does ----------------------------------------------------------------------------------


def _insert_organization(change: Change, operation: InsertOrganization) -> None:
    organization = _with_own_metadata(operation.organization)
    standing = (o for o in change.tables.organizations.values() if o.created_by == organization.created_by)
    if operation.at_most is not None and len(list(standing)) >= operation.at_most:
        raise Refused(Refused.FULL, operation)
    _claim_slug(change, organization, operation)
    stored = replace(organization, sequence=change.next("organization"))
    change.new(change.tables.organizations, organization.id, stored)


def _update_organization(change: Change, operation: UpdateOrganization) -> None:
    organization = _with_own_metadata(operation.organization)
    stored = change.tables.organizations.get(organization.id)
    if stored is None or stored.version != operation.expected_version:
        raise Refused(Refused.CHANGED, operation)
    _free_slug(change, stored)
    _claim_slug(change, organization, operation)
    kept = replace(organization, sequence=stored.sequence, created_by=stored.created_by)
    change.journal.put(change.tables.organizations, organization.id, kept)


def _delete_organization(change: Change, operation: DeleteOrganization) -> None:
    stored = change.tables.organizations.get(operation.organization_id)
    if stored is None:
        raise Refused(Refused.ORGANIZATION_MISSING, operation)
    _free_slug(change, stored)
    for key in [key for key in change.tables.memberships if key[0] == stored.id]:
        change.journal.drop(change.tables.memberships, key)
    _clear(change, stored.id, None, operation.now)
    change.journal.drop(change.tables.organizations, stored.id)


def _insert_membership(change: Change, operation: InsertMembership) -> None:
    membership = operation.membership
    key = (membership.organization_id, membership.user_id)
    organization = change.tables.organizations.get(membership.organization_id)
    if organization is None:
        raise Refused(Refused.ORGANIZATION_MISSING, operation)
    if membership.user_id not in change.tables.users:
        raise Refused(Refused.USER_MISSING, operation)
    if key in change.tables.memberships:
        raise Refused(Refused.REPEATED, operation)
    if any(m.id == membership.id for m in change.tables.memberships.values()):
        raise ValueError(f"{clip(membership.id)} is stored already; ids are never used twice")
    members = _counted(change.tables, organization).members_count or 0
    if 0 < organization.max_allowed_memberships <= members:
        raise Refused(Refused.FULL, operation)
    stored = replace(_with_own_metadata(membership), sequence=change.next("membership"), permissions=())
    change.journal.put(change.tables.memberships, key, stored)
    _note(change, membership.user_id, membership.organization_id)


def _update_membership(change: Change, operation: UpdateMembership) -> None:
    wanted = _with_own_metadata(operation.membership)
    stored = _at_version(change, wanted, operation.expected_version)
    if stored is None:
        raise Refused(Refused.CHANGED, operation)
    kept = replace(
        stored,
        role=wanted.role,
        public_metadata=wanted.public_metadata,
        private_metadata=wanted.private_metadata,
        version=wanted.version,
        updated_at=wanted.updated_at,
    )
    change.journal.put(change.tables.memberships, (stored.organization_id, stored.user_id), kept)


def _delete_membership(change: Change, operation: DeleteMembership) -> None:
    stored = _at_version(change, operation.membership, operation.expected_version)
    if stored is None:
        raise Refused(Refused.CHANGED, operation)
    change.journal.drop(change.tables.memberships, (stored.organization_id, stored.user_id))
    _clear(change, stored.organization_id, stored.user_id, operation.now)


def _require_membership(change: Change, operation: RequireMembership) -> None:
    if (operation.organization_id, operation.user_id) not in change.tables.memberships:
        raise Refused(Refused.MEMBERSHIP_MISSING, operation)


def _note_organization(change: Change, operation: NoteOrganization) -> None:
    organization_id, user_id = operation.organization_id, operation.user_id
    if organization_id is None:
        change.journal.put(change.tables.noted, user_id, ())
    elif (organization_id, user_id) in change.tables.memberships:
        _note(change, user_id, organization_id)


def _note(change: Change, user_id: str, organization_id: str) -> None:
    others = tuple(o for o in change.tables.noted.get(user_id, ()) if o != organization_id)
    kept = tuple(o for o in others if (o, user_id) in change.tables.memberships)
    change.journal.put(change.tables.noted, user_id, (*kept, organization_id))


def _at_version(change: Change, membership: Membership, version: int) -> Membership | None:
    stored = change.tables.memberships.get((membership.organization_id, membership.user_id))
    if stored is None or stored.id != membership.id or stored.version != version:
        return None
    return stored


def _clear(change: Change, organization_id: str, user_id: str | None, now: int) -> None:
    """Clear an organization from the sessions of one user or of all."""
    for session in list(change.tables.sessions.values()):
        if (
            session.last_active_organization_id == organization_id
            and session.live
            and user_id in (None, session.user_id)
        ):
            cleared = replace(
                session,
                last_active_organization_id=None,
                version=session.version + 1,
                updated_at=max(now, session.updated_at + 1),
            )
            change.journal.put(change.tables.sessions, session.id, cleared)


def drop_memberships(change: Change, user_id: str) -> None:
    """What becomes of a user's memberships when the user is deleted."""
    for key in [key for key in change.tables.memberships if key[1] == user_id]:
        change.journal.drop(change.tables.memberships, key)
    if user_id in change.tables.noted:
        change.journal.drop(change.tables.noted, user_id)


def _claim_slug(
    change: Change, organization: Organization, operation: InsertOrganization | UpdateOrganization
) -> None:
    if organization.slug is None:
        return
    if organization.slug in change.tables.slugs:
        raise Refused(Refused.IDENTIFIER_TAKEN, operation, "slug")
    change.journal.put(change.tables.slugs, organization.slug, organization.id)


def _free_slug(change: Change, organization: Organization) -> None:
    if organization.slug is not None:
        change.journal.drop(change.tables.slugs, organization.slug)


def _with_own_metadata(resource: Any) -> Any:
    return replace(
        resource,
        public_metadata=own(resource.public_metadata),
        private_metadata=own(resource.private_metadata),
    )


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
