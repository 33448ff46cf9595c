"""Requests that are broken on the wire, to a real server, and a second reading of the same bytes by h11."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import h11
import pytest

from tests.support import Server, serving

GOOD = b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /v1/users HTTP/1.1\r\nhost: x\r\n"
BROKEN: dict[str, bytes] = {
    "TE and CL": POST + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + GOOD,
    "CL and TE": POST + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n" + GOOD,
    "two lengths": POST + b"content-length: 2\r\ncontent-length: 30\r\n\r\n{}" + GOOD,
    "negative length": POST + b"content-length: -1\r\n\r\n" + GOOD,
    "length in words": POST + b"content-length: two\r\n\r\n{}",
    "unknown coding": POST + b"transfer-encoding: rubbish\r\n\r\n" + GOOD,
    "coding twice": POST + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "bad chunk size": POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "endless chunk size": POST + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n",
    "space before colon": b"GET /readyz HTTP/1.1\r\nhost : x\r\n\r\n",
    "no colon": b"GET /readyz HTTP/1.1\r\nhost\r\n\r\n",
    "NUL in a header": b"GET /readyz HTTP/1.1\r\nhost: x\r\na: b\x00c\r\n\r\n",
    "bare CR in a header": b"GET /readyz HTTP/1.1\r\nhost: x\r\na: b\rc: d\r\n\r\n",
    "no version": b"GET /readyz\r\n\r\n",
    "version of the future": b"GET /readyz HTTP/9.9\r\nhost: x\r\n\r\n",
    "rubbish": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "empty method": b" /readyz HTTP/1.1\r\nhost: x\r\n\r\n",
    "10,000 headers": b"GET /readyz HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 10_000 + b"\r\n",
    "a header of 1 MB": b"GET /readyz HTTP/1.1\r\nhost: x\r\na: " + b"b" * 1_000_000 + b"\r\n\r\n",
}
LENIENT = {"no version"}
"""Read by llhttp as the whole request that it is, in the manner of HTTP/0.9; h11 wants a version."""
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the file."""
    with serving(tmp_path_factory.mktemp("wire")) as running:
        yield running


def exchange(server: Server, data: bytes, *, seconds: float = 3) -> tuple[list[int], bool]:
    """Statuses of all answers to bytes on one connection, and whether the server closed it."""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=seconds) as peer:
        try:
            peer.sendall(data)
        except OSError:
            return [], True
        received, closed = b"", False
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            peer.settimeout(max(0.01, until - time.monotonic()) if not received else 0.5)
            try:
                piece = peer.recv(65_536)
            except TimeoutError:
                break
            except OSError:
                closed = True
                break
            if not piece:
                closed = True
                break
            received += piece
    return [int(status) for status in STATUS.findall(received)], closed


def requests_by_h11(data: bytes) -> int:
    """How many whole requests a strict parser finds before it stops."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=64 * 1024)
    connection.receive_data(data)
    count = 0
    while True:
        try:
            event: Any = connection.next_event()
        except h11.RemoteProtocolError:
            return count
        if event in (h11.NEED_DATA, h11.PAUSED):
            return count
        if isinstance(event, h11.EndOfMessage):
            count += 1
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return count
            connection.start_next_cycle()


@pytest.mark.parametrize("name", BROKEN)
def test_h01_broken_requests(server: Server, name: str) -> None:
    """H-01: never answered as a good request, never a 5xx, never more answers than a strict parser finds
    requests and one error; and what follows on the same connection is not taken for a request of its own."""
    data = BROKEN[name]
    statuses, _ = exchange(server, data)
    assert all(status < 500 for status in statuses)
    accepted = [status for status in statuses if status not in (400, 413, 414, 431, 505)]
    # 401 to the POST is an answer to a request that was read: it has no key.
    assert len(accepted) <= max(requests_by_h11(data), name in LENIENT), (statuses, requests_by_h11(data))
    assert exchange(server, GOOD)[0] == [200]


def test_h01_the_control(server: Server) -> None:
    """H-01: good requests on one connection are all answered, and the second parser finds them all."""
    data = GOOD * 3
    assert exchange(server, data)[0] == [200, 200, 200]
    assert requests_by_h11(data) == 3


def test_h01_an_upgrade_is_not_made(server: Server) -> None:
    """H-01: an upgrade to HTTP/2 in the clear is answered as the plain request that it is."""
    upgrade = (
        b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n"
    )
    statuses, _ = exchange(server, GOOD[:-2] + upgrade)
    assert statuses in ([200], [400])


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (b"content-type: application/json\r\n", b"\x1f\x8b\x08" + b"\x00" * 100, 400),
        (b"content-type: application/json\r\ncontent-encoding: gzip\r\n", b"\x1f\x8b\x08\x00", 400),
        (b"content-type: application/xml\r\n", b"<a/>", 415),
        (b"content-type: application/json; charset=utf-16\r\n", b"{}", 415),
        (b"content-type: application/json\r\n", b'{"external_id": "\xff\xfe"}', 400),
        (b"content-type: application/json\r\n", b"[" * 60_000, 400),
        (b"content-type: application/json\r\n", b"1" * 60_000, 400),
    ],
)
def test_h02_broken_bodies(server: Server, headers: bytes, body: bytes, status: int) -> None:
    """H-02: refused with the documented status, and nobody is made."""
    key = f"authorization: Bearer {server.secret_key}\r\n".encode()
    head = POST + key + headers + b"content-length: %d\r\n\r\n" % len(body)
    assert exchange(server, head + body)[0] == [status]


def test_h02_a_body_that_is_too_large(server: Server) -> None:
    """H-02: 100 MB announced is refused before it is sent; sent in chunks it is refused at the limit."""
    key = f"authorization: Bearer {server.secret_key}\r\n".encode()
    json = b"content-type: application/json\r\n"
    assert exchange(server, POST + key + json + b"content-length: 100000000\r\n\r\n")[0] == [413]
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    statuses, closed = exchange(
        server, POST + key + json + b"transfer-encoding: chunked\r\n\r\n" + chunk * 40, seconds=5
    )
    assert statuses == [413] or (not statuses and closed)


def test_h02_a_member_that_is_there_twice(server: Server) -> None:
    """H-02: of a member that is given twice one value counts, and it is the last, as in the SDKs' parsers."""
    key = f"authorization: Bearer {server.secret_key}\r\n".encode()
    body = b'{"external_id": "first", "external_id": "last"}'
    head = POST + key + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    assert exchange(server, head + body)[0] == [200]
    found = b"GET /v1/users?external_id=last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + key + b"\r\n"
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=5) as peer:
        peer.sendall(found)
        received = b""
        while piece := peer.recv(65_536):
            received += piece
    assert b'"external_id":"last"' in received
