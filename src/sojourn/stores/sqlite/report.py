"""The SQLite store's account of itself."""

from __future__ import annotations

import os
import shutil

import apsw

from sojourn.service.ports import StoreReport
from sojourn.stores.sql import queries
from sojourn.stores.sqlite.driver import Connection
from sojourn.stores.sqlite.migrate import version_of
from sojourn.stores.sqlite.reads import Reads, Statement

_SQL = queries("sqlite")
_LEVELS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}


class Report:
    """The verb for operating."""

    _reads: Reads
    _connections: tuple[Connection, ...]

    async def report(self, now: int) -> StoreReport:
        """As the port says."""
        near = self._connections[1]
        level, mode = int(near.pragma("synchronous")), str(near.pragma("journal_mode"))
        counted, due = await self._reads.far(
            Statement(_SQL["report_counts"]), Statement(_SQL["report_overdue"], {"now": now})
        )
        sessions, newest = counted[0]
        return StoreReport(
            engine=f"SQLite {apsw.sqlite_lib_version()}",
            durability=f"journal {mode}, synchronous {_LEVELS.get(level, level)}",
            durable=mode == "wal" and level >= 2,
            schema=version_of(near),
            size_bytes=_size(near.filename),
            log_bytes=_size(near.filename + "-wal"),
            free_bytes=shutil.disk_usage(os.path.dirname(near.filename)).free,
            sessions=sessions,
            overdue=due[0][0],
            newest_event_at=newest,
        )


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
