"""The memory store's account of itself."""

from __future__ import annotations

from sojourn.core.lifecycle import settle
from sojourn.service.ports import StoreReport
from sojourn.stores.memory.tables import Tables


class Report:
    """The verb for operating."""

    _tables: Tables

    async def report(self, now: int) -> StoreReport:
        """As the port says."""
        live = [session for session in self._tables.sessions.values() if session.live]
        newest = next(reversed(self._tables.events.values()), None)
        return StoreReport(
            engine="memory",
            durability="none: gone with the process",
            durable=False,
            schema=0,
            size_bytes=None,
            log_bytes=None,
            free_bytes=None,
            sessions=self._tables.given.get("session", 0),
            overdue=sum(not settle(one, self._tables.covering(one), now).live for one in live),
            newest_event_at=newest.at if newest else None,
        )
