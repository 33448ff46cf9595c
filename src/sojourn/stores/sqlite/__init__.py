"""The SQLite store: one file, several worker processes, nothing acknowledged before it is on the disk."""

from sojourn.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
