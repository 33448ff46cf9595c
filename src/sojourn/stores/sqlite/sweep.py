"""Keeping house: what is overdue, and what is old enough to go. Everything in bounded batches."""

from __future__ import annotations

from dataclasses import dataclass

from sojourn.service.ports import Held
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows import sessions as rows
from sojourn.stores.sqlite.driver import Connection
from sojourn.stores.sqlite.reads import Reads, Statement
from sojourn.stores.sqlite.writer import Writer

_SQL = queries("sqlite")

_WINDOW = 10_000
"""Sessions that one statement looks at on behalf of a cutoff."""
_CLIENT_WINDOW = 5_000


@dataclass(slots=True)
class _Walk:
    """How far the sweep of one cutoff has come. `cursor` is behind the last session known to have ended."""

    id: int
    scope: str
    kind: str
    cursor: int
    sequence: int
    spared: str | None


class Housekeeping:
    """Overdue and purge, on the connections of a store."""

    def __init__(self, connection: Connection, reads: Reads, writer: Writer) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute
        self._reads = reads
        self._writer = writer
        self._client_cursor = 0

    async def overdue(self, now: int, limit: int) -> list[Held]:
        """Sessions stored as live that have ended at `now` (ms): by a deadline, then by unswept cutoffs."""
        found = {held.session.id: held for held in await self._due(now, limit)}
        after = 0
        while len(found) < limit:
            unswept = await self._reads.point(_SQL["cutoff_unswept"], (after,))
            if not unswept:
                break
            walk = _Walk(*unswept[0])
            for held in await self._covered(walk, limit - len(found)):
                found[held.session.id] = held
            after = walk.id
        return list(found.values())

    async def _due(self, now: int, limit: int) -> list[Held]:
        while True:
            (batch,) = await self._reads.far(Statement(_SQL["due"], {"now": now, "limit": limit}))
            late = [row[0] for row in batch if row[rows.HELD_WIDTH]]
            if late:
                seqs = rows.document(late)
                await self._writer.run(
                    lambda seqs=seqs: self._execute(_SQL["due_postpone"], {"seqs": seqs}), long=True
                )
            due = [rows.held_of(row) for row in batch if not row[rows.HELD_WIDTH]]
            if due or not late:
                return due

    async def _covered(self, walk: _Walk, limit: int) -> list[Held]:
        """The next sessions that a cutoff covers and that are stored as live; empty when it is swept."""
        while True:
            bindings = {
                "scope": walk.scope,
                "cursor": walk.cursor,
                "sequence": walk.sequence,
                "spared": walk.spared,
                "window": _WINDOW,
                "limit": limit,
            }
            (window,) = await self._reads.far(Statement(_SQL[f"cutoff_window_{walk.kind}"], bindings))
            until = window[0][0] if window else walk.sequence
            bindings["until"] = until
            (live,) = await self._reads.far(Statement(_SQL[f"cutoff_live_{walk.kind}"], bindings))
            # Never past a session that is stored as live: if this process dies now, it is found again.
            await self._advance(walk, live[0][0] - 1 if live else until)
            if live or walk.cursor >= walk.sequence:
                return [rows.held_of(row) for row in live]

    async def _advance(self, walk: _Walk, cursor: int) -> None:
        """Note how far a cutoff has been swept. What was read before still holds: an end is never undone, and
        no session is ever created with a lower number."""
        if cursor > walk.cursor or cursor >= walk.sequence:
            bindings = {"id": walk.id, "cursor": cursor}
            await self._writer.run(lambda: self._execute(_SQL["cutoff_advance"], bindings))
            walk.cursor = cursor

    async def purge(self, *, ended_before: int, events_before: int, once_before: int, limit: int) -> int:
        """Delete what is older than each instant (ms), at most `limit` rows of a kind. How many went."""
        idle = await self._idle_clients(ended_before, limit)

        def work() -> int:
            return (
                self._purge_sessions(ended_before, idle, limit)
                + self._delete("purge_events", events_before, limit)
                + self._delete("purge_once", once_before, limit)
            )

        return await self._writer.run(work, long=True)

    async def _idle_clients(self, before: int, limit: int) -> list[str]:
        """Clients that hold no session, from the next window of all; after the last comes the first."""
        bindings = {"cursor": self._client_cursor, "window": _CLIENT_WINDOW, "limit": limit, "before": before}
        (((until, count),),) = await self._reads.far(Statement(_SQL["client_window"], bindings))
        if not count:
            if self._client_cursor:
                self._client_cursor = 0
                return await self._idle_clients(before, limit)
            return []
        bindings["until"] = until
        (idle,) = await self._reads.far(Statement(_SQL["client_idle"], bindings))
        self._client_cursor = idle[-1][1] if len(idle) == limit else until if count == _CLIENT_WINDOW else 0
        return [identifier for identifier, _ in idle]

    def _purge_sessions(self, before: int, idle: list[str], limit: int) -> int:
        bindings = {"before": before, "limit": limit}
        emptied = [client for (client,) in self._execute(_SQL["purge_sessions"], bindings)]
        # dict.fromkeys: each client once, those just emptied first.
        clients = list(dict.fromkeys([*emptied, *idle]))[:limit]
        self._execute(_SQL["purge_clients"], {"ids": rows.document(clients), "before": before})
        removed = self._connection.changes()
        # Bookkeeping, not counted: every session that these cutoffs cover is stored as ended.
        self._delete("purge_cutoffs", before, limit)
        return len(emptied) + removed

    def _delete(self, query: str, before: int, limit: int) -> int:
        self._execute(_SQL[query], {"before": before, "limit": limit})
        return self._connection.changes()
