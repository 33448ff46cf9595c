"""What a request has to bring beyond being signed in: role, permission, organization, a fresh factor."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sojourn.verify.organization import FactorAges
from sojourn.verify.outcomes import Outcome, SignedIn
from sojourn.verify.reasons import Reason


class Factor(StrEnum):
    """Which factor has to have been verified lately."""

    FIRST = "first"
    SECOND = "second"
    """The second one; the first where the user has no second."""
    BOTH = "both"
    """Both; the first where the user has no second."""


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """What was required is not there, and why."""

    reason: Reason
    code: str
    """The reason as Clerk's SDKs spell it."""
    auth: SignedIn | None = None
    """Who asked, None where nobody is signed in."""

    @property
    def status(self) -> int:
        """The HTTP status to answer: 403 where the same user cannot do it, 401 where signing in, verifying a
        factor again or getting a new token would help."""
        return 403 if self.auth is not None and self.reason in _FORBIDDEN else 401


_FORBIDDEN = (Reason.ROLE_MISSING, Reason.PERMISSION_MISSING, Reason.ACTIVE_ORGANIZATION_MISMATCH)


def require(
    outcome: Outcome,
    *,
    role: str | None = None,
    permission: str | None = None,
    organization: str | None = None,
    fresh_factor: int | None = None,
    factor: Factor = Factor.SECOND,
) -> SignedIn | Denied:
    """The signed-in outcome where all that is asked holds, else why not.

    `role` and `permission` are of the active organization, with or without `org:`; `organization` is its id.
    `fresh_factor`: minutes within which `factor` was verified, counted when the token was issued. A token
    that is stale (something of it has changed since) answers TOKEN_STALE to whatever asks for the
    organization; so a role that was just taken away lets nobody in.
    """
    if not isinstance(outcome, SignedIn):
        return Denied(reason=outcome.reason, code=outcome.code)
    reason: Reason | None = None
    if role is not None or permission is not None or organization is not None:
        reason = _in_organization(outcome, role, permission, organization)
    if reason is None and fresh_factor is not None and not _fresh(outcome.factor_ages, fresh_factor, factor):
        reason = Reason.FACTOR_NOT_FRESH
    return outcome if reason is None else Denied(reason=reason, code=reason.value, auth=outcome)


def _in_organization(
    auth: SignedIn, role: str | None, permission: str | None, organization: str | None
) -> Reason | None:
    if auth.stale:
        return Reason.TOKEN_STALE
    active = auth.organization
    if organization is not None and (active is None or active.id != organization):
        return Reason.ACTIVE_ORGANIZATION_MISMATCH
    if role is not None and (active is None or not active.role or _full(active.role) != _full(role)):
        return Reason.ROLE_MISSING
    if permission is not None and (active is None or _full(permission) not in active.permissions):
        return Reason.PERMISSION_MISSING
    return None


def _fresh(ages: FactorAges, minutes: int, factor: Factor) -> bool:
    first = ages.first is not None and ages.first < minutes
    second = ages.second is not None and ages.second < minutes
    # Who has no second factor cannot be asked for one (`@clerk/backend` does the same).
    if factor is Factor.FIRST or ages.second is None:
        return first
    return second if factor is Factor.SECOND else first and second


def _full(name: str) -> str:
    return name if name.startswith("org:") else f"org:{name}"
