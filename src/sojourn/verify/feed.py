"""The shell around a verifier's revocations: a thread that listens to the feed, whatever happens to it."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import random
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urlsplit

import msgspec

from sojourn.verify.outcomes import SignedIn
from sojourn.verify.ports import FeedState
from sojourn.verify.reasons import Reason
from sojourn.verify.revocations import BOUND_MS, Batch, Heartbeat, Hello, OutOfStep, Revocations

PATH: Final = "/sojourn/v1/revocations"
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_PIECE: Final = 64 * 1024
_MAX_EVENT: Final = 16 * 1024 * 1024
_POLL_SECONDS: Final = 1
_log = logging.getLogger("sojourn.verify.feed")
_hello = msgspec.json.Decoder(Hello).decode
_batch = msgspec.json.Decoder(Batch).decode
_heartbeat = msgspec.json.Decoder(Heartbeat).decode
_all: weakref.WeakSet[Feed] = weakref.WeakSet()


class _Page(msgspec.Struct):
    hello: Hello
    batches: list[Batch]
    heartbeat: Heartbeat | None


def steady_ms() -> int:
    """Milliseconds that never go back."""
    return time.monotonic_ns() // 1_000_000


class Feed:
    """Implements `sojourn.verify.ports.RevocationSet` with what a service tells.

        with Feed("http://127.0.0.1:8787", key="vk_…") as feed:
            verifier = Verifier(options, api_url=…, key=…, revocations=feed)

    A daemon thread listens and comes back by itself after every cut; a process that is forked listens anew.
    `mode="poll"` is for proxies that hold streams back. Until `start`, and again after `close`, it knows
    nothing, and a verifier refuses.
    """

    def __init__(
        self,
        api_url: str,
        *,
        key: str,
        bound_ms: int = BOUND_MS,
        mode: Literal["stream", "poll"] = "stream",
        steady: Callable[[], int] = steady_ms,
    ) -> None:
        parts = urlsplit(api_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("api_url begins with http:// or https:// and names a host")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + PATH
        self._headers = {"Authorization": f"Bearer {key}", "User-Agent": "sojourn-verify"}
        self._mode = mode
        self._steady = steady
        self._bound_ms = bound_ms
        self._listeners: list[Callable[[], None]] = []
        self._context = ssl.create_default_context() if self._secure else None
        self._thread: threading.Thread | None = None
        self._reset()
        _all.add(self)

    def __repr__(self) -> str:
        return f"Feed({self._host!r}, {self.state(self._steady()).value})"

    def _reset(self) -> None:
        self.known = Revocations(bound_ms=self._bound_ms)
        self._closed = threading.Event()
        self._changed = threading.Condition()
        self._connection: http.client.HTTPConnection | None = None
        self._line: socket.socket | None = None
        self._answer: http.client.HTTPResponse | None = None
        self._acknowledging: http.client.HTTPConnection | None = None
        self.begun_anew = 0
        """How often the feed had to be begun anew because something was missing."""

    # Asking -------------------------------------------------------------------------------------------------

    def refuses(self, auth: SignedIn) -> Reason | None:
        """As the port says."""
        return self.known.refuses(auth)

    def state(self, now_ms: int) -> FeedState:
        """As the port says."""
        return self.known.state(now_ms)

    @property
    def fresh(self) -> bool:
        """Whether the feed vouches for what it has not told, now."""
        return self.known.state(self._steady()) is FeedState.FRESH

    def wait_until_fresh(self, seconds: float) -> bool:
        """Wait until then, at most so long; blocks. For the start of a program, and for tests."""
        with self._changed:
            return self._changed.wait_for(lambda: self.fresh, seconds)

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called, in the feed's thread, whenever something has been told. Returns what ends
        that."""
        self._listeners.append(changed)
        return lambda: self._listeners.remove(changed)

    # Living -------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen from now on. Starting again does nothing."""
        if self._thread is None:
            if self._closed.is_set():
                self._reset()
            self._thread = threading.Thread(target=self._run, name="sojourn-feed", daemon=True)
            self._thread.start()
        return self

    def close(self) -> None:
        """Listen no more. Closing again does nothing."""
        self._closed.set()
        thread, self._thread = self._thread, None
        self._hang_up()
        if thread is not None:
            thread.join(5)
        self.known = Revocations(bound_ms=self._bound_ms)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def forked(self) -> None:
        """In the child of a fork: the parent's thread is not here, and its connection is the parent's."""
        listening = self._thread is not None
        self._thread = None
        self._reset()
        if listening:
            self.start()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closed.is_set():
            try:
                told = self._listen() if self._mode == "stream" else self._poll()
                pause = _FIRST_PAUSE if told else pause
            except OutOfStep as error:
                self.begun_anew += 1
                _log.warning("%s", error)
            except (OSError, http.client.HTTPException, msgspec.MsgspecError, ValueError) as error:
                if not self._closed.is_set():
                    _log.info("the revocation feed at %s is interrupted: %r", self._host, error)
            except Exception:
                _log.exception("the revocation feed is interrupted")
            finally:
                self._hang_up()
            self._closed.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311  # so that not all come at once
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _hang_up(self) -> None:
        """Give the connections up. A thread that waits for the next piece is woken by this, and by nothing
        else; http.client hands the socket over to the answer, so it is kept here too."""
        line, self._line = self._line, None
        with contextlib.suppress(OSError):
            if line is not None:
                line.shutdown(socket.SHUT_RDWR)
        for one in (self._answer, self._connection, self._acknowledging, line):
            if one is not None:
                one.close()
        self._answer = self._connection = self._acknowledging = None

    # Listening ----------------------------------------------------------------------------------------------

    def _listen(self) -> bool:
        """Follow one stream to its end. Whether anything was told."""
        asked_ms = self._steady()
        answer = self._ask(f"?lease_ms={min(self._bound_ms, 60_000)}", "text/event-stream")
        told = False
        for name, data in events(_pieces(answer)):
            if name == "hello":
                hello = _hello(data)
                self.known.begin(hello, asked_ms=asked_ms)
                self._subscription = hello.subscription
            elif name == "revocations":
                self.known.take(_batch(data))
                self._tell()
            elif name == "heartbeat":
                heartbeat = _heartbeat(data)
                self.known.beat(heartbeat)
                told = True
                self._tell()
                if heartbeat.acknowledge:
                    self._acknowledge()
        return told

    def _poll(self) -> bool:
        """Read page after page."""
        while not self._closed.is_set():
            asked_ms = self._steady()
            answer = self._ask(f"?wait={_POLL_SECONDS}", "application/json")
            page = msgspec.json.decode(b"".join(_pieces(answer)), type=_Page)
            self.known.begin(page.hello, asked_ms=asked_ms)
            for batch in page.batches:
                self.known.take(batch)
            if page.heartbeat is not None:
                self.known.beat(page.heartbeat)
            self._tell()
        return True

    def _ask(self, query: str, accept: str) -> http.client.HTTPResponse:
        if self._connection is None:
            self._connection = self._connect(self._silence_seconds)
            self._connection.connect()
            self._line = self._connection.sock
        headers = {**self._headers, "Accept": accept}
        if (last := self.known.resume_from) is not None:
            headers["Last-Event-ID"] = last
        self._connection.request("GET", self._path + query, headers=headers)
        self._answer = answer = self._connection.getresponse()
        if answer.status != 200:
            if answer.status in (401, 403):
                _log.error("the key for the revocation feed is refused (%d)", answer.status)
            raise ValueError(f"status {answer.status}")
        return answer

    @property
    def _silence_seconds(self) -> float:
        """After which a connection is given up: heartbeats come four times a second."""
        return max(self._bound_ms / 1000, 1.0)

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(self._host, self._port, timeout=seconds, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=seconds)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
        for changed in tuple(self._listeners):
            try:
                changed()
            except Exception:
                _log.exception("a listener of the revocation feed failed")

    def _acknowledge(self) -> None:
        """Say up to where this verifier has come; somebody waits for it. What fails is asked again."""
        try:
            if self._acknowledging is None:
                self._acknowledging = self._connect(1.0)
            body = msgspec.json.encode({"subscription": self._subscription, "position": self.known.place})
            headers = {**self._headers, "Content-Type": "application/json"}
            self._acknowledging.request("POST", f"{self._path}/acknowledge", body, headers)
            self._acknowledging.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            _log.info("the acknowledgement did not arrive: %r", error)
            if self._acknowledging is not None:
                self._acknowledging.close()
                self._acknowledging = None


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := answer.read1(_PIECE):
        yield piece


def events(pieces: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """The events of a stream by name and data, as their last bytes arrive: what this feed uses of server-sent
    events (https://html.spec.whatwg.org/multipage/server-sent-events.html). Raises ValueError for one without
    an end."""
    held = b""
    for piece in pieces:
        *blocks, held = (held + piece).split(b"\n\n")
        if len(held) > _MAX_EVENT:
            raise ValueError("an event of the feed is too long")
        for block in blocks:
            name, data = "", b""
            for line in block.split(b"\n"):
                field, _, value = line.partition(b": ")
                if field == b"event":
                    name = value.decode("ascii", "replace")
                elif field == b"data":
                    data += value
            if name:
                yield name, data


def _forked() -> None:
    for feed in tuple(_all):
        feed.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
