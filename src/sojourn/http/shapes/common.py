"""What several resources use: base, instants, pages, errors."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

T = TypeVar("T")

Instant = Annotated[int, Meta(description="Milliseconds of Unix time.", ge=0, le=2**63 - 1)]
Metadata = dict[str, Any]


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """The base of all shapes: no member but those that are named."""


class Page(Shape, Generic[T]):
    """A part of a list, and how many there are in all."""

    data: list[T]
    total_count: Annotated[int, Meta(ge=0)]


class TotalCount(Shape):
    """How many there are."""

    object: Literal["total_count"]
    total_count: Annotated[int, Meta(ge=0)]


class DeletedObject(Shape):
    """What is left of a resource that was deleted."""

    object: str
    id: str
    deleted: Literal[True]
    slug: str | UnsetType = UNSET
    external_id: str | UnsetType = UNSET


class ClerkError(Shape):
    """One thing that is wrong."""

    message: Annotated[str, Meta(min_length=1)]
    long_message: Annotated[str, Meta(min_length=1)]
    code: Annotated[str, Meta(description="Stable; programs decide by it.", pattern="^[a-z0-9_]+$")]
    meta: Metadata | UnsetType = UNSET


class ClerkErrors(Shape):
    """Every error, whatever went wrong."""

    errors: Annotated[list[ClerkError], Meta(min_length=1)]
    clerk_trace_id: Annotated[str, Meta(description="Names the request; the same as in the header.")]
