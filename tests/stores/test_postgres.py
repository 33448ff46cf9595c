"""The PostgreSQL store beyond the contract: plans, the order of its log, partitions, migrations, texts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from sojourn.core.errors import ConfigurationError, SchemaOutdated, SchemaTooNew, Unavailable
from sojourn.core.session import Session
from sojourn.service.ports import AppendEvent, InsertSession, Refused, SessionQuery
from sojourn.stores.postgres import PostgresStore
from sojourn.stores.postgres.reads import session_page
from sojourn.stores.postgres.statements import SQL, numbered
from sojourn.testing.contract.base import DAY, NOW, event_ids, insert, log, make_event, make_session, seed
from tests.postgres.databases import Databases

MONTH = 31 * DAY


@pytest.fixture
async def url(databases: Databases) -> str:
    """A database without a row."""
    return databases.emptied()


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    """The store on it."""
    store = await PostgresStore.open(url)
    yield store
    await store.close()


@pytest.fixture
async def bare(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of our own beside the store's."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


# Plans -----------------------------------------------------------------------------------------------------


async def indexes_of(bare: asyncpg.Connection, sql: str, *values: object) -> set[str]:
    """Indexes that the generic plan of a statement uses. No table may be read from one end to the other."""
    text = numbered(sql)[0]
    await bare.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
    statement = await bare.prepare(text)
    plan: Any = (await statement.explain(*values))[0]["Plan"]
    found: set[str] = set()

    def walk(node: dict[str, Any]) -> None:
        assert node["Node Type"] != "Seq Scan", node
        if "Index Name" in node:
            found.add(node["Index Name"])
        for child in node.get("Plans", []):
            walk(child)

    walk(plan)
    return found


HOT: dict[str, tuple[str, tuple[object, ...], set[str]]] = {
    "get": (SQL["session_get"], ("sess_a",), {"sessions_id_key"}),
    "held": (SQL["session_get_held"], ("sess_a",), {"sessions_id_key"}),
    "list of a user": (
        session_page((True, False, False), held=False),
        ("user_a", 10, 0),
        {"sessions_by_user"},
    ),
    "list of a client": (
        session_page((False, True, False), held=False),
        ("client_a", 10, 0),
        {"sessions_by_client"},
    ),
    "list of all": (session_page((False, False, False), held=False), (10, 0), {"sessions_pkey"}),
    "API key": (SQL["api_key_get"], (b"x",), {"api_keys_digest_key"}),
    "touch": (SQL["session_touch"], (NOW, None, "sess_a", NOW), {"sessions_id_key", "users_id_key"}),
    "overdue": (SQL["due"], (NOW, 32), {"sessions_due"}),
    "purge": (SQL["purge_sessions"], (NOW, 32), {"sessions_ended", "sessions_pkey"}),
}
CUTOFFS = {"cutoffs_by_scope"}


@pytest.mark.parametrize("name", HOT)
async def test_a_hot_statement_touches_one_index(
    store: PostgresStore, bare: asyncpg.Connection, name: str
) -> None:
    """Of every table one index, whatever the values are; of cutoffs, which nearly nobody has, the one by
    scope."""
    sql, values, expected = HOT[name]
    assert await indexes_of(bare, sql, *values) - CUTOFFS == expected


async def test_a_touch_writes_no_index(databases: Databases) -> None:
    """Touches are updates within the page (HOT), because no index is on what they write and pages have room;
    a change of an indexed column is not."""
    url = databases.new()
    store, bare = await PostgresStore.open(url), await asyncpg.connect(url)
    await seed(store, *(make_session(f"sess_{n}") for n in range(20)))
    for n in range(20):
        assert await store.touch(f"sess_{n}", now=NOW + n)
    counts = "SELECT {0}_updated('sessions'::regclass), {0}_hot_updated('sessions'::regclass)".format(
        "pg_stat_get_tuples"
    )
    await store.close()  # its sessions report what they did when they end
    before = await _settled(bare, counts, at_least=20)
    assert before[0] == before[1]
    await bare.execute("UPDATE sessions SET due_at = due_at + 1")
    await bare.execute("SELECT pg_stat_force_next_flush()")
    after = await _settled(bare, counts, at_least=before[0] + 20)
    assert after[1] == before[1]
    await bare.close()


async def _settled(bare: asyncpg.Connection, query: str, *, at_least: int) -> tuple[int, int]:
    async with asyncio.timeout(20):
        while True:
            updated, hot = await bare.fetchrow(query)  # pyright: ignore[reportGeneralTypeIssues]
            if updated >= at_least:
                return updated, hot
            await asyncio.sleep(0.05)


# The order of the log --------------------------------------------------------------------------------------


async def test_nothing_is_read_from_the_oldest_transaction_on(
    store: PostgresStore, bare: asyncpg.Connection
) -> None:
    """An event that is committed while an older transaction still writes waits for it: else that one's event
    would appear behind a reader. The control, a reader without the bound, loses it."""
    await seed(store)
    await log(store, "evt_first")
    start = await store.end_of_events()
    async with bare.transaction():
        await bare.execute(
            "INSERT INTO events (n, at, id, type) VALUES (0, $1, 'evt_slow', 'session.created')", NOW
        )
        await log(store, "evt_fast")
        page = await store.events(start, 10)
        assert (list(page.events), page.position) == ([], start)
        reckless = "SELECT xid, id FROM events WHERE xid > $1 ORDER BY xid, n"
        other = await asyncpg.connect(store_url(store))
        (seen,) = await other.fetch(
            reckless, 0 if start is None else int(start.partition(".")[2].split("-")[0])
        )
    lost = await other.fetch(reckless, seen["xid"])
    await other.close()
    assert (seen["id"], lost) == ("evt_fast", [])
    assert await event_ids(store, page.position) == ["evt_slow", "evt_fast"]


def store_url(store: PostgresStore) -> str:
    """The URL that a store was opened with."""
    return store._primary._target.url.replace("@localhost", "@{}:{}".format(*store._primary._target.hosts[0]))


async def test_a_month_is_dropped_when_all_of_it_is_purged(
    store: PostgresStore, bare: asyncpg.Connection
) -> None:
    """The floor rises event by event; the partition goes, undeleted, when the floor has passed it and its
    month."""
    months = SQL["event_months"]
    before = {row[0] for row in await bare.fetch(months)}
    late = NOW + 40 * MONTH
    await log(store, "evt_1", "evt_2", at=late)
    await log(store, "evt_3", at=late + 2 * MONTH)
    made = sorted({row[0] for row in await bare.fetch(months)} - before)
    assert len(made) == 4, "each month with an event, and the one after it"
    assert await store.purge(ended_before=0, events_before=late + 1, once_before=0, limit=1) == 1
    assert made[0] in {row[0] for row in await bare.fetch(months)}, "something of it is still to be read"
    while await store.purge(ended_before=0, events_before=late + 2 * MONTH, once_before=0, limit=1):
        pass
    assert made[0] not in {row[0] for row in await bare.fetch(months)}
    assert await bare.fetchval("SELECT to_regclass($1)", made[0]) is None
    assert await event_ids(store) == ["evt_3"]


async def test_nodes_that_meet_a_new_month_at_once(url: str) -> None:
    """One of them makes the partition; nobody's commit fails."""
    stores = [await PostgresStore.open(url) for _ in range(3)]
    at = NOW + 70 * MONTH
    await asyncio.gather(
        *(one.commit([AppendEvent(make_event(f"evt_{n}", at=at))]) for n, one in enumerate(stores))
    )
    assert sorted(await event_ids(stores[0])) == ["evt_0", "evt_1", "evt_2"]
    for one in stores:
        await one.close()


