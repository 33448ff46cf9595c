"""Users: what is asked, what happens, and the verbs for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sojourn.core.directory import IdentifierKind, User


@dataclass(frozen=True, slots=True, kw_only=True)
class UserQuery:
    """Users in the order of creation. An empty tuple of ids or identifiers finds nobody; None does not
    filter."""

    ids: tuple[str, ...] | None = None
    identifiers: tuple[tuple[IdentifierKind, str], ...] | None = None
    newest_first: bool = True
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
        """The users that a query describes."""
        ...
