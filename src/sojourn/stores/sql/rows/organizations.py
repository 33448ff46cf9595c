"""Organizations and memberships as rows."""

from __future__ import annotations

import json

from sojourn.core.directory import Member, Membership, Organization
from sojourn.stores.sql.rows.sessions import Row, document
from sojourn.stores.sql.rows.users import user_of

ORGANIZATION_WIDTH = 10
_MEMBERSHIP_WIDTH = 9


def organization_of(row: Row) -> Organization:
    """An organization from `organization_columns`, with the counts behind them if there are two."""
    members_count, missing_admin = row[ORGANIZATION_WIDTH:] if _counts(row) else (None, None)
    return Organization(
        sequence=row[0],
        id=row[1],
        slug=row[2],
        name=row[3],
        created_by=row[4],
        max_allowed_memberships=row[5],
        version=row[6],
        created_at=row[7],
        updated_at=row[8],
        members_count=members_count,
        missing_admin=None if missing_admin is None else bool(missing_admin),
        **json.loads(row[9]),
    )


def _counts(row: Row) -> bool:
    return len(row) == ORGANIZATION_WIDTH + 2


def membership_of(row: Row) -> Membership:
    """A membership from `membership_columns`; what follows them is left alone."""
    return Membership(
        sequence=row[0],
        id=row[1],
        organization_id=row[2],
        user_id=row[3],
        role=row[4],
        version=row[5],
        created_at=row[6],
        updated_at=row[7],
        **json.loads(row[8]),
    )


def member_of(row: Row) -> Member:
    """A member from `membership_page`."""
    user = _MEMBERSHIP_WIDTH + ORGANIZATION_WIDTH
    return Member(
        membership=membership_of(row),
        organization=organization_of(row[_MEMBERSHIP_WIDTH:user]),
        user=user_of(row[user:]),
    )


def organization_document(one: Organization | Membership) -> str:
    """What has no column of its own; what is as it is by default is left out."""
    given = {"public_metadata": one.public_metadata, "private_metadata": one.private_metadata}
    rest: dict[str, object] = {name: dict(metadata) for name, metadata in given.items() if metadata}
    if isinstance(one, Organization) and not one.admin_delete_enabled:
        rest["admin_delete_enabled"] = False
    return document(rest)
