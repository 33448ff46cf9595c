"""Filters on sessions, as a body and as a query have them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from sojourn.core.session import Status
from sojourn.http.parameters import Instant as InstantOf
from sojourn.http.parameters import Query, Text, Texts
from sojourn.service.endings import SessionFilter

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Instant = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Note = Annotated[str, msgspec.Meta(max_length=500)]
_TEXTS = (
    Text("user_id", "Sessions of this user."),
    Text("client_id", "Sessions on this client."),
    Text("organization_id", "Sessions in which this organization was last active."),
    Text("actor", "Sessions in which this actor, named by its `sub`, acts as the user."),
    Text("application", "Sessions that this application created."),
    Text("signing_key", "Sessions that may have been given a token of the signing key with this kid."),
)
_INSTANTS = (
    InstantOf("created_from", "Created at this instant or later, Unix ms."),
    InstantOf("created_before", "Created before this instant, Unix ms."),
    InstantOf("active_from", "Last active at this instant or later, Unix ms."),
    InstantOf("active_before", "Last active before this instant, Unix ms."),
)
_ADDRESSES = Texts("addresses", "Last active from one of these networks, in CIDR notation.")
_STATUS = Texts("status", "Sessions that have one of these statuses now.", words=tuple(Status))
FILTERS = (*_TEXTS, *_INSTANTS, _ADDRESSES, _STATUS)
"""What a query may filter by."""


class Filter(msgspec.Struct):
    """Members of a body that say which sessions; every one that is given has to fit."""

    user_id: Id | None = None
    client_id: Id | None = None
    organization_id: Id | None = None
    actor: Id | None = None
    application: Id | None = None
    signing_key: Id | None = None
    addresses: Annotated[list[Id], msgspec.Meta(max_length=100)] = []
    created_from: Instant | None = None
    created_before: Instant | None = None
    active_from: Instant | None = None
    active_before: Instant | None = None


def filter_of(body: Filter) -> SessionFilter:
    """The filter that a body gives."""
    given = msgspec.structs.asdict(body)
    members = {name: given[name] for name in Filter.__struct_fields__ if name != "addresses"}
    return SessionFilter(addresses=tuple(body.addresses), **members)


def filter_of_query(query: Query) -> SessionFilter:
    """The filter that a query gives. Raises Invalid naming the parameter."""
    given: dict[str, Any] = {one.name: one.of(query) for one in (*_TEXTS, *_INSTANTS)}
    return SessionFilter(addresses=tuple(_ADDRESSES.of(query)), **given)


def statuses_of(query: Query) -> frozenset[Status] | None:
    """The set of statuses in a query, None for all. Raises Invalid."""
    return frozenset(map(Status, _STATUS.of(query))) or None
