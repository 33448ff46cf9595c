"""Which users a query describes: what the lists of users and of memberships have in common."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase
from typing import Any

from sojourn.core.directory import IdentifierKind, User
from sojourn.service.ports import MembershipOrder, MembershipQuery, UserOrder, UserQuery

_FOLD = str.maketrans(ascii_uppercase, ascii_lowercase)
_PRIMARY = (IdentifierKind.EMAIL_ADDRESS, IdentifierKind.PHONE_NUMBER)


def within(part: str, *texts: str | None) -> bool:
    """Whether a text stands in one of the others, whatever the case of its Latin letters."""
    wanted = part.translate(_FOLD)
    return any(text is not None and wanted in text.translate(_FOLD) for text in texts)


def between(after: int | None, at: int | None, before: int | None) -> bool:
    """Whether an instant lies between two others, each of which may be missing."""
    if after is None and before is None:
        return True
    return at is not None and (after is None or after < at) and (before is None or at < before)


def describes(query: MembershipQuery | UserQuery, user: User) -> bool:
    """Whether what a query says of the user is so."""
    emails = [contact.value for contact in user.email_addresses]
    phones = [contact.value for contact in user.phone_numbers]
    name = f"{user.first_name or ''} {user.last_name or ''}"
    exact = (
        (query.email_addresses, emails),
        (query.phone_numbers, phones),
        (query.usernames, [user.username]),
    )
    parts = (
        (query.email_address_text, emails),
        (query.phone_number_text, phones),
        (query.username_text, [user.username]),
        (query.name_text, [name]),
        (query.text, [user.id, user.username, name, *emails, *phones]),
    )
    bounds = (
        (query.last_active_after, user.last_active_at, query.last_active_before),
        (query.created_after, user.created_at, query.created_before),
    )
    return (
        all(wanted is None or any(value in wanted for value in values) for wanted, values in exact)
        and all(part is None or within(part, *values) for part, values in parts)
        and all(between(after, at, before) for after, at, before in bounds)
    )


def key_of(order: UserOrder | MembershipOrder, user: User) -> Any:
    """What a user is sorted by, nothing before everything."""
    if order.value in _PRIMARY:
        value = next((text for kind, text in user.identifiers() if kind == order.value), None)
    else:
        value = getattr(user, order.value)
    return (value is not None, value) if value is not None else (False,)
