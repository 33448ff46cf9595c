"""The event log: every change of state, in an order in which nothing ever appears behind a reader."""

from __future__ import annotations

from sojourn.service.context import Context, check_page
from sojourn.service.ports import EventPage


class EventLog:
    """Read the log."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def read(self, after: str | None = None, *, limit: int = 100) -> EventPage:
        """Events behind an opaque position (None: from the oldest kept), and the position to go on from.
        `limit` is from 1 to 500.

        Raises PositionLost when the position is of another epoch or what followed it has been purged.
        """
        check_page(limit)
        return await self._context.store.events(after, limit)

    async def end(self) -> str:
        """The position behind the newest event."""
        return await self._context.store.end_of_events()
