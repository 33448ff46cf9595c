"""The server's HTTP protocol, with one system call an answer instead of two."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sojourn.http.streaming import ABORT, STOP

_HELD_BYTES = 32 * 1024


class JoiningProtocol(HttpToolsProtocol):
    """uvicorn's protocol over a transport that sends what is written in one turn of the event loop as one.

    ASGI hands an answer over in two messages and the protocol writes each as it comes: two system calls, two
    packets and, on a connection kept alive, a client that wakes up twice (adr/0012-one-write.md).
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # uvloop's transports derive from none of asyncio's
        """As asyncio says."""
        super().connection_made(cast(asyncio.Transport, JoinedTransport(transport, self.loop)))
        # A stream that nobody reads holds no more than this.
        transport.set_write_buffer_limits(high=_HELD_BYTES)

    def on_message_begin(self) -> None:
        """As uvicorn says; a stream whose caller does not keep up may cut the connection off."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self.transport.abort}  # pyright: ignore[reportGeneralTypeIssues, reportArgumentType]

    def shutdown(self) -> None:
        """As uvicorn says, at the beginning of a graceful stop; streams would go on for ever."""
        super().shutdown()
        stop = self.app_state.get(STOP)
        if stop is not None:
            stop()


class JoinedTransport:
    """A transport whose `write` waits for the end of the turn; everything else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._call_soon = loop.call_soon
        self._write = transport.write
        self._held: list[bytes] = []
        # Asked once an answer: without the detour of __getattr__.
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send with whatever else is written before the loop turns."""
        held = self._held
        if not held:
            self._call_soon(self._flush)
        held.append(data)

    def close(self) -> None:
        """Send what is held, then close as the transport does: after everything has gone out."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        held = self._held
        if held:
            self._write(held[0] if len(held) == 1 else b"".join(held))
            held.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
