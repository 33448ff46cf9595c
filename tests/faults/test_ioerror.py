"""R8: the disk reports I/O errors; the store stops acknowledging and loses nothing that it acknowledged."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from sojourn import Sojourn, runtime
from sojourn.core.errors import StorageFailed, StorageFull
from sojourn.http.app import App
from sojourn.stores.sqlite import SqliteStore, connect, writer
from sojourn.stores.sqlite.connect import Internals
from sojourn.stores.sqlite.writer import Writer
from sojourn.testing.contract.base import seed
from tests.embedded import opened, reuse_one_key, user_id
from tests.faults.faulty import DATABASE, Fault, FaultyDisk, Run, kinds, runs

FULL_FORM = os.environ.get("SOJOURN_FAULTS") == "full"
MOST = 1_000 if FULL_FORM else 6
"""Points of a history at which the fault comes: it has some 570 writes, 60 syncs and 4 truncations."""
SEEDS = {"sync": 10, "truncate": 25} if FULL_FORM else {}
"""Histories; one where nothing is said. Ten make 500 syncs, the figure of RELIABILITY.md 2.1."""
CONTROL, CONTROL_LOSSES = 16, 4
"""60 histories were seen to lose at 8 to 16 of 16 points; the others lie in checkpoints and bookkeeping."""
FAULTS = {
    "write": Fault("write", apsw.SQLITE_IOERR_WRITE),
    "sync": Fault("sync", apsw.SQLITE_IOERR_FSYNC),
    "truncate": Fault("truncate", apsw.SQLITE_IOERR_TRUNCATE),
    "lasting-write": Fault("write", apsw.SQLITE_IOERR_WRITE, lasting=True),
    "lasting-sync": Fault("sync", apsw.SQLITE_IOERR_FSYNC, lasting=True),
}
SECRET = "sk_test_0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints come often, or a short history would have none; and no clock has a say in what shares a
    COMMIT, so that a history is the same each time it is repeated."""
    monkeypatch.setattr(writer, "_CHECKPOINT_PAGES", 60)
    monkeypatch.setattr(writer, "_GROUP_SECONDS", 3_600)


def new_seed() -> int:
    """Another history each time; a failure names it."""
    return int.from_bytes(os.urandom(4), "big")


@pytest.mark.parametrize("name", FAULTS)
async def test_r8_an_io_error_stops_acknowledging_and_loses_nothing(tmp_path: Path, name: str) -> None:
    """Wherever it comes, what was acknowledged is read, and is there after a close, a kill or a power cut;
    nothing is acknowledged after it, also when the disk seems well again, and nothing is half done."""
    fault = FAULTS[name]
    for _ in range(SEEDS.get(fault.kind, 1)):
        async for run, wrong in runs(fault, MOST, new_seed(), tmp_path):
            assert wrong == []
            assert run.disk.struck is not None
            assert kinds(run.early) == kinds(run.late) == {StorageFailed}, run.fault
            assert run.after_refusal == run.later == 0, run.fault


