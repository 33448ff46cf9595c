"""Users on PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sojourn.core.directory import Contact, IdentifierKind, User
from sojourn.service.ports import DeleteUser, InsertUser, Refused, UpdateUser, UserOrder, UserQuery
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.conditions import (
    KNOWN_AS,
    LISTED,
    UNLISTED,
    Conditions,
    about_user,
    chosen,
    order,
)
from sojourn.stores.postgres.driver import Duplicate
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.postgres.statements import SQL
from sojourn.stores.sql.rows.users import user_document, user_of


class Users:
    """The verbs for users."""

    _reads: Reads

    async def user(self, user_id: str) -> User | None:
        """As the port says."""
        found = await self._reads.named("user_get", id=user_id)
        return user_of(found[0]) if found else None

    async def user_by(self, kind: IdentifierKind, value: str) -> User | None:
        """As the port says."""
        found = await self._reads.named("user_by_identifier", kind=kind.value, value=value)
        return user_of(found[0]) if found else None

    async def users(self, query: UserQuery) -> Sequence[User]:
        """As the port says."""
        where, bindings = _of_users(query)
        sorting = order(_ORDER[query.order], "u.seq", descending=query.descending)
        return [
            user_of(row)
            for row in await self._reads.search(f"{SQL['user_page']} {where} {sorting}", bindings)
        ]

    async def count_users(self, query: UserQuery) -> int:
        """As the port says."""
        where, bindings = _of_users(query)
        found = await self._reads.search(f"{SQL['user_count']} {where}", bindings)
        return found[0][0] if found else 0


# Which ones ------------------------------------------------------------------------------------------------

_ORDER = {one: f"u.{one.value}" for one in UserOrder}
"""Each is a column."""


def _of_users(query: UserQuery) -> tuple[str, dict[str, Any]]:
    """The condition and the bindings of a query."""
    known_as = {
        "external_ids": (query.external_ids, "u.id", IdentifierKind.EXTERNAL_ID),
        "without_external_ids": (query.without_external_ids or None, "u.id NOT", IdentifierKind.EXTERNAL_ID),
        "email_addresses": (query.email_addresses, "u.id", IdentifierKind.EMAIL_ADDRESS),
        "phone_numbers": (query.phone_numbers, "u.id", IdentifierKind.PHONE_NUMBER),
        "usernames": (query.usernames, "u.id", IdentifierKind.USERNAME),
    }
    outside = query.without_organization_ids or None
    conditions: Conditions = {
        "ids": (query.ids, LISTED.format("u.id", "ids")),
        "without_ids": (query.without_ids or None, UNLISTED.format("u.id", "without_ids")),
        **{name: (v, KNOWN_AS.format(column, name, kind)) for name, (v, column, kind) in known_as.items()},
        "organization_ids": (query.organization_ids, SQL["user_in_organizations"]),
        "without_organization_ids": (outside, SQL["user_in_no_organization"]),
        **about_user(query),
        "banned": (query.banned, "u.banned = :banned"),
        "last_sign_in_before": (query.last_sign_in_before, "u.last_sign_in_at < :last_sign_in_before"),
        "last_sign_in_after": (query.last_sign_in_after, "u.last_sign_in_at > :last_sign_in_after"),
    }
    after_at, after_sequence = query.after or (None, None)
    conditions["after_at"] = (after_at, SQL["user_before" if query.descending else "user_after"])
    where, bindings = chosen(conditions)
    return where, {**bindings, "after_sequence": after_sequence, "limit": query.limit, "offset": query.offset}


# What each operation does ----------------------------------------------------------------------------------


async def _insert_user(change: Change, operation: InsertUser) -> None:
    user = operation.user
    await change.insert("user_insert", _bindings(user), user.id)
    await _claim_identifiers(change, user, operation)


async def _update_user(change: Change, operation: UpdateUser) -> None:
    user = operation.user
    bindings = _bindings(user) | {"expected_version": operation.expected_version}
    await change.update("user_update", bindings, operation)
    await change.run("identifiers_delete", {"user_id": user.id})
    await _claim_identifiers(change, user, operation)


async def _delete_user(change: Change, operation: DeleteUser) -> None:
    # The identifiers go with it, by their reference.
    if not await change.run("user_delete", {"id": operation.user_id}):
        raise Refused(Refused.USER_MISSING, operation)


async def _claim_identifiers(change: Change, user: User, operation: InsertUser | UpdateUser) -> None:
    for kind, value in user.identifiers():
        try:
            await change.run("identifier_insert", {"kind": kind.value, "value": value, "user_id": user.id})
        except Duplicate:
            raise Refused(Refused.IDENTIFIER_TAKEN, operation, kind.value) from None


def _bindings(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "version": user.version,
        "banned": user.banned,
        "locked": user.locked,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "last_sign_in_at": user.last_sign_in_at,
        "last_active_at": user.last_active_at,
        "document": user_document(user),
        "first_name": _sortable(user.first_name),
        "last_name": _sortable(user.last_name),
        "username": _sortable(user.username),
        "email_address": _first(user.email_addresses),
        "phone_number": _first(user.phone_numbers),
    }


def _first(contacts: Sequence[Contact]) -> str | None:
    return _sortable(contacts[0].value) if contacts else None


def _sortable(text: str | None) -> str | None:
    """A text as a column can hold it; as it was given it is in the document."""
    return None if text is None else text.replace("\0", "").encode(errors="replace").decode()


CHANGES: Mapping[type, Callable[..., Awaitable[None]]] = {
    InsertUser: _insert_user,
    UpdateUser: _update_user,
    DeleteUser: _delete_user,
}
"""What a commit does for each operation."""
