"""Users in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sojourn.core.directory import IdentifierKind, User
from sojourn.service.ports import DeleteUser, InsertUser, Refused, UpdateUser, UserQuery
from sojourn.stores.memory.organizations import drop_memberships
from sojourn.stores.memory.tables import Change, Tables, latest, own


class Users:
    """The verbs for users."""

    _tables: Tables

    async def user(self, user_id: str) -> User | None:
        """As the port says."""
        return self._tables.users.get(user_id)

    async def user_by(self, kind: IdentifierKind, value: str) -> User | None:
        """As the port says."""
        owner = self._tables.identifiers.get((kind, value))
        return None if owner is None else self._tables.users[owner]

    async def users(self, query: UserQuery) -> Sequence[User]:
        """As the port says."""
        wanted: set[str] | None = None
        if query.ids is not None:
            wanted = set(query.ids)
        if query.identifiers is not None:
            owners = {self._tables.identifiers[i] for i in query.identifiers if i in self._tables.identifiers}
            wanted = owners if wanted is None else wanted & owners
        # Sorted, because taking back a refused deletion puts a user at the end of its table.
        found = [user for user in self._tables.users.values() if wanted is None or user.id in wanted]
        found.sort(key=lambda user: user.sequence, reverse=query.newest_first)
        return found[query.offset : query.offset + query.limit]


# What each operation does ----------------------------------------------------------------------------------


def _insert_user(change: Change, operation: InsertUser) -> None:
    user = _with_own_metadata(operation.user)
    _claim_identifiers(change, user, operation)
    change.new(change.tables.users, user.id, replace(user, sequence=change.next("user")))


def _update_user(change: Change, operation: UpdateUser) -> None:
    user = _with_own_metadata(operation.user)
    stored = change.tables.users.get(user.id)
    if stored is None or stored.version != operation.expected_version:
        raise Refused(Refused.CHANGED, operation)
    _free_identifiers(change, stored)
    _claim_identifiers(change, user, operation)
    # Sign-ins and touches write these two without a version; a change read before must not undo them.
    kept = replace(
        user,
        sequence=stored.sequence,
        last_sign_in_at=latest(stored.last_sign_in_at, user.last_sign_in_at),
        last_active_at=latest(stored.last_active_at, user.last_active_at),
    )
    change.journal.put(change.tables.users, user.id, kept)


def _delete_user(change: Change, operation: DeleteUser) -> None:
    stored = change.tables.users.get(operation.user_id)
    if stored is None:
        raise Refused(Refused.USER_MISSING, operation)
    _free_identifiers(change, stored)
    drop_memberships(change, stored.id)
    change.journal.drop(change.tables.users, stored.id)


def _claim_identifiers(change: Change, user: User, operation: InsertUser | UpdateUser) -> None:
    for identifier in user.identifiers():
        if identifier in change.tables.identifiers:
            raise Refused(Refused.IDENTIFIER_TAKEN, operation, identifier[0].value)
        change.journal.put(change.tables.identifiers, identifier, user.id)


def _free_identifiers(change: Change, user: User) -> None:
    for identifier in user.identifiers():
        change.journal.drop(change.tables.identifiers, identifier)


def _with_own_metadata(user: User) -> User:
    return replace(
        user,
        public_metadata=own(user.public_metadata),
        private_metadata=own(user.private_metadata),
        unsafe_metadata=own(user.unsafe_metadata),
    )


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertUser: _insert_user,
    UpdateUser: _update_user,
    DeleteUser: _delete_user,
}
"""What a commit does for each operation."""
