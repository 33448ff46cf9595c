"""The schema: its migrations, the plan of every statement that matters, and how much a session takes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import apsw
import pytest

from sojourn.core import ids
from sojourn.core.errors import ConfigurationError, SchemaOutdated, SchemaTooNew
from sojourn.core.events import EventType, of_session
from sojourn.core.session import Activity
from sojourn.service.ports import AppendEvent, InsertClient, InsertSession, InsertUser, Operation
from sojourn.stores.sql import Migration, migrations, queries
from sojourn.stores.sqlite import SqliteStore, migrate
from sojourn.stores.sqlite.driver import Connection
from sojourn.stores.sqlite.reads import session_count, session_page
from sojourn.testing.contract.base import NOW, make_client, make_session, make_user

SQL = queries("sqlite")
KNOWN = migrations("sqlite")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where the database of a test is."""
    return str(tmp_path / "schema.db")


@pytest.fixture
def connection(path: str) -> Iterator[Connection]:
    """An empty database of the first schema, with foreign keys on."""
    connection = cast(Connection, apsw.Connection(path))
    migrate.bring_up(connection, KNOWN, allowed=True)
    yield connection
    connection.close()


def step(version: int, script: str) -> Migration:
    """A migration of a later version of sojourn."""
    return Migration(version, f"{version:04}_later.sql", script, hashlib.sha256(script.encode()).hexdigest())


# Migrations ------------------------------------------------------------------------------------------------


async def test_an_empty_database_is_migrated(path: str) -> None:
    """By opening it; and only looking at it makes no file."""
    assert SqliteStore.schema_version(path) == 0
    with pytest.raises(ConfigurationError):
        await SqliteStore.open(path, migrate=False)
    assert SqliteStore.schema_version(path) == 0
    store = await SqliteStore.open(path)
    assert SqliteStore.schema_version(path) == len(KNOWN)
    await store.close()
    store = await SqliteStore.open(path, migrate=False)
    await store.close()


async def test_an_older_schema_is_brought_up_or_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With migration switched off the error says what is needed; switched on, only what is missing is run."""
    await (await SqliteStore.open(path)).close()
    later = (
        *KNOWN,
        step(len(KNOWN) + 1, "CREATE TABLE later (a INTEGER) STRICT; CREATE INDEX b ON later (a)"),
    )
    monkeypatch.setattr(migrate, "migrations", lambda dialect: later)
    with pytest.raises(SchemaOutdated, match=f"schema {len(KNOWN)} and needs {len(KNOWN) + 1}"):
        await SqliteStore.open(path, migrate=False)
    for _ in range(2):
        await (await SqliteStore.open(path)).close()
        assert SqliteStore.schema_version(path) == len(KNOWN) + 1


async def test_a_newer_schema_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names both versions, and nothing is touched."""
    with monkeypatch.context() as patch:
        later = (*KNOWN, step(len(KNOWN) + 1, "CREATE TABLE later (a INTEGER) STRICT"))
        patch.setattr(migrate, "migrations", lambda dialect: later)
        await (await SqliteStore.open(path)).close()
    for allowed in (True, False):
        with pytest.raises(SchemaTooNew, match=f"schema {len(KNOWN) + 1}; .* up to {len(KNOWN)}"):
            await SqliteStore.open(path, migrate=allowed)


async def test_a_changed_migration_is_named(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not the one that was applied means that nobody knows what the schema is."""
    await (await SqliteStore.open(path)).close()
    changed = (replace(KNOWN[0], checksum="0" * 64), *KNOWN[1:])
    monkeypatch.setattr(migrate, "migrations", lambda dialect: changed)
    for allowed in (True, False):
        with pytest.raises(ConfigurationError, match="0001_initial"):
            await SqliteStore.open(path, migrate=allowed)


def test_a_migration_that_fails_leaves_nothing(connection: Connection) -> None:
    """Each is one transaction: the ones before it stay, of itself nothing does."""
    good = step(len(KNOWN) + 1, "CREATE TABLE good (a INTEGER) STRICT")
    bad = step(len(KNOWN) + 2, "CREATE TABLE bad (a INTEGER) STRICT; INSERT INTO nowhere VALUES (1)")
    with pytest.raises(apsw.SQLError):
        migrate.bring_up(connection, (*KNOWN, good, bad), allowed=True)
    assert not connection.in_transaction
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert "good" in tables
    assert "bad" not in tables
    assert migrate.version_of(connection) == good.version


def test_every_file_has_its_checksum() -> None:
    """The checksum is the SHA-256 of the file's bytes, and the numbers have no gap."""
    folder = Path(str(migrate.__file__)).parents[1] / "sql" / "sqlite" / "migrations"
    files = sorted(folder.glob("*.sql"))
    assert [m.name for m in KNOWN] == [file.name for file in files]
    assert [m.checksum for m in KNOWN] == [hashlib.sha256(f.read_bytes()).hexdigest() for f in files]


# Plans -----------------------------------------------------------------------------------------------------

BY_ID = "SEARCH s USING INDEX sqlite_autoindex_sessions_1 (id=?)"
BY_USER = "SEARCH s USING INDEX sessions_by_user (user_id=?)"
BY_CLIENT = "SEARCH s USING INDEX sessions_by_client (client_id=?)"
RANGE = "({}=? AND rowid>? AND rowid<?)"
PLANS = {
    "session_get": BY_ID,
    "session_get_held": BY_ID,
    "session_update": BY_ID,
    "session_touch": BY_ID,
    "user_touch_day": "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)",
    "user_signed_in": "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)",
    "user_get": "SEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)",
    "user_by_identifier": "SEARCH n USING PRIMARY KEY (kind=? AND value=?)",
    "client_get": "SEARCH clients USING INDEX sqlite_autoindex_clients_1 (id=?)",
    "client_update": "SEARCH clients USING INDEX sqlite_autoindex_clients_1 (id=?)",
    "api_key_get": "SEARCH api_keys USING INDEX sqlite_autoindex_api_keys_2 (digest=?)",
    "once_get": "SEARCH once USING PRIMARY KEY (digest=?)",
    "event_page": "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)",
    "due": "SEARCH s USING INDEX sessions_due (due_at<?)",
    "due_postpone": "SEARCH s USING INTEGER PRIMARY KEY (rowid=?)",
    "cutoff_unswept": "SEARCH cutoffs USING INDEX cutoffs_unswept (id>?)",
    "cutoff_window_user": f"SEARCH sessions USING COVERING INDEX sessions_by_user {RANGE.format('user_id')}",
    "cutoff_live_user": f"SEARCH s USING INDEX sessions_by_user {RANGE.format('user_id')}",
    "cutoff_live_client": f"SEARCH s USING INDEX sessions_by_client {RANGE.format('client_id')}",
    "cutoff_live_instance": "SEARCH s USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    "purge_sessions": "SEARCH sessions USING COVERING INDEX sessions_ended (ended_at<?)",
    "purge_clients": "SEARCH sessions USING COVERING INDEX sessions_by_client (client_id=?)",
    "purge_events": "SEARCH events USING INTEGER PRIMARY KEY (rowid<?)",
    "purge_once": "SEARCH once USING COVERING INDEX once_by_age (at<?)",
    "purge_cutoffs": "SEARCH cutoffs USING COVERING INDEX cutoffs_swept (at<?)",
}
PAGES = {
    (True, False, False): BY_USER,
    (True, False, True): BY_USER,
    (False, True, False): BY_CLIENT,
    (False, True, True): BY_CLIENT,
}


def plan(connection: Connection, sql: str) -> list[str]:
    """How SQLite runs a statement, whatever its bindings are."""
    allow = apsw.allow_missing_dict_bindings(True)
    try:
        bindings = (None,) * sql.count("?") if "?" in sql else {}
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bindings)]
    finally:
        apsw.allow_missing_dict_bindings(allow)


