"""Stores that break a promise about organizations and memberships, one each."""

# ruff: noqa: D102  # the class says what is broken; what the verb should do is said by the port

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from sojourn.core.directory import Organization
from sojourn.service.ports import (
    DeleteMembership,
    DeleteOrganization,
    DeleteUser,
    HeldInOrganization,
    InsertMembership,
    InsertOrganization,
    MembershipOrder,
    MembershipPage,
    MembershipQuery,
    NoteOrganization,
    Operation,
    OrganizationOrder,
    OrganizationPage,
    OrganizationQuery,
    RequireMembership,
    UpdateMembership,
    UpdateOrganization,
)
from sojourn.stores.memory import MemoryStore
from tests.contract.broken import breaks
from tests.contract.broken_writes import Rewriting

# Changes ---------------------------------------------------------------------------------------------------


@breaks("test_organizations_come_back_as_they_were_given")
class ForgetsWhoCreated(MemoryStore):
    """A change replaces the creator."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for operation in operations:
            if isinstance(operation, UpdateOrganization):
                wanted, organizations = operation.organization, self._tables.organizations
                organizations[wanted.id] = replace(organizations[wanted.id], created_by=wanted.created_by)


@breaks("test_what_is_stored_of_an_organization_is_a_copy")
class KeepsWhatItIsGiven(MemoryStore):
    """The metadata stored is the caller's own."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for operation in operations:
            if isinstance(operation, InsertOrganization):
                given = operation.organization
                stored = self._tables.organizations[given.id]
                self._tables.organizations[given.id] = replace(stored, public_metadata=given.public_metadata)


@breaks("test_organizations_change_by_version")
class IgnoresVersionsOfOrganizations(Rewriting):
    """The last change of an organization wins."""

    def rewrite(self, operation: Operation) -> Operation:
        if isinstance(operation, UpdateOrganization):
            stored = self._tables.organizations.get(operation.organization.id)
            return replace(operation, expected_version=stored.version) if stored else operation
        return operation


@breaks("test_memberships_change_by_version")
class IgnoresVersionsOfMemberships(Rewriting):
    """The last change of a membership wins."""

    def rewrite(self, operation: Operation) -> Operation:
        if isinstance(operation, UpdateMembership):
            one = operation.membership
            stored = self._tables.memberships.get((one.organization_id, one.user_id))
            return replace(operation, expected_version=stored.version) if stored else operation
        return operation


@breaks("test_memberships_come_back_as_they_were_given")
class UpdatesEverything(MemoryStore):
    """A change of a membership replaces the whole."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for operation in operations:
            if isinstance(operation, UpdateMembership):
                one = operation.membership
                self._tables.memberships[one.organization_id, one.user_id] = one


@breaks("test_a_slug_belongs_to_one_organization")
class HandsOutSlugs(MemoryStore):
    """A slug belongs to whoever claims it last."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, InsertOrganization) and operation.organization.slug is not None:
                self._tables.slugs.pop(operation.organization.slug, None)
        await super().commit(operations)


@breaks("test_a_race_for_a_slug_has_one_winner")
class LooksAtSlugsFirst(MemoryStore):
    """Whether a slug is free is looked up, and then somebody else has a turn."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        free = not self._tables.slugs
        await asyncio.sleep(0)
        if free:
            self._tables.slugs.clear()
        await super().commit(operations)


@breaks("test_a_creator_may_have_so_many")
class LimitsEverybody(Rewriting):
    """The limit of a creator is forgotten."""

    def rewrite(self, operation: Operation) -> Operation:
        return replace(operation, at_most=None) if isinstance(operation, InsertOrganization) else operation


@breaks("test_an_organization_takes_so_many")
class NeverFull(MemoryStore):
    """Whether there is room is looked up, and then somebody else has a turn."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        limits = dict(self._tables.organizations)
        room = len(self._tables.memberships) < 3
        await asyncio.sleep(0)
        if room and any(isinstance(operation, InsertMembership) for operation in operations):
            for name, one in limits.items():
                self._tables.organizations[name] = replace(one, max_allowed_memberships=0)
        await super().commit(operations)
        self._tables.organizations.update(limits)


# Deletions -------------------------------------------------------------------------------------------------


@breaks("test_a_deleted_organization_leaves_the_sessions")
class LeavesItInSessions(MemoryStore):
    """Sessions keep an organization that is gone."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        before = dict(self._tables.sessions)
        await super().commit(operations)
        if any(isinstance(operation, DeleteOrganization) for operation in operations):
            self._tables.sessions.update(before)


@breaks("test_a_removed_member_leaves_the_organization_in_every_session")
class LeavesMembersInSessions(MemoryStore):
    """Sessions keep the organization of a user who is no member any more."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        before = dict(self._tables.sessions)
        await super().commit(operations)
        if any(isinstance(operation, DeleteMembership) for operation in operations):
            self._tables.sessions.update(before)


