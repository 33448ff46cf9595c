"""Bodies and queries: bytes from the network to typed values, or an error that names the parameter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec

from sojourn.core.errors import Invalid, Missing, Several, Unknown
from sojourn.http import problems

MAX_DEPTH = 16
"""Nesting of JSON that is accepted; RELIABILITY section 4, secure default 12."""

T = TypeVar("T", bound=msgspec.Struct)


class Nothing(msgspec.Struct):
    """Body of an operation that takes none: absent, `null` and `{}` are all sent by SDKs."""


class Warned(dict[str, object]):
    """An answer with something to say that its documented shape has no member for: the header
    `Sojourn-Warning`."""

    def __init__(self, wire: Mapping[str, object], warning: str) -> None:
        super().__init__(wire)
        self.header = (b"sojourn-warning", warning.encode("ascii"))


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def encode(value: object) -> bytes:
    """JSON bytes."""
    return _encode(value)


def body_of(raw: bytes, shape: type[T]) -> T:
    """Decode a JSON object into `shape`. An absent body, `null` and `{}` are the same: no member is given.

    Raises Problem for what is no JSON object or nested too deep, and Invalid, Missing, Unknown or Several
    for its members, each naming the parameter.
    """
    members = object_of(raw)
    found: list[Invalid] = []
    values: dict[str, object] = {}
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    for name in members:
        if name not in fields:
            found.append(Unknown(_clip(name), f"{_clip(name)} is not a parameter of this operation."))
    for name, field in fields.items():
        if name not in members:
            if field.required:
                found.append(Missing(name, f"{name} must be given."))
            continue
        try:
            values[field.name] = msgspec.convert(members[name], field.type)
        except msgspec.ValidationError as error:
            found.append(Invalid(name, f"{name} is not valid: {error}."))
    if len(found) == 1:
        raise found[0]
    if found:
        raise Several(found)
    return shape(**values)


def query_of(raw: bytes) -> dict[str, list[str]]:
    """The parameters of a query string, each with all its values in order. Raises Problem when it is
    malformed."""
    if not raw:
        return {}
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=500, separator="&"
        )
    except (ValueError, UnicodeDecodeError):
        raise problems.Problem(
            400,
            "malformed_request_parameters",
            "The query is malformed.",
            "The query string has to be percent-encoded UTF-8 with at most 500 parameters.",
        ) from None
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    return query


def instant(name: str, given: str | None) -> int | None:
    """Unix ms of an RFC 3339 time in a body, None for none. Raises Invalid naming the parameter."""
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Invalid(name, f"{name} must be a time in the notation of RFC 3339.") from None


def object_of(raw: bytes) -> dict[str, object]:
    """The members of a JSON object; an absent body and `null` have none. Raises Problem 400."""
    if not raw or raw.isspace():
        return {}
    try:
        value: object = _decode(raw)
    except RecursionError:
        raise problems.body_not_json(f"JSON may be nested {MAX_DEPTH} deep.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise problems.body_not_json("The body has to be JSON in UTF-8.") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise problems.body_not_json("The body has to be a JSON object.")
    if _depth(value, MAX_DEPTH):
        raise problems.body_not_json(f"JSON may be nested {MAX_DEPTH} deep.")
    return cast(dict[str, object], value)


def _depth(value: Any, left: int) -> bool:
    """Whether the value is nested deeper than `left`."""
    if isinstance(value, dict):
        inner = cast(dict[str, Any], value).values()
    elif isinstance(value, list):
        inner = cast(list[Any], value)
    else:
        return False
    return left == 0 or any(_depth(item, left - 1) for item in inner)


def _clip(name: str) -> str:
    return name if len(name) <= 64 else name[:64] + "…"
