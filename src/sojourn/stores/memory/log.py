"""The event log and the memory of idempotency keys, in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sojourn.core.errors import PositionLost, clip
from sojourn.core.events import Event
from sojourn.service.ports import AppendEvent, EventPage, InsertOnce, Refused
from sojourn.stores.bell import Bell
from sojourn.stores.memory.tables import Change, Tables

_POSITION = re.compile(r"(.+)\.(0|[1-9][0-9]{0,18})", re.DOTALL)
_NO_EPOCH = "0"
"""Stands for the epoch until the instance is stored."""


class Log:
    """The verbs for the log."""

    _tables: Tables
    _bell: Bell

    async def events(self, after: str | None, limit: int) -> EventPage:
        """As the port says."""
        newest = self._tables.given.get("event", 0)
        last = newest - len(self._tables.events) if after is None else self._number(after)
        page = range(last + 1, min(last + limit, newest) + 1)
        return EventPage([self._tables.events[n] for n in page], self._position(last + len(page)))

    async def events_of_session(self, session_id: str, limit: int) -> Sequence[Event]:
        """As the port says."""
        return [event for event in self._tables.events.values() if event.session_id == session_id][-limit:]

    async def end_of_events(self) -> str:
        """As the port says."""
        return self._position(self._tables.given.get("event", 0))

    async def position_back(self, count: int) -> str:
        """As the port says."""
        newest = self._tables.given.get("event", 0)
        return self._position(newest - min(count, len(self._tables.events)))

    async def wait_for_commit(self, seconds: float) -> None:
        """As the port says."""
        await self._bell.wait(seconds)

    async def once(self, digest: bytes) -> InsertOnce | None:
        """As the port says."""
        return self._tables.once.get(digest)

    def _position(self, number: int) -> str:
        return f"{self._epoch()}.{number}"

    def _number(self, position: str) -> int:
        """What a position of this epoch counts. Raises PositionLost where the log cannot go on from there."""
        match = _POSITION.fullmatch(position)
        if match is None or match[1] != self._epoch():
            raise PositionLost(f"There is no position {clip(position)} in this log.")
        number, newest = int(match[2]), self._tables.given.get("event", 0)
        if not newest - len(self._tables.events) <= number <= newest:
            raise PositionLost(f"What follows the position {clip(position)} is not kept here.")
        return number

    def _epoch(self) -> str:
        instance = self._tables.instances.get("instance")
        return _NO_EPOCH if instance is None else instance.epoch


# What each operation does ----------------------------------------------------------------------------------


def _append_event(change: Change, operation: AppendEvent) -> None:
    change.journal.put(change.tables.events, change.next("event"), operation.event)


def _insert_once(change: Change, operation: InsertOnce) -> None:
    if operation.digest in change.tables.once:
        raise Refused(Refused.REPEATED, operation)
    change.journal.put(change.tables.once, operation.digest, operation)


CHANGES: Mapping[type, Callable[..., None]] = {
    AppendEvent: _append_event,
    InsertOnce: _insert_once,
}
"""What a commit does for each operation."""
