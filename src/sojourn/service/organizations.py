"""Organizations: the teams or tenants of the application."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from sojourn.core.directory import Membership, Organization
from sojourn.core.errors import (
    Conflict,
    Invalid,
    NotFound,
    OrganizationLimitReached,
    Taken,
)
from sojourn.core.events import EventType
from sojourn.core.ids import Prefix
from sojourn.core.metadata import merge
from sojourn.core.roles import ADMIN
from sojourn.service.context import ATTEMPTS, Context, Once, check_page
from sojourn.service.ports import (
    DeleteOrganization,
    InsertMembership,
    InsertOnce,
    InsertOrganization,
    Operation,
    OrganizationPage,
    OrganizationQuery,
    Refused,
    UpdateOrganization,
)

MAX_NAME = 256
MAX_MEMBERSHIPS = 2**31
_Changes: TypeAlias = Callable[[Organization], Mapping[str, object]]
_SLUG = re.compile(r"[a-z0-9-]{1,256}")


class Organizations:
    """Make, read, change and delete organizations; who is in them is told by `memberships`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def create(
        self,
        *,
        name: str,
        slug: str | None = None,
        created_by: str | None = None,
        max_allowed_memberships: int = 0,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
        created_at: int | None = None,
        once: Once | None = None,
    ) -> Organization:
        """Make an organization. The user `created_by` becomes its first member, with the role `org:admin`.

        `slug` is of small letters, digits and dashes, and belongs to one organization; there need be none.
        `max_allowed_memberships` 0 sets no limit. `created_at` is in Unix ms. Raises Invalid, Taken (slug),
        OrganizationLimitReached, IdempotencyMismatch; Invalid also for a `created_by` who is nobody.
        """
        if once is not None and (done := await self._repeated(once)) is not None:
            return done
        now = self._context.clock.now()
        organization = Organization(
            id=self._context.id(Prefix.ORGANIZATION, now),
            name=name,
            slug=slug,
            created_by=created_by,
            max_allowed_memberships=max_allowed_memberships,
            public_metadata=public_metadata or {},
            private_metadata=private_metadata or {},
            created_at=now if created_at is None else created_at,
            updated_at=now,
        )
        _check(organization)
        # The key first: a repetition is known as one before its own slug is found taken.
        operations: list[Operation] = [] if once is None else [once.done(organization.id, now)]
        operations += await self._insertion(organization, now)
        try:
            await self._context.store.commit(operations)
        except Refused as refused:
            if isinstance(refused.operation, InsertOnce) and once is not None:
                done = await self._repeated(once)
                if done is not None:
                    return done
            raise _refusal(refused, organization) from None
        return organization

    async def get(self, id_or_slug: str, *, counts: bool = False) -> Organization:
        """One organization by its id or slug; `counts`: with `members_count` and `missing_admin`. Raises
        NotFound."""
        store = self._context.store
        # No slug looks like an id: it has no underscore.
        by_id = "_" in id_or_slug
        found = await (store.organization(id_or_slug) if by_id else store.organization_by_slug(id_or_slug))
        if found is not None and counts:
            page = await store.organizations(OrganizationQuery(ids=(found.id,), counts=True, limit=1))
            found = page.items[0] if page.items else None
        if found is None:
            raise NotFound("organization", id_or_slug)
        return found

    async def list(
        self, *, query: str | None = None, user_id: str | None = None, limit: int = 10, offset: int = 0
    ) -> Sequence[Organization]:
        """Organizations, newest first; those with an id, or a name or slug in which `query` stands, and those
        of which a user is a member. `limit` is from 1 to 500. Raises Invalid."""
        users = None if user_id is None else (user_id,)
        asked = OrganizationQuery(text=query, user_ids=users, limit=limit, offset=offset)
        return (await self.page(asked)).items

    async def page(self, query: OrganizationQuery) -> OrganizationPage:
        """As `list`, with every filter and order, and the number of all matches. Raises Invalid."""
        check_page(query.limit, query.offset)
        return await self._context.store.organizations(query)

    async def update(
        self,
        organization_id: str,
        *,
        name: str | None = None,
        slug: str | None = None,
        max_allowed_memberships: int | None = None,
        admin_delete_enabled: bool | None = None,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
        created_at: int | None = None,
    ) -> Organization:
        """Change what is given; None leaves as it is. Metadata is replaced as a whole. A limit below the
        number of members only keeps further ones out. Raises NotFound, Invalid, Taken (slug), Conflict."""
        given = {
            "name": name,
            "slug": slug,
            "max_allowed_memberships": max_allowed_memberships,
            "admin_delete_enabled": admin_delete_enabled,
            "public_metadata": public_metadata,
            "private_metadata": private_metadata,
            "created_at": created_at,
        }
        changes = {member: value for member, value in given.items() if value is not None}
        return await self._change(organization_id, lambda _: changes)

    async def merge_metadata(
        self,
        organization_id: str,
        *,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
    ) -> Organization:
        """Merge into the metadata, level by level; null removes a key. Raises NotFound, Conflict."""

        def changes(organization: Organization) -> dict[str, object]:
            return {
                "public_metadata": merge(organization.public_metadata, public_metadata or {}),
                "private_metadata": merge(organization.private_metadata, private_metadata or {}),
            }

        return await self._change(organization_id, changes)

    async def delete(self, organization_id: str) -> None:
        """Delete an organization with its memberships; in the same step it leaves every session in which it
        is active. Raises NotFound."""
        now = self._context.clock.now()
        operations = [
            DeleteOrganization(organization_id=organization_id, now=now),
            self._context.event(EventType.ORGANIZATION_DELETED, now, organization_id=organization_id),
        ]
        try:
            await self._context.store.commit(operations)
        except Refused:
            raise NotFound("organization", organization_id) from None

    # How it is done ----------------------------------------------------------------------------------------

    async def _insertion(self, organization: Organization, now: int) -> Sequence[Operation]:
        created = self._context.event(
            EventType.ORGANIZATION_CREATED,
            now,
            organization_id=organization.id,
            user_id=organization.created_by,
        )
        creator = organization.created_by
        if creator is None:
            return [InsertOrganization(organization), created]
        user = await self._context.store.user(creator)
        limit = user.create_organizations_limit if user else None
        membership = Membership(
            id=self._context.id(Prefix.MEMBERSHIP, now),
            organization_id=organization.id,
            user_id=creator,
            role=ADMIN,
            created_at=now,
            updated_at=now,
        )
        # A limit of 0 is none (spec User, create_organizations_limit).
        return [
            InsertOrganization(organization, at_most=limit or None),
            created,
            InsertMembership(membership),
            self._context.event(
                EventType.MEMBERSHIP_CREATED, now, organization_id=organization.id, user_id=creator
            ),
        ]

    async def _change(self, organization_id: str, changes: _Changes) -> Organization:
        for _ in range(ATTEMPTS):
            organization = await self._context.store.organization(organization_id)
            if organization is None:
                raise NotFound("organization", organization_id)
            now = self._context.clock.now()
            given: Mapping[str, Any] = changes(organization)
            changed = replace(organization, **given)
            _check(changed)
            if changed == organization:
                return organization
            changed = replace(
                changed,
                updated_at=max(now, organization.updated_at + 1),
                version=organization.version + 1,
            )
            operations = [
                UpdateOrganization(organization=changed, expected_version=organization.version),
                self._context.event(EventType.ORGANIZATION_UPDATED, now, organization_id=organization_id),
            ]
            try:
                await self._context.store.commit(operations)
            except Refused as refused:
                if refused.why == Refused.CHANGED:
                    continue
                raise _refusal(refused, changed) from None
            return changed
        raise Conflict

    async def _repeated(self, once: Once) -> Organization | None:
        made = await self._context.made(once)
        return None if made is None else await self.get(made)


