"""The store: opening and closing it, and the commit; the verbs have a module for each kind of thing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from sojourn.service.ports import Operation
from sojourn.stores.postgres import (
    deposits,
    documents,
    keys,
    log,
    organizations,
    report,
    sessions,
    templates,
    tickets,
    users,
)
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.locks import locks_of
from sojourn.stores.postgres.migrate import bring_up, version_of
from sojourn.stores.postgres.months import Months
from sojourn.stores.postgres.news import News
from sojourn.stores.postgres.pools import Connections
from sojourn.stores.postgres.primary import Primary
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.postgres.sweep import Housekeeping
from sojourn.stores.postgres.url import parse
from sojourn.stores.postgres.writer import Writer

_CHANGES: Mapping[type, Callable[..., Awaitable[None]]] = {
    **sessions.CHANGES,
    **users.CHANGES,
    **keys.CHANGES,
    **log.CHANGES,
    **organizations.CHANGES,
    **documents.CHANGES,
    **tickets.CHANGES,
    **deposits.CHANGES,
    **templates.CHANGES,
}
_CLOSE_SECONDS = 5.0


class PostgresStore(
    sessions.Sessions,
    users.Users,
    keys.Keys,
    log.Log,
    documents.Documents,
    organizations.Organizations,
    report.Report,
    tickets.Tickets,
    deposits.Deposits,
    templates.Templates,
):
    """Implements `sojourn.service.ports.Store` on PostgreSQL. Any number of nodes may open the same
    database."""

    def __init__(
        self, primary: Primary, *, reading: Connections, writing: Connections, touching: Connections
    ) -> None:
        self._primary = primary
        self._pools = (reading, writing, touching)
        self._touches = touching
        self._reads = Reads(reading)
        self._writer = Writer(writing, primary)
        self._months = Months(writing, self._reads, self._writer)
        self._news = News(touching, primary)
        self._housekeeping = Housekeeping(self._reads, self._writer, self._months)

    @classmethod
    async def open(
        cls, url: str, *, migrate: bool = True, connections: int = 10, strict: bool = False
    ) -> PostgresStore:
        """Open the database that `url` names, migrated first where needed and `migrate` allows it.

        `connections`: most for reading, and as many again for commits. `strict`: only with a synchronous
        standby.

        Raises ConfigurationError (no such database or role, a database of something else, a migration that
        was changed, strict without a standby), SchemaTooNew, SchemaOutdated, or Unavailable when there is no
        primary.
        """
        primary = Primary(parse(url), strict=strict)
        await primary.start()
        try:
            connection = await primary.connect()
            try:
                await bring_up(connection, allowed=migrate)
            finally:
                await connection.close(timeout=1)
            store = cls(
                primary,
                reading=await Connections.open(primary, connections),
                writing=await Connections.open(primary, connections),
                # A touch that is lost with the primary costs a minute of inactivity and is worth no wait.
                touching=await Connections.open(primary, max(2, connections // 4), synchronous_commit="off"),
            )
        except BaseException:
            await primary.close()
            raise
        primary.on_move(store.expire)
        return store

    @staticmethod
    async def schema_version(url: str) -> int:
        """The number of the newest migration in the database; 0 when it is empty."""
        primary = Primary(parse(url), strict=False)
        await primary.start()
        try:
            connection = await primary.connect()
            try:
                return await version_of(connection)
            finally:
                await connection.close(timeout=1)
        finally:
            await primary.close()

    async def adopt(self) -> None:
        """After a restore from another server: number the log by this one."""

        async def work(change: Change) -> None:
            for query in ("events_cut", "events_renumber", "events_floor_reset"):
                await change.run(query, {})

        await self._writer.run(work)

    async def close(self) -> None:
        """As the port says. Closing again does nothing."""
        await self._writer.close(_CLOSE_SECONDS)
        await self._news.close()
        await self._primary.close()
        for pool in self._pools:
            pool.terminate()

    async def expire(self) -> None:
        """Use none of the connections again: there is another primary."""
        for pool in self._pools:
            await pool.expire()

    # Changing -----------------------------------------------------------------------------------------------

    async def commit(self, operations: Sequence[Operation]) -> None:
        """As the port says."""
        events = [one.event for one in operations if isinstance(one, log.AppendEvent)]
        if events:
            await self._months.prepare(events)

        async def apply(change: Change) -> None:
            for operation in operations:
                await _CHANGES[type(operation)](change, operation)
            if change.events:
                await log.append_events(change, change.events)

        await self._writer.run(apply, locks=locks_of(operations))
        self._news.committed()

    # Keeping house ------------------------------------------------------------------------------------------

    async def purge(self, *, ended_before: int, events_before: int, once_before: int, limit: int) -> int:
        """As the port says."""
        return await self._housekeeping.purge(
            ended_before=ended_before, events_before=events_before, once_before=once_before, limit=limit
        )

    async def scrub(self) -> None:
        """As the port says, as far as a client can: dead rows of the keys go now. Old write-ahead log stays
        until PostgreSQL recycles it."""
        async with self._pools[1].use() as connection:
            for table in ("stored_keys", "instance", "tickets"):
                await connection.execute(f"VACUUM {table}")
