"""R3, R4, R5, R6: the primary dies, freezes, loses its standby, or is one of two. Real servers, synchronous
replication, and an asynchronous control that must lose."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest

from sojourn.core.errors import ConfigurationError, InDoubt, Unavailable
from sojourn.core.session import Status
from sojourn.service.ports import AppendEvent, InsertSession, Store, UpdateSession
from sojourn.stores.postgres import PostgresStore
from sojourn.testing.contract.base import end, event_ids, make_event, make_session, seed, stored
from tests.embedded import until
from tests.postgres.cluster import Server

FULL = os.environ.get("SOJOURN_FAULTS") == "full"
ROUNDS = 10 if FULL else 1
LOAD_SECONDS = 5.0 if FULL else 1.0
WRITERS = 8
SOME = 2 * WRITERS
"""Sessions that have to be acknowledged before the next thing happens, however busy the machine is."""
# Everything but the flush to the disk: no power is cut here, and the system's cache outlives every process.
SETTINGS = {"fsync": "off", "full_page_writes": "on", "wal_sender_timeout": "60s"}


@dataclass
class Journal:
    """What was acknowledged, and what was answered with doubt."""

    created: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    refused: int = 0


class Pair:
    """A primary and its synchronous standby, which change places."""

    def __init__(self) -> None:
        self.broken = False
        self.primary = Server("n1", **SETTINGS)
        self.standby = Server("n2", **SETTINGS)
        self.primary.create()
        self.primary.start()
        self.standby.follow(self.primary)
        self.standby.start()
        self.join()
        self._made = 0

    @property
    def url(self) -> str:
        """Both of them, the one that is no primary first."""
        return self.standby.url(f"sojourn_{self._made}", self.primary)

    @property
    def old_url(self) -> str:
        """The one that is the primary, alone."""
        return self.primary.url(f"sojourn_{self._made}")

    def renew(self) -> None:
        """A new database for the next test, on a pair that is whole again whatever the last one did to it."""
        if self.broken:
            for one in (self.primary, self.standby):
                one.resume()
            if self.standby.runs():
                self.standby.kill()
            self.rejoin()
            self.broken = False
        self._made += 1
        self.primary.sql(f"CREATE DATABASE sojourn_{self._made}")

    def join(self) -> None:
        """Let commits wait for the standby, and make sure by one that they come back."""
        self.primary.confirmed_by(self.standby.name)
        self.primary.wait_confirmed()
        self.primary.sql("SELECT pg_logical_emit_message(true, 'test', 'canary')")

    def fail_over(self) -> None:
        """The primary is killed and the standby takes its place."""
        self.primary.kill()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def rejoin(self) -> None:
        """The one that was killed follows the new primary."""
        self.standby.rejoin(self.primary)
        self.standby.start()
        self.join()

    def remove(self) -> None:
        """Delete both."""
        self.standby.remove()
        self.primary.remove()


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    """Two servers for the file."""
    made = Pair()
    yield made
    made.remove()


@pytest.fixture
def pair(servers: Pair) -> Pair:
    """The two servers in good order, with a new database."""
    servers.renew()
    return servers


@asynccontextmanager
async def opened(url: str, **options: bool) -> AsyncGenerator[PostgresStore]:
    """A store, closed at the end."""
    store = await PostgresStore.open(url, connections=WRITERS, **options)
    try:
        yield store
    finally:
        await store.close()


async def write(store: Store, number: int, journal: Journal, stop: asyncio.Event) -> None:
    """Create sessions and revoke every second one, each with its event, until told to stop."""
    count = 0
    while not stop.is_set():
        count += 1
        session = make_session(f"sess_{number}_{id(stop)}_{count}")
        try:
            await store.commit([InsertSession(session), AppendEvent(make_event(f"new_{session.id}"))])
            journal.created.add(session.id)
            if count % 2:
                revoked = UpdateSession(session=end(session), expected_version=1)
                await store.commit([revoked, AppendEvent(make_event(f"end_{session.id}"))])
                journal.revoked.add(session.id)
        except InDoubt:
            journal.doubtful.add(session.id)
        except Unavailable:
            journal.refused += 1
            await asyncio.sleep(0.01)


async def losses(store: Store, journal: Journal) -> list[str]:
    """What was acknowledged and is not there, in sessions and in the log."""
    events = set(await event_ids(store))
    lost: list[str] = []
    for name in sorted(journal.created):
        held = await store.session(name)
        if held is None or f"new_{name}" not in events:
            lost.append(name)
        elif name in journal.revoked and (
            held.session.status is not Status.REVOKED or f"end_{name}" not in events
        ):
            lost.append(f"{name} is {held.session.status} again")
    return lost


async def more(journal: Journal) -> None:
    """Until some more have been acknowledged."""
    wanted = len(journal.created) + SOME

    async def there() -> bool:
        return len(journal.created) > wanted

    await until(there)


async def load(store: Store, journal: Journal) -> tuple[asyncio.Event, list[asyncio.Task[None]]]:
    """Writers at work."""
    stop = asyncio.Event()
    return stop, [asyncio.create_task(write(store, n, journal, stop)) for n in range(WRITERS)]


async def test_r3_a_primary_that_is_killed_takes_nothing_with_it(pair: Pair) -> None:
    """SIGKILL to the primary under load, the standby is promoted, the roles are swapped, again and again:
    nothing acknowledged is lost, no revoked session is active again, and the writers go on by themselves."""
    journal = Journal()
    async with opened(pair.url) as store:
        await seed(store)
        for _ in range(ROUNDS):
            stop, writers = await load(store, journal)
            await more(journal)
            await asyncio.sleep(LOAD_SECONDS * random.uniform(0.0, 1.0))
            await asyncio.to_thread(pair.fail_over)
            await more(journal)
            stop.set()
            await asyncio.gather(*writers)
            await asyncio.to_thread(pair.rejoin)
            assert await losses(store, journal) == []
    assert len(journal.created) > 2 * SOME * ROUNDS


@pytest.mark.parametrize("synchronous", [True, False])
async def test_r4_what_the_standby_does_not_have_is_not_acknowledged(pair: Pair, synchronous: bool) -> None:
    """The way to the standby freezes, then the primary is killed: what was acknowledged is there. The
    control, replication that nobody waits for, loses what it acknowledged meanwhile."""
    journal = Journal()
    async with opened(pair.url) as store:
        await seed(store)
        if not synchronous:
            pair.primary.confirmed_by(None)
        stop, writers = await load(store, journal)
        await more(journal)
        pair.broken = True
        pair.primary.pause("walsender")
        if synchronous:
            await until(lambda: doubted(journal))
        else:
            await more(journal)
        await asyncio.to_thread(pair.fail_over)
        stop.set()
        await asyncio.gather(*writers)
        await until(lambda: answers(store))
        assert bool(await losses(store, journal)) is not synchronous
    assert len(journal.created) > SOME


async def doubted(journal: Journal) -> bool:
    """Whether a commit was answered with doubt."""
    return bool(journal.doubtful)


async def answers(store: Store) -> bool:
    """Whether the store can be read."""
    try:
        await store.instance()
    except Unavailable:
        return False
    return True


async def test_r5_without_a_standby_writes_are_refused_and_reads_go_on(pair: Pair) -> None:
    """The standby stops answering: commits on their way are in doubt and those after them refused, in seconds
    and never acknowledged; reads answer all the time; when it answers again all is well without a restart."""
    journal = Journal()
    async with opened(pair.url) as store:
        await seed(store, make_session())
        pair.broken = True
        sender = pair.primary.pause("walsender")
        stop, writers = await load(store, journal)

        async def refused() -> bool:
            return journal.refused > 0

        await until(refused)
        acknowledged = len(journal.created)
        for _ in range(20):
            assert (await stored(store)).live
            await asyncio.sleep(0.02)
        assert len(journal.created) == acknowledged
        assert len(journal.doubtful) <= WRITERS, "each writer has met doubt once, and refusals since"
        sender.resume()

        async def going_on() -> bool:
            return len(journal.created) > acknowledged + WRITERS

        await until(going_on)
        stop.set()
        await asyncio.gather(*writers)
        assert await losses(store, journal) == []


async def test_r6_of_two_primaries_the_newer_one_is_followed(pair: Pair) -> None:
    """The standby is promoted while the old primary still runs: the old one acknowledges nothing, and the
    node moves to the new one by itself, with all that was acknowledged."""
    journal = Journal()
    async with opened(pair.url) as store:
        await seed(store)
        stop, writers = await load(store, journal)
        await more(journal)
        pair.broken = True
        await asyncio.to_thread(pair.standby.promote)
        alone = await asyncpg.connect(pair.old_url)
        old = set((await alone.fetchval("SELECT array_agg(id) FROM sessions")) or ())
        before = len(journal.created)

        async def going_on() -> bool:
            return len(journal.created) > before + WRITERS

        await until(going_on)
        stop.set()
        await asyncio.gather(*writers)
        assert await losses(store, journal) == []
        assert journal.created - old, "what was acknowledged since is on the new primary alone"
        await alone.close()
    pair.primary, pair.standby = pair.standby, pair.primary


async def test_a_commit_with_a_notice_is_in_doubt(pair: Pair) -> None:
    """An operator cancels the wait for the standby: PostgreSQL says COMMIT with a warning, the store does not
    acknowledge it."""
    async with opened(pair.url) as store:
        await seed(store)
        pair.broken = True
        sender = pair.primary.pause("walsender")
        commit = asyncio.create_task(store.commit([InsertSession(make_session("sess_doubt"))]))
        operator = await asyncpg.connect(pair.primary.url("postgres"))
        cancel = (
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
            " WHERE wait_event = 'SyncRep' AND query = 'COMMIT'"
        )

        async def cancelled() -> bool:
            return bool(await operator.fetchval(cancel)) or commit.done()

        await until(cancelled)
        with pytest.raises(InDoubt):
            await commit
        assert await store.session("sess_doubt") is not None, "it is there, and nobody was told so"
        sender.resume()
        await operator.close()


async def test_strict_starts_with_a_standby_and_not_without(pair: Pair) -> None:
    """A strict node starts on a pair, and refuses once the standby is gone."""
    async with opened(pair.url, strict=True) as store:
        await seed(store)
    pair.broken = True
    pair.standby.kill()
    with pytest.raises(ConfigurationError, match="strict"):
        await PostgresStore.open(pair.url, strict=True, migrate=False)
