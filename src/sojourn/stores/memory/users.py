"""Users in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from sojourn.core.directory import IdentifierKind, User
from sojourn.service.ports import DeleteUser, InsertUser, Refused, UpdateUser, UserQuery
from sojourn.stores.memory.describing import between, describes, key_of
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
        found = self._found(query)
        found.sort(key=lambda user: (key_of(query.order, user), user.sequence), reverse=query.descending)
        return found[query.offset : query.offset + query.limit]

    async def count_users(self, query: UserQuery) -> int:
        """As the port says."""
        return len(self._found(query))

    def _found(self, query: UserQuery) -> list[User]:
        users = self._tables.users.values()
        return [user for user in users if self._names(query, user) and describes(query, user)]

    def _names(self, query: UserQuery, user: User) -> bool:
        """Whether what a query says beyond `describes` is so."""

        def joined(organization_ids: Iterable[str]) -> bool:
            return any((one, user.id) in self._tables.memberships for one in organization_ids)

        place = (user.created_at, user.sequence)
        return (
            (query.ids is None or user.id in query.ids)
            and user.id not in query.without_ids
            and (query.external_ids is None or user.external_id in query.external_ids)
            and user.external_id not in query.without_external_ids
            and (query.organization_ids is None or joined(query.organization_ids))
            and not joined(query.without_organization_ids)
            and query.banned in (None, user.banned)
            and between(query.last_sign_in_after, user.last_sign_in_at, query.last_sign_in_before)
            and (query.after is None or (place < query.after if query.descending else place > query.after))
        )


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