@breaks("test_a_change_read_before_does_not_bring_an_organization_back")
class ClearsInSilence(MemoryStore):
    """A deletion clears sessions without counting a version."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        before = {name: session.version for name, session in self._tables.sessions.items()}
        await super().commit(operations)
        if any(isinstance(operation, DeleteOrganization) for operation in operations):
            for name, version in before.items():
                session = self._tables.sessions[name]
                self._tables.sessions[name] = replace(session, version=version)


@breaks("test_memberships_go_with_their_organization")
class OrphansMembers(MemoryStore):
    """One membership survives its organization."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        before, organizations = dict(self._tables.memberships), dict(self._tables.organizations)
        await super().commit(operations)
        if any(isinstance(operation, DeleteOrganization) for operation in operations):
            self._tables.memberships.update(before)
            self._tables.organizations.update(organizations)


@breaks("test_memberships_go_with_their_user")
class OrphansMemberships(MemoryStore):
    """A user's memberships survive the user."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        before, users = dict(self._tables.memberships), dict(self._tables.users)
        await super().commit(operations)
        if any(isinstance(operation, DeleteUser) for operation in operations):
            self._tables.memberships.update(before)
            self._tables.users.update(users)


# Who is a member -------------------------------------------------------------------------------------------


@breaks("test_what_no_membership_can_be_made_of")
class JoinsTwice(MemoryStore):
    """A second membership takes the place of the first."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, InsertMembership):
                one = operation.membership
                self._tables.memberships.pop((one.organization_id, one.user_id), None)
        await super().commit(operations)


@breaks("test_a_membership_may_be_required")
class RequiresBefore(MemoryStore):
    """What is required is looked at before anything of the commit is done."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        required = [operation for operation in operations if isinstance(operation, RequireMembership)]
        await super().commit(required)
        await super().commit([operation for operation in operations if operation not in required])


@breaks("test_the_next_session_begins_where_the_user_was_last")
class BelievesWishes(MemoryStore):
    """A note is taken whoever is a member."""

    async def next_organization(self, user_id: str) -> str | None:
        noted = self._wished.get(user_id)
        return noted or await super().next_organization(user_id)

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for operation in operations:
            if isinstance(operation, NoteOrganization) and operation.organization_id is not None:
                self._wished[operation.user_id] = operation.organization_id

    def __init__(self) -> None:
        super().__init__()
        self._wished: dict[str, str] = {}


@breaks("test_a_session_is_read_with_its_organization")
class TellsOfStrangers(MemoryStore):
    """A session comes with its organization whether or not the user is a member."""

    async def session_in_organization(self, session_id: str) -> HeldInOrganization | None:
        found = await super().session_in_organization(session_id)
        if found is None or found.organization is not None:
            return found
        name = found.held.session.last_active_organization_id
        return replace(found, organization=self._tables.organizations.get(name or ""))


# Lists -----------------------------------------------------------------------------------------------------


@breaks("test_organizations_are_sorted")
class SortsByOneThing(MemoryStore):
    """Organizations are always in the order of their creation."""

    async def organizations(self, query: OrganizationQuery) -> OrganizationPage:
        return await super().organizations(replace(query, order=OrganizationOrder.CREATED))


@breaks("test_organizations_are_filtered", query={"text": "%"}, ids=[])
class MatchesPatterns(MemoryStore):
    """A text to look for is a pattern."""

    async def organizations(self, query: OrganizationQuery) -> OrganizationPage:
        text = query.text and query.text.replace("%", "")
        return await super().organizations(replace(query, text=text))


@breaks("test_members_are_counted_on_demand")
class CountsAlways(MemoryStore):
    """Counts are told whether they were asked for or not."""

    async def organizations(self, query: OrganizationQuery) -> OrganizationPage:
        return await super().organizations(replace(query, counts=True))


@breaks("test_memberships_are_filtered", query={"text": "external"}, ids="")
class TellsExternalIds(MemoryStore):
    """A search finds what the application alone knows users by."""

    async def memberships(self, query: MembershipQuery) -> MembershipPage:
        text = query.text
        if text == "external":
            query = replace(query, text="name_")
        return await super().memberships(query)


@breaks("test_memberships_are_sorted", order=MembershipOrder.FIRST_NAME, ids="dbac")
class SortsByJoining(MemoryStore):
    """Memberships are always in the order of their creation."""

    async def memberships(self, query: MembershipQuery) -> MembershipPage:
        return await super().memberships(replace(query, order=MembershipOrder.CREATED))


@breaks("test_memberships_of_a_user_are_listed")
class MixesOrganizations(MemoryStore):
    """Every member of a list comes with the same organization."""

    async def memberships(self, query: MembershipQuery) -> MembershipPage:
        page = await super().memberships(query)
        first: Organization | None = page.items[0].organization if page.items else None
        items = [replace(member, organization=first or member.organization) for member in page.items]
        return MembershipPage(items, page.total)
