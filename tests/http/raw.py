"""Requests that no HTTP client library would send, given to the application as ASGI events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sojourn.http.app import App, Message


@dataclass(frozen=True)
class Answer:
    """What the application sent."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def code(self) -> str:
        """The code of the first error."""
        return json.loads(self.body)["errors"][0]["code"]


async def send(
    app: App,
    method: str,
    target: bytes,
    *,
    headers: Sequence[tuple[bytes, bytes]] = (),
    chunks: Sequence[bytes] = (b"",),
    disconnect: bool = False,
) -> Answer:
    """One request: `target` is path and query as they stand in the request line."""
    path, _, query = target.partition(b"?")
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "headers": list(headers),
    }
    waiting = [
        {"type": "http.request", "body": chunk, "more_body": disconnect or number < len(chunks) - 1}
        for number, chunk in enumerate(chunks)
    ]
    if disconnect:
        waiting.append({"type": "http.disconnect"})
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def respond(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, respond)
    start, body = sent
    return Answer(start["status"], dict(start["headers"]), body["body"])
