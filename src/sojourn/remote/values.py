"""Arguments and answers as JSON: every value of the services as its fields, by its type."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin

import msgspec

from sojourn.core.errors import Invalid

MOST = 2**53 - 1
"""Whole numbers beyond this are not the same in every reader of JSON (RFC 8259 section 6)."""

T = TypeVar("T")


def wire_type(hint: Any) -> Any:
    """The type that stands for a hint on the wire, where JSON has fewer kinds: what may be given as a value
    or as its JSON is its JSON, a word or its text is the text, and what can be iterated is a list."""
    origin = get_origin(hint)
    if origin is Iterable:
        return tuple[get_args(hint)[0], ...]
    if origin not in (Union, UnionType):
        return hint
    kinds: list[Any] = [wire_type(kind) for kind in get_args(hint)]
    if any(get_origin(kind) is Mapping for kind in kinds):
        kinds = [kind for kind in kinds if not dataclasses.is_dataclass(kind)]
    if str in kinds:
        kinds = [kind for kind in kinds if not (isinstance(kind, type) and issubclass(kind, Enum))]
    return Union[tuple(kinds)]  # noqa: UP007  # there is no other way to write one of a list


def can_travel(kind: Any) -> bool:
    """Whether values of this type have a form in JSON; functions have none."""
    try:
        msgspec.json.schema(kind, schema_hook=schema_of)
    except TypeError:
        return False
    return True


def schema_of(kind: type) -> dict[str, Any]:
    """JSON Schema of the one type that msgspec asks about."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError


def encode(value: object) -> bytes:
    """JSON bytes."""
    return _encode(value)


def decoder(kind: type[T]) -> Callable[[bytes], T]:
    """Reads JSON bytes of a type; raises msgspec.ValidationError or DecodeError."""
    return msgspec.json.Decoder(kind, dec_hook=_any).decode


def argument(value: object, kind: Any) -> object:
    """An argument as the wire type of its parameter has it: where only the JSON of a value travels, that."""
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if dataclasses.is_dataclass(value) and any(get_origin(one) is Mapping for one in kinds):
        return cast(Any, value).to_wire()
    return value


def check(name: str, value: object) -> None:
    """Raises Invalid naming the parameter when something in it has no form in JSON that every reader reads as
    it was meant: a number beyond 53 bits, one that is not finite, a text that is no Unicode.

    Mappings are JSON already and come back as they were given, with numbers of any size, or are refused.
    """
    match value:
        case int():
            if not -MOST <= value <= MOST:
                raise Invalid(name, f"{name} must hold no whole number of more than 53 bits.")
        case float() | str() | Mapping():
            _check_json(name, cast(object, value))
        case list() | tuple() | set() | frozenset():
            for inner in cast("Iterable[object]", value):
                check(name, inner)
        case _ if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                check(name, getattr(value, field.name))
        case _:
            pass


def _check_json(name: str, value: object) -> None:
    match value:
        case Mapping():
            for key, inner in cast("Mapping[object, object]", value).items():
                if not isinstance(key, str):
                    raise Invalid(name, f"{name} must have texts as the keys of objects.")
                _check_json(name, key)
                _check_json(name, inner)
        case list() | tuple():
            for inner in cast("Iterable[object]", value):
                _check_json(name, inner)
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Invalid(name, f"{name} must be Unicode text.") from None
        case float() if not math.isfinite(value):
            raise Invalid(name, f"{name} must hold finite numbers only.")
        case None | bool() | int() | float():
            pass
        case _:
            raise Invalid(name, f"{name} must hold nothing but JSON, no {type(value).__name__}.")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    if isinstance(value, Iterable):
        return list(cast("Iterable[object]", value))
    raise TypeError(f"{type(value).__name__} cannot be sent over the network")


def _any(kind: type, value: object) -> object:
    if kind is object:
        return value
    raise NotImplementedError(kind)


_encode = msgspec.json.Encoder(enc_hook=_plain).encode
