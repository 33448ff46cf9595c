"""A store in the memory of one process: for tests, demonstrations and the contract that all stores share."""

from sojourn.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
