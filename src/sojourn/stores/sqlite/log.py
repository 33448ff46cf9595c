"""The event log and the memory of idempotency keys on SQLite."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sojourn.core.errors import PositionLost, clip
from sojourn.core.events import Event
from sojourn.service.ports import AppendEvent, EventPage, InsertOnce
from sojourn.stores.bell import Bell
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows.log import event_of, event_values, once_of
from sojourn.stores.sqlite.changes import Change
from sojourn.stores.sqlite.reads import Reads, Statement

_SQL = queries("sqlite")
_POSITION = re.compile(r"(.+)\.(0|[1-9][0-9]{0,18})", re.DOTALL)
_NO_EPOCH = "0"
"""Stands for the epoch until the instance is stored."""
_NEAR_EVENTS = 64


class Log:
    """The verbs for the log."""

    _reads: Reads
    _bell: Bell

    async def position_back(self, count: int) -> str:
        """As the port says."""
        epoch, newest = (await self._reads.point(_SQL["event_bounds"]))[0]
        (oldest,) = (await self._reads.point(_SQL["event_oldest"]))[0]
        kept = newest if oldest is None else oldest - 1
        return f"{_NO_EPOCH if epoch is None else epoch}.{max(newest - count, kept)}"

    async def wait_for_commit(self, seconds: float) -> None:
        """As the port says."""
        await self._bell.wait(seconds)

    async def once(self, digest: bytes) -> InsertOnce | None:
        """As the port says."""
        found = await self._reads.point(_SQL["once_get"], (digest,))
        return once_of(found[0]) if found else None

    async def events(self, after: str | None, limit: int) -> EventPage:
        """As the port says."""
        epoch, newest = (await self._reads.point(_SQL["event_bounds"]))[0]
        epoch = _NO_EPOCH if epoch is None else epoch
        last = 0 if after is None else _number(after, epoch)
        if last > newest:
            raise PositionLost(f"The position {clip(str(after))} lies ahead of this log.")
        statement = Statement(_SQL["event_page"], (last, limit))
        fetch = self._reads.near if min(limit, newest - last) <= _NEAR_EVENTS else self._reads.far
        (found,) = await fetch(statement)
        # Positions have no gaps: where the next one is not there, it has been purged.
        first = found[0][0] if found else newest + 1
        if after is not None and first != last + 1:
            raise PositionLost(f"What follows the position {clip(after)} is not kept here.")
        end = found[-1][0] if found else newest
        return EventPage([event_of(row) for row in found], f"{epoch}.{end}")

    async def events_of_session(self, session_id: str, limit: int) -> Sequence[Event]:
        """As the port says."""
        (found,) = await self._reads.near(Statement(_SQL["event_of_session"], (session_id, limit)))
        return [event_of(row) for row in reversed(found)]

    async def end_of_events(self) -> str:
        """As the port says."""
        epoch, newest = (await self._reads.point(_SQL["event_bounds"]))[0]
        return f"{_NO_EPOCH if epoch is None else epoch}.{newest}"


def _number(position: str, epoch: str) -> int:
    match = _POSITION.fullmatch(position)
    if match is None or match[1] != epoch:
        raise PositionLost(f"There is no position {clip(position)} in this log.")
    return int(match[2])


# What each operation does ----------------------------------------------------------------------------------


def _append_event(change: Change, operation: AppendEvent) -> None:
    change.execute(_SQL["event_insert"], event_values(operation.event))


def _insert_once(change: Change, operation: InsertOnce) -> None:
    values = (operation.digest, operation.fingerprint, operation.resource_id, operation.at)
    change.insert_unrepeated("once_insert", values, operation)


CHANGES: Mapping[type, Callable[..., None]] = {
    AppendEvent: _append_event,
    InsertOnce: _insert_once,
}
"""What a commit does for each operation."""
