"""Which server is the primary, and whether a commit on it would be safe.

A watch asks the primary twice a second. Where standbys have to confirm commits it also keeps a canary on its
way, a commit that changes nothing: a standby that is listed as connected and no longer answers is found out
by that alone (RELIABILITY.md 1.7). While writes are unsafe they are refused before they begin; reads go on.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sojourn.core.errors import ConfigurationError, Unavailable
from sojourn.stores.postgres.driver import LOST, Connection, DriverError, open_connection, sqlstate_of
from sojourn.stores.postgres.statements import SQL
from sojourn.stores.postgres.url import Target

_log = logging.getLogger("sojourn.postgres")

CONNECT_SECONDS = 2.0
"""How long one server may take to let us in."""
LOOK_SECONDS = 0.5
_SEARCH_SECONDS = 0.05
"""From one look to the next while there is no primary: what is searched for comes within a second."""
STALL_SECONDS = 1.0
"""A commit that takes longer has no standby to confirm it."""
_KEEPALIVE = (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 3_000))
_SETTINGS = {
    "application_name": "sojourn",
    "default_transaction_isolation": "read committed",
    # A statement that hangs is given up by the server, never by us: we would cancel a commit with it.
    # PostgreSQL stops this clock before it waits for a standby.
    "statement_timeout": "10000",
    "lock_timeout": "2000",
    # The locks of a node that vanished in the middle of a transaction.
    "idle_in_transaction_session_timeout": "5000",
    "synchronous_commit": "on",
    # Every statement is small; compiling one takes longer than running it.
    "jit": "off",
}
_MISSING = ("3D000", "28000", "28P01", "42501")
"""No such database, and no way in for this role: not worth waiting for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What the primary said last. `confirming` is None where the role may not see it."""

    host: tuple[str, int]
    timeline: str
    asked: str
    """`synchronous_standby_names`."""
    confirming: int | None


class Primary:
    """The primary among the servers of a URL. `on_move` is called when it is another one than before."""

    def __init__(self, target: Target, *, strict: bool) -> None:
        self._target = target
        self._strict = strict
        self._host: tuple[str, int] | None = None
        self._timeline = ""
        self._refusal: str | None = "The primary has not been looked for yet."
        self._watch: Connection | None = None
        self._canary: asyncio.Task[bool] | None = None
        self._canary_connection: Connection | None = None
        self._noticed: list[object] = []
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._on_move: list[Callable[[], Awaitable[None]]] = []
        self._heard: dict[str, Callable[[], None]] = {}
        self._deaf = False
        self.pulse: Pulse | None = None

    def on_move(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call back when there is another primary."""
        self._on_move.append(callback)

    def listen(self, channel: str, heard: Callable[[], None]) -> None:
        """Call back when somebody notifies a channel; while the connection is lost, nothing is heard."""
        self._heard[channel] = heard
        self._deaf = True

    async def start(self) -> None:
        """Find the primary and begin to watch it.

        Raises Unavailable when there is none, ConfigurationError for a database or role that is not there,
        and in strict mode where no standby confirms commits.
        """
        try:
            await self._search()
            await self._look()
            if self._strict and self._refusal is not None:
                seen = self.pulse is None or self.pulse.confirming is not None
                hint = "" if seen else " The role needs pg_monitor to see the standbys."
                raise ConfigurationError(f"durability = strict: {self._refusal}{hint}")
        except BaseException:
            await self.close()
            raise
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop watching."""
        tasks: list[asyncio.Task[Any]] = [task for task in (self._task, self._canary) if task is not None]
        for task in tasks:
            task.cancel()
        for connection in (self._watch, self._canary_connection):
            if connection is not None:
                connection.terminate()
        await asyncio.gather(*tasks, return_exceptions=True)

    # For those who read and write ---------------------------------------------------------------------------

    async def connect(self, *_args: Any, **options: Any) -> Connection:
        """A new connection to the primary; what a pool calls. Raises Unavailable while there is none."""
        if self._host is None:
            raise Unavailable("None of the PostgreSQL servers is a primary that answers.")
        return await connect(self._target, self._host, **options)

    def require_writable(self) -> None:
        """Raises Unavailable while a commit could not be made safely."""
        if self._refusal is not None:
            raise Unavailable(self._refusal)

    def stalled(self) -> None:
        """A commit has been on its way for too long: no other one begins until it, or a canary, has come
        back."""
        self._refuse("A commit is not confirmed by any standby.")
        self._wake.set()

    def doubt(self) -> None:
        """A connection was lost or a commit came back with a notice: look at once."""
        self._wake.set()

    # The watch ----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except Exception as error:
                self._refuse(f"The primary does not answer: {type(error).__name__}.")
                self._drop_watch()
                with suppress(Exception):
                    await self._search()
            pause = _SEARCH_SECONDS if self._watch is None else LOOK_SECONDS
            self._wake.clear()
            with suppress(asyncio.TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _look(self) -> None:
        assert self._host is not None  # noqa: S101  # after `_search`
        if self._watch is None or self._watch.is_closed():
            self._watch = await self.connect()
            self._deaf = True
        row = (await self._watch.fetch(SQL["pulse"], timeout=STALL_SECONDS))[0]
        standby, asked, visible, confirming = row
        await self._listen_again()
        if standby:
            raise Unavailable("The server has become a standby.")
        count = int(confirming) if visible else None
        self.pulse = Pulse(host=self._host, timeline=self._timeline, asked=str(asked), confirming=count)
        reason = await self._unsafe(str(asked), count)
        if reason is None:
            if self._refusal is not None:
                _log.info("writes are taken", extra={"server": self._target.shown})
            self._refusal = None
            return
        self._refuse(reason)
        if len(self._target.hosts) > 1:
            # Nobody confirms: perhaps because another server has been made the primary.
            await self._search()

    async def _listen_again(self) -> None:
        if self._deaf and self._watch is not None:
            self._deaf = False
            for channel, heard in self._heard.items():
                await self._watch.add_listener(channel, _told(heard))
                heard()

    async def _unsafe(self, asked: str, confirming: int | None) -> str | None:
        """Why a commit would not be safe; None when it would be."""
        if not asked:
            return (
                "No standby is asked to confirm commits (synchronous_standby_names)."
                if self._strict
                else None
            )
        if confirming == 0:
            return "No synchronous standby is connected."
        return None if await self._confirmed() else "The standby does not confirm commits."

    async def _confirmed(self) -> bool:
        """Whether a canary comes back in time. One that does not stays on its way, and is asked again."""
        if self._canary is None:
            self._canary = asyncio.create_task(self._send_canary())
        done, _ = await asyncio.wait([self._canary], timeout=STALL_SECONDS)
        if not done:
            return False
        canary, self._canary = self._canary, None
        return canary.result()

    async def _send_canary(self) -> bool:
        if self._canary_connection is None or self._canary_connection.is_closed():
            self._canary_connection = await self.connect()
            self._canary_connection.add_log_listener(self._notice)
        self._noticed.clear()
        await self._canary_connection.fetch(SQL["canary"])
        return not self._noticed

    def _notice(self, _connection: object, message: object) -> None:
        self._noticed.append(message)

    def _refuse(self, reason: str) -> None:
        if self._refusal is None:
            _log.warning("writes are refused", extra={"reason": reason})
        self._refusal = reason

    def _drop_watch(self) -> None:
        for connection in (self._watch, self._canary_connection):
            if connection is not None:
                connection.terminate()
        if self._canary is not None:
            self._canary.cancel()
        self._watch = self._canary_connection = self._canary = None

    # The search ---------------------------------------------------------------------------------------------

    async def _search(self) -> None:
        """Ask all servers and take the primary on the newest timeline. Raises Unavailable."""
        asked = await asyncio.gather(
            *(self._ask(host) for host in self._target.hosts), return_exceptions=True
        )
        primaries = [answer for answer in asked if isinstance(answer, tuple)]
        if not primaries:
            first = next((error for error in asked if isinstance(error, BaseException)), None)
            if isinstance(first, ConfigurationError):
                raise first
            raise Unavailable(
                f"None of {self._target.shown} is a primary that answers: {first or 'standbys'}."
            )
        timeline, host = max(primaries, key=lambda found: found[0])
        moved = (timeline, host) != (self._timeline, self._host)
        before, self._timeline, self._host = self._host, timeline, host
        if moved and before is not None:
            _log.warning("another primary", extra={"server": f"{host[0]}:{host[1]}", "timeline": timeline})
            self._refusal = "Another server has become the primary."
            self._drop_watch()
            for callback in self._on_move:
                await callback()
            self._wake.set()

    async def _ask(self, host: tuple[str, int]) -> tuple[str, tuple[str, int]] | None:
        """Timeline and name of a server that is a primary; None for a standby."""
        connection = await connect(self._target, host)
        try:
            ((timeline,),) = await connection.fetch(SQL["timeline"], timeout=STALL_SECONDS)
        finally:
            connection.terminate()
        return None if timeline is None else (str(timeline), host)


async def connect(target: Target, host: tuple[str, int], **options: Any) -> Connection:
    """A connection to one server. Raises ConfigurationError for a database or role that is not there, and
    Unavailable for everything that may pass."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            opened = await open_connection(
                target.url,
                host=host[0],
                port=host[1],
                server_settings=_SETTINGS,
                statement_cache_size=512,
                max_cached_statement_lifetime=0,
                **options,
            )
    except DriverError as error:
        if sqlstate_of(error) in _MISSING:
            raise ConfigurationError(f"PostgreSQL does not let us in: {error}") from None
        raise Unavailable(f"{type(error).__name__}: {error}") from error
    except LOST as error:
        raise Unavailable(f"{host[0]}:{host[1]} does not answer: {error or type(error).__name__}") from error
    _keep_alive(opened)
    return opened


def _keep_alive(connection: Any) -> None:
    """Find out about a server that is gone without a word. What waits for a commit is told in the same
    way."""
    found = connection._transport.get_extra_info("socket")
    if found is None or found.family == socket.AF_UNIX:
        return
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _told(heard: Callable[[], None]) -> Callable[..., None]:
    """What the driver calls with what was said on a channel: that something was is all there is to it."""

    def told(*_what: object) -> None:
        heard()

    return told
