"""The protocol that `sojourn serve` gives uvicorn: one write an answer, and streams that are not held up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sojourn.http.protocol import JoinedTransport, JoiningProtocol

_OK = {"type": "http.response.start", "status": 200}


@asynccontextmanager
async def _served(app: Any, protocol: type[HttpToolsProtocol] = JoiningProtocol) -> AsyncGenerator[int]:
    config = uvicorn.Config(app, port=0, http=protocol, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def _hello(scope: Any, receive: Any, send: Any) -> None:
    await send({**_OK, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": scope["path"][1:6].encode()})


async def _writes(monkeypatch: pytest.MonkeyPatch, protocol: type[HttpToolsProtocol]) -> list[bytes]:
    """What the transport below the protocol was given for one answer."""
    seen: list[bytes] = []
    made = protocol.connection_made

    def spied(self: Any, transport: asyncio.Transport) -> None:
        class Spy:
            def write(self, data: bytes) -> None:
                seen.append(data)
                transport.write(data)

            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

        made(self, Spy())  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(protocol, "connection_made", spied)
    async with _served(_hello, protocol) as port:
        await _exchange(port, b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    return seen


async def _exchange(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


@pytest.mark.parametrize(("protocol", "count"), [(JoiningProtocol, 1), (HttpToolsProtocol, 2)])
def test_an_answer_is_one_write(
    monkeypatch: pytest.MonkeyPatch, protocol: type[HttpToolsProtocol], count: int
) -> None:
    """Head and body go to the transport together; uvicorn's own protocol, the control, writes twice."""
    seen = uvloop.run(_writes(monkeypatch, protocol))
    assert len(seen) == count
    assert b"".join(seen).endswith(b"\r\n\r\nhello")


def test_answers_keep_their_order() -> None:
    """Requests sent at once are answered in order, whole, and the connection closes after the last."""

    async def run() -> bytes:
        async with _served(_hello) as port:
            requests = [b"GET /%05d HTTP/1.1\r\nhost: x\r\n\r\n" % number for number in range(20)]
            requests.append(b"GET /ended HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            return await _exchange(port, b"".join(requests))

    bodies = [part[:5] for part in uvloop.run(run()).split(b"\r\n\r\n")[1:]]
    assert bodies == [b"%05d" % number for number in range(20)] + [b"ended"]


def test_a_stream_is_not_held_back() -> None:
    """Each part of a streamed answer arrives before the application sends the next one."""

    async def run() -> list[bytes]:
        arrived = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({**_OK, "headers": []})
            for number in range(3):
                await send({"type": "http.response.body", "body": b"part%d" % number, "more_body": True})
                await asyncio.wait_for(arrived.wait(), 10)
                arrived.clear()
            await send({"type": "http.response.body", "body": b""})

        parts: list[bytes] = []
        async with _served(app) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            for number in range(3):
                parts.append((await asyncio.wait_for(reader.readuntil(b"part%d" % number), 10))[-5:])
                arrived.set()
            writer.close()
        return parts

    assert uvloop.run(run()) == [b"part0", b"part1", b"part2"]


def test_a_large_answer_arrives_whole() -> None:
    """More than the socket takes at once is neither lost nor reordered when the connection closes behind
    it."""
    body = bytes(range(256)) * 40_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**_OK, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async def run() -> bytes:
        async with _served(app) as port:
            return await _exchange(port, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert uvloop.run(run()).endswith(b"\r\n\r\n" + body)


def test_closing_sends_what_is_held() -> None:
    """What was written in the turn in which the transport closes goes out before it closes."""

    async def run() -> bytes:
        done = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            joined = JoinedTransport(writer.transport, asyncio.get_running_loop())  # pyright: ignore[reportArgumentType]
            joined.write(b"the last ")
            joined.write(b"words")
            joined.close()
            done.set_result(joined.is_closing())

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        answer = await asyncio.wait_for(reader.read(), 10)
        assert await done
        writer.close()
        server.close()
        return answer

    assert asyncio.run(run()) == b"the last words"
