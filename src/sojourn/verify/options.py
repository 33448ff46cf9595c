"""How strict a verifier is, and where its application lives."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum


class WhenSilent(StrEnum):
    """What to do with good tokens when the revocation feed has been silent for longer than its bound."""

    REFUSE = "refuse"
    """SignedOut(REVOCATIONS_UNKNOWN): nothing that may have been revoked is accepted."""
    ASK = "ask"
    """Ask the service about each session; refuse when it does not answer."""
    ACCEPT = "accept"
    """Accept: a revocation waits for the token to run out, as it does without a feed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings of a verifier; durations in milliseconds.

    Raises ValueError for a value that cannot be meant.
    """

    publishable_key: str | None = None
    """`pk_test_…` or `pk_live_…`: tells which cookies are ours, and where a handshake goes. Without it only
    tokens in the `Authorization` header are looked at."""
    issuer: str | None = None
    """The `iss` that a token must have; None: that of the publishable key, or unchecked without one."""
    authorized_parties: Collection[str] | None = None
    """Origins that may present a token (`azp`), to the letter; None: any."""
    audience: Collection[str] | None = None
    """Where a token has an `aud`, it must name one of these; None: not looked at."""
    clock_skew_ms: int = 5000
    max_age_ms: int | None = None
    """Longest time since a token was issued, whatever its `exp`; None: as long as that says."""
    accept_pending: bool = False
    """Treat a session that is not active yet as signed in."""
    accept_uncategorised: bool = False
    """Accept a token without `cat`, as Clerk's SDKs do for tokens older than that member."""
    when_silent: WhenSilent = WhenSilent.REFUSE
    trust_forwarded: bool = False
    """Take scheme and host from X-Forwarded-*: only behind a proxy that sets them itself."""
    proxy_url: str | None = None
    """Where the Frontend API is reached instead, for handshakes; a path is relative to the request."""
    domain: str | None = None
    """The satellite's domain, where the application is one."""
    satellite: bool = False
    satellite_auto_sync: bool = False
    """Send every newcomer of a satellite to the primary domain, not only those who come back from it."""
    sign_in_url: str | None = None
    """Where users sign in, absolute; a satellite of a development instance needs it."""
    organization_patterns: Sequence[str] = ()
    """Paths that name the organization to be active, as `/orgs/:slug/(.*)`."""
    personal_patterns: Sequence[str] = ()
    """Paths on which no organization is to be active."""

    def __post_init__(self) -> None:
        for name in ("authorized_parties", "audience", "organization_patterns", "personal_patterns"):
            if isinstance(getattr(self, name), str):
                raise ValueError(f"{name} is a collection of strings, not one string")
        if self.clock_skew_ms < 0 or (self.max_age_ms is not None and self.max_age_ms <= 0):
            raise ValueError("durations are positive milliseconds")
        if self.satellite and not (self.domain or self.proxy_url):
            raise ValueError("a satellite needs its domain or a proxy_url")
        if self.publishable_key is not None:
            frontend_of(self.publishable_key)


def frontend_of(publishable_key: str) -> str:
    """The Frontend API's host in a publishable key. Raises ValueError for what is none.

    `pk_test_` or `pk_live_`, then base64 of the host and one `$` (wire/server-sdks.md, section 1).
    """
    parts = publishable_key.split("_")
    try:
        padded = parts[-1] + "=" * (-len(parts[-1]) % 4)
        decoded = base64.b64decode(padded, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        decoded = ""
    host = decoded[:-1]
    shaped = len(parts) == 3 and parts[0] == "pk" and parts[1] in ("test", "live")
    if not shaped or decoded[-1:] != "$" or "$" in host or "." not in host:
        raise ValueError("not a publishable key: pk_test_… or pk_live_…")
    return host


def is_development(publishable_key: str) -> bool:
    """Whether the key is of a development instance."""
    return publishable_key.startswith("pk_test_")


def cookie_suffix(publishable_key: str) -> str:
    """What the names of this instance's cookies end in: 8 characters of the key's SHA-1 in base64url."""
    digest = hashlib.sha1(publishable_key.encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest)[:8].decode()
