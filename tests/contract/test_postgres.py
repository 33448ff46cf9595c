"""The PostgreSQL store keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.service.ports import Store
from sojourn.stores.postgres import PostgresStore
from sojourn.testing.contract import StoreContract
from tests.postgres.databases import Databases


class TestPostgres(StoreContract):
    """Every promise, kept by a server."""

    @pytest.fixture(autouse=True)
    def _databases(self, databases: Databases) -> None:
        self.databases = databases

    async def open_store(self, path: Path) -> Store:
        """A database without a row."""
        return await PostgresStore.open(self.databases.emptied(), migrate=False, connections=8)
