"""Leases: for what lives longer than a request, such as a websocket or a long download."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any, Final, Self

from sojourn.verify.feed import Feed
from sojourn.verify.options import WhenSilent
from sojourn.verify.outcomes import SignedIn
from sojourn.verify.reasons import Reason

WEBSOCKET_CLOSE: Final = 4001
"""The code with which a websocket is closed whose session is over; from the range for applications."""
_LOOK_SECONDS: Final = 0.25
"""How often a lease looks whether the feed has fallen silent; what the feed tells it hears at once."""
_Lives = Callable[[SignedIn], Awaitable[bool | None]]


class LeaseEnded(Exception):
    """The session that a lease was for is over, or nobody can tell any more; `reason` says which."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Lease:
    """Cancels what runs inside of it when the session ends, expires or changes its organization.

        async with Lease(auth, feed) as lease:
            await serve(websocket)

    The block is cancelled and LeaseEnded is raised in its place. It outlives the token that it began with:
    what ends it is the feed. While the feed is silent for longer than its bound, `when_silent` says what
    becomes of it: it ends, it asks the service (`lives`) and ends unless told that the session lives, or it
    goes on.
    """

    def __init__(
        self,
        auth: SignedIn,
        feed: Feed,
        *,
        when_silent: WhenSilent = WhenSilent.REFUSE,
        lives: _Lives | None = None,
    ) -> None:
        if when_silent is WhenSilent.ASK and lives is None:
            raise ValueError("a lease that asks needs somebody to ask")
        self.auth = auth
        self.ended: Reason | None = None
        self._feed = feed
        self._when_silent = when_silent
        self._lives = lives
        self._told = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._cancelling = 0

    def renew(self, auth: SignedIn) -> None:
        """Go on with a new token. One of another session or organization ends the lease."""
        same = (auth.session_id, auth.user_id) == (self.auth.session_id, self.auth.user_id)
        if not same:
            self._end(Reason.SESSION_REVOKED)
        elif auth.organization_id != self.auth.organization_id:
            self._end(Reason.ACTIVE_ORGANIZATION_MISMATCH)
        else:
            self.auth = auth
            self._told.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("a lease belongs to a task")
        self._cancelling = self._task.cancelling()
        loop = asyncio.get_running_loop()
        self._stop_listening = self._feed.listen(lambda: _tell(loop, self._told))
        try:
            if (reason := await self._over()) is not None:
                self.ended = reason
                raise LeaseEnded(reason)
        except BaseException:
            self._stop_listening()
            raise
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_listening()
        if self._watcher is not None:
            self._watcher.cancel()
        task, self._task = self._task, None
        if self.ended is None or task is None:
            return
        # As asyncio.timeout does: our own cancellation is taken back, somebody else's goes on.
        if task.uncancel() <= self._cancelling and (kind is None or issubclass(kind, asyncio.CancelledError)):
            raise LeaseEnded(self.ended) from error

    async def _watch(self) -> None:
        while self.ended is None:
            if (reason := await self._over()) is not None:
                self._end(reason)
                return
            self._told.clear()
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._told.wait()
            except TimeoutError:
                continue

    async def _over(self) -> Reason | None:
        """Why it is over, None while it is not."""
        known = self._feed.known
        if (reason := known.ended(self.auth)) is not None:
            return reason
        if known.stale(self.auth):
            return Reason.TOKEN_STALE
        if self._feed.fresh or self._when_silent is WhenSilent.ACCEPT:
            return None
        if self._when_silent is WhenSilent.ASK and self._lives is not None:
            lives = await self._lives(self.auth)
            if lives:
                return None
            return Reason.REVOCATIONS_UNKNOWN if lives is None else Reason.SESSION_REVOKED
        return Reason.REVOCATIONS_UNKNOWN

    def _end(self, reason: Reason) -> None:
        if self.ended is None and self._task is not None:
            self.ended = reason
            self._task.cancel()


async def leased(
    lease: Lease,
    serve: Callable[[Lease], Awaitable[None]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> Reason | None:
    """Serve an accepted websocket under a lease, and close it with 4001 when that ends; `send` is ASGI's.

    The reason that it was closed for, None when `serve` came to its own end.
    """
    try:
        async with lease:
            await serve(lease)
    except LeaseEnded as ended:
        await send({"type": "websocket.close", "code": WEBSOCKET_CLOSE, "reason": ended.reason.value})
        return ended.reason
    return None


def _tell(loop: asyncio.AbstractEventLoop, told: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(told.set)
