"""The PostgreSQL store: any number of nodes on one primary, nothing acknowledged before it is committed there
and, where standbys are asked to confirm, on one of them too."""

from sojourn.stores.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
