"""The revocation feed: what the log says that verifiers have to refuse, in batches, to any number of them.

A process follows the log while somebody listens and keeps one ring of encoded batches, as far back as a token
can still be good. Newcomers, those who resume and those who are up to date read the same ring, each at its
own pace; none has a queue of its own (adr/0018-revocation-feed.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from bisect import bisect_right
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from sojourn.core import ids, revocations
from sojourn.core.errors import PositionLost, SojournError, Unavailable
from sojourn.core.events import Event, EventType
from sojourn.core.revocations import Revocation, RevocationKind
from sojourn.core.session import Status
from sojourn.service.context import PAGE_LIMIT, Context
from sojourn.service.feed_messages import event_of, number_of, page_of
from sojourn.service.held_ring import HeldRing
from sojourn.service.ports import EventPage, SessionQuery
from sojourn.tokens.keyring import SKEW_MS, KeyState

BATCH_SECONDS = 0.02
"""Revocations that come within this time go out together; also how long other processes' go unseen."""
HEARTBEAT_SECONDS = 0.25
MOST_SUBSCRIBERS = 1000
"""Of one process."""
DEFAULT_LEASE_MS = 2000
_LINGER_SECONDS = 60.0
"""How long the log is followed on when nobody listens any more."""
_FIRST_LOOK = 1000
_PIECE_BYTES = 16 * 1024
"""Batches that go out in one piece: with what the transport holds, far under 64 KiB a subscriber."""
_PAGE_BYTES = 256 * 1024
_log = logging.getLogger("sojourn.feed")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Batch:
    """Revocations of some positions of the log. `data` is JSON: `from`, `position` and `entries`."""

    start: int
    position: int
    at: int
    """The latest instant in it."""
    data: bytes


@dataclass(slots=True, eq=False)
class Subscriber:
    """Somebody who listens: up to where it has been served, and when it was last told that this is all."""

    id: str
    key_id: str | None
    lease_ms: int
    position: int
    opened_at: float
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: int = -1
    beat_at: float = 0.0
    """When a heartbeat was last handed to it, on the monotonic clock (s)."""
    closed: bool = False


