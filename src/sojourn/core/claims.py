"""What a session token says: claims v2 (default) and v1 (wire/backend-api.md section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from sojourn.core.directory import Membership, Organization
from sojourn.core.plans import Plan
from sojourn.core.revocations import not_before_seconds
from sojourn.core.session import Session

NOT_BEFORE_LEEWAY_SECONDS = 10
"""`nbf` lies this much before `iat`, as observed in tokens of the published service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveOrganization:
    """The organization that is active in a session, with the user's membership in it."""

    organization: Organization
    membership: Membership
    plan: Plan | None = None


def session_claims(
    session: Session,
    *,
    issuer: str,
    now_seconds: int,
    lifetime_seconds: int,
    jti: str,
    version: int = 2,
    azp: str | None = None,
    organization: ActiveOrganization | None = None,
    user_plan: Plan | None = None,
) -> dict[str, object]:
    """Claims of a session token. Times are whole seconds.

    `exp` is never after the session's `expire_at`. There is no `aud` (verifiers refuse one they were not told
    of) and no `azp` unless the origin is known.
    """
    claims: dict[str, object] = {
        "exp": min(now_seconds + lifetime_seconds, session.expire_at // 1000),
        "iat": now_seconds,
        "iss": issuer,
        "jti": jti,
        "nbf": now_seconds - NOT_BEFORE_LEEWAY_SECONDS,
        "sid": session.id,
        "sts": session.status.value,
        "sub": session.user_id,
    }
    if azp is not None:
        claims["azp"] = azp
    claims["fva"] = [_age(session.first_factor_at, now_seconds), _age(session.second_factor_at, now_seconds)]
    if session.actor is not None:
        claims["act"] = session.actor.to_wire()
    if version == 2:
        claims.update(_version_2(organization, user_plan))
    elif organization is not None:
        claims.update(_organization_v1(organization))
    return claims


def issued_seconds(
    now_seconds: int, cutoff_at: int, session: Session, organization: ActiveOrganization | None
) -> int:
    """The `iat` of a token made now: a second ahead where this second has seen a cutoff (`cutoff_at`, Unix
    ms, 0 for none) or a change of what the token says.

    Verifiers who have heard of it refuse whatever was issued in that second, as it may be older; the token of
    the next sign-in has to come after it (RELIABILITY T-25).
    """
    changes = [(session.created_at, session.updated_at)]
    if organization is not None:
        group, member = organization.organization, organization.membership
        changes += [(group.created_at, group.updated_at), (member.created_at, member.updated_at)]
    latest = max(cutoff_at, *(updated for created, updated in changes if updated > created), 0)
    return now_seconds + (not_before_seconds(latest) >= now_seconds)


def _age(verified_at: int | None, now_seconds: int) -> int:
    """Whole minutes since a factor was verified, -1 for never (wire/backend-api.md section 3.2, `fva`)."""
    return -1 if verified_at is None else max(0, now_seconds - verified_at // 1000) // 60


def _organization_v1(active: ActiveOrganization) -> dict[str, object]:
    claims: dict[str, object] = {
        "org_id": active.organization.id,
        "org_role": active.membership.role,
        "org_permissions": granted(active),
    }
    if active.organization.slug is not None:
        claims["org_slug"] = active.organization.slug
    return claims


def _version_2(active: ActiveOrganization | None, user_plan: Plan | None) -> dict[str, object]:
    """What only version 2 has: the organization, plans and features. Features of the organization come
    first, and of these the ones with permissions: some SDKs count the masks over all features, others over
    those of the organization (wire/backend-api.md section 3.2)."""
    claims: dict[str, object] = {"v": 2}
    features: list[str] = []
    plans: list[str] = []
    if active is not None:
        claims["o"], features = _organization_v2(active)
        if active.plan is not None:
            plans.append(f"o:{active.plan.slug}")
            features += [f"o:{name}" for name in active.plan.features if f"o:{name}" not in features]
    if user_plan is not None:
        plans.append(f"u:{user_plan.slug}")
        features += [f"u:{name}" for name in user_plan.features]
    if features:
        claims["fea"] = ",".join(features)
    if plans:
        claims["pla"] = ",".join(plans)
    return claims


def _organization_v2(active: ActiveOrganization) -> tuple[dict[str, object], list[str]]:
    """The `o` claim, and the features that have permissions; these are packed as bit masks, one number a
    feature.

    The n-th number of `fpm` belongs to the n-th organization feature of `fea`; its bits, lowest first, to the
    entries of `per`.
    """
    o: dict[str, object] = {
        "id": active.organization.id,
        "rol": active.membership.role.removeprefix("org:"),
    }
    if active.organization.slug is not None:
        o["slg"] = active.organization.slug
    parted = [permission.split(":") for permission in granted(active)]
    pairs = [(parts[1], parts[2]) for parts in parted if len(parts) == 3]
    if not pairs:
        return o, []
    features = sorted({feature for feature, _ in pairs})
    names = sorted({name for _, name in pairs})
    masks = (sum(1 << i for i, name in enumerate(names) if (feature, name) in pairs) for feature in features)
    o["per"] = ",".join(names)
    o["fpm"] = ",".join(map(str, masks))
    return o, [f"o:{feature}" for feature in features]


def granted(active: ActiveOrganization) -> list[str]:
    """The application's own permissions; those of the system (`org:sys_…`) are in no token."""
    return [p for p in active.membership.permissions if not p.startswith("org:sys_")]
