"""The event log and the memory of idempotency keys on PostgreSQL.

A position is `<epoch>.<xid>-<n>`: the transaction that wrote the event, and the event's number in it.
Transactions become visible in another order than they began in; so only what lies before the oldest one that
still runs is read, and nothing can ever appear behind it (adr/0020).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from sojourn.core.errors import PositionLost, clip
from sojourn.core.events import Event
from sojourn.service.ports import AppendEvent, EventPage, InsertOnce
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.driver import Row
from sojourn.stores.postgres.news import News
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.sql.rows.log import event_of, event_values, once_of

_POSITION = re.compile(r"(.+)\.(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,8})", re.DOTALL)
_NO_EPOCH = "0"
"""Stands for the epoch until the instance is stored."""
Place: TypeAlias = tuple[int, int]
_START: Place = (0, -1)
_PAGE = 5
"""Where in a row of `event_page` the event begins, after the epoch, the floor and the newest place."""


class Log:
    """The verbs for the log."""

    _reads: Reads
    _news: News

    async def once(self, digest: bytes) -> InsertOnce | None:
        """As the port says."""
        found = await self._reads.named("once_get", digest=digest)
        return once_of(found[0]) if found else None

    async def events(self, after: str | None, limit: int) -> EventPage:
        """As the port says, of what is older than every transaction that still runs."""
        asked = None if after is None else _parsed(after)
        xid, n = _START if asked is None else asked[1]
        found = await self._reads.named("event_page", xid=xid, n=n, limit=limit)
        epoch, floor, newest = _bounds(found[0])
        last = floor if asked is None else asked[1]
        if asked is not None:
            if asked[0] != epoch:
                raise PositionLost(f"There is no position {clip(str(after))} in this log.")
            if last > newest:
                raise PositionLost(f"The position {clip(str(after))} lies ahead of this log.")
            if last < floor:
                raise PositionLost(f"What follows the position {clip(str(after))} is not kept here.")
        page = [row for row in found if row[_PAGE] is not None]
        if page:
            last = (page[-1][_PAGE], page[-1][_PAGE + 1])
        return EventPage([event_of(row[_PAGE + 1 :]) for row in page], _position(epoch, last))

    async def events_of_session(self, session_id: str, limit: int) -> Sequence[Event]:
        """As the port says."""
        found = await self._reads.named("event_of_session", session_id=session_id, limit=limit)
        return [event_of(row[1:]) for row in reversed(found)]

    async def end_of_events(self) -> str:
        """As the port says."""
        epoch, _, newest = _bounds((await self._reads.named("event_bounds"))[0])
        return _position(epoch, newest)

    async def position_back(self, count: int) -> str:
        """As the port says."""
        epoch, _, place = _bounds((await self._reads.named("event_back", count=count))[0])
        return _position(epoch, place)

    async def wait_for_commit(self, seconds: float) -> None:
        """As the port says; the other nodes are heard too, while the connection to the primary holds."""
        await self._news.wait(seconds)


def _bounds(row: Row) -> tuple[str, Place, Place]:
    """Epoch, floor and newest place."""
    epoch, floor_xid, floor_n, newest_xid, newest_n = row[:_PAGE]
    floor = (floor_xid, floor_n)
    newest = floor if newest_xid is None else max(floor, (newest_xid, newest_n))
    return (_NO_EPOCH if epoch is None else epoch), floor, newest


def _position(epoch: str, place: Place) -> str:
    return f"{epoch}.{place[0]}-{place[1]}"


def _parsed(position: str) -> tuple[str, Place]:
    match = _POSITION.fullmatch(position)
    if match is None:
        raise PositionLost(f"There is no position {clip(position)} in this log.")
    return match[1], (min(int(match[2]), 2**63 - 1), int(match[3]))


# What each operation does ----------------------------------------------------------------------------------


async def append_events(change: Change, events: Sequence[Event]) -> None:
    """Log what a commit announces, in its order and in one exchange."""
    await change.run_many("event_insert", [(n, *event_values(event)) for n, event in enumerate(events)])


async def _append_event(change: Change, operation: AppendEvent) -> None:
    # They go together at the end of the commit: see store.py.
    change.events.append(operation.event)


async def _insert_once(change: Change, operation: InsertOnce) -> None:
    bindings = {
        "digest": operation.digest,
        "fingerprint": operation.fingerprint,
        "resource_id": operation.resource_id,
        "at": operation.at,
    }
    await change.insert_unrepeated("once_insert", bindings, operation)


CHANGES: Mapping[type, Callable[..., Awaitable[None]]] = {
    AppendEvent: _append_event,
    InsertOnce: _insert_once,
}
"""What a commit does for each operation."""
