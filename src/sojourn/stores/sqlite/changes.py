"""What the functions that do the operations of a commit work with, inside the writer's transaction."""

from __future__ import annotations

from typing import Any

import apsw

from sojourn.core.errors import clip
from sojourn.service.ports import Refused
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows.sessions import Values
from sojourn.stores.sqlite.driver import Connection, extended_code

_SQL = queries("sqlite")
DUPLICATE = (apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY)
"""What SQLite says of a row that is there already."""


class Change:
    """The writing connection, with the checks that operations share."""

    def __init__(self, connection: Connection) -> None:
        self.execute = connection.cursor().execute
        """Run a statement; as apsw's cursors do."""
        self.count = connection.changes
        """How many rows the last statement changed."""

    def update(self, query: str, bindings: Any, operation: object) -> None:
        """Run an update that must find its row. Raises Refused.CHANGED."""
        self.execute(_SQL[query], bindings)
        if not self.count():
            raise Refused(Refused.CHANGED, operation)

    def insert(self, query: str, values: Values, identifier: str) -> None:
        """Run an insert under a new id. Raises ValueError for a stored one: the source of ids is at fault."""
        try:
            self.execute(_SQL[query], values)
        except apsw.ConstraintError as error:
            if extended_code(error) in DUPLICATE:
                raise ValueError(f"{clip(identifier)} is stored already; ids are never used twice") from None
            raise

    def delete(self, query: str, before: int, limit: int) -> int:
        """Run a deletion of at most `limit` rows from before an instant (ms). How many went."""
        self.execute(_SQL[query], {"before": before, "limit": limit})
        return self.count()

    def insert_unrepeated(self, query: str, values: Values, operation: object) -> None:
        """Run an insert of what may be there already. Raises Refused.REPEATED."""
        try:
            self.execute(_SQL[query], values)
        except apsw.ConstraintError as error:
            if extended_code(error) in DUPLICATE:
                raise Refused(Refused.REPEATED, operation) from None
            raise
