"""What the functions that do the operations of a commit work with, inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sojourn.core.errors import clip
from sojourn.core.events import Event
from sojourn.service.ports import Refused
from sojourn.stores.postgres.driver import Connection, Duplicate, Row
from sojourn.stores.postgres.statements import SQL, Bindings, prepared


class Change:
    """The connection of a transaction, with the checks that operations share."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.events: list[Event] = []
        """What this transaction announces."""

    async def rows(self, query: str, bindings: Bindings) -> list[Row]:
        """Rows of a named query."""
        sql, values = prepared(SQL[query], bindings)
        return await self._connection.fetch(sql, *values)

    async def run(self, query: str, bindings: Bindings) -> int:
        """Run a named query. How many rows it changed."""
        sql, values = prepared(SQL[query], bindings)
        return int((await self._connection.execute(sql, *values)).rpartition(" ")[2])

    async def run_many(self, query: str, bindings: Sequence[Sequence[object]]) -> None:
        """Run a named query for each of the values, in one exchange."""
        await self._connection.executemany(SQL[query], bindings)

    async def script(self, text: str) -> None:
        """Run statements that change the schema."""
        await self._connection.execute(text)

    async def update(self, query: str, bindings: Bindings, operation: object) -> None:
        """Run an update that must find its row. Raises Refused.CHANGED."""
        if not await self.run(query, bindings):
            raise Refused(Refused.CHANGED, operation)

    async def insert(self, query: str, bindings: Bindings, identifier: str) -> None:
        """Run an insert under a new id. Raises ValueError for a stored one: the source of ids is at fault."""
        try:
            await self.run(query, bindings)
        except Duplicate:
            raise ValueError(f"{clip(identifier)} is stored already; ids are never used twice") from None

    async def insert_unrepeated(self, query: str, bindings: Bindings, operation: object) -> None:
        """Run an insert of what may be there already. Raises Refused.REPEATED."""
        try:
            await self.run(query, bindings)
        except Duplicate:
            raise Refused(Refused.REPEATED, operation) from None