@pytest.mark.parametrize("name", PLANS)
def test_a_statement_uses_its_index(connection: Connection, name: str) -> None:
    """No statement of a hot path or of the sweep walks a table or sorts."""
    steps = plan(connection, SQL[name])
    assert PLANS[name] in steps
    walks = [s for s in steps if s.startswith("SCAN") and "json_each" not in s and "subquery" not in s]
    # The purge looks at the oldest events only, as many as its limit.
    assert walks == (["SCAN events"] if name == "purge_events" else [])
    assert not [s for s in steps if "TEMP B-TREE" in s]


@pytest.mark.parametrize("filters", PAGES, ids=str)
def test_a_page_of_a_user_or_client_uses_their_index(
    connection: Connection, filters: tuple[bool, bool, bool]
) -> None:
    """Newest first without sorting, with the settled status as a filter or not; so does the count."""
    for held in {filters[2], True}:
        steps = plan(connection, session_page(filters, held=held))
        assert steps[0] == PAGES[filters]
        assert not [s for s in steps if "TEMP B-TREE" in s or s.startswith("SCAN s")]
    assert plan(connection, session_count(filters))[0].replace("COVERING ", "") == PAGES[filters]


def test_a_page_of_all_walks_backwards_without_sorting(connection: Connection) -> None:
    """The row id is the order of creation."""
    for held in (False, True):
        steps = plan(connection, session_page((False, False, held), held=held))
        assert steps[0] == "SCAN s"
        assert not [s for s in steps if "TEMP B-TREE" in s]


def test_a_touch_writes_no_index(connection: Connection) -> None:
    """What a touch changes is in no index, so that it writes one page of the table."""
    for index, _ in connection.execute(
        "SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'sessions'"
    ).fetchall():
        columns = {row[2] for row in connection.execute(f"PRAGMA index_info({index})")}
        assert not columns & {"last_active_at", "activity", "version", "updated_at"}


# Size ------------------------------------------------------------------------------------------------------


async def test_a_session_takes_at_most_500_bytes(path: str) -> None:
    """With its indexes and an activity; with its client and its event at most 1,000."""

    def name(prefix: ids.Prefix) -> str:
        return ids.make(prefix, now_ms=NOW, entropy=secrets.token_bytes(16))

    count, user = 10_000, name(ids.Prefix.USER)
    seen = Activity(
        id=name(ids.Prefix.ACTIVITY),
        device_type="Macintosh",
        browser_name="Chrome",
        browser_version="139.0.0.0",
        ip_address="203.0.113.77",
    )

    def sign_in() -> list[Operation]:
        client = make_client(name(ids.Prefix.CLIENT))
        session = make_session(
            name(ids.Prefix.SESSION), user_id=user, client_id=client.id, latest_activity=seen
        )
        event_id = name(ids.Prefix.EVENT)
        created = of_session(session, EventType.SESSION_CREATED, event_id=event_id, request_id=None)
        return [InsertClient(client), InsertSession(session), AppendEvent(created)]

    store = await SqliteStore.open(path)
    await store.commit([InsertUser(make_user(user))])
    for _ in range(count // 500):
        await store.commit([operation for _ in range(500) for operation in sign_in()])
    await store.close()
    connection = apsw.Connection(path)
    sizes: dict[str, int] = {}
    for table, size in connection.execute(
        "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name) GROUP BY tbl_name"
    ):
        sizes[str(table)] = int(str(size))
    connection.close()
    assert sizes["sessions"] / count <= 500
    assert (sizes["sessions"] + sizes["clients"] + sizes["events"]) / count <= 1_000
