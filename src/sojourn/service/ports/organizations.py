"""Organizations and memberships: what is asked, what happens, and the verbs for both.

Texts are compared without regard to the case of the 26 Latin letters, which every store can do; other letters
only match themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from sojourn.core.directory import Member, Membership, Organization
from sojourn.service.ports.sessions import Held

# What is asked ---------------------------------------------------------------------------------------------


class OrganizationOrder(StrEnum):
    """What organizations are sorted by; equal ones keep the order of creation."""

    CREATED = "created_at"
    NAME = "name"
    MEMBERS = "members_count"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationQuery:
    """Organizations. An empty tuple of ids finds none; None does not filter.

    `text` is an id, or a part of a name or slug. `user_ids`: any of these is a member; `without_user_ids`:
    none of these is. `counts`: also tell `members_count` and `missing_admin`.
    """

    text: str | None = None
    ids: tuple[str, ...] | None = None
    without_ids: tuple[str, ...] = ()
    user_ids: tuple[str, ...] | None = None
    without_user_ids: tuple[str, ...] = ()
    counts: bool = False
    order: OrganizationOrder = OrganizationOrder.CREATED
    descending: bool = True
    limit: int = 10
    offset: int = 0


@dataclass(frozen=True, slots=True)
class OrganizationPage:
    """`total` counts all matches, not only this page."""

    items: Sequence[Organization]
    total: int


class MembershipOrder(StrEnum):
    """What memberships are sorted by: their own creation, or something of the user, where nothing comes
    before everything; equal ones keep the order of creation."""

    CREATED = "created_at"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    USERNAME = "username"
    EMAIL_ADDRESS = "email_address"
    PHONE_NUMBER = "phone_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipQuery:
    """Memberships of an organization, of a user, or of both. An empty tuple finds none; None does not filter.

    `…_text` finds a part of what the user has; `text` looks at ids, names and identifiers. `name_text` looks
    at first and last name with a space between. Instants (Unix ms) are those of the user and bound without
    being in.
    """

    organization_id: str | None = None
    user_ids: tuple[str, ...] | None = None
    without_user_ids: tuple[str, ...] = ()
    roles: tuple[str, ...] | None = None
    email_addresses: tuple[str, ...] | None = None
    phone_numbers: tuple[str, ...] | None = None
    usernames: tuple[str, ...] | None = None
    text: str | None = None
    email_address_text: str | None = None
    phone_number_text: str | None = None
    username_text: str | None = None
    name_text: str | None = None
    last_active_before: int | None = None
    last_active_after: int | None = None
    created_before: int | None = None
    created_after: int | None = None
    order: MembershipOrder = MembershipOrder.CREATED
    descending: bool = True
    limit: int = 10
    offset: int = 0


@dataclass(frozen=True, slots=True)
class MembershipPage:
    """`total` counts all matches, not only this page."""

    items: Sequence[Member]
    total: int


@dataclass(frozen=True, slots=True)
class HeldInOrganization:
    """A session with the organization that is active in it and the user's membership there, as they are at
    one instant; both None where there is no such membership."""

    held: Held
    organization: Organization | None = None
    membership: Membership | None = None


# What happens ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InsertOrganization:
    """Store a new organization. Refused.IDENTIFIER_TAKEN when the slug belongs to another one, Refused.FULL
    when its creator has created `at_most` organizations that still stand (None: no limit)."""

    organization: Organization
    at_most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOrganization:
    """Replace a stored organization if it is still at `expected_version` (else Refused.CHANGED).
    Refused.IDENTIFIER_TAKEN when the slug belongs to another one."""

    organization: Organization
    expected_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOrganization:
    """Remove an organization with its memberships, and clear it, at `now` (ms), from every session that has
    not ended. Refused.ORGANIZATION_MISSING when there is none."""

    organization_id: str
    now: int


@dataclass(frozen=True, slots=True)
class InsertMembership:
    """Store a new membership; the user's next session begins in that organization.

    Refused: ORGANIZATION_MISSING, USER_MISSING, REPEATED when the user is a member already, FULL when the
    organization takes no more.
    """

    membership: Membership


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateMembership:
    """Replace role and metadata of a stored membership if it is still at `expected_version` (else
    Refused.CHANGED)."""

    membership: Membership
    expected_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMembership:
    """Remove a membership by its id if it is still at `expected_version` (else Refused.CHANGED), and clear
    the organization, at `now` (ms), from every session of the user that has not ended."""

    membership: Membership
    expected_version: int
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequireMembership:
    """Change nothing; Refused.MEMBERSHIP_MISSING unless the user is a member at the commit."""

    organization_id: str
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteOrganization:
    """Note the organization in which the user's next session begins; None: in none, until the user becomes a
    member again or one is noted. Changes nothing where the user is no member."""

    organization_id: str | None
    user_id: str


OrganizationOperation: TypeAlias = (
    InsertOrganization
    | UpdateOrganization
    | DeleteOrganization
    | InsertMembership
    | UpdateMembership
    | DeleteMembership
    | RequireMembership
    | NoteOrganization
)


class OrganizationStore(Protocol):
    """The verbs for organizations and memberships. A user's memberships go with the user (DeleteUser)."""

    async def organization(self, organization_id: str) -> Organization | None:
        """One organization, without counts."""
        ...

    async def organization_by_slug(self, slug: str) -> Organization | None:
        """The organization to which a slug belongs, without counts."""
        ...

    async def organizations(self, query: OrganizationQuery) -> OrganizationPage:
        """The organizations that a query describes."""
        ...

    async def membership(self, organization_id: str, user_id: str) -> Member | None:
        """One membership with both its ends."""
        ...

    async def memberships(self, query: MembershipQuery) -> MembershipPage:
        """The memberships that a query describes."""
        ...

    async def session_in_organization(self, session_id: str) -> HeldInOrganization | None:
        """One session with its cutoffs, its active organization and the membership, by one statement; None
        when the session is not stored."""
        ...

    async def next_organization(self, user_id: str) -> str | None:
        """The organization in which the user's next session begins: the one noted last of those that the user
        is still a member of."""
        ...
