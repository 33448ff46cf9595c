"""The PostgreSQL store's account of itself."""

from __future__ import annotations

from sojourn.service.ports import StoreReport
from sojourn.stores.postgres.primary import Primary
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.sql import migrations


class Report:
    """The verb for operating."""

    _reads: Reads
    _primary: Primary

    async def report(self, now: int) -> StoreReport:
        """As the port says."""
        sessions, newest, overdue, size, version = (await self._reads.named("report_counts", now=now))[0]
        pulse = self._primary.pulse
        standbys = "none" if pulse is None or not pulse.asked else pulse.asked
        return StoreReport(
            engine=f"PostgreSQL {version}",
            durability=f"synchronous_commit on, standbys that confirm: {standbys}",
            # fsync is the server's own; without a standby a lost disk loses everything, as on one machine.
            durable=pulse is not None,
            schema=len(migrations("postgres")),
            size_bytes=size,
            log_bytes=None,
            free_bytes=None,
            sessions=sessions,
            overdue=overdue,
            newest_event_at=newest,
        )