class Feed:
    """Follows the log and serves whoever listens. Belongs to the event loop of its Sojourn."""

    def __init__(self, context: Context, held: HeldRing, *, horizon_seconds: int | None = None) -> None:
        self._context = context
        self._held = held
        self._horizon_seconds = horizon_seconds
        self._ring: list[Batch] = []
        self._epoch = ""
        self._start = self._position = 0
        self._checked = 0.0
        self._follower: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._reading = asyncio.Lock()
        self._stopping = False
        self._asked = 0
        self.subscribers: dict[str, Subscriber] = {}

    @property
    def horizon_ms(self) -> int:
        """For how long a revocation is told: as long as a token of the policy's lifetime is good, with the
        clocks' difference added. A token older than this may have been revoked unheard."""
        seconds = self._horizon_seconds or self._context.policy.token_lifetime_seconds
        return seconds * 1000 + SKEW_MS

    # Listening ----------------------------------------------------------------------------------------------

    async def stream(
        self, after: str | None = None, *, key_id: str | None = None, lease_ms: int = DEFAULT_LEASE_MS
    ) -> AsyncGenerator[bytes]:
        """Server-sent events without end: `hello`, `revocations` and `heartbeat`, and at a graceful stop
        `retry` and the end. `after` is where an earlier stream ended. Raises Unavailable."""
        one = await self.subscribe(key_id=key_id, lease_ms=lease_ms)
        try:
            hello, resumed = await self.hello(one, after)
            one.position = resumed
            yield event_of("hello", None, hello)
            while not (one.closed or self._stopping):
                one.woken.clear()
                async for piece in self._due(one):
                    yield piece
                await one.woken.wait()
            if self._stopping:
                yield b"retry: 100\n\n"
        finally:
            self.leave(one)

    async def page(
        self,
        after: str | None = None,
        *,
        wait_seconds: float = 0.0,
        key_id: str | None = None,
    ) -> dict[str, object]:
        """The same as one answer, for the long poll: `hello`, some `batches`, and the `heartbeat` when that
        is all there is. With `after` up to date it waits for something new. Raises Unavailable."""
        one = await self.subscribe(key_id=key_id, lease_ms=0)
        try:
            hello, position = await self.hello(one, after)
            until = asyncio.get_running_loop().time() + wait_seconds
            while not (self._behind(position) or self._stopping):
                left = until - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                one.woken.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(one.woken.wait(), left)
            batches: list[msgspec.Raw] = []
            size = 0
            for batch in self._behind(position):
                if size and size + len(batch.data) > _PAGE_BYTES:
                    return page_of(hello, batches, None)
                batches.append(msgspec.Raw(batch.data))
                size += len(batch.data)
            return page_of(hello, batches, msgspec.Raw(self.heartbeat()))
        finally:
            self.leave(one)

    async def subscribe(self, *, key_id: str | None, lease_ms: int) -> Subscriber:
        """Be woken from now on; `leave` ends it. Raises Unavailable."""
        if self._stopping:
            raise Unavailable("The service is stopping.")
        if len(self.subscribers) >= MOST_SUBSCRIBERS:
            raise Unavailable("This process serves as many verifiers as it can.")
        one = Subscriber(
            id=self._context.entropy.bytes(12).hex(),
            key_id=key_id,
            lease_ms=lease_ms,
            position=0,
            opened_at=time.monotonic(),
        )
        self.subscribers[one.id] = one
        try:
            await self._follow_from_now()
            # Nobody begins with less than what was committed before, here or by another process.
            await self._read()
        except PositionLost:
            self.leave(one)
            raise Unavailable("The log has changed; try again.") from None
        except BaseException:
            self.leave(one)
            raise
        return one

    def leave(self, one: Subscriber) -> None:
        """Be woken no more."""
        self.subscribers.pop(one.id, None)

    async def hello(self, one: Subscriber, after: str | None) -> tuple[bytes, int]:
        """How a stream begins, and from which position of the log on."""
        number = -1 if after is None else number_of(after, self._epoch)
        resumed = self._start <= number <= self._position
        withdrawn = [e.kid for e in self._held.ring.entries if e.state is KeyState.WITHDRAWN]
        position = number if resumed else self._start
        told = {
            "epoch": self._epoch,
            "position": position,
            "resumed": resumed,
            "subscription": one.id,
            "clock": _ms(one.opened_at),
            "horizon_ms": self.horizon_ms,
            "heartbeat_ms": round(HEARTBEAT_SECONDS * 1000),
            "withdrawn_kids": withdrawn,
        }
        return _encode(told), position

    def heartbeat(self) -> bytes:
        """That everything committed up to `clock`, on this process's monotonic clock (ms), is in the log up
        to `position`."""
        told = {
            "from": self._ring[-1].position if self._ring else self._start,
            "position": self._position,
            "clock": _ms(self._checked),
            "at": self._context.clock.now(),
            "horizon_ms": self.horizon_ms,
            "acknowledge": self._asked > 0,
        }
        return _encode(told)

    async def _due(self, one: Subscriber) -> AsyncGenerator[bytes]:
        """What a subscriber has not been told yet."""
        while batches := self._behind(one.position):
            piece: list[bytes] = []
            size = 0
            for batch in batches:
                if size and size + len(batch.data) > _PIECE_BYTES:
                    break
                piece.append(event_of("revocations", f"{self._epoch}.{batch.position}", batch.data))
                size += len(batch.data)
                one.position = batch.position
            yield b"".join(piece)
        now = time.monotonic()
        asked = self._asked > 0 and one.acknowledged < self._asked
        if now - one.beat_at >= HEARTBEAT_SECONDS * 0.9 or asked:
            one.beat_at = now
            one.position = self._position
            yield event_of("heartbeat", f"{self._epoch}.{self._position}", self.heartbeat())

    def _behind(self, position: int) -> Sequence[Batch]:
        first = bisect_right(self._ring, position, key=lambda batch: batch.position)
        return self._ring[first : first + PAGE_LIMIT]

    # Following the log --------------------------------------------------------------------------------------

    async def _follow_from_now(self) -> None:
        if self._follower is None or self._follower.done():
            self._ready = asyncio.get_running_loop().create_future()
            self._ready.add_done_callback(_retrieved)
            self._follower = asyncio.create_task(self._follow(self._ready))
        if self._ready is not None:
            await asyncio.shield(self._ready)

    async def _follow(self, ready: asyncio.Future[None]) -> None:
        try:
            await self._begin()
        except Exception as error:
            ready.set_exception(error if isinstance(error, SojournError) else Unavailable())
            return
        ready.set_result(None)
        beat_at = sent_at = time.monotonic()
        while self.subscribers or time.monotonic() - sent_at < _LINGER_SECONDS:
            try:
                before = len(self._ring) and self._ring[-1].position
                await self._read()
                now = time.monotonic()
                fresh = (len(self._ring) and self._ring[-1].position) != before
                if fresh or now - beat_at >= HEARTBEAT_SECONDS:
                    beat_at = now
                    self._wake()
                if self.subscribers:
                    sent_at = now
                # What has just gone out opens the time in which more is gathered.
                pause = self._context.store.wait_for_commit
                await (asyncio.sleep(BATCH_SECONDS) if fresh else pause(BATCH_SECONDS))
            except PositionLost:
                _log.warning("the log has changed under the feed: everybody starts again")
                await self._begin_again()
            except SojournError as error:
                # No heartbeat meanwhile: whoever listens knows that it knows nothing.
                _log.warning("the log cannot be read: %s", error.detail)
                await asyncio.sleep(HEARTBEAT_SECONDS)
            except Exception:
                _log.exception("the log cannot be read")
                await asyncio.sleep(HEARTBEAT_SECONDS)
        self._ring.clear()

    async def _begin_again(self) -> None:
        for one in list(self.subscribers.values()):
            one.closed = True
        self._wake()
        try:
            await self._begin()
        except SojournError as error:
            _log.warning("the log cannot be read: %s", error.detail)
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _begin(self) -> None:
        """Read the log from as far back as matters."""
        since = self._context.clock.now() - self.horizon_ms
        count = _FIRST_LOOK
        while True:
            position = await self._context.store.position_back(count)
            page = await self._context.store.events(position, 1)
            further = await self._context.store.position_back(count * 4)
            if further == position or not page.events or _logged_at(page.events[0]) < since:
                break
            count *= 4
        self._epoch, _, number = position.rpartition(".")
        self._ring.clear()
        self._start = self._position = int(number)
        await self._read()

    async def _read(self) -> None:
        """Take in what the log has further. Raises PositionLost and what a store may."""
        async with self._reading:
            while True:
                checked = time.monotonic()
                page = await self._context.store.events(f"{self._epoch}.{self._position}", PAGE_LIMIT)
                await self._take_in(page)
                if len(page.events) < PAGE_LIMIT:
                    break
            self._checked = checked
            self._forget()

    async def _take_in(self, page: EventPage) -> None:
        found = [one for event in page.events if (one := await self._revocation(event)) is not None]
        position = int(page.position.rpartition(".")[2])
        if found:
            start = self._ring[-1].position if self._ring else self._start
            entries = [one.to_wire() for one in found]
            data = _encode({"from": start, "position": position, "entries": entries})
            self._ring.append(Batch(start, position, max(one.at for one in found), data))
        self._position = position

    def _forget(self) -> None:
        since = self._context.clock.now() - self.horizon_ms
        gone = 0
        while gone < len(self._ring) and self._ring[gone].at < since:
            gone += 1
        if gone:
            self._start = self._ring[gone - 1].position
            del self._ring[:gone]

    async def _revocation(self, event: Event) -> Revocation | None:
        found = revocations.of_event(event)
        if event.type is EventType.API_KEY_REVOKED:
            for one in self.subscribers.values():
                one.closed = one.closed or one.key_id == event.resource_id
            self._wake()
        if found is None or found.kind is not RevocationKind.CLIENT:
            return found
        return replace(found, session_ids=tuple(await self._ended_on(event)))

    async def _ended_on(self, event: Event) -> Sequence[str]:
        """The sessions that a client has lost: its tokens do not name it."""
        since, offset, found = event.at - self.horizon_ms, 0, list[str]()
        while True:
            page = await self._context.store.sessions(
                SessionQuery(
                    now=self._context.clock.now(),
                    client_id=event.client_id,
                    statuses=frozenset({Status.REVOKED}),
                    limit=PAGE_LIMIT,
                    offset=offset,
                )
            )
            for held in page.items:
                ending = held.session.ending
                if held.session.id != event.session_id and (ending is None or ending.at >= since):
                    found.append(held.session.id)
            if len(page.items) < PAGE_LIMIT:
                return found
            offset += PAGE_LIMIT

    def _wake(self) -> None:
        for one in self.subscribers.values():
            one.woken.set()

    # Stopping -----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End every stream, each with a `retry`; nothing new is begun."""
        self._stopping = True
        self._wake()

    async def close(self) -> None:
        """Stop, and follow the log no more."""
        self.stop()
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)


def _logged_at(event: Event) -> int:
    """When an event was written (Unix ms): its `at` may be a deadline long past, its id is of that moment."""
    try:
        return ids.created_at_ms(event.id)
    except ValueError:
        return event.at


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _retrieved(future: asyncio.Future[None]) -> None:
    """Whoever waits for it is told; where nobody does, it has been logged."""
    if not future.cancelled():
        future.exception()
