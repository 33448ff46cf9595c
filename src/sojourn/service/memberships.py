"""Memberships: who belongs to an organization, and as what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from sojourn.core.directory import Member, Membership
from sojourn.core.errors import (
    AlreadyAMember,
    Conflict,
    MembershipLimitReached,
    NotFound,
    SojournError,
)
from sojourn.core.events import EventType
from sojourn.core.ids import Prefix
from sojourn.core.metadata import merge
from sojourn.core.roles import check_role
from sojourn.service.context import ATTEMPTS, Context, Once, check_page
from sojourn.service.ports import (
    AppendEvent,
    DeleteMembership,
    InsertMembership,
    MembershipPage,
    MembershipQuery,
    Operation,
    Refused,
    UpdateMembership,
)

_Changes: TypeAlias = Callable[[Membership], Mapping[str, object]]


class Memberships:
    """Add users to organizations, give them roles, and remove them. A role's permissions are those that the
    configuration says, whenever it is asked."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def add(
        self,
        organization_id: str,
        user_id: str,
        *,
        role: str,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
        once: Once | None = None,
    ) -> Member:
        """Make a user a member, as `org:admin`, `org:member` or any `org:<key>` of the application's own. The
        user's next session begins in that organization.

        Raises NotFound (organization or user), Invalid (role), AlreadyAMember, MembershipLimitReached,
        IdempotencyMismatch.
        """
        check_role(role)
        if once is not None and (done := await self._repeated(once)) is not None:
            return done
        now = self._context.clock.now()
        membership = Membership(
            id=self._context.id(Prefix.MEMBERSHIP, now),
            organization_id=organization_id,
            user_id=user_id,
            role=role,
            public_metadata=public_metadata or {},
            private_metadata=private_metadata or {},
            created_at=now,
            updated_at=now,
        )
        operations: list[Operation] = [
            InsertMembership(membership),
            self._event(EventType.MEMBERSHIP_CREATED, membership, now),
        ]
        if once is not None:
            operations.append(once.done(f"{organization_id} {user_id}", now))
        try:
            await self._context.store.commit(operations)
        except Refused as refused:
            # Somebody who sent the same request at the same moment has made it.
            if once is not None and (done := await self._repeated(once)) is not None:
                return done
            raise _refusal(refused, membership) from None
        return await self.get(organization_id, user_id)

    async def get(self, organization_id: str, user_id: str) -> Member:
        """One membership. Raises NotFound."""
        found = await self._context.store.membership(organization_id, user_id)
        if found is None:
            raise NotFound("membership of this organization", user_id)
        return self._with_permissions(found)

    async def list(
        self,
        *,
        organization_id: str | None = None,
        user_id: str | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> Sequence[Member]:
        """Memberships of an organization, of a user or of both, newest first. `limit` is from 1 to 500.
        Raises Invalid."""
        users = None if user_id is None else (user_id,)
        query = MembershipQuery(organization_id=organization_id, user_ids=users, limit=limit, offset=offset)
        return (await self.page(query)).items

    async def page(self, query: MembershipQuery) -> MembershipPage:
        """As `list`, with every filter and order, and the number of all matches. Raises Invalid."""
        check_page(query.limit, query.offset)
        found = await self._context.store.memberships(query)
        return MembershipPage([self._with_permissions(member) for member in found.items], found.total)

    async def update(self, organization_id: str, user_id: str, *, role: str) -> Member:
        """Give a member another role; it stands in every token made from now on. Raises NotFound, Invalid
        (role), Conflict."""
        check_role(role)
        return await self._change(organization_id, user_id, lambda _: {"role": role})

    async def merge_metadata(
        self,
        organization_id: str,
        user_id: str,
        *,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
    ) -> Member:
        """Merge into the metadata, level by level; null removes a key. Raises NotFound, Conflict."""

        def changes(membership: Membership) -> dict[str, object]:
            return {
                "public_metadata": merge(membership.public_metadata, public_metadata or {}),
                "private_metadata": merge(membership.private_metadata, private_metadata or {}),
            }

        return await self._change(organization_id, user_id, changes)

    async def remove(self, organization_id: str, user_id: str) -> Member:
        """End a membership, which comes back as it last was; in the same step the organization leaves every
        session of the user in which it is active. Raises NotFound, Conflict."""
        for _ in range(ATTEMPTS):
            member = await self.get(organization_id, user_id)
            membership = member.membership
            now = self._context.clock.now()
            operations = [
                DeleteMembership(membership=membership, expected_version=membership.version, now=now),
                self._event(EventType.MEMBERSHIP_DELETED, membership, now),
            ]
            try:
                await self._context.store.commit(operations)
            except Refused:
                continue
            return member
        raise Conflict

    # How it is done ----------------------------------------------------------------------------------------

    async def _change(self, organization_id: str, user_id: str, changes: _Changes) -> Member:
        for _ in range(ATTEMPTS):
            member = await self.get(organization_id, user_id)
            membership = member.membership
            now = self._context.clock.now()
            given: Mapping[str, Any] = changes(membership)
            changed = replace(membership, **given)
            if changed == membership:
                return member
            changed = replace(
                changed, updated_at=max(now, membership.updated_at + 1), version=membership.version + 1
            )
            operations = [
                UpdateMembership(membership=changed, expected_version=membership.version),
                self._event(EventType.MEMBERSHIP_UPDATED, membership, now),
            ]
            try:
                await self._context.store.commit(operations)
            except Refused:
                continue
            return self._with_permissions(replace(member, membership=changed))
        raise Conflict

    def _with_permissions(self, member: Member) -> Member:
        permissions = self._context.roles.permissions_of(member.membership.role)
        return replace(member, membership=replace(member.membership, permissions=permissions))

    def _event(self, kind: EventType, membership: Membership, now: int) -> AppendEvent:
        return self._context.event(
            kind, now, organization_id=membership.organization_id, user_id=membership.user_id
        )

    async def _repeated(self, once: Once) -> Member | None:
        made = await self._context.made(once)
        return None if made is None else await self.get(*made.split(" "))


def _refusal(refused: Refused, membership: Membership) -> SojournError:
    match refused.why:
        case Refused.ORGANIZATION_MISSING:
            return NotFound("organization", membership.organization_id)
        case Refused.USER_MISSING:
            return NotFound("user", membership.user_id)
        case Refused.REPEATED:
            return AlreadyAMember(f"The user {membership.user_id} is a member already.")
        case Refused.FULL:
            return MembershipLimitReached(
                f"The organization {membership.organization_id} has as many members as it takes."
            )
        case _:
            return Conflict()
