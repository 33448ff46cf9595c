"""Conditions that the lists of users and of memberships are put together from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sojourn.service.ports import MembershipQuery, UserQuery
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows import sessions as rows

_SQL = queries("sqlite")

Conditions = dict[str, tuple[Any, str]]
"""By the name of its binding: the value, None where it does not filter, and the condition."""

LISTED = "{} IN (SELECT value FROM json_each(:{}))"
KNOWN_AS = (
    "{0} IN (SELECT n.user_id FROM json_each(:{1}) AS wanted JOIN user_identifiers AS n"
    " ON n.kind = '{2}' AND n.value = wanted.value)"
)


def about_user(query: MembershipQuery | UserQuery) -> Conditions:
    """What both queries say of the user, row by row."""
    return {
        "text": (query.text, _SQL["user_text"]),
        "email_address_text": (query.email_address_text, _SQL["user_email_text"]),
        "phone_number_text": (query.phone_number_text, _SQL["user_phone_text"]),
        "username_text": (query.username_text, _SQL["user_username_text"]),
        "name_text": (query.name_text, _SQL["user_name_text"]),
        "last_active_before": (query.last_active_before, "u.last_active_at < :last_active_before"),
        "last_active_after": (query.last_active_after, "u.last_active_at > :last_active_after"),
        "created_before": (query.created_before, "u.created_at < :created_before"),
        "created_after": (query.created_after, "u.created_at > :created_after"),
    }


def chosen(conditions: Mapping[str, tuple[Any, str]]) -> tuple[str, dict[str, Any]]:
    """The conditions whose value is given, together, and their bindings."""
    given = {name: one for name, one in conditions.items() if one[0] is not None}
    bindings = {
        name: rows.document(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value
        for name, (value, _) in given.items()
    }
    texts = [text for _, text in given.values()]
    return (f"WHERE {' AND '.join(texts)}" if texts else ""), bindings
