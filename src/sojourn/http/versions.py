"""API versions: which documented one a request is served as (wire/backend-api.md sections 0 and 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sojourn.http import problems


@dataclass(frozen=True, slots=True)
class Version:
    """A documented version and where it differs from the newest."""

    date: str
    knows_pending: bool
    """Sessions may show as pending, with their tasks. Older clients would take `pending` for an unknown word
    at best and for signed in at worst, so they are not shown pending sessions at all (section 7, question
    6)."""
    lists_pending: bool
    """`pending` may be asked for in the list (section 7, question 2)."""
    knows_strategy: bool
    """Clients have `last_authentication_strategy`."""


VERSIONS = (
    Version("2021-02-05", knows_pending=False, lists_pending=False, knows_strategy=True),
    Version("2024-10-01", knows_pending=False, lists_pending=False, knows_strategy=True),
    Version("2025-03-12", knows_pending=True, lists_pending=False, knows_strategy=False),
    Version("2025-04-10", knows_pending=True, lists_pending=True, knows_strategy=True),
    Version("2025-11-10", knows_pending=True, lists_pending=True, knows_strategy=True),
    Version("2026-05-12", knows_pending=True, lists_pending=True, knows_strategy=True),
)
NEWEST = VERSIONS[-1]
_EXACT = {version.date.encode(): version for version in VERSIONS}


def version_of(header: bytes | None, query: Sequence[str]) -> Version:
    """The version to serve: the newest one not after the date asked for; with none asked for, the newest.
    `query` holds every value of the parameter.

    Raises Problem (400 `api_version_invalid`) when the text is no date, lies before the first version, or
    when header and query, or two values of the query, disagree.
    """
    if not query:
        if header is None:
            return NEWEST
        exact = _EXACT.get(header)
        if exact is not None:
            return exact
    texts = {*query} if header is None else {*query, header.decode("latin-1")}
    if len(texts) > 1:
        raise problems.version_invalid("The request names different versions in header and query.")
    asked = texts.pop()
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        day = None
    if day is None or day.isoformat() != asked:
        raise problems.version_invalid("A version is a date, written YYYY-MM-DD.")
    # Dates in this notation order as their texts do.
    served = [version for version in VERSIONS if version.date <= asked]
    if not served:
        raise problems.version_invalid(f"The first version is {VERSIONS[0].date}.")
    return served[-1]
