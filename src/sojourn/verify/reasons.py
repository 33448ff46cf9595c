"""Why a request is not signed in: one closed list, in the strings of Clerk's SDKs where they have one."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a token or a request is refused, or has to be looked at by the service first.

    The strings are those that `@clerk/backend` reports (wire/server-sdks.md, section 6.1), so that logs and
    dashboards keep working; the last group has no counterpart there.
    """

    # The token itself.
    TOKEN_EXPIRED = "token-expired"
    TOKEN_IAT_IN_THE_FUTURE = "token-iat-in-the-future"
    TOKEN_INVALID = "token-invalid"
    TOKEN_INVALID_ALGORITHM = "token-invalid-algorithm"
    TOKEN_INVALID_AUTHORIZED_PARTIES = "token-invalid-authorized-parties"
    TOKEN_INVALID_ISSUER = "token-invalid-issuer"
    TOKEN_INVALID_SIGNATURE = "token-invalid-signature"
    TOKEN_NOT_ACTIVE_YET = "token-not-active-yet"
    TOKEN_TYPE_MISMATCH = "token-type-mismatch"
    TOKEN_VERIFICATION_FAILED = "token-verification-failed"
    # Its key.
    JWK_KID_MISMATCH = "jwk-kid-mismatch"
    JWK_REMOTE_FAILED_TO_LOAD = "jwk-remote-failed-to-load"
    SECRET_KEY_INVALID = "secret-key-invalid"
    # The request it came with.
    SESSION_TOKEN_MISSING = "session-token-missing"
    SESSION_TOKEN_AND_UAT_MISSING = "session-token-and-uat-missing"
    SESSION_TOKEN_WITHOUT_CLIENT_UAT = "session-token-but-no-client-uat"
    CLIENT_UAT_WITHOUT_SESSION_TOKEN = "client-uat-but-no-session-token"
    SESSION_TOKEN_IAT_BEFORE_CLIENT_UAT = "session-token-iat-before-client-uat"
    SESSION_TOKEN_EXPIRED = "session-token-expired"
    """On the wire with what became of the refresh behind it (`SignedOut.code`)."""
    SESSION_TOKEN_NBF = "session-token-nbf"
    SESSION_TOKEN_IAT_IN_THE_FUTURE = "session-token-iat-in-the-future"
    DEV_BROWSER_MISSING = "dev-browser-missing"
    DEV_BROWSER_SYNC = "dev-browser-sync"
    SATELLITE_NEEDS_SYNCING = "satellite-needs-syncing"
    PRIMARY_RESPONDS_TO_SYNCING = "primary-responds-to-syncing"
    PRIMARY_DOMAIN_CROSS_ORIGIN_SYNC = "primary-domain-cross-origin-sync"
    ACTIVE_ORGANIZATION_MISMATCH = "active-organization-mismatch"
    # What only this verifier knows.
    SESSION_REVOKED = "session-revoked"
    """The revocation feed, or the service, says that the session has ended."""
    TOKEN_STALE = "token-stale"
    """Who it is stays true; role, permissions or organization in the token may not be: get a new token."""
    TOKEN_TOO_OLD = "token-too-old"
    """Issued longer ago than `Options.max_age_ms` allows."""
    SESSION_PENDING = "session-pending"
    """The user has still something to do before the session is active."""
    SESSION_COOKIES_DISAGREE = "session-cookies-disagree"
    """Two cookies of one name hold good tokens of different sessions: one was planted."""
    REVOCATIONS_UNKNOWN = "revocations-unknown"
    """The revocation feed has been silent for too long, and nothing is accepted meanwhile."""
    ROLE_MISSING = "role-missing"
    PERMISSION_MISSING = "permission-missing"
    FACTOR_NOT_FRESH = "factor-not-fresh"
