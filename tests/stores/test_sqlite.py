"""What is SQLite's own: the file and its settings, group commit, positions, cutoffs on disk."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from sojourn.core.errors import ConfigurationError, PositionLost, StorageFull, Unavailable
from sojourn.core.lifecycle import SubjectKind, activate, settle
from sojourn.core.session import Status
from sojourn.service.ports import InsertSession, InsertUser, PutInstance, Refused, SessionQuery
from sojourn.stores.sqlite import SqliteStore, reads
from sojourn.stores.sqlite.connect import check_version
from sojourn.stores.sqlite.writer import GROUP_LIMIT, Writer
from sojourn.testing.contract.base import (
    INSTANCE,
    NOW,
    cut,
    end,
    event_ids,
    insert,
    list_ids,
    log,
    make_session,
    make_user,
    seed,
    status_of,
    stored,
    update,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of a test is."""
    return tmp_path / "test.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """A new store."""
    store = await SqliteStore.open(str(path))
    yield store
    await store.close()


def commits(monkeypatch: pytest.MonkeyPatch, before: Callable[[], object] = lambda: None) -> list[None]:
    """Call `before` before every COMMIT; the list grows by one with each."""
    made: list[None] = []
    original = Writer._commit

    def commit(self: Writer) -> None:
        before()
        made.append(None)
        original(self)

    monkeypatch.setattr(Writer, "_commit", commit)
    return made


def mode(path: str) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(os.stat(path).st_mode)


async def settled(*work: Awaitable[Any]) -> list[Any]:
    """Results, with errors in the place of what they came instead of."""
    return await asyncio.gather(*work, return_exceptions=True)


# The file --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [":memory:", ""])
async def test_a_path_that_names_no_file_is_refused(name: str) -> None:
    """SQLite would open a database that vanishes; the error says what to use instead."""
    with pytest.raises(ConfigurationError, match="memory://"):
        await SqliteStore.open(name)


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The error tells which path cannot be made."""
    with pytest.raises(ConfigurationError, match="nowhere"):
        await SqliteStore.open(str(tmp_path / "nowhere" / "a.db"))


async def test_only_the_owner_can_read_it(store: SqliteStore, path: Path) -> None:
    """The database, its log and its index have mode 0600."""
    await seed(store, make_session())
    assert [mode(f"{path}{suffix}") for suffix in ("", "-wal", "-shm")] == [0o600] * 3


@pytest.mark.parametrize("version", ["3.51.2", "3.40.1", "3.6"])
def test_an_old_sqlite_is_refused(version: str) -> None:
    """Before 3.51.3 two connections can corrupt the log when it is started again."""
    with pytest.raises(ConfigurationError, match=r"3\.51\.3"):
        check_version(version)
    check_version("3.51.3")
    check_version("4.0.0")


def test_what_is_no_database_is_refused(path: Path) -> None:
    """A file of something else is named and left as it was."""
    path.write_bytes(b"a diary, not a database\n" * 100)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="not an SQLite database"):
        asyncio.run(SqliteStore.open(str(path)))
    assert path.read_bytes() == before


async def test_the_database_of_something_else_is_refused(path: Path) -> None:
    """Tables of another program are not mixed with ours."""
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE sessions (cookie)")
    other.close()
    with pytest.raises(ConfigurationError, match="something else"):
        await SqliteStore.open(str(path))


async def test_every_connection_is_set_up(store: SqliteStore) -> None:
    """WAL, full syncs, foreign keys, no trust in the schema and no memory map, on all three."""
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "mmap_size": 0,
        "wal_autocheckpoint": 0,
    }
    assert len({id(connection) for connection in store._connections}) == 3
    for connection in store._connections:
        assert {name: connection.pragma(name) for name in wanted} == wanted
    assert [connection.pragma("query_only") for connection in store._connections] == [0, 1, 1]


async def test_what_was_stored_is_there_after_opening_again(path: Path) -> None:
    """Closing and opening changes nothing that can be read."""
    first = await SqliteStore.open(str(path))
    await seed(first, make_session())
    before = await first.session("sess_a")
    await first.close()
    assert os.listdir(path.parent) == [path.name]
    second = await SqliteStore.open(str(path), migrate=False)
    assert await second.session("sess_a") == before
    await second.close()


# Group commit ----------------------------------------------------------------------------------------------


