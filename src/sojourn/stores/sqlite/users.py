"""Users on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import apsw

from sojourn.core.directory import IdentifierKind, User
from sojourn.service.ports import DeleteUser, InsertUser, Refused, UpdateUser, UserOrder, UserQuery
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows.users import user_document, user_of
from sojourn.stores.sqlite.changes import DUPLICATE, Change
from sojourn.stores.sqlite.conditions import KNOWN_AS, LISTED, Conditions, about_user, chosen
from sojourn.stores.sqlite.driver import extended_code
from sojourn.stores.sqlite.reads import Reads, Statement

_SQL = queries("sqlite")


class Users:
    """The verbs for users."""

    _reads: Reads

    async def user(self, user_id: str) -> User | None:
        """As the port says."""
        found = await self._reads.point(_SQL["user_get"], (user_id,))
        return user_of(found[0]) if found else None

    async def user_by(self, kind: IdentifierKind, value: str) -> User | None:
        """As the port says."""
        found = await self._reads.point(_SQL["user_by_identifier"], (kind.value, value))
        return user_of(found[0]) if found else None

    async def users(self, query: UserQuery) -> Sequence[User]:
        """As the port says."""
        return [user_of(row) for row in await self._reads.search(page_of(query))]

    async def count_users(self, query: UserQuery) -> int:
        """As the port says."""
        where, bindings = _of_users(query)
        ((total,),) = await self._reads.search(Statement(f"{_SQL['user_count']} {where}", bindings))
        return total


def page_of(query: UserQuery) -> Statement:
    """The statement that reads a page of users."""
    where, bindings = _of_users(query)
    way = "DESC" if query.descending else "ASC"
    order = f"ORDER BY {_ORDER[query.order]} {way}, u.seq {way}"
    return Statement(f"{_SQL['user_page']} {where} {order} LIMIT :limit OFFSET :offset", bindings)


# Which ones ------------------------------------------------------------------------------------------------

_ORDER = {
    UserOrder.CREATED: "u.created_at",
    UserOrder.UPDATED: "u.updated_at",
    UserOrder.LAST_ACTIVE: "u.last_active_at",
    UserOrder.LAST_SIGN_IN: "u.last_sign_in_at",
    UserOrder.FIRST_NAME: "u.document ->> 'first_name'",
    UserOrder.LAST_NAME: "u.document ->> 'last_name'",
    UserOrder.USERNAME: "u.document ->> 'username'",
    UserOrder.EMAIL_ADDRESS: "u.document ->> '$.email_addresses[0][1]'",
    UserOrder.PHONE_NUMBER: "u.document ->> '$.phone_numbers[0][1]'",
}


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
        "without_ids": (query.without_ids or None, LISTED.format("u.id NOT", "without_ids")),
        **{name: (v, KNOWN_AS.format(column, name, kind)) for name, (v, column, kind) in known_as.items()},
        "organization_ids": (query.organization_ids, _SQL["user_in_organizations"]),
        "without_organization_ids": (outside, _SQL["user_in_no_organization"]),
        **about_user(query),
        "banned": (query.banned, "u.banned = :banned"),
        "last_sign_in_before": (query.last_sign_in_before, "u.last_sign_in_at < :last_sign_in_before"),
        "last_sign_in_after": (query.last_sign_in_after, "u.last_sign_in_at > :last_sign_in_after"),
    }
    after_at, after_sequence = query.after or (None, None)
    conditions["after_at"] = (after_at, _SQL["user_before" if query.descending else "user_after"])
    where, bindings = chosen(conditions)
    return where, {
        **bindings,
        "after_sequence": after_sequence,
        "limit": query.limit,
        "offset": query.offset,
    }


# What each operation does ----------------------------------------------------------------------------------


def _insert_user(change: Change, operation: InsertUser) -> None:
    user = operation.user
    values = (
        user.id,
        user.version,
        int(user.banned),
        int(user.locked),
        user.created_at,
        user.updated_at,
        user.last_sign_in_at,
        user.last_active_at,
        user_document(user),
    )
    change.insert("user_insert", values, user.id)
    _claim_identifiers(change, user, operation)


def _update_user(change: Change, operation: UpdateUser) -> None:
    user = operation.user
    bindings = {
        "id": user.id,
        "expected_version": operation.expected_version,
        "version": user.version,
        "banned": int(user.banned),
        "locked": int(user.locked),
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "last_sign_in_at": user.last_sign_in_at,
        "last_active_at": user.last_active_at,
        "document": user_document(user),
    }
    change.update("user_update", bindings, operation)
    change.execute(_SQL["identifiers_delete"], (user.id,))
    _claim_identifiers(change, user, operation)


def _delete_user(change: Change, operation: DeleteUser) -> None:
    # The identifiers go with it, by their reference.
    change.execute(_SQL["user_delete"], (operation.user_id,))
    if not change.count():
        raise Refused(Refused.USER_MISSING, operation)


def _claim_identifiers(change: Change, user: User, operation: InsertUser | UpdateUser) -> None:
    for kind, value in user.identifiers():
        try:
            change.execute(_SQL["identifier_insert"], (kind.value, value, user.id))
        except apsw.ConstraintError as error:
            if extended_code(error) in DUPLICATE:
                raise Refused(Refused.IDENTIFIER_TAKEN, operation, kind.value) from None
            raise


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertUser: _insert_user,
    UpdateUser: _update_user,
    DeleteUser: _delete_user,
}
"""What a commit does for each operation."""
