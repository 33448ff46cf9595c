"""Conditions that the lists of users, organizations and memberships are put together from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sojourn.service.ports import MembershipQuery, UserQuery
from sojourn.stores.postgres.statements import SQL

Conditions = dict[str, tuple[Any, str]]
"""By the name of its binding: the value, None where it does not filter, and the condition."""

LISTED = "{} = ANY(:{}::text[])"
UNLISTED = "{} <> ALL(:{}::text[])"
KNOWN_AS = (
    "{0} IN (SELECT n.user_id FROM user_identifiers AS n"
    " WHERE n.kind = '{2}' AND n.value = ANY(:{1}::text[]))"
)


def about_user(query: MembershipQuery | UserQuery) -> Conditions:
    """What both queries say of the user, row by row."""
    return {
        "text": (query.text, SQL["user_text"]),
        "email_address_text": (query.email_address_text, SQL["user_email_text"]),
        "phone_number_text": (query.phone_number_text, SQL["user_phone_text"]),
        "username_text": (query.username_text, SQL["user_username_text"]),
        "name_text": (query.name_text, SQL["user_name_text"]),
        "last_active_before": (query.last_active_before, "u.last_active_at < :last_active_before"),
        "last_active_after": (query.last_active_after, "u.last_active_at > :last_active_after"),
        "created_before": (query.created_before, "u.created_at < :created_before"),
        "created_after": (query.created_after, "u.created_at > :created_after"),
    }


def chosen(conditions: Mapping[str, tuple[Any, str]]) -> tuple[str, dict[str, Any]]:
    """The conditions whose value is given, together, and their bindings."""
    given = {name: one for name, one in conditions.items() if one[0] is not None}
    texts = [text for _, text in given.values()]
    where = f"WHERE {' AND '.join(texts)}" if texts else ""
    return where, {name: value for name, (value, _) in given.items()}


def order(column: str, then: str, *, descending: bool) -> str:
    """Nothing comes before everything, as on SQLite."""
    way, nulls = ("DESC", "LAST") if descending else ("ASC", "FIRST")
    return f"ORDER BY {column} {way} NULLS {nulls}, {then} {way} LIMIT :limit OFFSET :offset"
