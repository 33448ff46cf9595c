"""The memory store keeps the contract."""

from __future__ import annotations

from pathlib import Path

from sojourn.service.ports import Store
from sojourn.stores.memory import MemoryStore
from sojourn.testing.contract import StoreContract


class TestMemory(StoreContract):
    """Every promise, kept with dicts."""

    async def open_store(self, path: Path) -> Store:
        """A new store."""
        return MemoryStore()
