"""Bringing the schema of a database up to what this version knows."""

from __future__ import annotations

from sojourn.core.errors import ConfigurationError, SchemaOutdated
from sojourn.stores.sql import Applied, Migration, check_applied, migrations
from sojourn.stores.sqlite.driver import Connection


def bring_up(connection: Connection, known: tuple[Migration, ...], *, allowed: bool) -> None:
    """Apply what is missing, each migration in a transaction of its own.

    Several processes may start at once: BEGIN IMMEDIATE is the lock, and who gets it second finds the work
    done. Raises SchemaTooNew or SchemaOutdated (when not `allowed`), and ConfigurationError for a migration
    that has been changed since it was applied or a database of something else.
    """
    while len(applied := _applied(connection)) < len(known) or not applied:
        check_applied(applied, known)
        if not allowed:
            raise SchemaOutdated(
                f"The database is at schema {len(applied)} and needs {len(known)}; run `sojourn migrate`."
            )
        _apply_next(connection, known)
    check_applied(applied, known)


def version_of(connection: Connection) -> int:
    """The newest migration that was applied; 0 for an empty database."""
    return max((version for version, _, _ in _applied(connection)), default=0)


def known_migrations() -> tuple[Migration, ...]:
    """What this version of sojourn can apply."""
    return migrations("sqlite")


def _apply_next(connection: Connection, known: tuple[Migration, ...]) -> None:
    connection.execute("BEGIN IMMEDIATE").fetchall()
    try:
        applied = _applied(connection)
        check_applied(applied, known)
        if len(applied) < len(known):
            _apply(connection, known[len(applied)])
        connection.execute("COMMIT").fetchall()
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK").fetchall()
        raise


def _apply(connection: Connection, migration: Migration) -> None:
    if migration.version == 1:
        connection.execute(
            "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
            " checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT"
        ).fetchall()
    # apsw runs a script statement by statement as its rows are fetched.
    connection.execute(migration.script).fetchall()
    connection.execute(
        "INSERT INTO schema_migrations VALUES (?, ?, ?, CAST(unixepoch('subsec') * 1000 AS INTEGER))",
        (migration.version, migration.name, migration.checksum),
    ).fetchall()


def _applied(connection: Connection) -> Applied:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "schema_migrations" in tables:
        rows = connection.execute("SELECT version, name, checksum FROM schema_migrations ORDER BY version")
        return [(int(version), str(name), str(checksum)) for version, name, checksum in rows]
    if tables:
        raise ConfigurationError("This is the database of something else; sojourn needs a file of its own.")
    return []
