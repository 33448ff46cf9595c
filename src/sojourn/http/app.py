"""The ASGI application: limits, access, dispatch, and every error in the documented shape."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from itertools import chain
from typing import Any

from sojourn.core.errors import SojournError
from sojourn.core.keys import ApiKey
from sojourn.http import problems, wire
from sojourn.http.backend import OPERATIONS as BACKEND
from sojourn.http.documentation import documenting
from sojourn.http.frontend.surface import Answer, Surface
from sojourn.http.health import OPERATIONS as HEALTH
from sojourn.http.own import OPERATIONS as OWN
from sojourn.http.own.end_links import PAGES
from sojourn.http.problems import Problem
from sojourn.http.routes import Call, Operation, Table
from sojourn.http.services import OPERATIONS as SERVICES
from sojourn.http.streaming import STOP, Stream
from sojourn.http.versions import version_of
from sojourn.runtime import Sojourn
from sojourn.service.context import Once, request_id

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_URL = 8 * 1024
MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 1024

OPERATIONS = (*BACKEND, *OWN, *SERVICES, *HEALTH)
"""Everything that is served and described."""

_log = logging.getLogger("sojourn.http")
_JSON = b"application/json"
"""Exactly so: @clerk/backend compares with `===` (wire/backend-api.md section 0)."""
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_UNBUFFERED = (b"x-accel-buffering", b"no")
"""nginx passes a stream on as it comes."""
_LENGTH_DIGITS = 12
_MAX_IDEMPOTENCY_KEY = 255


class App:
    """Serves one `Sojourn`. Given a function that opens it, the application opens and closes it by itself,
    with the server's lifespan."""

    def __init__(self, sojourn: Sojourn | None = None, *, opener: Callable[[], Any] | None = None) -> None:
        self._sojourn = sojourn
        self._opener = opener
        self._table = Table([*OPERATIONS, *PAGES, *documenting(OPERATIONS)])
        self._front = Surface()
        # A trace id names a request and guards nothing: seeded once by the system, not asked of it each time.
        self._random_bits = random.Random().getrandbits  # noqa: S311

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection event of ASGI 3."""
        if scope["type"] == "lifespan":
            return await self._lifespan(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1000})
        trace = f"{self._random_bits(128):032x}"
        token = request_id.set(trace)
        sojourn = self._sojourn
        if self._front.serves(scope["path"], sojourn.frontend if sojourn is not None else None):
            answer = await self._front_answer(scope, receive, trace)
            answer.headers += [
                (b"content-length", b"%d" % len(answer.body)),
                (b"clerk-trace-id", trace.encode()),
            ]
            await _send(send, scope, answer.status, answer.headers, answer.body)
            request_id.reset(token)
            return
        status, extra, cache, media, body = 200, (), b"no-store", _JSON, b""
        stream: Stream | None = None
        try:
            operation, payload = await self._answer(scope, receive)
            cache, media, extra = operation.cache, operation.media, operation.headers
            if type(payload) is bytes:
                body = payload
            elif type(payload) is Stream:
                stream, media = payload, payload.media
            else:
                body = wire.encode(payload)
            if type(payload) is wire.Warned:
                extra = (*extra, payload.header)
        except Exception as error:
            status, body, extra = _failure(error, scope["path"], trace)
        headers = [
            (b"content-type", media),
            (b"content-length", b"%d" % len(body)) if stream is None else _UNBUFFERED,
            (b"cache-control", cache),
            _NOSNIFF,
            (b"clerk-trace-id", trace.encode()),
            *extra,
        ]
        if stream is not None:
            request_id.reset(token)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            return await stream.run(scope, receive, send)
        await _send(send, scope, status, headers, body)
        request_id.reset(token)

    async def _front_answer(self, scope: Scope, receive: Receive, trace: str) -> Answer:
        """The answer of the Frontend API."""

        def failing(error: Exception) -> Answer:
            status, body, extra = _failure(error, scope["path"], trace)
            return Answer(status, body, [(b"content-type", _JSON), (b"cache-control", b"no-store"), *extra])

        try:
            if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_URL:
                raise problems.url_too_long(MAX_URL)
            headers = _headers(scope["headers"])
            if self._sojourn is None:
                raise Problem(503, "service_unavailable", "The service is starting.")
        except Problem as problem:
            return failing(problem)

        async def read(limit: int) -> bytes:
            return await _read(receive, limit, headers.get(b"content-length"))

        return await self._front.answer(self._sojourn, scope, read, failing)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Operation, object]:
        path: str = scope["path"]
        raw_path: bytes = scope.get("raw_path") or path.encode()
        query: bytes = scope["query_string"]
        if len(raw_path) + len(query) > MAX_URL:
            raise problems.url_too_long(MAX_URL)
        method: str = scope["method"]
        headers = _headers(scope["headers"])
        operation, parameters = self._table.find("GET" if method == "HEAD" else method, path, raw_path)
        sojourn = self._sojourn
        if sojourn is None:
            raise Problem(503, "service_unavailable", "The service is starting.")
        key = None
        if operation.keys:
            text = _key_text(headers.get(b"authorization"))
            # Without the coroutine where the answer is known, as it is for all but one request a second.
            key = sojourn.api_keys.remembered(text) or await sojourn.api_keys.authenticate(text)
            if key is None:
                raise problems.key_invalid()
            if key.kind not in operation.keys:
                raise problems.kind_not_allowed()
        asked = ()
        if b"__clerk_api_version" in query:
            asked = wire.query_of(query).get("__clerk_api_version", ())
        version = version_of(headers.get(b"clerk-api-version"), asked)
        body = b"" if method in ("GET", "HEAD") else await _body(receive, operation, headers)
        once = None
        if operation.creates and key is not None and (given := headers.get(b"idempotency-key")) is not None:
            once = _once(key, given, method, raw_path, body)
        return operation, await operation.handler(
            Call(sojourn, parameters, query, body, version, key, once, headers)
        )

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        opened: Any = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    if self._opener is not None:
                        opened = self._opener()
                        self._sojourn = await opened.__aenter__()
                    if self._sojourn is not None and "state" in scope:
                        scope["state"][STOP] = self._sojourn.feed.stop
                except SojournError as error:
                    _log.error("cannot start: %s", error.detail)
                    await send({"type": "lifespan.startup.failed", "message": error.detail})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if opened is not None:
                    self._sojourn = None
                    await opened.__aexit__(None, None, None)
                await send({"type": "lifespan.shutdown.complete"})
                return


def _headers(given: list[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """The headers by name; of one given twice the last. Raises Problem 431."""
    if len(given) > MAX_HEADERS or sum(map(len, chain.from_iterable(given))) > MAX_HEADER_BYTES:
        raise problems.headers_too_large(MAX_HEADER_BYTES, MAX_HEADERS)
    return dict(given)


def _key_text(header: bytes | None) -> str:
    if header is None:
        raise problems.key_invalid()
    if header[:7].lower() != b"bearer " or len(header) == 7:
        raise problems.header_malformed()
    return header[7:].decode("latin-1")


async def _send(
    send: Send, scope: Scope, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug("%s %s %d", scope["method"], scope["path"], status, extra={"request_id": request_id.get()})
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})


def _failure(error: Exception, path: str, trace: str) -> tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]:
    """Status, body and further headers of an error."""
    extra: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(error, Problem):
        status, errors = error.status, error.items()
        if error.allow:
            extra = ((b"allow", error.allow.encode("latin-1")),)
    elif isinstance(error, SojournError):
        status = problems.status_of(error)
        if status >= 500:
            _log.error("request failed", extra={"error": error.code, "path": path})
        errors = problems.items_of(error) if status != 500 else problems.internal()
    else:
        _log.error("request failed", extra={"path": path}, exc_info=error)
        status, errors = 500, problems.internal()
    if status in (503, 507):
        extra = ((b"retry-after", b"%d" % problems.RETRY_AFTER_SECONDS),)
    return status, wire.encode({"errors": errors, "clerk_trace_id": trace}), extra


async def _body(receive: Receive, operation: Operation, headers: Mapping[bytes, bytes]) -> bytes:
    body = await _read(receive, operation.body_limit, headers.get(b"content-length"))
    content_type = headers.get(b"content-type")
    if body and content_type is not None:
        kind, _, rest = content_type.partition(b";")
        charset = rest.strip().lower()
        if kind.strip().lower() != b"application/json" or charset not in (
            b"",
            b"charset=utf-8",
            b'charset="utf-8"',
        ):
            raise problems.content_type_unsupported(content_type.decode("latin-1"))
    return body


async def _read(receive: Receive, limit: int, length: bytes | None) -> bytes:
    """The body of a request. Raises Problem 400 or 413."""
    if length == b"0":
        return b""
    if length is not None:
        if not length.isdigit():
            raise problems.length_malformed()
        if len(length) > _LENGTH_DIGITS or int(length) > limit:
            raise problems.body_too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise problems.body_not_json("The body ended before it was whole.")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise problems.body_too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


def _once(key: ApiKey, given: bytes, method: str, raw_path: bytes, body: bytes) -> Once:
    """The Idempotency-Key of this caller for this request (IETF
    draft-ietf-httpapi-idempotency-key-header)."""
    if not given or len(given) > _MAX_IDEMPOTENCY_KEY:
        raise Problem(
            400,
            "malformed_request_parameters",
            "The idempotency key is malformed.",
            f"Idempotency-Key takes 1 to {_MAX_IDEMPOTENCY_KEY} characters.",
        )
    digest = hashlib.sha256(b"\0".join((key.id.encode(), given))).digest()
    fingerprint = hashlib.sha256(b"\0".join((method.encode(), raw_path, body))).digest()
    return Once(digest, fingerprint)
