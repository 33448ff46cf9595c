"""The Frontend API as a whole: whose pages may call, in which form, and what every answer carries.

A browser sends cookies with whatever request a page makes it send, and the browser SDK's posts are forms that
no preflight announces (wire/frontend-api.md section 2). So the Origin header decides, on every request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sojourn.core import cookies
from sojourn.http import problems, wire
from sojourn.http.frontend import OPERATIONS
from sojourn.http.frontend.calls import Access, Form, FrontCall, FrontOperation, Redirect, Visitor, one
from sojourn.http.problems import Problem
from sojourn.http.routes import BODY_LIMIT, Table
from sojourn.runtime import Sojourn
from sojourn.service.frontend import FrontendSettings

Read = Callable[[int], Awaitable[bytes]]
"""Reads the body of a request, up to a number of bytes. Raises Problem 413."""

_OVERRIDES = ("POST", "PATCH", "PUT", "DELETE")
_EXPOSED = b"Retry-After, Authorization, Clerk-Db-Jwt, X-Country, Clerk-Trace-Id"
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, Clerk-API-Version, X-Mobile"),
    (b"access-control-max-age", b"600"),
)
_GUARDS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-site"),
    (b"referrer-policy", b"no-referrer"),
)
"""An answer is data: it is never framed, sniffed, embedded by another site or named as a referrer
(RELIABILITY C-15)."""
_SHARED = {"jwks.json"}
"""Served by both surfaces; here below the path of a proxy alone."""
_MAX_FIELDS = 500


@dataclass(slots=True)
class Answer:
    """What goes back, beside Content-Length and the trace id."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]


class Surface:
    """Finds the operations of the Frontend API and answers for them."""

    def __init__(self) -> None:
        self._table = Table(OPERATIONS)
        self._first = frozenset(operation.path.split("/", 3)[2] for operation in OPERATIONS) - _SHARED

    def serves(self, path: str, settings: FrontendSettings | None) -> bool:
        """Whether a path belongs to this surface."""
        prefix = settings.proxy_path if settings is not None else ""
        if prefix and path.startswith(prefix + "/"):
            return True
        parts = path.split("/", 3)
        return len(parts) > 2 and parts[1] in ("v1", ".well-known") and parts[2] in self._first

    async def answer(
        self, sojourn: Sojourn, scope: Any, read: Read, failing: Callable[[Exception], Answer]
    ) -> Answer:
        """Answer a request; `failing` says what goes back for an error."""
        settings = sojourn.frontend
        path, raw_path = _below(settings.proxy_path, scope)
        headers = _Headers(scope["headers"])
        extra: list[tuple[bytes, bytes]] = []
        operation: FrontOperation | None = None
        try:
            origin = _origin_of(headers)
            allowed = origin is not None and settings.allows(origin)
            if allowed and origin is not None:
                extra = _cors(origin)
            if scope["method"] == "OPTIONS":
                return _preflight(allowed, origin, extra)
            query = wire.query_of(scope["query_string"])
            method = _method_of(scope["method"], query)
            operation, parameters = self._table.find("GET" if method == "HEAD" else method, path, raw_path)
            visitor = _visitor(settings, scope, headers, query, origin)
            _check(operation, method, visitor, headers, settings)
            form = {} if method in ("GET", "HEAD") else await _form(read, headers)
            call = FrontCall(sojourn, parameters, query, form, visitor)
            # What the answer has to carry, it carries even if the call fails later on: a credential that was
            # replaced must reach its owner.
            found = await operation.handler(call)
            answer = _answered(found, operation)
            answer.headers += call.headers
        except Exception as error:
            answer = failing(error)
        if operation is not None and operation.access is Access.PUBLIC:
            extra = [(b"access-control-allow-origin", b"*")]
        answer.headers += [*extra, (b"vary", b"Origin"), *_GUARDS]
        return answer


class _Headers:
    """The headers of a request, with all that stand under one name."""

    def __init__(self, given: Sequence[tuple[bytes, bytes]]) -> None:
        self._given = given

    def all(self, name: bytes) -> list[bytes]:
        return [value for found, value in self._given if found == name]

    def text(self, name: bytes) -> str | None:
        values = self.all(name)
        return values[-1].decode("latin-1") if values else None


def _below(prefix: str, scope: Any) -> tuple[str, bytes]:
    """The path without the one below which a proxy serves this, decoded and raw."""
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or path.encode()
    if prefix and path.startswith(prefix + "/"):
        path = path[len(prefix) :]
        encoded = prefix.encode()
        raw = raw[len(encoded) :] if raw.startswith(encoded) else path.encode()
    return path, raw


def _origin_of(headers: _Headers) -> str | None:
    """The Origin header. Raises Problem 400 when there are several."""
    values = headers.all(b"origin")
    if len(values) > 1:
        raise Problem(
            400,
            "multiple_origin_header_values_forbidden",
            "There are several origins.",
            "A request has one Origin header at most.",
        )
    return values[0].decode("latin-1") if values else None


def _cors(origin: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", _EXPOSED),
    ]


