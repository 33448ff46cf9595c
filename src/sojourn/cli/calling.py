"""Calling a server, one keep-alive connection at a time, with as little of our own time as can be."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from sojourn.core.errors import ConfigurationError, Unavailable

_TIMEOUT_SECONDS = 10


class Caller:
    """One keep-alive connection; opens itself."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError("The URL has to begin with http:// or https:// and name a host.")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port or (443 if self._secure else 80)
        self._headers = (
            f"host: {parts.netloc}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
        )
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of an answer. Raises Unavailable when there is none."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return await self._exchange(method, path, body)
        except (OSError, ValueError, EOFError, TimeoutError) as error:
            self.close()
            raise Unavailable(f"The server at {self._host}:{self._port} does not answer: {error!r}") from None

    def close(self) -> None:
        """Let go of the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._secure or None)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}content-length: {len(body)}\r\n\r\n"
        writer.write(head.encode("latin-1") + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        lines = answer.decode("latin-1").lower().split("\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith("content-length:"))
        return int(answer[9:12]), await reader.readexactly(length)
