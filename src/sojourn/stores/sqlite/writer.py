"""The writer: all changes of a process go through it and are committed in groups.

The statements of a change take microseconds, and many small ones in a thread beside a busy event loop would
spend more than that on handing the interpreter to and fro. So the loop runs them, for all changes that wait,
and only the COMMIT, which waits for the disk, goes to a thread. While it is there, reads go on and new
changes queue for the next group. A change is answered when the COMMIT it is part of has returned.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import apsw

from sojourn.core.errors import StorageFailed, StorageFull, Unavailable
from sojourn.stores.sqlite.connect import BUSY_MS
from sojourn.stores.sqlite.driver import Connection
from sojourn.stores.sqlite.faults import fault, of_storage

T = TypeVar("T")

GROUP_LIMIT = 128
"""Most changes in one COMMIT."""
_GROUP_SECONDS = 0.002
"""No further change joins a group once its statements have held up the event loop for so long."""
_QUEUE_LIMIT = 10_000
_POLL_SECONDS = 0.00025
_CHECKPOINT_PAGES = 2_000
"""Pages written to the log before they are copied into the database. Under 4,062, what one page of SQLite's
shared index holds, so that the index file need not grow while the disk is full."""
_LOG_PAGES = 4 * _CHECKPOINT_PAGES
"""Where the log has grown past this, writing waits until it can be started again."""
_RESTART_MS = 500


@dataclass(slots=True)
class _Request:
    work: Callable[[], object]
    waiter: asyncio.Future[Any]
    long: bool
    bare: bool = False
    result: object = None
    error: BaseException | None = None

    def resolve(self) -> None:
        """Tell whoever waits; one that was cancelled in the meantime does not change what was done."""
        if self.waiter.done():
            return
        if self.error is not None:
            self.waiter.set_exception(self.error)
        else:
            self.waiter.set_result(self.result)


class Writer:
    """Runs changes on the one writing connection. Belongs to the event loop that first uses it."""

    def __init__(self, connection: Connection, executor: Executor) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute
        self._executor = executor
        self._queue: deque[_Request] = deque()
        self._drainer: asyncio.Task[None] | None = None
        self._failure: str | None = None
        self._closed = False
        self._checkpointed = 0
        # Waiting for another process is done in the thread alone.
        connection.set_busy_handler(None)

    async def run(self, work: Callable[[], T], *, long: bool = False) -> T:
        """Do `work` (statements on the writing connection) in a transaction and return when it is durable.

        What `work` raises undoes it and is raised here. `long` work gets a transaction of its own in the
        thread. Cancelling the caller does not cancel the work. Raises Unavailable and what is under it.
        """
        return cast(T, await self._queued(work, long=long))

    async def scrub(self) -> None:
        """Empty the log into the database, where `secure_delete` has zeroed what was freed. Raises
        Unavailable when readers in other processes keep the log from being emptied."""
        await self._queued(self._empty_log, long=True, bare=True)

    async def close(self) -> None:
        """Finish what was accepted, and accept nothing more."""
        self._closed = True
        while self._drainer is not None:
            await asyncio.wait([self._drainer])

    async def _queued(self, work: Callable[[], object], *, long: bool, bare: bool = False) -> object:
        self._refuse_when_unfit()
        loop = asyncio.get_running_loop()
        request = _Request(work, loop.create_future(), long, bare)
        self._queue.append(request)
        if self._drainer is None:
            # A task begins in the next round of the loop, when all who are ready now have queued up.
            self._drainer = loop.create_task(self._drain())
        return await request.waiter

    def _refuse_when_unfit(self) -> None:
        if self._closed:
            raise Unavailable("The store is closed.")
        if self._failure is not None:
            raise StorageFailed(self._failure)
        if len(self._queue) >= _QUEUE_LIMIT:
            raise Unavailable("Too many changes are waiting to be written.")

    # Groups -------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        try:
            while self._queue:
                if self._failure is not None:
                    self._reject(self._take(len(self._queue)), StorageFailed(self._failure))
                elif self._queue[0].long:
                    await self._run_long(self._queue.popleft())
                else:
                    await self._run_group()
                await self._checkpoint_when_due()
        except BaseException as error:
            self._reject(self._take(len(self._queue)), self._fault(error))
            raise
        finally:
            self._drainer = None

    async def _run_group(self) -> None:
        waiting = len(self._queue)
        try:
            await self._begin()
        except (apsw.Error, Unavailable) as error:
            self._reject(self._take(waiting), self._fault(error))
            return
        group: list[_Request] = []
        try:
            self._work_off(group)
            await self._in_thread(self._commit)
        except BaseException as error:
            self._rollback()
            self._reject(group, self._fault(error))
            if not isinstance(error, (apsw.Error, Unavailable)):
                raise
        else:
            for request in group:
                request.resolve()

    async def _begin(self) -> None:
        try:
            self._execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            await self._in_thread(self._begin_patiently)

    def _begin_patiently(self) -> None:
        with self._patience(BUSY_MS):
            self._execute("BEGIN IMMEDIATE")

    @contextmanager
    def _patience(self, milliseconds: int) -> Generator[None]:
        """In the thread: wait for locks that somebody else holds."""
        until = time.monotonic() + milliseconds / 1000

        def wait(_calls: int) -> bool:
            # SQLite's own waiting backs off to steps of 100 ms, and a process that writes all the time leaves
            # gaps of a fraction of one: who waits would be starved.
            time.sleep(_POLL_SECONDS)
            return time.monotonic() < until

        self._connection.set_busy_handler(wait)
        try:
            yield
        finally:
            self._connection.set_busy_handler(None)

    def _work_off(self, group: list[_Request]) -> None:
        """Run what waits, each in a savepoint of its own. Raises what the storage is to blame for."""
        until = time.perf_counter() + _GROUP_SECONDS
        while self._queue and not self._queue[0].long and len(group) < GROUP_LIMIT:
            request = self._queue.popleft()
            group.append(request)
            self._execute("SAVEPOINT change")
            try:
                request.result = request.work()
            except Exception as error:
                if of_storage(error):
                    raise
                self._execute("ROLLBACK TO change")
                request.error = error
            self._execute("RELEASE change")
            if time.perf_counter() > until:
                break

    def _commit(self) -> None:
        self._execute("COMMIT")

    async def _run_long(self, request: _Request) -> None:
        # A checkpoint is the one thing that SQLite does outside of a transaction only.
        work = request.work if request.bare else lambda: self._transaction(request.work)
        try:
            request.result = await self._in_thread(work)
        except Exception as error:
            request.error = self._fault(error) if of_storage(error) else error
        request.resolve()

    def _transaction(self, work: Callable[[], object]) -> object:
        self._begin_patiently()
        try:
            result = work()
            self._commit()
        except BaseException:
            self._rollback()
            raise
        return result

    # When things go wrong -----------------------------------------------------------------------------------

    def _rollback(self) -> None:
        # SQLite has rolled back by itself after some errors; where it cannot, nothing more may be written.
        if not self._connection.in_transaction:
            return
        try:
            self._execute("ROLLBACK")
        except apsw.Error as error:
            self._failure = f"A change could not be rolled back: {error}"

    def _fault(self, error: BaseException) -> Unavailable:
        found = error if isinstance(error, Unavailable) else fault(error, self._connection)
        if isinstance(found, StorageFailed):
            self._failure = found.detail
        elif isinstance(found, StorageFull):
            # Copied into the database, the log can be started again and needs no room for a while.
            self._checkpointed = -_CHECKPOINT_PAGES
        return found

    def _reject(self, requests: list[_Request], error: Unavailable) -> None:
        for request in requests:
            request.error = type(error)(error.detail)
            request.resolve()

    def _take(self, count: int) -> list[_Request]:
        return [self._queue.popleft() for _ in range(count)]

    # Checkpoints --------------------------------------------------------------------------------------------

    async def _checkpoint_when_due(self) -> None:
        written = self._connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]
        if written - self._checkpointed < _CHECKPOINT_PAGES or self._failure is not None:
            return
        self._checkpointed = written
        try:
            await self._in_thread(self._checkpoint)
        except (apsw.BusyError, apsw.LockedError, Unavailable):
            # Another process is at it, or this one ends. Everything is safe in the log; the next will do.
            pass
        except apsw.Error as error:
            # The same where there is no room; then the next comes at once, or the log would take all the room
            # that is made, and leave none to the database, which alone can empty it.
            if not isinstance(self._fault(error), StorageFull):
                self._failure = f"A checkpoint failed: {error}"

    def _checkpoint(self) -> None:
        pages, _ = self._connection.wal_checkpoint()
        if pages < _LOG_PAGES:
            return
        # Other processes write on while this one copies, so that the log is never copied to its end and never
        # started again: two busy ones made it grow by 130 MB a second. This holds them up until it is.
        with self._patience(_RESTART_MS):
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)

    def _empty_log(self) -> None:
        with self._patience(BUSY_MS):
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        """Run in the thread, and wait for the outcome even when this task is cancelled, as at a shutdown."""
        future = asyncio.get_running_loop().run_in_executor(self._executor, function)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                try:
                    await asyncio.wait([future])
                except asyncio.CancelledError:
                    continue
            return future.result()
