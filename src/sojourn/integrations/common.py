"""What every front does alike: which answer an outcome asks for, and what a refusal looks like."""

from __future__ import annotations

from typing import Final, TypedDict

import msgspec

from sojourn.verify import Denied, Factor, Handshake, Outcome, Reason, SignedIn, require


class Required(TypedDict, total=False):
    """What `auth_required` may ask for, as `sojourn.verify.require` has it."""

    role: str | None
    permission: str | None
    organization: str | None
    fresh_factor: int | None
    factor: Factor


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that the front gives instead of the application."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


NO_STORE: Final = ("Cache-Control", "no-store")
"""A browser that kept a redirect of a handshake would run in circles."""
_CLIP: Final = 200


def redirect_of(outcome: Outcome) -> Answer | None:
    """The redirect that an outcome asks for, None where the application answers."""
    if outcome.location is None:
        return None
    cookies = tuple(("Set-Cookie", line) for line in outcome.cookies)
    return Answer(status=307, headers=(("Location", outcome.location), NO_STORE, *cookies))


def cookies_of(outcome: Outcome) -> tuple[str, ...]:
    """Set-Cookie lines that the application's own answer has to carry."""
    return () if isinstance(outcome, Handshake) else outcome.cookies


def refusal(denied: Denied) -> Answer:
    """401 or 403 in the documented shape of errors, with the reason as code and where to look for it
    (RFC 6750, section 3)."""
    text = _TEXTS.get(denied.reason, "Sign in first.")
    error = {"message": text, "long_message": text, "code": denied.code[:_CLIP]}
    headers = [("Content-Type", "application/json"), NO_STORE]
    if denied.status == 401:
        headers.append(("WWW-Authenticate", "Bearer"))
    return Answer(status=denied.status, headers=tuple(headers), body=msgspec.json.encode({"errors": [error]}))


def let_in(outcome: Outcome, required: Required) -> SignedIn | Denied:
    """Who is signed in with all that is required, or why not."""
    return require(outcome, **required)


_TEXTS: Final = {
    Reason.ROLE_MISSING: "This needs another role in the organization.",
    Reason.PERMISSION_MISSING: "This needs a permission in the organization.",
    Reason.ACTIVE_ORGANIZATION_MISMATCH: "Another organization is active.",
    Reason.FACTOR_NOT_FRESH: "Verify a factor again first.",
    Reason.TOKEN_STALE: "Something has changed since this token was issued; get a new one.",
    Reason.SESSION_REVOKED: "This session has ended; sign in again.",
}
