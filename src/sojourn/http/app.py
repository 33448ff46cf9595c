"""The ASGI application: limits, access, dispatch, and every error in the documented shape."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sojourn.core.errors import SojournError
from sojourn.core.keys import ApiKey
from sojourn.http import problems, wire
from sojourn.http.backend import OPERATIONS as BACKEND
from sojourn.http.health import OPERATIONS as HEALTH
from sojourn.http.problems import Problem
from sojourn.http.routes import Call, Operation, Table
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

_log = logging.getLogger("sojourn.http")
_JSON = (b"content-type", b"application/json")
"""Exactly so: @clerk/backend compares with `===` (wire/backend-api.md section 0)."""
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_LENGTH_DIGITS = 12
_MAX_IDEMPOTENCY_KEY = 255


class App:
    """Serves one `Sojourn`. Given a function that opens it, the application opens and closes it by itself,
    with the server's lifespan."""

    def __init__(self, sojourn: Sojourn | None = None, *, opener: Callable[[], Any] | None = None) -> None:
        self._sojourn = sojourn
        self._opener = opener
        self._table = Table([*BACKEND, *HEALTH])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection event of ASGI 3."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        trace = os.urandom(16).hex()
        token = request_id.set(trace)
        status, extra, cache = 200, (), b"no-store"
        try:
            operation, payload = await self._answer(scope, receive)
            cache = operation.cache
        except Problem as problem:
            status = problem.status
            item = {"message": problem.message, "long_message": problem.detail, "code": problem.code}
            payload = {"errors": [item], "clerk_trace_id": trace}
            if problem.allow:
                extra = ((b"allow", problem.allow.encode("latin-1")),)
        except SojournError as error:
            status = problems.status_of(error)
            if status >= 500:
                _log.error("request failed", extra={"error": error.code, "path": scope["path"]})
            payload = {
                "errors": problems.items_of(error) if status != 500 else problems.internal(),
                "clerk_trace_id": trace,
            }
            if status in (503, 507):
                extra = ((b"retry-after", b"%d" % problems.RETRY_AFTER_SECONDS),)
        except Exception:
            _log.exception("request failed", extra={"path": scope["path"]})
            status, payload = 500, {"errors": problems.internal(), "clerk_trace_id": trace}
        body = wire.encode(payload)
        request_id.reset(token)
        headers = [
            _JSON,
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", cache),
            _NOSNIFF,
            (b"clerk-trace-id", trace.encode()),
            *extra,
        ]
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s %s %d", scope["method"], scope["path"], status, extra={"request_id": trace})
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Operation, object]:
        path: str = scope["path"]
        raw_path: bytes = scope.get("raw_path") or path.encode()
        query: bytes = scope["query_string"]
        if len(raw_path) + len(query) > MAX_URL:
            raise problems.url_too_long(MAX_URL)
        method: str = scope["method"]
        headers = _Headers(scope["headers"])
        operation, parameters = self._table.find("GET" if method == "HEAD" else method, path, raw_path)
        sojourn = self._sojourn
        if sojourn is None:
            raise Problem(503, "service_unavailable", "The service is starting.")
        key = await _authorized(sojourn, operation, headers.authorization)
        asked = None
        if b"__clerk_api_version" in query:
            asked = wire.text(wire.query_of(query), "__clerk_api_version")
        version = version_of(headers.version, asked)
        body = b"" if method in ("GET", "HEAD") else await _body(receive, operation, headers)
        once = None
        if operation.creates and headers.idempotency_key is not None and key is not None:
            once = _once(key, headers.idempotency_key, method, raw_path, body)
        return operation, await operation.handler(Call(sojourn, parameters, query, body, version, key, once))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        opened: Any = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    if self._opener is not None:
                        opened = self._opener()
                        self._sojourn = await opened.__aenter__()
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


class _Headers:
    """The headers that matter to a backend request, found in one pass. Raises Problem 431."""

    __slots__ = ("authorization", "content_type", "idempotency_key", "length", "version")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.authorization: bytes | None = None
        self.version: bytes | None = None
        self.content_type: bytes | None = None
        self.length: bytes | None = None
        self.idempotency_key: bytes | None = None
        size = 0
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"authorization":
                self.authorization = value
            elif name == b"clerk-api-version":
                self.version = value
            elif name == b"content-type":
                self.content_type = value
            elif name == b"content-length":
                self.length = value
            elif name == b"idempotency-key":
                self.idempotency_key = value
        if size > MAX_HEADER_BYTES or len(headers) > MAX_HEADERS:
            raise problems.headers_too_large(MAX_HEADER_BYTES, MAX_HEADERS)


async def _authorized(sojourn: Sojourn, operation: Operation, header: bytes | None) -> ApiKey | None:
    if not operation.keys:
        return None
    if header is None:
        raise problems.key_invalid()
    if header[:7].lower() != b"bearer " or len(header) == 7:
        raise problems.header_malformed()
    key = await sojourn.api_keys.authenticate(header[7:].decode("latin-1"))
    if key is None:
        raise problems.key_invalid()
    if key.kind not in operation.keys:
        raise problems.kind_not_allowed()
    return key


async def _body(receive: Receive, operation: Operation, headers: _Headers) -> bytes:
    limit = operation.body_limit
    if headers.length is not None and (len(headers.length) > _LENGTH_DIGITS or int(headers.length) > limit):
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
    body = b"".join(chunks)
    if body and headers.content_type is not None:
        kind, _, rest = headers.content_type.partition(b";")
        charset = rest.strip().lower()
        if kind.strip().lower() != b"application/json" or charset not in (
            b"",
            b"charset=utf-8",
            b'charset="utf-8"',
        ):
            raise problems.content_type_unsupported(headers.content_type.decode("latin-1"))
    return body


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
