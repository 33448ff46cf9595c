"""Listening to the revocation feed of an embedded Sojourn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from sojourn import Sojourn

Message = tuple[str, dict[str, Any]]


async def messages(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[Message]:
    """The events of a stream, by name and data."""
    async with aclosing(chunks):
        async for chunk in chunks:
            for block in chunk.decode().split("\n\n"):
                lines = dict(line.split(": ", 1) for line in block.split("\n") if line)
                if "event" in lines:
                    yield lines["event"], json.loads(lines["data"])


async def until_event(stream: AsyncGenerator[Message], wanted: str) -> dict[str, Any]:
    """The data of the next event of a kind."""
    async with asyncio.timeout(10):
        async for kind, data in stream:
            if kind == wanted:
                return data
    raise AssertionError("the stream ended")


async def entries(sojourn: Sojourn, after: str | None = None) -> list[dict[str, Any]]:
    """What a newcomer, or one who resumes, is told at once."""
    found: list[dict[str, Any]] = []
    async with aclosing(messages(sojourn.feed.stream(after))) as stream:
        async for kind, data in stream:
            if kind == "heartbeat":
                return found
            found += data.get("entries", ())
    raise AssertionError("the stream ended")


async def issued(sojourn: Sojourn, session_id: str) -> int:
    """The `iat` of a new token."""
    claims = await sojourn.tokens.verify(await sojourn.tokens.create(session_id))
    iat = claims["iat"]
    assert isinstance(iat, int)
    return iat
