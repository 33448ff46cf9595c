"""Reading: in the event loop where an answer takes microseconds, in a thread where it may take more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import count
from typing import Any

import apsw

from sojourn.core.errors import TooBroad, Unavailable
from sojourn.core.lifecycle import NO_CUTOFFS
from sojourn.core.session import Status
from sojourn.service.ports import Held, SessionPage, SessionQuery, SessionWalk, WalkStep
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows import sessions as rows
from sojourn.stores.sqlite.driver import Connection
from sojourn.stores.sqlite.faults import fault

_SQL = queries("sqlite")
_SESSION_GET = _SQL["session_get"]

_NEAR_STEPS = 50_000
"""Instructions of SQLite's machine that a list may take in the event loop, about half a millisecond. Past
that it is broken off and asked again in the thread: how much it walks cannot be told from the question."""
_STRIDE = 5_000
"""Instructions from one look at what has been used of them to the next."""
_NEAR_ROWS = 100
SEARCH_STEPS = 50_000_000
"""Instructions that a search may take in the thread before it is too broad."""
_LAST = 2**63 - 1

_Rows = list[tuple[Any, ...]]
_Every = frozenset(Status)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its bindings."""

    sql: str
    bindings: Any = field(default=())


class Reads:
    """Two reading connections: `near` for the event loop, `far` for the thread. Both may be the same one
    where the executor runs everything on the spot."""

    def __init__(self, near: Connection, far: Connection, executor: Executor) -> None:
        self._near = near
        self._far = far
        self._executor = executor
        self.search_steps = SEARCH_STEPS
        self._execute = near.cursor().execute
        if near is not far:
            near.set_busy_timeout(0)

    async def point(self, sql: str, bindings: Any = ()) -> _Rows:
        """Rows of a read that touches a handful of pages, in the event loop."""
        try:
            return self._execute(sql, bindings).fetchall()
        except apsw.BusyError:
            # The log is being recovered after another process died; that is worth waiting for, in the thread.
            return (await self.far(Statement(sql, bindings)))[0]
        except apsw.Error as error:
            raise fault(error) from error

    async def near(self, *statements: Statement) -> list[_Rows]:
        """Rows of each statement, from one snapshot: in the event loop unless it takes long."""
        try:
            return _fetch(self._near, statements, steps=_NEAR_STEPS)
        except (apsw.BusyError, apsw.InterruptError):
            return await self.far(*statements)
        except apsw.Error as error:
            raise fault(error) from error

    async def far(self, *statements: Statement) -> list[_Rows]:
        """Rows of each statement, from one snapshot, fetched in the thread."""
        try:
            return await self._elsewhere(statements)
        except apsw.Error as error:
            raise fault(error) from error

    async def search(self, statement: Statement) -> _Rows:
        """Rows of a statement that may have to look at everything, in the thread. Raises TooBroad where it
        does and that is too much: nobody else's answer should wait for one search."""
        try:
            return (await self._elsewhere((statement,), steps=self.search_steps))[0]
        except apsw.InterruptError as error:
            raise TooBroad from error
        except apsw.Error as error:
            raise fault(error) from error

    async def _elsewhere(self, statements: Sequence[Statement], *, steps: int | None = None) -> list[_Rows]:
        loop = asyncio.get_running_loop()
        fetch = partial(_fetch, self._far, statements, steps=steps)
        try:
            waiting = loop.run_in_executor(self._executor, fetch)
        except RuntimeError as error:
            raise Unavailable("The store is closed.") from error
        return await waiting

    async def session(self, session_id: str) -> Held | None:
        """One session with its cutoffs."""
        try:
            # As `point`, without its coroutine: the read that every other request makes.
            found = self._execute(_SESSION_GET, (session_id,)).fetchall()
        except apsw.Error:
            found = await self.point(_SESSION_GET, (session_id,))
        if not found:
            return None
        if not found[0][rows.SESSION_WIDTH]:
            return Held(rows.session_of(found[0]), NO_CUTOFFS)
        found = await self.point(_SQL["session_get_held"], (session_id,))
        return rows.held_of(found[0]) if found else None

    async def walk(self, walk: SessionWalk) -> WalkStep:
        """One step of a walk, in the thread."""
        bounds, page, bindings = _walk_statements(walk)
        ((lowest, count),), found = await self.far(Statement(bounds, bindings), Statement(page, bindings))
        items = [rows.held_of(row) for row in found]
        if len(items) == walk.limit:
            return WalkStep(items, items[-1].session.sequence)
        return WalkStep(items, lowest if count == walk.window else None)

    async def sessions(self, query: SessionQuery) -> SessionPage:
        """A page of sessions, with their number where it is asked for."""
        statuses = (_Every if query.statuses is None else query.statuses) - query.excluded
        if not statuses:
            return SessionPage([], 0 if query.count else None)
        bindings = {
            "user_id": query.user_id,
            "client_id": query.client_id,
            "statuses": rows.document(sorted(statuses)),
            "now": query.now,
            "limit": query.limit,
            "offset": query.offset,
        }
        filters = (query.user_id is not None, query.client_id is not None, statuses != _Every)
        fetch = self.near if (filters[0] or filters[1]) and query.limit <= _NEAR_ROWS else self.far
        statements = [Statement(session_page(filters, held=filters[2]), bindings)]
        if query.count:
            statements.append(Statement(session_count(filters), bindings))
        page, *counted = await fetch(*statements)
        total = counted[0][0][0] if counted else None
        if filters[2]:
            return SessionPage([rows.held_of(row) for row in page], total)
        if not any(row[rows.SESSION_WIDTH] for row in page):
            return SessionPage([Held(rows.session_of(row), NO_CUTOFFS) for row in page], total)
        (page,) = await fetch(Statement(session_page(filters, held=True), bindings))
        return SessionPage([rows.held_of(row) for row in page], total)