def _check(organization: Organization) -> None:
    """Refuse what a store or a token could not hold. Raises Invalid naming the parameter."""
    name, slug = organization.name, organization.slug
    if not 1 <= len(name) <= MAX_NAME or name.isspace():
        raise Invalid("name", f"name takes 1 to {MAX_NAME} characters.")
    if not name.isprintable() and any(0xD800 <= ord(character) < 0xE000 for character in name):
        raise Invalid("name", "name has to be text.")
    if slug is not None and _SLUG.fullmatch(slug) is None:
        raise Invalid("slug", "slug takes 1 to 256 small letters, digits and dashes.")
    if not 0 <= organization.max_allowed_memberships <= MAX_MEMBERSHIPS:
        raise Invalid("max_allowed_memberships", "max_allowed_memberships must be 0, for no limit, or more.")
    if not abs(organization.created_at) < 2**53:
        raise Invalid("created_at", "created_at is out of range.")


def _refusal(refused: Refused, organization: Organization) -> Exception:
    match refused.why:
        case Refused.IDENTIFIER_TAKEN:
            return Taken("slug", f"The slug {organization.slug} belongs to another organization.")
        case Refused.USER_MISSING:
            return Invalid("created_by", "created_by must be the id of a user.")
        case Refused.FULL:
            return OrganizationLimitReached(
                f"The user {organization.created_by} has created as many organizations as allowed."
            )
        case _:
            return Conflict()
