"""Databases for tests: one that is emptied for each, or a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg

from sojourn.stores.postgres import PostgresStore
from tests.postgres.cluster import Server

_TABLES = (
    *(
        "sessions",
        "clients",
        "memberships",
        "organizations",
        "users",
        "cutoffs",
        "events",
        "tickets",
        "documents",
    ),
    *("once", "deposits", "templates", "api_keys", "stored_keys", "instance"),
)
_COUNTED = (
    "sessions",
    "clients",
    "memberships",
    "organizations",
    "users",
    "documents",
    "tickets",
    "api_keys",
)
_EMPTY = "; ".join(
    [
        *(f"DELETE FROM {table}" for table in _TABLES),  # noqa: S608
        *(f"SELECT setval('{table}_seq_seq', 1, false)" for table in _COUNTED),
        "UPDATE event_floor SET xid = 0, n = 0",
    ]
)


class Databases:
    """Makes databases on one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._made = 0
        self._shared: str | None = None

    def emptied(self) -> str:
        """The URL of a migrated database without a row. There is one of these: for one test after the other.

        A copy of a template costs fifty times as much, and hundreds of tests want one.
        """
        return self._run(self._emptied())

    def new(self) -> str:
        """The URL of a new database without tables."""
        return self._run(self._new())

    def _run(self, work: Coroutine[Any, Any, str]) -> str:
        # In a thread, because tests call this inside of their event loop.
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(asyncio.run, work).result()

    async def _new(self) -> str:
        self._made += 1
        name = f"test_{self._made}"
        connection = await asyncpg.connect(self.server.url("postgres"))
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        return self.server.url(name)

    async def _emptied(self) -> str:
        if self._shared is None:
            self._shared = await self._new()
            await (await PostgresStore.open(self._shared)).close()
        connection = await asyncpg.connect(self._shared)
        try:
            await connection.execute(_EMPTY)
        finally:
            await connection.close()
        return self._shared
