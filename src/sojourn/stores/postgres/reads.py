"""Reading sessions: one indexed read for one, bounded statements for many. All on the primary: a standby may
not have a revocation yet that was acknowledged."""

from __future__ import annotations

from functools import cache
from typing import Any

from sojourn.core.errors import TooBroad, Unavailable
from sojourn.core.lifecycle import NO_CUTOFFS
from sojourn.core.session import Status
from sojourn.service.ports import Held, SessionPage, SessionQuery, SessionWalk, WalkStep
from sojourn.stores.postgres.driver import GIVEN_UP, Row, sqlstate_of
from sojourn.stores.postgres.pools import Connections
from sojourn.stores.postgres.statements import SQL, Bindings, numbered, prepared
from sojourn.stores.sql.rows import sessions as rows

_SESSION_GET = numbered(SQL["session_get"])[0]
_LAST = 2**63 - 1
_EVERY = frozenset(Status)


class Reads:
    """Statements that only read, on the connections for that."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def rows(self, sql: str, bindings: Bindings = ()) -> list[Row]:
        """Rows of a statement. Raises Unavailable."""
        text, values = prepared(sql, bindings)
        return await self._connections.rows(text, values)

    async def named(self, query: str, **bindings: object) -> list[Row]:
        """Rows of a named query."""
        return await self.rows(SQL[query], bindings)

    async def search(self, sql: str, bindings: Bindings) -> list[Row]:
        """Rows of a statement that may have to look at everything. Raises TooBroad where the server gives it
        up: nobody else's answer should wait for one search."""
        try:
            return await self.rows(sql, bindings)
        except Unavailable as error:
            if error.__cause__ is not None and sqlstate_of(error.__cause__) == GIVEN_UP:
                raise TooBroad from error
            raise

    async def session(self, session_id: str) -> Held | None:
        """One session with its cutoffs."""
        found = await self._connections.rows(_SESSION_GET, (session_id,))
        if not found:
            return None
        if not found[0][rows.SESSION_WIDTH]:
            return Held(rows.session_of(found[0]), NO_CUTOFFS)
        found = await self.named("session_get_held", id=session_id)
        return rows.held_of(found[0]) if found else None

    async def walk(self, walk: SessionWalk) -> WalkStep:
        """One step of a walk."""
        bounds, page, bindings = _walk_statements(walk)
        found = await self.rows(page, bindings)
        items = [rows.held_of(row) for row in found]
        if len(items) == walk.limit:
            return WalkStep(items, items[-1].session.sequence)
        ((lowest, count),) = await self.rows(bounds, bindings)
        return WalkStep(items, lowest if count == walk.window else None)

    async def sessions(self, query: SessionQuery) -> SessionPage:
        """A page of sessions, with their number where it is asked for."""
        statuses = (_EVERY if query.statuses is None else query.statuses) - query.excluded
        if not statuses:
            return SessionPage([], 0 if query.count else None)
        bindings = {
            "user_id": query.user_id,
            "client_id": query.client_id,
            "statuses": sorted(statuses),
            "now": query.now,
            "limit": query.limit,
            "offset": query.offset,
        }
        filters = (query.user_id is not None, query.client_id is not None, statuses != _EVERY)
        page = await self.rows(session_page(filters, held=filters[2]), bindings)
        if not filters[2] and any(row[rows.SESSION_WIDTH] for row in page):
            page = await self.rows(session_page(filters, held=True), bindings)
            items = [rows.held_of(row) for row in page]
        elif filters[2]:
            items = [rows.held_of(row) for row in page]
        else:
            items = [Held(rows.session_of(row), NO_CUTOFFS) for row in page]
        return SessionPage(items, await self._count(filters, bindings) if query.count else None)

    async def _count(self, filters: tuple[bool, bool, bool], bindings: Bindings) -> int:
        found = await self.rows(session_count(filters), bindings)
        return found[0][0] if found else 0


_WALK = {
    "organization_id": "s.organization_id = :organization_id",
    "actor": "s.actor_sub = :actor",
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
    window = f"{SQL['walk_window']}{mine} ORDER BY s.seq DESC LIMIT :window"
    bounds = f"{SQL['walk_bounds']} FROM ({window}) AS w"
    where = f"WHERE s.seq < :before AND s.seq >= ({SQL['walk_lowest']} FROM ({window}) AS w){mine}"
    where += "".join(f" AND {_WALK[name]}" for name in chosen)
    if walk.statuses is not None:
        bindings["statuses"] = sorted(walk.statuses)
        where += f" AND {SQL['status_filter']}"
    return bounds, f"{SQL['session_page_held']} {where} ORDER BY s.seq DESC LIMIT :limit", bindings


@cache
def session_page(filters: tuple[bool, bool, bool], *, held: bool) -> str:
    """The statement of a page, filtered by user, client and settled status; `held`: with the cutoffs."""
    columns = SQL["session_page_held" if held else "session_page"]
    return f"{columns} {_where(filters)} ORDER BY s.seq DESC LIMIT :limit OFFSET :offset"


@cache
def session_count(filters: tuple[bool, bool, bool]) -> str:
    """The statement that counts what `session_page` pages."""
    return f"{SQL['session_count_held' if filters[2] else 'session_count']} {_where(filters)}"


def _where(filters: tuple[bool, bool, bool]) -> str:
    conditions = ("s.user_id = :user_id", "s.client_id = :client_id", SQL["status_filter"])
    chosen = [text for text, wanted in zip(conditions, filters, strict=True) if wanted]
    return f"WHERE {' AND '.join(chosen)}" if chosen else ""
