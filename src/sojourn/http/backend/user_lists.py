"""Lists of users (operations GetUserList, GetUsersCount; wire/backend-api.md 1.4)."""

from __future__ import annotations

from typing import Any

from sojourn.core.directory import DAY_MS
from sojourn.http.parameters import LIMIT, OFFSET, Boolean, Instant, Order, Query, Signed, Text, Texts, only
from sojourn.http.routes import Call, Operation
from sojourn.http.shapes.common import TotalCount
from sojourn.http.shapes.users import User
from sojourn.service.ports import UserOrder, UserQuery

_IDS = Signed("user_id", "Only these, or with - all but these.")
_EXTERNAL_IDS = Signed(
    "external_id", "Only those whom the application knows by one of these, or with - all but those."
)
_ORGANIZATIONS = Signed(
    "organization_id", "Only members of one of these organizations, or with - of none of these."
)
_EXACT = {
    "email_addresses": Texts("email_address", "Only those who have one of these."),
    "phone_numbers": Texts("phone_number", "Only those who have one of these."),
    "usernames": Texts("username", "Only those who have one of these."),
}
_PARTS = {
    "text": Text("query", "Only those with this in an id, a name, an e-mail address or a phone number."),
    "email_address_text": Text("email_address_query", "Only those with this in an e-mail address."),
    "phone_number_text": Text("phone_number_query", "Only those with this in a phone number."),
    "username_text": Text("username_query", "Only those with this in the username."),
    "name_text": Text("name_query", "Only those with this in first and last name."),
}
_BANNED = Boolean("banned", "Only those who are banned, or only those who are not.")
_INSTANTS = {
    "created_before": Instant("created_at_before", "Created before this instant, Unix ms."),
    "created_after": Instant("created_at_after", "Created after this instant, Unix ms."),
    "last_active_before": Instant("last_active_at_before", "Last active before this instant, Unix ms."),
    "last_active_after": Instant("last_active_at_after", "Last active after this instant, Unix ms."),
    "last_sign_in_before": Instant("last_sign_in_at_before", "Last signed in before this instant, Unix ms."),
    "last_sign_in_after": Instant("last_sign_in_at_after", "Last signed in after this instant, Unix ms."),
}
_SINCE = Instant("last_active_at_since", "Active on the day of this instant or later, Unix ms.")
_ORDER_BY = Order("order_by", "What to sort by.", words=tuple(UserOrder), default="-created_at")
_AFTER = Text("starting_after", "The user behind whom the page begins, where it is sorted by created_at.")
_AFTER_WITHOUT_EFFECT = Text("starting_after", "Without effect: an SDK counts with what it lists with.")
_FILTERS = (
    _IDS,
    _EXTERNAL_IDS,
    _ORGANIZATIONS,
    *_EXACT.values(),
    *_PARTS.values(),
    _BANNED,
    *_INSTANTS.values(),
    _SINCE,
)
_LIST_QUERY = (*_FILTERS, _ORDER_BY, _AFTER, LIMIT, OFFSET)
_COUNT_QUERY = (*_FILTERS, _AFTER_WITHOUT_EFFECT)


async def list_users(call: Call) -> object:
    """List users, newest first unless asked otherwise."""
    query = call.query()
    only(query, *_LIST_QUERY)
    # The published API takes the first of several orders.
    order, descending = _ORDER_BY.of({name: values[:1] for name, values in query.items()})
    asked = UserQuery(
        **_filters(query),
        order=UserOrder(order),
        descending=descending,
        limit=LIMIT.of(query),
        offset=OFFSET.of(query),
    )
    users = await call.sojourn.users.page(asked, starting_after=_AFTER.of(query))
    return [user.to_wire() for user in users]


async def count_users(call: Call) -> object:
    """Count users."""
    query = call.query()
    only(query, *_COUNT_QUERY)
    _AFTER_WITHOUT_EFFECT.of(query)
    total = await call.sojourn.users.count(UserQuery(**_filters(query)))
    return {"object": "total_count", "total_count": total}


def _filters(query: Query) -> dict[str, Any]:
    """The members of UserQuery that a query gives."""
    signed = {"": _IDS, "external_": _EXTERNAL_IDS, "organization_": _ORGANIZATIONS}
    found: dict[str, Any] = {}
    for prefix, parameter in signed.items():
        found[f"{prefix}ids"], found[f"without_{prefix}ids"] = parameter.of(query)
    for member, texts in _EXACT.items():
        found[member] = tuple(texts.of(query)) if texts.name in query else None
    for member, one in (*_PARTS.items(), *_INSTANTS.items()):
        found[member] = one.of(query)
    banned = _BANNED.of(query)
    found["banned"] = banned if _BANNED.name in query else None
    since = _SINCE.of(query)
    if since is not None:
        # Activity of users is known by its day, which the store keeps as the first ms of it.
        found["last_active_after"] = max(since - since % DAY_MS - 1, found["last_active_after"] or -1)
    return found


_DIFFERS = (
    "`web3_wallet`, `provider` and `provider_user_id` answer 422, for nobody has any; texts are compared "
    "without regard to the case of Latin letters; activity is known by its day; a search that looks at too "
    "much answers 422 `search_too_broad`"
)
OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/users",
        name="GetUserList",
        handler=list_users,
        query=_LIST_QUERY,
        answer=list[User],
        differs=_DIFFERS,
    ),
    Operation(
        method="GET",
        path="/v1/users/count",
        name="GetUsersCount",
        handler=count_users,
        query=_COUNT_QUERY,
        answer=TotalCount,
        differs=_DIFFERS,
    ),
)
