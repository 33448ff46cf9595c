"""Organization, permissions and factor ages out of the claims of a session token, version 1 or 2.

A template may put anything into a claim, so nothing here raises: what is not of its kind counts as absent
(wire/server-sdks.md, section 5).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec

_MAX_DIGITS = 400
"""Longest mask that is read, in digits: more than a thousand permissions."""


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    """The organization that is active in the session, and what the user may do there."""

    id: str
    slug: str | None = None
    role: str | None = None
    """With its prefix, as `org:admin`, in both versions of the claims."""
    permissions: frozenset[str] = frozenset()
    """As `org:<feature>:<permission>`."""


class FactorAges(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes since each factor was last verified, counted when the token was issued; None: never."""

    first: int | None = None
    second: int | None = None


def organization_of(claims: dict[str, Any]) -> Organization | None:
    """The active organization, or None."""
    return _version_2(claims) if claims.get("v") == 2 else _version_1(claims)


def factor_ages_of(claims: dict[str, Any]) -> FactorAges:
    """Minutes since each factor was verified, from `fva`: two numbers, -1 for never."""
    ages = claims.get("fva")
    if not isinstance(ages, list) or len(cast("list[Any]", ages)) != 2:
        return FactorAges()
    first, second = (_age(age) for age in cast("list[Any]", ages))
    return FactorAges(first=first, second=second)


def _version_1(claims: dict[str, Any]) -> Organization | None:
    identifier = _text(claims.get("org_id"))
    if identifier is None:
        return None
    granted = claims.get("org_permissions")
    names = cast("list[Any]", granted) if isinstance(granted, list) else []
    return Organization(
        id=identifier,
        slug=_text(claims.get("org_slug")),
        role=_text(claims.get("org_role")),
        permissions=frozenset(name for name in names if isinstance(name, str)),
    )


def _version_2(claims: dict[str, Any]) -> Organization | None:
    packed = claims.get("o")
    if not isinstance(packed, dict):
        return None
    o = cast("dict[str, Any]", packed)
    identifier = _text(o.get("id"))
    if identifier is None:
        return None
    role = _text(o.get("rol"))
    return Organization(
        id=identifier,
        slug=_text(o.get("slg")),
        role=None if role is None else f"org:{role}",
        permissions=frozenset(_unpacked(_text(claims.get("fea")), _text(o.get("per")), _text(o.get("fpm")))),
    )


def _unpacked(features: str | None, names: str | None, masks: str | None) -> Iterable[str]:
    """Each permission once: the n-th mask belongs to the n-th feature of the organization, its bits, lowest
    first, to the names."""
    if features is None or names is None or masks is None:
        return
    per = [name.strip() for name in names.split(",")]
    scoped = (feature.strip().partition(":") for feature in features.split(","))
    of_organization = (feature for scope, _, feature in scoped if scope in ("o", "ou", "uo"))
    for feature, text in zip(of_organization, masks.split(","), strict=False):
        mask = text.strip()
        if not (mask.isascii() and mask.isdigit() and len(mask) <= _MAX_DIGITS):
            continue
        bits = int(mask)
        yield from (f"org:{feature}:{name}" for place, name in enumerate(per) if bits >> place & 1)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _age(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