_WALK = {
    "organization_id": "s.organization_id = :organization_id",
    "actor": "json_extract(s.actor, '$.sub') = :actor",
    "application": "s.application = :application",
    "created_from": "s.created_at >= :created_from",
    "created_before": "s.created_at < :created_before",
    "active_from": "s.last_active_at >= :active_from",
    "active_before": "s.last_active_at < :active_before",
}
"""What of a walk is looked at row by row, within its window."""


def _walk_statements(walk: SessionWalk) -> tuple[str, str, dict[str, Any]]:
    """The statement that bounds the window, the one that reads what matches in it, and their bindings."""
    bindings: dict[str, Any] = {
        "now": walk.now,
        "before": _LAST if walk.before is None else walk.before,
        "window": walk.window,
        "limit": walk.limit,
    }
    owned = [name for name in ("user_id", "client_id") if getattr(walk, name) is not None]
    chosen = [name for name in _WALK if getattr(walk, name) is not None]
    bindings.update((name, getattr(walk, name)) for name in (*owned, *chosen))
    mine = "".join(f" AND s.{name} = :{name}" for name in owned)
    window = f"{_SQL['walk_window']}{mine} ORDER BY s.seq DESC LIMIT :window"
    bounds = f"{_SQL['walk_bounds']} FROM ({window})"
    where = f"WHERE s.seq < :before AND s.seq >= ({_SQL['walk_lowest']} FROM ({window})){mine}"
    where += "".join(f" AND {_WALK[name]}" for name in chosen)
    if walk.statuses is not None:
        bindings["statuses"] = rows.document(sorted(walk.statuses))
        where += f" AND {_SQL['status_filter']}"
    return bounds, f"{_SQL['session_page_held']} {where} ORDER BY s.seq DESC LIMIT :limit", bindings


@cache
def session_page(filters: tuple[bool, bool, bool], *, held: bool) -> str:
    """The statement of a page, filtered by user, client and settled status; `held`: with the cutoffs."""
    columns = _SQL["session_page_held" if held else "session_page"]
    return f"{columns} {_where(filters)} ORDER BY s.seq DESC LIMIT :limit OFFSET :offset"


@cache
def session_count(filters: tuple[bool, bool, bool]) -> str:
    """The statement that counts what `session_page` pages."""
    return f"{_SQL['session_count_held' if filters[2] else 'session_count']} {_where(filters)}"


def _where(filters: tuple[bool, bool, bool]) -> str:
    conditions = ("s.user_id = :user_id", "s.client_id = :client_id", _SQL["status_filter"])
    chosen = [text for text, wanted in zip(conditions, filters, strict=True) if wanted]
    return f"WHERE {' AND '.join(chosen)}" if chosen else ""


def _fetch(
    connection: Connection, statements: Sequence[Statement], *, steps: int | None = None
) -> list[_Rows]:
    """Rows of each statement, from one snapshot. Past so many `steps`, if a number is given, they are broken
    off with an InterruptError."""
    together = len(statements) > 1
    if together:
        connection.execute("BEGIN")
    try:
        if steps is not None:
            looks, stride = count(1), max(_STRIDE, steps // 1000)
            connection.set_progress_handler(lambda: next(looks) * stride > steps, stride)
        return [connection.execute(one.sql, one.bindings).fetchall() for one in statements]
    finally:
        # Before the COMMIT: SQLite counts the steps of a statement over all its runs, so one day the look
        # would fall on that one. Broken off, it would leave the connection in this snapshot for good.
        if steps is not None:
            connection.set_progress_handler(None)
        if together:
            connection.execute("COMMIT")
