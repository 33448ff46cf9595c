"""The PostgreSQL store's account of itself."""

from __future__ import annotations

from sojourn.service.ports import StoreReport
from sojourn.stores.postgres.pools import Connections
from sojourn.stores.postgres.primary import Primary
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.sql import migrations


class Report:
    """The verb for operating."""

    _reads: Reads
    _primary: Primary
    _pools: tuple[Connections, ...]

    async def report(self, now: int) -> StoreReport:
        """As the port says."""
        row = (await self._reads.named("report_counts", now=now))[0]
        sessions, newest, overdue, size, version, flushed, held = row
        pulse = self._primary.pulse
        standbys = "none" if pulse is None or not pulse.asked else pulse.asked
        return StoreReport(
            engine=f"PostgreSQL {version}",
            durability=f"synchronous_commit on, standbys that confirm: {standbys}",
            durable=bool(flushed),
            schema=len(migrations("postgres")),
            size_bytes=size,
            log_bytes=None,
            free_bytes=None,
            sessions=sessions,
            overdue=overdue,
            newest_event_at=newest,
            log_held_ms=held,
            standbys=None if pulse is None else pulse.confirming,
            connections=", ".join(f"{pool.busy} of {pool.size}" for pool in self._pools),
        )
