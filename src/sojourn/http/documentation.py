"""The OpenAPI document, and a page for people made from it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sojourn.http import openapi, wire
from sojourn.http.page import page
from sojourn.http.routes import PUBLIC, Call, Operation

_CACHE = b"public, max-age=300"
_PAGE_HEADERS = (
    # The page has no script, loads nothing and is nobody's frame.
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


def documenting(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """The operations that tell about these. The document is made when it is first asked for."""

    @cache
    def document() -> bytes:
        return wire.encode(openapi.document(operations))

    @cache
    def readable() -> bytes:
        return page(openapi.document(operations)).encode()

    async def get_document(call: Call) -> object:
        """Get this description."""
        return document()

    async def get_page(call: Call) -> object:
        """Read this description."""
        return readable()

    return (
        Operation(
            method="GET",
            path="/openapi.json",
            name="GetOpenApi",
            handler=get_document,
            keys=PUBLIC,
            cache=_CACHE,
        ),
        Operation(
            method="GET",
            path="/docs",
            name="GetDocs",
            handler=get_page,
            keys=PUBLIC,
            cache=_CACHE,
            media=b"text/html; charset=utf-8",
            headers=_PAGE_HEADERS,
        ),
    )
