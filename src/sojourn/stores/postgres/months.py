"""The partitions of the log, one a month: made when they are needed, dropped when all in them has been
purged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sojourn.core.events import Event
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.driver import Connection, NoSuchTable
from sojourn.stores.postgres.log import Place
from sojourn.stores.postgres.pools import Connections
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.postgres.writer import Writer

_BOUNDS = re.compile(r"FROM \('?(-?\d+)'?\) TO \('?(-?\d+)'?\)")
_LOCK = 0x736F6A6F75726E
"""The advisory lock under which partitions and schema change."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Months:
    """Which months have a partition."""

    def __init__(self, commits: Connections, reads: Reads, writer: Writer) -> None:
        self._commits = commits
        self._writer = writer
        self._reads = reads
        self._known: set[int] = set()

    async def prepare(self, events: Sequence[Event]) -> None:
        """Make the partitions that these events go to, and with a new one that of the month after it."""
        for start in {month_of(event.at) for event in events} - self._known:
            await self._make(start)
            await self._make(next_month(start))
            self._known.add(start)

    async def drop_before(self, instant: int, floor: Place) -> None:
        """Drop the partitions of months that ended before an instant (ms) and lie up to the floor
        entirely."""
        for name, bounds, pending in await self._reads.named("event_months"):
            match = _BOUNDS.search(bounds or "")
            if match is None or int(match[2]) > instant:
                continue
            if pending or not await self._reads.rows(
                f"SELECT 1 FROM {name} WHERE (xid, n) > ($1, $2) LIMIT 1",  # noqa: S608  # a name made below
                floor,
            ):
                await self._drop(name, pending=pending)
                self._known.discard(int(match[1]))

    async def _make(self, start: int) -> None:
        name = f"events_{_at(start):%Y_%m}"

        async def work(change: Change) -> None:
            if name not in {row[0] for row in await change.rows("event_months", {})}:
                # Beside the table, and then attached: creating it in place would stop all who write events.
                bounds = f"FROM ({start}) TO ({next_month(start)})"
                await change.script(
                    f"CREATE TABLE {name} (LIKE events INCLUDING ALL);"
                    f" ALTER TABLE events ATTACH PARTITION {name} FOR VALUES {bounds}"
                )

        await self._writer.run(work, locks=f"SELECT pg_advisory_xact_lock({_LOCK})")

    async def _drop(self, name: str, *, pending: bool) -> None:
        """Detached concurrently, which stops nobody; one node at a time."""
        async with self._commits.use() as connection:
            ((alone,),) = await connection.fetch(f"SELECT pg_try_advisory_lock({_LOCK})")
            if not alone:
                return
            try:
                await self._detach(connection, name, pending=pending)
                await connection.execute(f"DROP TABLE IF EXISTS {name}")
            finally:
                await connection.fetch(f"SELECT pg_advisory_unlock({_LOCK})")

    async def _detach(self, connection: Connection, name: str, *, pending: bool) -> None:
        try:
            await connection.execute(
                f"ALTER TABLE events DETACH PARTITION {name} {'FINALIZE' if pending else 'CONCURRENTLY'}"
            )
        except NoSuchTable:
            return


def month_of(instant: int) -> int:
    """The first ms of the month of an instant (ms), UTC."""
    return _ms(_at(instant).replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def next_month(start: int) -> int:
    """The first ms of the month after the one that begins at `start`."""
    return month_of(start + 32 * 86_400_000)


def _at(instant: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=instant)


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)
