"""Which organization a path asks for: patterns as `/orgs/:slug/(.*)` (Clerk: `organizationSyncOptions`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from sojourn.verify.options import Options
from sojourn.verify.organization import Organization

_PIECE: Final = re.compile(r":([A-Za-z_][A-Za-z0-9_]*)|(\(\.\*\))|(.[^:(]*)", re.DOTALL)


class Target(NamedTuple):
    """What a path asks for; all None: no organization at all."""

    id: str | None = None
    slug: str | None = None


def target_of(path: str, options: Options) -> Target | None:
    """What a path asks for, None for nothing."""
    for pattern in _compiled(tuple(options.organization_patterns)):
        match = pattern.fullmatch(path)
        if match is not None:
            named = {name: unquote(value) for name, value in match.groupdict().items()}
            if named.get("id"):
                return Target(id=named["id"])
            return Target(slug=named["slug"]) if named.get("slug") else None
    if any(pattern.fullmatch(path) for pattern in _compiled(tuple(options.personal_patterns))):
        return Target()
    return None


def matches(target: Target, organization: Organization | None) -> bool:
    """Whether the active organization is what was asked for."""
    if target.id is not None:
        return organization is not None and organization.id == target.id
    if target.slug is not None:
        return organization is not None and organization.slug == target.slug
    return organization is None


def organization_parameter(path: str, options: Options) -> str | None:
    """What a handshake asks the service to activate: an id, a slug, "" for none, None for no change."""
    if not options.organization_patterns and not options.personal_patterns:
        return None
    target = target_of(path, options)
    return None if target is None else target.id or target.slug or ""


@lru_cache(maxsize=32)
def _compiled(patterns: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(_expression(pattern) + "/?", re.IGNORECASE) for pattern in patterns)


def _expression(pattern: str) -> str:
    """A name takes one segment, `(.*)` anything; each repeats one character class, so that matching stays
    linear in the path for every name."""
    return "".join(
        f"(?P<{name}>[^/]+?)" if name else "(?:.*)" if anything else re.escape(plain)
        for name, anything, plain in _PIECE.findall(pattern)
    )