async def test_r8_a_read_that_fails_is_refused_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing read of a request is refused by itself; one in a change or a checkpoint stops all changes."""
    monkeypatch.setattr(connect, "_CACHE_KIB", 4)  # so that pages are read again and again
    most = MOST if FULL_FORM else 20
    struck = stopped = went_on = 0
    async for run, wrong in runs(Fault("read", apsw.SQLITE_IOERR_READ), most, new_seed(), tmp_path):
        assert wrong == []
        assert kinds(run.early) <= {StorageFailed}, run.fault
        assert kinds(run.late) <= {StorageFailed}, run.fault
        assert not (run.late and run.later), "some changes were refused and others not"
        struck += run.disk.struck is not None
        stopped += bool(run.late)
        went_on += bool(run.later)
    assert struck > most // 4 or struck > 200
    assert stopped
    assert went_on


@pytest.mark.parametrize("fault", ["write", "sync", "read", "full"])
async def test_r8_an_opening_that_fails_can_be_repeated(fault: str) -> None:
    """Wherever the opening and the migration of a new database meet a fault, the error is the documented one,
    and once the disk is well again the next opening completes the work."""
    kind, code, expected = {
        "write": ("write", apsw.SQLITE_IOERR_WRITE, StorageFailed),
        "sync": ("sync", apsw.SQLITE_IOERR_FSYNC, StorageFailed),
        "read": ("read", apsw.SQLITE_IOERR_READ, StorageFailed),
        "full": ("write", apsw.SQLITE_FULL, StorageFull),
    }[fault]
    nth, answers = 0, set[type[Exception] | None]()
    while None not in answers:
        nth += 1
        disk = FaultyDisk(f"opening_{fault}_{nth}")
        internals = Internals(vfs=disk.name, exclusive=True)
        disk.arm(Fault(kind, code, nth))  # pyright: ignore[reportArgumentType]  # one of its kinds
        try:
            store = await SqliteStore.open(DATABASE, internals=internals)
            disk.arm(None)
            await store.close()
            answers.add(None)  # the fault lies behind all of it
        except Exception as error:
            answers.add(type(error))
        disk.arm(None)
        store = await SqliteStore.open(DATABASE, internals=internals)
        await seed(store)
        await store.close()
    assert answers == {expected, None}
    assert nth > 3


async def test_r8_over_http_changes_answer_503_and_reads_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed sync changes answer 503 with a time to try again, while sessions, keys, tokens and their
    verification are served; started again, everything acknowledged is there and changes are made."""
    disk = FaultyDisk("http")
    internals = Internals(vfs=disk.name, exclusive=True)
    monkeypatch.setattr(runtime, "open_store", lambda _: SqliteStore.open(DATABASE, internals=internals))
    reuse_one_key(monkeypatch)
    async with opened(secret_key=(SECRET,)) as sojourn, calling(sojourn) as http:
        user = await user_id(sojourn)
        kept, revoked = [(await http.post("/v1/sessions", json={"user_id": user})).json()["id"] for _ in "ab"]
        assert (await http.post(f"/v1/sessions/{revoked}/revoke")).status_code == 200
        disk.arm(Fault("sync", apsw.SQLITE_IOERR_FSYNC))
        for _ in range(3):  # the first meets the fault, the others what it left behind
            for path, body in (
                ("/v1/sessions", {"user_id": user}),
                (f"/v1/sessions/{kept}/revoke", None),
                ("/v1/users", {}),
            ):
                answer = await http.post(path, json=body)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), path
                (error,) = answer.json()["errors"]
                assert error["code"] == "storage_failed"
            assert (await http.get(f"/v1/sessions/{kept}")).json()["status"] == "active"
            assert (await http.get(f"/v1/sessions/{revoked}")).json()["status"] == "revoked"
            assert (await http.get("/v1/jwks")).json()["keys"]
            token = (await http.post(f"/v1/sessions/{kept}/tokens")).json()["jwt"]
            verified = await http.post(f"/v1/sessions/{kept}/verify", json={"token": token})
            assert verified.status_code == 200
    assert disk.struck is not None
    async with opened(secret_key=(SECRET,)) as sojourn, calling(sojourn) as http:
        assert (await http.get(f"/v1/sessions/{kept}")).json()["status"] == "active"
        assert (await http.get(f"/v1/sessions/{revoked}")).json()["status"] == "revoked"
        assert (await http.post(f"/v1/sessions/{kept}/revoke")).json()["status"] == "revoked"


def calling(sojourn: Sojourn) -> httpx.AsyncClient:
    """A caller of the application in process."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(App(sojourn)),
        base_url="http://sojourn.test",
        headers={"Authorization": f"Bearer {SECRET}"},
    )


# Controls ------------------------------------------------------------------------------------------------


async def test_r8_control_without_a_fault_nothing_is_refused(tmp_path: Path) -> None:
    """The same histories on a disk that is well: every change is acknowledged, and all of it is there."""
    run = await Run(None, random.Random(new_seed())).go()
    assert run.early == run.late == []
    assert run.cleared > 60 < run.later
    assert run.wrong + await run.left(tmp_path) == []


def swallowing(real: Callable[[Writer], None], self: Any) -> None:
    """A COMMIT whose errors are taken for success."""
    with suppress(apsw.Error):
        real(self)
    self._rollback()


def hasty(real: Callable[[Writer, list[Any]], None], self: Writer, group: list[Any]) -> None:
    """Statements whose callers are told of success before the COMMIT."""
    real(self, group)
    for request in group:
        request.resolve()


@pytest.mark.parametrize(("method", "broken"), [("_commit", swallowing), ("_work_off", hasty)])
@pytest.mark.parametrize("name", ["write", "sync"])
async def test_r8_control_a_writer_that_acknowledges_too_early_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, broken: Any, name: str
) -> None:
    """A writer that swallows the error of a COMMIT, or acknowledges before it, is seen to lose changes."""
    real = getattr(Writer, method)
    monkeypatch.setattr(Writer, method, lambda *args: broken(real, *args))
    losing = 0
    async for _, wrong in runs(FAULTS[name], CONTROL, new_seed(), tmp_path):
        losing += bool(wrong)
    assert losing >= CONTROL_LOSSES


async def test_r8_control_a_sync_that_lies_loses(tmp_path: Path) -> None:
    """On this disk a failed sync does lose its writes: where it is believed, acknowledged changes go."""
    fault = Fault("sync", apsw.SQLITE_IOERR_FSYNC, lasting=True, believed=True)
    losing = 0
    async for run, wrong in runs(fault, CONTROL, new_seed(), tmp_path):
        assert run.early == run.late == []
        losing += bool(wrong)
    assert losing >= CONTROL_LOSSES
