"""Users on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import apsw

from sojourn.core.directory import IdentifierKind, User
from sojourn.service.ports import DeleteUser, InsertUser, Refused, UpdateUser, UserQuery
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows import sessions as rows
from sojourn.stores.sql.rows.users import user_document, user_of
from sojourn.stores.sqlite.changes import DUPLICATE, Change
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
        conditions: list[str] = []
        bindings: dict[str, str | int] = {"limit": query.limit, "offset": query.offset}
        if query.ids is not None:
            conditions.append(_SQL["user_id_filter"])
            bindings["ids"] = rows.document(query.ids)
        if query.identifiers is not None:
            conditions.append(_SQL["user_identifier_filter"])
            bindings["identifiers"] = rows.document(
                [(kind.value, value) for kind, value in query.identifiers]
            )
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        order = "DESC" if query.newest_first else "ASC"
        sql = f"{_SQL['user_page']} {where} ORDER BY u.seq {order} LIMIT :limit OFFSET :offset"
        (found,) = await self._reads.far(Statement(sql, bindings))
        return [user_of(row) for row in found]


# What each operation does ----------------------------------------------------------------------------------


def _insert_user(change: Change, operation: InsertUser) -> None:
    user = operation.user
    values = (
        user.id,
        user.version,
        int(user.banned),
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
