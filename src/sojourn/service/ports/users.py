"""Users: what is asked, what happens, and the verbs for both.

Texts are compared as those of organizations are: without regard to the case of the 26 Latin letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from sojourn.core.directory import IdentifierKind, User


class UserOrder(StrEnum):
    """What users are sorted by, where nothing comes before everything; equal ones keep the order of
    creation. An address or number is the primary one."""

    CREATED = "created_at"
    UPDATED = "updated_at"
    LAST_ACTIVE = "last_active_at"
    LAST_SIGN_IN = "last_sign_in_at"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    USERNAME = "username"
    EMAIL_ADDRESS = "email_address"
    PHONE_NUMBER = "phone_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserQuery:
    """Users; every member that is given has to fit. An empty tuple finds nobody; None does not filter.

    `organization_ids`: a member of any of these; `without_organization_ids`: of none of these. `…_text`
    finds a part of what the user has; `text` looks at ids, names and identifiers but the application's own
    id, and `name_text` at first and last name with a space between. Instants (Unix ms) bound without being
    in. `after`: only those that come after the user with this `created_at` and sequence, in the order by
    creation.
    """

    ids: tuple[str, ...] | None = None
    without_ids: tuple[str, ...] = ()
    external_ids: tuple[str, ...] | None = None
    without_external_ids: tuple[str, ...] = ()
    email_addresses: tuple[str, ...] | None = None
    phone_numbers: tuple[str, ...] | None = None
    usernames: tuple[str, ...] | None = None
    organization_ids: tuple[str, ...] | None = None
    without_organization_ids: tuple[str, ...] = ()
    text: str | None = None
    email_address_text: str | None = None
    phone_number_text: str | None = None
    username_text: str | None = None
    name_text: str | None = None
    banned: bool | None = None
    created_before: int | None = None
    created_after: int | None = None
    last_active_before: int | None = None
    last_active_after: int | None = None
    last_sign_in_before: int | None = None
    last_sign_in_after: int | None = None
    order: UserOrder = UserOrder.CREATED
    descending: bool = True
    after: tuple[int, int] | None = None
    limit: int = 10
    offset: int = 0


@dataclass(frozen=True, slots=True)
class InsertUser:
    """Store a new user. Refused.IDENTIFIER_TAKEN when an identifier belongs to somebody."""

    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateUser:
    """Replace a stored user, all identifiers included, if still at `expected_version` (else
    Refused.CHANGED)."""

    user: User
    expected_version: int


@dataclass(frozen=True, slots=True)
class DeleteUser:
    """Remove a user with all memberships and free the identifiers. Refused.USER_MISSING when there is
    none."""

    user_id: str


UserOperation: TypeAlias = InsertUser | UpdateUser | DeleteUser


class UserStore(Protocol):
    """The verbs for users."""

    async def user(self, user_id: str) -> User | None:
        """One user."""
        ...

    async def user_by(self, kind: IdentifierKind, value: str) -> User | None:
        """The user to whom an identifier belongs."""
        ...

    async def users(self, query: UserQuery) -> Sequence[User]:
        """The users that a query describes. May raise TooBroad instead of looking at more than a store will
        for one question; ids, identifiers, organizations and the order of creation are never too broad."""
        ...

    async def count_users(self, query: UserQuery) -> int:
        """How many users a query describes, whatever its page. May raise TooBroad, as `users`."""
        ...
