"""Answers without an end: pieces as they come, until the caller has gone or does not keep up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ABORT = "sojourn.abort"
"""The extension of ASGI with which a server lets a connection be cut off (http/protocol.py)."""
STOP = "sojourn.stop"
"""What the application leaves in the state of its lifespan, to be called when a graceful stop begins."""
SLOW_SECONDS = 5.0
"""Who does not take a piece within this time is cut off; it can go on from where it was."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A body in pieces. The first has been made already, so that what refuses the request has come before the
    head of the answer."""

    first: bytes
    rest: AsyncGenerator[bytes]
    media: bytes

    async def run(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Send all of it behind a head that has gone out, as long as somebody listens."""
        if scope["method"] == "HEAD":
            await self.rest.aclose()
            await send({"type": "http.response.body", "body": b""})
            return
        sending = asyncio.create_task(self._send(scope, send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await self.rest.aclose()

    async def _send(self, scope: MutableMapping[str, Any], send: Send) -> None:
        try:
            await _piece(send, self.first)
            async for piece in self.rest:
                await _piece(send, piece)
        except TimeoutError:
            extensions: dict[str, Callable[[], None]] = scope.get("extensions") or {}
            if ABORT in extensions:
                extensions[ABORT]()
                await asyncio.sleep(0)
            return
        await send({"type": "http.response.body", "body": b""})


async def _piece(send: Send, piece: bytes) -> None:
    async with asyncio.timeout(SLOW_SECONDS):
        await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
