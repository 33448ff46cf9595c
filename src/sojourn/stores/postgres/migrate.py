"""Bringing the schema of a database up to what this version knows."""

from __future__ import annotations

from sojourn.core.errors import ConfigurationError, SchemaOutdated
from sojourn.stores.postgres.driver import Connection
from sojourn.stores.sql import Applied, Migration, check_applied, migrations

_LOCK = 0x736F6A6F75726E
_MADE = "SELECT to_regclass('schema_migrations') IS NOT NULL, to_regclass('sessions') IS NOT NULL"
_APPLIED = "SELECT version, name, checksum FROM schema_migrations ORDER BY version"


async def bring_up(connection: Connection, *, allowed: bool) -> None:
    """Apply what is missing, each migration in a transaction of its own.

    Several nodes may start at once: an advisory lock lets one at it, and who gets it second finds the work
    done.
    Raises SchemaTooNew or SchemaOutdated (when not `allowed`), and ConfigurationError for a migration that
    has been changed since it was applied or a database of something else.
    """
    known = migrations("postgres")
    while len(applied := await _applied(connection)) < len(known):
        check_applied(applied, known)
        if not allowed:
            raise SchemaOutdated(
                f"The database is at schema {len(applied)} and needs {len(known)}; run `sojourn migrate`."
            )
        await _apply_next(connection, known)
    check_applied(applied, known)


async def version_of(connection: Connection) -> int:
    """The newest migration that was applied; 0 for an empty database."""
    return max((version for version, _, _ in await _applied(connection)), default=0)


async def _apply_next(connection: Connection, known: tuple[Migration, ...]) -> None:
    await connection.execute("BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
    try:
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        applied = await _applied(connection)
        check_applied(applied, known)
        if len(applied) < len(known):
            await _apply(connection, known[len(applied)])
    except BaseException:
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")


async def _apply(connection: Connection, migration: Migration) -> None:
    if migration.version == 1:
        await connection.execute(
            "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    await connection.execute(migration.script)
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
        migration.version,
        migration.name,
        migration.checksum,
    )


async def _applied(connection: Connection) -> Applied:
    ((ours, taken),) = await connection.fetch(_MADE)
    if ours:
        rows = await connection.fetch(_APPLIED)
        return [(int(version), str(name), str(checksum)) for version, name, checksum in rows]
    if taken:
        raise ConfigurationError("This is the database of something else; sojourn needs one of its own.")
    return []