async def test_a_refused_member_undoes_itself_alone(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of commits in one group those that are refused or wrong leave nothing; the others are made."""
    await seed(store)
    made = commits(monkeypatch)
    work = [store.commit([InsertSession(make_session(f"sess_{n}"))]) for n in range(8)]
    nobody = InsertSession(make_session("sess_x", user_id="user_nobody"))
    work.insert(3, store.commit([InsertSession(make_session("sess_y")), nobody]))
    work.insert(5, store.commit([InsertSession(make_session("sess_0"))]))
    results = await settled(*work)
    assert len(made) == 1
    assert isinstance(results.pop(5), ValueError)
    refused = results.pop(3)
    assert isinstance(refused, Refused)
    assert (refused.why, refused.operation) == (Refused.USER_MISSING, nobody)
    assert results == [None] * 8
    assert await list_ids(store) == [f"sess_{n}" for n in reversed(range(8))]


async def test_groups_are_bounded(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait, no more than GROUP_LIMIT share a COMMIT, and all of them are made."""
    await seed(store)
    made = commits(monkeypatch)
    count = 3 * GROUP_LIMIT
    await asyncio.gather(*(insert(store, make_session(f"sess_{n}")) for n in range(count)))
    assert 3 <= len(made) < count / 4
    page = await store.sessions(SessionQuery(now=NOW, limit=1, count=True))
    assert page.total == count


async def test_nothing_is_acknowledged_before_the_commit_returns(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is at it reads go on, see the state before, and the writer waits."""
    await seed(store)
    disk = threading.Event()
    commits(monkeypatch, disk.wait)
    writing = asyncio.create_task(insert(store, make_session()))
    for _ in range(20):
        await asyncio.sleep(0.001)
        assert await store.session("sess_a") is None
        assert await list_ids(store) == []
    assert not writing.done()
    disk.set()
    await writing
    assert await store.session("sess_a") is not None


async def test_a_caller_that_gives_up_does_not_cancel_its_commit(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled while it waits or while the disk is at it, a commit is made, and so are its neighbours."""
    await seed(store)
    disk = threading.Event()
    commits(monkeypatch, disk.wait)
    group = [asyncio.create_task(insert(store, make_session(f"sess_{n}"))) for n in range(3)]
    await asyncio.sleep(0.01)
    waiting = [asyncio.create_task(insert(store, make_session(f"sess_{n}"))) for n in range(3, 6)]
    await asyncio.sleep(0)
    group[1].cancel()
    waiting[1].cancel()
    disk.set()
    results = await settled(*group, *waiting)
    assert [isinstance(r, asyncio.CancelledError) for r in results] == [False, True, False] * 2
    await insert(store, make_session("sess_6"))
    assert await list_ids(store) == [f"sess_{n}" for n in reversed(range(7))]


def test_the_end_of_the_loop_waits_for_a_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a program stops and cancels everything, the transaction under way is finished."""
    disk = threading.Event()

    async def program() -> None:
        store = await SqliteStore.open(str(path))
        await seed(store)
        commits(monkeypatch, disk.wait)
        tasks.append(asyncio.create_task(insert(store, make_session())))
        await asyncio.sleep(0.01)
        threading.Timer(0.1, disk.set).start()

    tasks: list[asyncio.Task[None]] = []
    asyncio.run(program())
    assert tasks[0].cancelled()
    with_log = apsw.Connection(str(path))
    assert with_log.execute("SELECT id FROM sessions").fetchall() == [("sess_a",)]
    with_log.close()


async def test_a_failed_commit_acknowledges_nobody(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the COMMIT finds the disk full the whole group is told, and the next one is made."""
    await seed(store)

    def full() -> None:
        raise apsw.FullError("no room")

    with monkeypatch.context() as patch:
        commits(patch, full)
        work = [insert(store, make_session(f"sess_{n}")) for n in range(3)]
        results = await settled(*work, insert(store, make_session(user_id="user_nobody")))
    assert [type(result) for result in results] == [StorageFull] * 4
    assert await list_ids(store) == []
    await insert(store, make_session("sess_0"))
    assert await list_ids(store) == ["sess_0"]


async def test_closing_finishes_what_was_accepted(path: Path) -> None:
    """Commits under way are made; later calls are told that the store is closed; closing again is nothing."""
    store = await SqliteStore.open(str(path))
    await seed(store)
    work = [asyncio.create_task(insert(store, make_session(f"sess_{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    await store.close()
    assert await settled(*work) == [None] * 5
    with pytest.raises(Unavailable):
        await insert(store, make_session("sess_late"))
    with pytest.raises(Unavailable):
        await store.session("sess_0")
    with pytest.raises(Unavailable):
        await list_ids(store)
    await store.close()


# Reading ---------------------------------------------------------------------------------------------------


async def test_a_list_that_walks_far_is_asked_again_in_the_thread(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off in the event loop, it gives the same page and leaves no snapshot behind."""
    await seed(store, *(make_session(f"sess_{n}", status=Status.PENDING) for n in range(200)))
    far: list[int] = []
    original = store._reads.far

    async def watched(*statements: reads.Statement) -> Any:
        far.append(len(statements))
        return await original(*statements)

    monkeypatch.setattr(store._reads, "far", watched)
    query = SessionQuery(now=NOW, user_id="user_a", statuses=frozenset({Status.ACTIVE}), count=True)
    assert (await store.sessions(query)).total == 0
    assert far == []
    await insert(store, *(make_session(f"sess_b{n}", status=Status.PENDING) for n in range(3_000)))
    await insert(store, make_session("sess_c"))
    page = await store.sessions(query)
    assert ([item.session.id for item in page.items], page.total) == (["sess_c"], 1)
    assert far == [2]
    await insert(store, make_session("sess_d"))
    assert await store.session("sess_d") is not None


# Positions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "position",
    ["", "0", ".1", "0.", "0.01", "0.-1", "0.+1", "0. 1", "0.1 ", "0.x", "1.0", "0.3", f"0.{10**18}"],
)
async def test_what_is_no_position_of_this_log(store: SqliteStore, position: str) -> None:
    """Malformed, of another epoch or ahead of the log: lost, never an empty page."""
    await log(store, "evt_1", "evt_2")
    assert await store.end_of_events() == "0.2"
    with pytest.raises(PositionLost):
        await store.events(position, 10)


async def test_a_new_epoch_loses_all_positions(store: SqliteStore) -> None:
    """Positions are those of one history."""
    await store.commit([PutInstance(INSTANCE)])
    await log(store, "evt_1")
    before = await store.end_of_events()
    assert before == f"{INSTANCE.epoch}.1"
    await store.commit([PutInstance(replace(INSTANCE, epoch="epoch.2"))])
    with pytest.raises(PositionLost):
        await store.events(before, 10)
    assert await store.end_of_events() == "epoch.2.1"
    assert (await store.events("epoch.2.1", 10)).position == "epoch.2.1"


async def test_purging_the_newest_event_keeps_the_count(store: SqliteStore, path: Path) -> None:
    """A position is never given twice, even when the log was emptied and the store opened again."""
    await log(store, "evt_1", "evt_2")
    await store.purge(ended_before=0, events_before=NOW + 1, once_before=0, limit=10)
    assert await store.end_of_events() == "0.2"
    with pytest.raises(PositionLost):
        await store.events("0.1", 10)
    again = await SqliteStore.open(str(path))
    assert (await again.events("0.2", 10)).position == "0.2"
    await log(again, "evt_3")
    assert await store.end_of_events() == "0.3"
    assert await event_ids(store) == ["evt_3"]
    await again.close()


# Cutoffs ---------------------------------------------------------------------------------------------------


async def test_a_cutoff_is_an_end_like_any_other(store: SqliteStore) -> None:
    """A session that a cutoff has ended takes no later end and no activation, but an earlier end."""
    await seed(store, make_session("sess_a"), make_session("sess_b"), make_session("sess_c"))
    before = await stored(store, "sess_a")
    pending = replace(await stored(store, "sess_b"), status=Status.PENDING)
    await cut(store, at=NOW + 10)
    assert not await update(store, before, end(before, Status.REMOVED, at=NOW + 11))
    assert not await update(store, pending, activate(pending, NOW + 11))
    assert await status_of(store, "sess_a", NOW + 12) is Status.REVOKED
    third = await stored(store, "sess_c")
    assert await update(store, third, end(third, Status.EXPIRED, at=NOW + 9))
    assert await status_of(store, "sess_c") is Status.EXPIRED


@pytest.mark.parametrize("kind", SubjectKind)
async def test_a_cutoff_is_purged_only_when_it_is_swept(store: SqliteStore, kind: SubjectKind) -> None:
    """Until every session it covers is stored as ended it stays, or those sessions would live again."""
    await seed(store, *(make_session(f"sess_{n}") for n in range(4)))
    await cut(store, kind)

    async def purge() -> int:
        await store.purge(ended_before=NOW + 1, events_before=0, once_before=0, limit=100)
        return store._connections[1].execute("SELECT count(*) FROM cutoffs").fetchall()[0][0]

    while batch := (await store.overdue(NOW, 2)).sessions:
        assert await purge() == 1
        for item in batch:
            assert await status_of(store, item.session.id) is Status.REVOKED
        for item in batch:
            after = settle(item.session, item.cutoffs, NOW)
            assert await update(store, item.session, after)
    assert await purge() == 0
    assert await list_ids(store, excluded=frozenset({Status.REVOKED})) == []


async def test_a_user_called_instance_is_no_instance(store: SqliteStore) -> None:
    """A cutoff is matched by its kind as well as by its subject."""
    await store.commit([InsertUser(make_user("instance"))])
    await seed(store, make_session())
    await cut(store, SubjectKind.USER, subject="instance")
    await cut(store, SubjectKind.CLIENT, subject="user_a")
    assert await status_of(store) is Status.ACTIVE
