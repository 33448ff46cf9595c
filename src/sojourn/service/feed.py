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
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from sojourn.core.errors import PositionLost, SojournError, Unavailable
from sojourn.service.context import Context
from sojourn.service.feed_messages import event_of, number_of, page_of
from sojourn.service.feed_ring import FeedRing
from sojourn.service.held_ring import HeldRing
from sojourn.tokens.keyring import KeyState

BATCH_SECONDS = 0.02
"""Revocations that come within this time go out together; also how long other processes' go unseen."""
HEARTBEAT_SECONDS = 0.25
MOST_SUBSCRIBERS = 1000
"""Of one process."""
DEFAULT_LEASE_MS = 2000
_LINGER_SECONDS = 60.0
"""How long the log is followed on when nobody listens any more."""
_PATIENCE_SECONDS = 1.0
"""How long a page waits until this process may vouch for it."""
_PIECE_BYTES = 16 * 1024
"""Batches that go out in one piece: with what the transport holds, far under 64 KiB a subscriber."""
_PAGE_BYTES = 256 * 1024
_log = logging.getLogger("sojourn.feed")
_encode = msgspec.json.Encoder().encode


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
        self._ring = FeedRing(context, horizon_seconds=horizon_seconds, key_revoked=self._close)
        self._follower: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._stopping = False
        self._asks: list[int] = []
        self._left: list[tuple[Subscriber, float]] = []
        self._registered_at = self._vouched_until = 0.0
        self.vouched_lease_ms = -1
        self.subscribers: dict[str, Subscriber] = {}
        self.serving = asyncio.Event()
        """Set while somebody listens."""
        self.acknowledged = asyncio.Event()
        """Set when somebody has acknowledged."""

    @property
    def horizon_ms(self) -> int:
        """For how long a revocation is told."""
        return self._ring.horizon_ms

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
        lease_ms: int = DEFAULT_LEASE_MS,
    ) -> dict[str, object]:
        """The same as one answer, for the long poll: `hello`, some `batches`, and the `heartbeat` when that
        is all there is. With `after` up to date it waits for something new. Raises Unavailable."""
        one = await self.subscribe(key_id=key_id, lease_ms=lease_ms)
        try:
            hello, position = await self.hello(one, after)
            await self._woken(one, wait_seconds, lambda: bool(self._ring.behind(position)))
            await self._woken(one, _PATIENCE_SECONDS, lambda: self._may_vouch(one))
            batches: list[msgspec.Raw] = []
            size = 0
            for batch in self._ring.behind(position):
                if size and size + len(batch.data) > _PAGE_BYTES:
                    return page_of(hello, batches, None)
                batches.append(msgspec.Raw(batch.data))
                size += len(batch.data)
            if not self._may_vouch(one):
                return page_of(hello, batches, None)
            one.beat_at = time.monotonic()
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
        self.serving.set()
        try:
            await self._follow_from_now()
            # Nobody begins with less than what was committed before, here or by another process.
            await self._ring.read()
        except PositionLost:
            self.leave(one)
            raise Unavailable("The log has changed; try again.") from None
        except BaseException:
            self.leave(one)
            raise
        return one

    def leave(self, one: Subscriber) -> None:
        """Be woken no more. What it was told last it may trust until its lease is over."""
        if self.subscribers.pop(one.id, None) is not None and one.beat_at:
            now = time.monotonic()
            self._left = [(left, until) for left, until in self._left if until > now]
            self._left.append((one, one.beat_at + one.lease_ms / 1000))

    async def hello(self, one: Subscriber, after: str | None) -> tuple[bytes, int]:
        """How a stream begins, and from which position of the log on."""
        number = -1 if after is None else number_of(after, self._ring.epoch)
        resumed = self._ring.start <= number <= self._ring.position
        withdrawn = [e.kid for e in self._held.ring.entries if e.state is KeyState.WITHDRAWN]
        position = number if resumed else self._ring.start
        told = {
            "epoch": self._ring.epoch,
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
            "from": self._ring.last,
            "position": self._ring.position,
            "clock": _ms(self._ring.checked),
            "at": self._context.clock.now(),
            "horizon_ms": self.horizon_ms,
            "acknowledge": bool(self._asks),
        }
        return _encode(told)

    async def _due(self, one: Subscriber) -> AsyncGenerator[bytes]:
        """What a subscriber has not been told yet."""
        while batches := self._ring.behind(one.position):
            piece: list[bytes] = []
            size = 0
            for batch in batches:
                if size and size + len(batch.data) > _PIECE_BYTES:
                    break
                piece.append(event_of("revocations", f"{self._ring.epoch}.{batch.position}", batch.data))
                size += len(batch.data)
                one.position = batch.position
            yield b"".join(piece)
        now = time.monotonic()
        asked = one.acknowledged < max(self._asks, default=-1)
        if (now - one.beat_at >= HEARTBEAT_SECONDS * 0.9 or asked) and self._may_vouch(one):
            one.beat_at = now
            one.position = self._ring.position
            yield event_of("heartbeat", f"{self._ring.epoch}.{one.position}", self.heartbeat())

    async def _woken(self, one: Subscriber, seconds: float, met: Callable[[], bool]) -> None:
        """Until something is met, at most so long."""
        until = time.monotonic() + seconds
        while not (met() or self._stopping or one.closed):
            left = until - time.monotonic()
            if left <= 0:
                return
            one.woken.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(one.woken.wait(), left)

    # Vouching (service/reach.py) ----------------------------------------------------------------------------

    def vouch(self, *, lease_ms: int, until: float) -> None:
        """From now until an instant of the monotonic clock, vouch to listeners with leases up to this: other
        processes know of them."""
        if lease_ms > self.vouched_lease_ms or time.monotonic() >= self._vouched_until:
            self._registered_at = time.monotonic()
        self.vouched_lease_ms, self._vouched_until = lease_ms, until

    def withdraw(self) -> bool:
        """Vouch for nothing any more, if nobody listens and no lease is left. Whether that is so."""
        now = time.monotonic()
        if self.subscribers or any(until > now for _, until in self._left):
            return False
        self.vouched_lease_ms, self._vouched_until = -1, 0.0
        self.serving.clear()
        return True

    def vouched(self) -> Sequence[tuple[Subscriber, float]]:
        """Whoever may trust something told before the last read of the log, and until when on the monotonic
        clock (s)."""
        told = [(one, one.beat_at + one.lease_ms / 1000) for one in self.subscribers.values() if one.beat_at]
        now = time.monotonic()
        return [*told, *((one, until) for one, until in self._left if until > now)]

    async def catch_up(self) -> int:
        """Read the log to its end. Where that is."""
        if self._ready is not None and self._ready.done() and not self._ready.exception():
            await self._ring.read()
        return self._ring.position

    @contextmanager
    def asking(self, position: int) -> Generator[None]:
        """Ask listeners to acknowledge a place of the log."""
        self._asks.append(position)
        self._wake()
        try:
            yield
        finally:
            self._asks.remove(position)

    def _may_vouch(self, one: Subscriber) -> bool:
        return (
            time.monotonic() < self._vouched_until
            and one.lease_ms <= self.vouched_lease_ms
            # Whoever has looked for listeners before is not waiting for what was read before.
            and self._ring.checked >= self._registered_at
        )

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
            await self._ring.begin()
        except Exception as error:
            ready.set_exception(error if isinstance(error, SojournError) else Unavailable())
            return
        ready.set_result(None)
        beat_at = sent_at = time.monotonic()
        while self.subscribers or time.monotonic() - sent_at < _LINGER_SECONDS:
            try:
                before = self._ring.last
                await self._ring.read()
                now = time.monotonic()
                fresh = self._ring.last > before
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
            await self._ring.begin()
        except SojournError as error:
            _log.warning("the log cannot be read: %s", error.detail)
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def _close(self, key_id: str | None) -> None:
        """The key is good no more: end the streams that were opened with it."""
        for one in self.subscribers.values():
            one.closed = one.closed or one.key_id == key_id
        self._wake()

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


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _retrieved(future: asyncio.Future[None]) -> None:
    """Whoever waits for it is told; where nobody does, it has been logged."""
    if not future.cancelled():
        future.exception()
