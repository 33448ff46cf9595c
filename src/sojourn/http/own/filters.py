"""Filters on sessions, as a body and as a query have them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from sojourn.core.errors import Invalid
from sojourn.core.session import Status
from sojourn.http.wire import integer, text
from sojourn.service.endings import SessionFilter

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Instant = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Note = Annotated[str, msgspec.Meta(max_length=500)]
_TEXTS = ("user_id", "client_id", "organization_id", "actor", "application")
_INSTANTS = ("created_from", "created_before", "active_from", "active_before")


class Filter(msgspec.Struct):
    """Members of a body that say which sessions; every one that is given has to fit."""

    user_id: Id | None = None
    client_id: Id | None = None
    organization_id: Id | None = None
    actor: Id | None = None
    application: Id | None = None
    addresses: Annotated[list[Id], msgspec.Meta(max_length=100)] = []
    created_from: Instant | None = None
    created_before: Instant | None = None
    active_from: Instant | None = None
    active_before: Instant | None = None


def filter_of(body: Filter) -> SessionFilter:
    """The filter that a body gives."""
    names = (*_TEXTS, *_INSTANTS)
    return SessionFilter(addresses=tuple(body.addresses), **{name: getattr(body, name) for name in names})


def filter_of_query(query: dict[str, list[str]]) -> SessionFilter:
    """The filter that a query gives. Raises Invalid naming the parameter."""
    given: dict[str, Any] = {name: text(query, name) for name in _TEXTS}
    given.update((name, integer(query, name, 0, least=0)) for name in _INSTANTS if name in query)
    return SessionFilter(addresses=tuple(query.get("addresses", ())), **given)


def statuses_of(query: dict[str, list[str]]) -> frozenset[Status] | None:
    """The set of statuses in a query, None for all. Raises Invalid."""
    given = query.get("status")
    if given is None:
        return None
    try:
        return frozenset(Status(word) for word in given)
    except ValueError:
        raise Invalid("status", f"status must be one of {', '.join(Status)}.") from None
