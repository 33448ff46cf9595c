"""From a request to an outcome."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier needs of an HTTP request."""

    method: str
    url: str
    """Absolute, as the browser knows it."""
    headers: Sequence[tuple[str, str]]
    """In the order of the wire; names in any case."""

    def __repr__(self) -> str:
        return f"Request(method={self.method!r})"