# Commits ---------------------------------------------------------------------------------------------------


async def test_a_caller_that_gives_up_cancels_nothing(store: PostgresStore) -> None:
    """A commit goes on without whoever asked for it."""
    await seed(store)
    for n in range(20):
        task = asyncio.create_task(insert(store, make_session(f"sess_{n}")))
        for _ in range(n % 5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await insert(store, make_session("sess_last"))
    await store._writer.close(10)
    page = await store.sessions(SessionQuery(now=NOW, limit=50))
    begun = {f"sess_{n}" for n in range(20) if n % 5}
    assert begun <= {item.session.id for item in page.items}


async def test_a_deadlock_is_tried_again(store: PostgresStore, bare: asyncpg.Connection) -> None:
    """Whoever PostgreSQL picks to break a deadlock, the store's commit is made in the end."""
    first, second = make_session("sess_a"), make_session("sess_b", user_id="user_b")
    await seed(store, users=("user_a", "user_b"))
    transaction = bare.transaction()
    await transaction.start()
    await bare.execute("SET LOCAL deadlock_timeout = '10s'")
    await bare.execute("UPDATE users SET banned = false WHERE id = 'user_b'")
    commit = asyncio.create_task(store.commit([InsertSession(first), InsertSession(second)]))
    while not await bare.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await bare.execute("UPDATE users SET banned = false WHERE id = 'user_a'")
    await transaction.commit()
    await commit
    assert [session.id for session in await _sessions(store)] == ["sess_b", "sess_a"]


async def _sessions(store: PostgresStore) -> list[Session]:
    page = await store.sessions(SessionQuery(now=NOW, limit=50))
    return [item.session for item in page.items]


async def test_a_text_that_no_row_can_hold(store: PostgresStore) -> None:
    """NUL and half a surrogate pair are found nowhere, which is no fault."""
    await seed(store, make_session())
    for text in ("sess_a\0", "\ud800"):
        assert await store.session(text) is None
        assert await store.user(text) is None
        page = await store.sessions(SessionQuery(now=NOW, user_id=text, count=True))
        assert (list(page.items), page.total) == ([], 0)
        with pytest.raises(Refused):
            await store.commit([InsertSession(make_session("sess_b", user_id="user_z"))])


# Opening ---------------------------------------------------------------------------------------------------


async def test_many_nodes_migrate_at_once(databases: Databases) -> None:
    """One does it; the others find it done."""
    url = databases.new()
    with pytest.raises(SchemaOutdated):
        await PostgresStore.open(url, migrate=False)
    assert await PostgresStore.schema_version(url) == 0
    stores = await asyncio.gather(*(PostgresStore.open(url) for _ in range(4)))
    assert await PostgresStore.schema_version(url) == 1
    for one in stores:
        await one.close()


async def test_databases_that_are_not_ours(databases: Databases) -> None:
    """Of something else, of a newer version, of a migration that was changed: refused with the reason."""
    url = databases.new()
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE sessions (id text)")
    with pytest.raises(ConfigurationError, match="something else"):
        await PostgresStore.open(url)
    await connection.execute("DROP TABLE sessions")
    await (await PostgresStore.open(url)).close()
    await connection.execute("UPDATE schema_migrations SET checksum = 'other'")
    with pytest.raises(ConfigurationError, match="0001_initial"):
        await PostgresStore.open(url)
    await connection.execute(
        "INSERT INTO schema_migrations VALUES (2, 'a', 'a'), (3, 'b', 'b'), (99, 'c', 'c')"
    )
    with pytest.raises(SchemaTooNew):
        await PostgresStore.open(url)
    await connection.close()


async def test_servers_that_let_nobody_in(databases: Databases) -> None:
    """No such database is a mistake in the settings; no server at all may pass."""
    with pytest.raises(ConfigurationError, match="no_such"):
        await PostgresStore.open(databases.server.url("no_such"))
    with pytest.raises(Unavailable):
        await PostgresStore.open("postgresql://sojourn@127.0.0.1:1/sojourn")


async def test_a_report_tells_what_holds_up_the_log(store: PostgresStore, bare: asyncpg.Connection) -> None:
    """A transaction that writes is seen with its age, and one that has ended is not."""
    async with bare.transaction():
        await bare.execute("UPDATE event_floor SET n = n")
        assert ((await store.report(NOW)).log_held_ms or 0) >= 0
        assert (await store.report(NOW)).log_held_ms is not None
    report = await store.report(NOW)
    assert report.log_held_ms is None
    assert report.standbys == 0
    assert report.connections == "0 of 10, 0 of 10, 0 of 2"
    assert not report.durable, "this server runs without fsync"


async def test_strict_wants_a_standby(url: str) -> None:
    """Without one that confirms commits a strict node does not start."""
    with pytest.raises(ConfigurationError, match="strict"):
        await PostgresStore.open(url, strict=True)