def _preflight(allowed: bool, origin: str | None, extra: list[tuple[bytes, bytes]]) -> Answer:
    if not allowed:
        raise _origin_missing() if origin is None else _origin_invalid()
    return Answer(204, b"", [*extra, *_PREFLIGHT, (b"vary", b"Origin"), (b"cache-control", b"no-store")])


def _method_of(method: str, query: Form) -> str:
    """The method that is meant: browsers send PATCH, PUT and DELETE as POST with `_method`. Raises Problem
    405."""
    override = one(query, "_method")
    if override is None:
        return method
    if method != "POST" or override not in _OVERRIDES:
        raise Problem(
            405,
            "method_not_allowed",
            "This method is not allowed here.",
            f"_method goes with POST and names one of {', '.join(_OVERRIDES)}.",
            allow="GET, POST",
        )
    return override


def _visitor(
    settings: FrontendSettings, scope: Any, headers: _Headers, query: Form, origin: str | None
) -> Visitor:
    peer = scope.get("client") or ("", 0)
    forwarded = headers.all(b"x-forwarded-for")
    sent = tuple(headers.all(b"cookie"))
    native = one(query, "_is_native") in ("1", "true")
    developing = False
    if native:
        given = headers.text(b"authorization") or ""
        credential = (given[7:] if given[:7].lower() == "bearer " else given).strip() or None
    else:
        credential = cookies.read(sent, cookies.CLIENT)
        named = one(query, "__clerk_db_jwt") or ""
        # A marker that a handshake left is none of our credentials, which are JWTs.
        if not settings.production and named.count(".") == 2:
            credential, developing = named, True
    return Visitor(
        origin=origin,
        native=native,
        secure=settings.scheme_of(peer[0], scope["scheme"], headers.text(b"x-forwarded-proto")) == "https",
        address=settings.address_of(peer[0], b",".join(forwarded).decode("latin-1") if forwarded else None),
        user_agent=headers.text(b"user-agent"),
        credential=credential,
        developing=developing,
        cookies=sent,
        host=settings.host_of(headers.text(b"host") or ""),
    )


def _check(
    operation: FrontOperation, method: str, visitor: Visitor, headers: _Headers, settings: FrontendSettings
) -> None:
    """Refuse what another site makes a browser send (RELIABILITY C-01 to C-05). Raises Problem 400."""
    if operation.access is Access.PUBLIC:
        return
    mode, site = headers.text(b"sec-fetch-mode"), headers.text(b"sec-fetch-site")
    if operation.access is Access.NAVIGATION:
        # Browsers that know the headers say what they are about; others cannot be asked.
        if mode not in (None, "navigate") or visitor.origin is not None:
            raise Problem(
                400,
                "request_invalid_for_navigation",
                "This is no navigation.",
                "This address is for a browser to go to, not for a script to fetch.",
            )
        return
    if visitor.origin is None:
        # Only a request that carries no credential of a browser, and is none of another site, may do without.
        if method in ("GET", "HEAD") or visitor.native or not (visitor.cookies or site == "cross-site"):
            return
        raise _origin_missing()
    if visitor.native:
        # A native caller has no cookies that anybody could use behind its back: nothing is to be guarded.
        return
    if not settings.allows(visitor.origin):
        raise _origin_invalid()
    if headers.text(b"authorization") is not None:
        raise Problem(
            400,
            "origin_authorization_headers_conflict",
            "Origin and Authorization do not go together.",
            "A page sends Origin and cookies, a native program Authorization and _is_native=1.",
        )


def _origin_missing() -> Problem:
    return Problem(
        400,
        "origin_missing",
        "The origin is missing.",
        "A request that changes something with a browser's cookies has to have an Origin header.",
    )


def _origin_invalid() -> Problem:
    return Problem(
        400,
        "origin_invalid",
        "The origin is not allowed.",
        "The Origin header names a page that is not on the list of allowed origins.",
    )


async def _form(read: Read, headers: _Headers) -> Form:
    """The parameters of a body, a form or JSON; members of JSON that are no texts are as good as their JSON.
    Raises Problem 400, 413 or 415."""
    raw = await read(BODY_LIMIT)
    if not raw:
        return {}
    kind = (headers.text(b"content-type") or "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(
                raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
            )
        except (ValueError, UnicodeDecodeError):
            raise problems.body_not_json("The body has to be a percent-encoded form in UTF-8.") from None
        form: Form = {}
        for name, value in pairs:
            form.setdefault(name, []).append(value)
        return form
    if kind == "application/json":
        return {name: [_as_text(value)] for name, value in wire.object_of(raw).items()}
    raise problems.content_type_unsupported(kind or "nothing")


def _as_text(value: object) -> str:
    """A member of JSON as a form would have it: null is an empty text (wire/frontend-api.md section 2)."""
    if value is None:
        return ""
    return value if isinstance(value, str) else wire.encode(value).decode()


def _answered(found: object, operation: FrontOperation) -> Answer:
    if isinstance(found, Redirect):
        location = found.location.encode("latin-1", "strict")
        return Answer(found.status, b"", [(b"location", location), (b"cache-control", b"no-store")])
    return Answer(
        200,
        wire.encode(found),
        [(b"content-type", b"application/json"), (b"cache-control", operation.cache)],
    )
