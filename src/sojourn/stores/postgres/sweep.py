"""Keeping house: what is overdue, and what is old enough to go. Everything in bounded batches."""

from __future__ import annotations

from dataclasses import dataclass

from sojourn.service.ports import Held
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.months import Months
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.postgres.writer import Writer
from sojourn.stores.sql.rows import sessions as rows

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

    @property
    def subject(self) -> str:
        """What sessions of it have as their user or client."""
        return self.scope.partition(":")[2]


class Housekeeping:
    """Overdue and purge. Any number of nodes may be at it at once."""

    def __init__(self, reads: Reads, writer: Writer, months: Months) -> None:
        self._reads = reads
        self._writer = writer
        self._months = months
        self._client_cursor = 0

    async def overdue(self, now: int, limit: int) -> list[Held]:
        """Sessions stored as live that have ended at `now` (ms): by a deadline, then by unswept cutoffs."""
        found = {held.session.id: held for held in await self._due(now, limit)}
        after = 0
        while len(found) < limit:
            unswept = await self._reads.named("cutoff_unswept", after=after)
            if not unswept:
                break
            walk = _Walk(*unswept[0])
            for held in await self._covered(walk, limit - len(found)):
                found[held.session.id] = held
            after = walk.id
        return list(found.values())

    async def _due(self, now: int, limit: int) -> list[Held]:
        while True:
            batch = await self._reads.named("due", now=now, limit=limit)
            late = [row[0] for row in batch if row[rows.HELD_WIDTH]]
            if late:
                await self._writer.run(lambda change, seqs=late: change.run("due_postpone", {"seqs": seqs}))
            due = [rows.held_of(row) for row in batch if not row[rows.HELD_WIDTH]]
            if due or not late:
                return due

    async def _covered(self, walk: _Walk, limit: int) -> list[Held]:
        """The next sessions that a cutoff covers and that are stored as live; empty when it is swept."""
        while True:
            bindings: dict[str, object] = {
                "subject": walk.subject,
                "cursor": walk.cursor,
                "sequence": walk.sequence,
                "spared": walk.spared,
                "window": _WINDOW,
                "limit": limit,
            }
            window = await self._reads.named(f"cutoff_window_{walk.kind}", **bindings)
            until = window[0][0] if window else walk.sequence
            live = await self._reads.named(f"cutoff_live_{walk.kind}", **bindings, until=until)
            # Never past a session that is stored as live: if this process dies now, it is found again.
            await self._advance(walk, live[0][0] - 1 if live else until)
            if live or walk.cursor >= walk.sequence:
                return [rows.held_of(row) for row in live]

    async def _advance(self, walk: _Walk, cursor: int) -> None:
        """Note how far a cutoff has been swept. What was read before still holds: an end is never undone, and
        no session of this subject is ever created with a lower number: locks.py."""
        if cursor > walk.cursor or cursor >= walk.sequence:
            bindings = {"id": walk.id, "cursor": cursor}
            await self._writer.run(lambda change: change.run("cutoff_advance", bindings))
            walk.cursor = cursor

    async def purge(self, *, ended_before: int, events_before: int, once_before: int, limit: int) -> int:
        """Delete what is older than each instant (ms), at most `limit` rows of a kind. How many went."""
        idle = await self._idle_clients(ended_before, limit)

        async def work(change: Change) -> int:
            sessions = await self._purge_sessions(change, ended_before, idle, limit)
            return sessions + await change.run("purge_once", {"before": once_before, "limit": limit})

        return await self._purge_events(events_before, limit) + await self._writer.run(work)

    async def _purge_events(self, before: int, limit: int) -> int:
        """Raise the floor over the oldest events, up to the first that is young enough to stay."""
        oldest = await self._reads.named("event_oldest", limit=limit)
        gone = 0
        while gone < len(oldest) and oldest[gone][2] < before:
            gone += 1
        if gone:
            xid, n, _ = oldest[gone - 1]
            await self._writer.run(lambda change: change.run("event_floor_raise", {"xid": xid, "n": n}))
            await self._months.drop_before(before, (xid, n))
        return gone

    async def _idle_clients(self, before: int, limit: int) -> list[str]:
        """Clients that hold no session, from the next window of all; after the last comes the first."""
        bindings: dict[str, object] = {
            "cursor": self._client_cursor,
            "window": _CLIENT_WINDOW,
            "limit": limit,
            "before": before,
        }
        ((until, count),) = await self._reads.named("client_window", **bindings)
        if not count:
            if self._client_cursor:
                self._client_cursor = 0
                return await self._idle_clients(before, limit)
            return []
        idle = await self._reads.named("client_idle", **bindings, until=until)
        self._client_cursor = idle[-1][1] if len(idle) == limit else until if count == _CLIENT_WINDOW else 0
        return [identifier for identifier, _ in idle]

    async def _purge_sessions(self, change: Change, before: int, idle: list[str], limit: int) -> int:
        old = {"before": before, "limit": limit}
        emptied = [client for (client,) in await change.rows("purge_sessions", old)]
        # dict.fromkeys: each client once, those just emptied first.
        clients = list(dict.fromkeys([*emptied, *idle]))[:limit]
        removed = await change.rows("purge_clients", {"ids": clients, "before": before})
        # Bookkeeping, not counted: every session that these cutoffs cover is stored as ended.
        await change.run("purge_cutoffs", old)
        return len(emptied) + len(removed)
