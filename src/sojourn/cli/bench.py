"""bench: what a running server answers, measured over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from sojourn.cli.bench_reach import reach
from sojourn.cli.bench_verify import verify
from sojourn.cli.calling import Caller
from sojourn.cli.common import emit, table
from sojourn.core.errors import ConfigurationError

app = App(name="bench", help="Measure a running server, and verification.")
app.command(verify)
app.command(reach)


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


async def _measure(url: str, key: str, seconds: float, connections: int) -> list[dict[str, object]]:
    pool = [Caller(url, key) for _ in range(connections)]
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


async def _made(connection: Caller, path: str, body: dict[str, str]) -> str:
    status, answer = await connection.call("POST", path, msgspec.json.encode(body))
    if status != 200:
        raise ConfigurationError(
            f"The server answered {status} to POST {path}: {answer[:300].decode(errors='replace')}"
        )
    return msgspec.json.decode(answer)["id"]


async def _run(
    name: str,
    pool: list[Caller],
    seconds: float,
    call: Callable[[Caller], Awaitable[tuple[int, bytes]]],
) -> dict[str, object]:
    took: list[float] = []
    errors = 0
    began = time.perf_counter()

    async def loop(connection: Caller) -> None:
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
