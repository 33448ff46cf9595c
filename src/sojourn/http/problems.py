"""Errors on the wire: `{"errors": [{message, long_message, code, meta?}], "clerk_trace_id"}`.

The one place where an error of the core meets an HTTP status (wire/backend-api.md section 0 and appendix A).
"""

from __future__ import annotations

from collections.abc import Mapping

from sojourn.core import errors
from sojourn.core.errors import SojournError
from sojourn.core.refresh import RefreshRefused
from sojourn.core.templates import ReservedClaim
from sojourn.core.ticket import TicketRefused
from sojourn.service.handshakes import NoHandshake

_STATUS: tuple[tuple[type[SojournError], int], ...] = (
    (errors.NotFound, 404),
    (errors.Several, 422),
    (errors.Invalid, 422),
    (errors.TooBroad, 422),
    (errors.Forbidden, 403),
    (errors.SessionExists, 400),
    (errors.AlreadyAMember, 400),
    (errors.SessionCreationNotAllowed, 409),
    (errors.CookieInvalid, 400),
    (errors.Conflict, 409),
    (errors.InvalidSessionToken, 400),
    (errors.LinkInvalid, 400),
    (errors.PositionLost, 409),
    (TicketRefused, 400),
    (RefreshRefused, 401),
    (NoHandshake, 404),
    (ReservedClaim, 400),
    (errors.StorageFull, 507),
    (errors.Unavailable, 503),
)
RETRY_AFTER_SECONDS = 1


class Problem(Exception):
    """An error that only exists on HTTP: a status, a code, a short and a long message."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        detail: str | None = None,
        *,
        allow: str | None = None,
        meta: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail or message)
        self.meta = meta
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail or message
        self.allow = allow

    def items(self) -> list[dict[str, object]]:
        """The `errors` list."""
        item: dict[str, object] = {"message": self.message, "long_message": self.detail, "code": self.code}
        if self.meta:
            item["meta"] = dict(self.meta)
        return [item]


def status_of(error: SojournError) -> int:
    """The HTTP status of an error of the core; 500 for one that no client can cause."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 500


def items_of(error: SojournError) -> list[dict[str, object]]:
    """The `errors` list of an error of the core."""
    if isinstance(error, errors.Several):
        return [item for one in error.errors for item in items_of(one)]
    item: dict[str, object] = {"message": error.message, "long_message": error.detail, "code": error.code}
    if error.meta:
        item["meta"] = error.meta
    return [item]


def internal() -> list[dict[str, object]]:
    """What a client is told about a fault of ours: that there was one, and nothing of what it was."""
    return [
        {
            "message": "Something went wrong on the server.",
            "long_message": "Something went wrong on the server. The trace id leads to what its log says.",
            "code": "internal_clerk_error",
        }
    ]


def key_invalid() -> Problem:
    """No key, an unknown one or a revoked one; SDKs look for exactly this code."""
    return Problem(
        401,
        "clerk_key_invalid",
        "The secret key is not valid.",
        "The secret key given in the Authorization header does not belong to this instance or was revoked.",
    )


def header_malformed() -> Problem:
    """The Authorization header is not `Bearer <key>`."""
    return Problem(
        401,
        "authorization_header_format_invalid",
        "The Authorization header is malformed.",
        "The Authorization header has to read: Bearer, a space, the key.",
    )


def kind_not_allowed() -> Problem:
    """A verifier key where only a secret key will do."""
    return Problem(
        403,
        "authorization_invalid",
        "This key may not do that.",
        "A verifier key reads public keys, the policy and the revocation feed; this takes a secret key.",
    )


def route_unknown(path: str) -> Problem:
    """No operation has this path."""
    return Problem(
        404,
        "resource_not_found",
        "There is no such operation.",
        f"Nothing is served at {errors.clip(path)}.",
    )


def method_unknown(method: str, allowed: list[str]) -> Problem:
    """The path exists, but not with this method."""
    allow = ", ".join(sorted(allowed))
    return Problem(
        405,
        "method_not_allowed",
        "This method is not allowed here.",
        f"{errors.clip(method, 16)} is not served here; {allow} is.",
        allow=allow,
    )


def body_too_large(limit: int) -> Problem:
    """The body is larger than the operation takes."""
    return Problem(
        413, "request_body_too_large", "The body is too large.", f"The body may have {limit} bytes here."
    )


def length_malformed() -> Problem:
    """Content-Length is not a number."""
    return Problem(
        400,
        "malformed_request_parameters",
        "The Content-Length header is malformed.",
        "Content-Length has to be a whole number of bytes.",
    )


def url_too_long(limit: int) -> Problem:
    """Path and query together are too long."""
    return Problem(
        414,
        "request_url_too_long",
        "The URL is too long.",
        f"Path and query may have {limit} bytes together.",
    )


def headers_too_large(limit: int, count: int) -> Problem:
    """Too many headers, or too much in them."""
    return Problem(
        431,
        "request_headers_too_large",
        "The headers are too large.",
        f"A request may have {count} headers and {limit} bytes in them.",
    )


def body_not_json(detail: str) -> Problem:
    """The body cannot be read as a JSON object."""
    return Problem(400, "request_body_invalid", "The body is not valid.", detail)


def content_type_unsupported(given: str) -> Problem:
    """The body is declared as something other than JSON."""
    return Problem(
        415,
        "unsupported_content_type",
        "This content type is not supported.",
        f"The body has to be application/json, not {errors.clip(given)}.",
    )


def missing_parameter(name: str) -> Problem:
    """A parameter of the query without which there is nothing to do."""
    return Problem(
        400,
        "missing_query_parameter",
        "A query parameter is missing.",
        f"The parameter {name} must be given.",
    )


def version_invalid(detail: str) -> Problem:
    """The API version cannot be served."""
    return Problem(400, "api_version_invalid", "The API version is not valid.", detail)
