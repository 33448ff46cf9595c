"""bench: what a running server answers, measured over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from cyclopts import App, Parameter

from sojourn.cli.bench_verify import verify
from sojourn.cli.common import emit, table
from sojourn.core.errors import ConfigurationError, Unavailable

app = App(name="bench", help="Measure a running server, and verification.")
app.command(verify)
_TIMEOUT_SECONDS = 10


@app.command
def http(
    url: str = "http://127.0.0.1:8787",
    *,
    secret_key: Annotated[str | None, Parameter(env_var="SOJOURN_SECRET_KEY")] = None,
    seconds: float = 3.0,
    connections: int = 16,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Measure reads, tokens and creations of a server, each in a closed loop.

    Makes one user with many sessions, and deletes the user again.

    Parameters
    ----------
    url
        Where the server is.
    secret_key
        A secret key of the instance; better from the variable, as others can read the command line.
    seconds
        How long each kind of request is measured.
    connections
        How many requests are under way at once.
    as_json
        Print one JSON object.
    """
    if not secret_key:
        raise ConfigurationError("Give a secret key, in SOJOURN_SECRET_KEY.")
    found = asyncio.run(_measure(url, secret_key.split(",")[0].strip(), seconds, connections))
    rows = [
        (
            one["request"],
            f"{one['rate']:,.0f}/s",
            f"{one['p50_ms']:.2f} ms",
            f"{one['p99_ms']:.2f} ms",
            one["errors"],
        )
        for one in found
    ]
    text = table(("request", "rate", "p50", "p99", "errors"), rows)
    emit({"url": url, "connections": connections, "results": found}, as_json=as_json, text=text)


class _Connection:
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


async def _measure(url: str, key: str, seconds: float, connections: int) -> list[dict[str, object]]:
    pool = [_Connection(url, key) for _ in range(connections)]
    try:
        user = await _made(pool[0], "/v1/users", {})
        session = await _made(pool[0], "/v1/sessions", {"user_id": user})
        try:
            creation = msgspec.json.encode({"user_id": user})
            return [
                await _run("get session", pool, seconds, lambda c: c.call("GET", f"/v1/sessions/{session}")),
                await _run(
                    "create token", pool, seconds, lambda c: c.call("POST", f"/v1/sessions/{session}/tokens")
                ),
                await _run(
                    "create session", pool, seconds, lambda c: c.call("POST", "/v1/sessions", creation)
                ),
            ]
        finally:
            await pool[0].call("DELETE", f"/v1/users/{user}")
    finally:
        for connection in pool:
            connection.close()


async def _made(connection: _Connection, path: str, body: dict[str, str]) -> str:
    status, answer = await connection.call("POST", path, msgspec.json.encode(body))
    if status != 200:
        raise ConfigurationError(
            f"The server answered {status} to POST {path}: {answer[:300].decode(errors='replace')}"
        )
    return msgspec.json.decode(answer)["id"]


async def _run(
    name: str,
    pool: list[_Connection],
    seconds: float,
    call: Callable[[_Connection], Awaitable[tuple[int, bytes]]],
) -> dict[str, object]:
    took: list[float] = []
    errors = 0
    began = time.perf_counter()

    async def loop(connection: _Connection) -> None:
        nonlocal errors
        while (at := time.perf_counter()) < began + seconds:
            status, _ = await call(connection)
            took.append(time.perf_counter() - at)
            errors += status != 200

    await asyncio.gather(*(loop(connection) for connection in pool))
    elapsed = time.perf_counter() - began
    took.sort()
    return {
        "request": name,
        "rate": len(took) / elapsed,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[int(len(took) * 0.99)] * 1000,
        "errors": errors,
    }
