"""Errors as they come over the network, back to the tree that they came from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import msgspec

from sojourn.core.errors import (
    ConfigurationError,
    Invalid,
    NotFound,
    NotOffered,
    Several,
    SojournError,
    Unavailable,
)


class _Item(msgspec.Struct):
    message: str
    long_message: str
    code: str
    meta: dict[str, Any] = {}


class _Errors(msgspec.Struct):
    errors: list[_Item]


_UNREADABLE = "The service answered {status} with something that is not of its making."
_WITHHELD = (404, 405)
_KEY_REFUSED = ("clerk_key_invalid", "authorization_header_format_invalid")


def error_of(status: int, body: bytes) -> SojournError:
    """The error that an answer with this status tells of."""
    try:
        items = msgspec.json.decode(body, type=_Errors).errors
    except msgspec.MsgspecError:
        items = []
    if not items:
        # A proxy, say, in front of the service, or something else altogether.
        detail = _UNREADABLE.format(status=status)
        return Unavailable(detail) if status in (429, 502, 503) else SojournError(detail)
    if len(items) > 1:
        return Several([cast(Invalid, _error(item)) for item in items])
    if items[0].code in _KEY_REFUSED:
        return ConfigurationError(items[0].long_message)
    known = items[0].message in _by_message() or items[0].message.endswith(" not found.")
    if status in _WITHHELD and not known:
        return NotOffered(items[0].long_message)
    return _error(items[0])


def _error(item: _Item) -> SojournError:
    """The error by its message, which is the docstring of its class, else by its code alone."""
    kind = _by_message().get(item.message) or _by_code().get(item.code, SojournError)
    error = kind.__new__(kind)
    SojournError.__init__(error, item.long_message, **item.meta)
    error.message = item.message
    if error.code != item.code:
        error.code = item.code
    return error


@cache
def _by_message() -> dict[str, type[SojournError]]:
    return {(kind.__doc__ or "").strip(): kind for kind in _tree(SojournError)}


@cache
def _by_code() -> dict[str, type[SojournError]]:
    """Of several with one code the most general: `resource_not_found` has a message for each resource."""
    found: dict[str, type[SojournError]] = {}
    for kind in _tree(SojournError):
        found.setdefault(kind.code, kind)
    return found | {NotFound.code: NotFound}


def _tree(kind: type[SojournError]) -> Iterator[type[SojournError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _tree(below)
