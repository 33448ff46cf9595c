"""What becomes of a request: signed in, signed out with its reason, or sent to the service and back.

All are values; none is an exception. They are shared between requests and never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import msgspec

from sojourn.verify.organization import FactorAges, Organization, factor_ages_of, organization_of
from sojourn.verify.reasons import Reason


class SignedIn(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """A session token that is good now. Its repr shows neither the token nor its claims."""

    session_id: str | None
    """None only for a token without `sid`, which the service never makes."""
    user_id: str
    issued_at: int
    """Unix seconds."""
    kid: str
    """Which key signed it."""
    payload: bytes
    """The claims as they were signed, JSON."""
    token: str
    good_from_ms: int
    """Unix milliseconds, the clocks' difference taken off."""
    good_until_ms: int
    """Exclusive, the clocks' difference added."""
    pending: bool = False
    """The session is not active yet (`sts`)."""
    stale: bool = False
    """Something of what the token says about the organization has changed since."""
    cookies: tuple[str, ...] = ()
    """Set-Cookie lines that the answer has to carry, after a refresh or a handshake."""
    location: str | None = None
    """Where to send the browser first, to take the handshake out of its address bar."""

    def __repr__(self) -> str:
        return f"SignedIn(session_id={self.session_id!r}, user_id={self.user_id!r})"

    @property
    def claims(self) -> dict[str, Any]:
        """All claims, decoded anew each time, so that nobody changes those of the next request."""
        return msgspec.json.decode(self.payload, type=dict[str, Any])

    @property
    def actor(self) -> dict[str, Any] | None:
        """Who acts as the user (`act`), or None."""
        actor = self.claims.get("act")
        return cast("dict[str, Any]", actor) if isinstance(actor, dict) else None

    @property
    def organization(self) -> Organization | None:
        """The active organization, from claims of version 1 or 2, or None."""
        return organization_of(self.claims)

    @property
    def organization_id(self) -> str | None:
        """The active organization's id, or None."""
        organization = self.organization
        return None if organization is None else organization.id

    @property
    def role(self) -> str | None:
        """The role in the active organization, as `org:admin`, or None."""
        organization = self.organization
        return None if organization is None else organization.role

    @property
    def permissions(self) -> frozenset[str]:
        """The permissions in the active organization."""
        organization = self.organization
        return frozenset() if organization is None else organization.permissions

    @property
    def factor_ages(self) -> FactorAges:
        """How long ago each factor was verified when the token was issued (`fva`)."""
        return factor_ages_of(self.claims)


class SignedOut(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody is signed in, and why."""

    reason: Reason
    refresh: str | None = None
    """What became of the attempt to refresh an expired token, in Clerk's words."""
    cookies: tuple[str, ...] = ()
    location: str | None = None

    @property
    def code(self) -> str:
        """The reason as `@clerk/backend` reports it, with what became of the refresh."""
        return code_of(self.reason, self.refresh)


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """The browser has to go to the service and come back: answer 307 with this location and cookies, and
    `Cache-Control: no-store`."""

    reason: Reason
    location: str
    refresh: str | None = None
    cookies: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The reason as `@clerk/backend` reports it, with what became of the refresh."""
        return code_of(self.reason, self.refresh)


class NeedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The decision needs the public key with this kid."""

    kid: str


class NeedDirectives(msgspec.Struct, frozen=True, kw_only=True):
    """The decision needs the cookies behind a handshake's nonce."""

    nonce: str

    def __repr__(self) -> str:
        return "NeedDirectives()"


class NeedRefresh(msgspec.Struct, frozen=True, kw_only=True):
    """The decision needs a new token for an expired one (operation refreshSession)."""

    session_id: str
    expired_token: str
    refresh_token: str
    origin: str
    suffixed_cookies: bool
    headers: Sequence[tuple[str, str]]

    def __repr__(self) -> str:
        return f"NeedRefresh(session_id={self.session_id!r})"


class NeedStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The revocation feed is silent: the decision needs the service's word on this session."""

    auth: SignedIn


Outcome: TypeAlias = SignedIn | SignedOut | Handshake
Need: TypeAlias = NeedKey | NeedDirectives | NeedRefresh | NeedStatus


def code_of(reason: Reason, refresh: str | None) -> str:
    """A reason as `@clerk/backend` spells it."""
    return f"{reason.value}-refresh-{refresh}" if reason is Reason.SESSION_TOKEN_EXPIRED else reason.value
