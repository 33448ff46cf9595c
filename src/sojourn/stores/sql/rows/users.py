"""Users as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sojourn.core.directory import Contact, User
from sojourn.stores.sql.rows.sessions import Row, document


def user_of(row: Row) -> User:
    """A user from `user_columns`."""
    rest = json.loads(row[9])
    for name in _CONTACTS:
        if name in rest:
            rest[name] = tuple(
                Contact(id=identifier, value=value, created_at=created, verified=verified)
                for identifier, value, created, verified in rest[name]
            )
    return User(
        sequence=row[0],
        id=row[1],
        version=row[2],
        banned=bool(row[3]),
        locked=bool(row[4]),
        created_at=row[5],
        updated_at=row[6],
        last_sign_in_at=row[7],
        last_active_at=row[8],
        **rest,
    )


def user_document(user: User) -> str:
    """What of a user has no column of its own; what is as it is by default is left out."""
    rest: dict[str, object] = {}
    for name in _PLAIN:
        value = getattr(user, name)
        if value != _DEFAULTS[name]:
            rest[name] = value
    for name in _CONTACTS:
        contacts: tuple[Contact, ...] = getattr(user, name)
        if contacts:
            rest[name] = [(c.id, c.value, c.created_at, c.verified) for c in contacts]
    for name in _METADATA:
        metadata: Mapping[str, object] = getattr(user, name)
        if metadata:
            rest[name] = dict(metadata)
    return document(rest)


_PLAIN = (
    "external_id",
    "username",
    "first_name",
    "last_name",
    "locale",
    "legal_accepted_at",
    "delete_self_enabled",
    "create_organization_enabled",
    "create_organizations_limit",
    "bypass_client_trust",
)
_CONTACTS = ("email_addresses", "phone_numbers")
_METADATA = ("public_metadata", "private_metadata", "unsafe_metadata")
_BARE = User(id="", created_at=0, updated_at=0)
_DEFAULTS: dict[str, object] = {name: getattr(_BARE, name) for name in _PLAIN}
