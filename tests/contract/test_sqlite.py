"""The SQLite store keeps the contract."""

from __future__ import annotations

from pathlib import Path

from sojourn.service.ports import Store
from sojourn.stores.sqlite import SqliteStore
from sojourn.testing.contract import StoreContract


class TestSqlite(StoreContract):
    """Every promise, kept on disk."""

    async def open_store(self, path: Path) -> Store:
        """A new database, migrated."""
        return await SqliteStore.open(str(path / "contract.db"))
