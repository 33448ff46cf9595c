"""Refresh: an expired session token is exchanged for a new one, once. Pure checks in the published words.

The order is that of wire/backend-api.md section 7, question 15: what costs nothing and tells nothing comes
first. Here is what the expired token and the request say by themselves; the rest takes a store.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sojourn.core.errors import SojournError, clip

GRACE_MS = 10_000
"""For how long an exchange is repeated with the same answer: the answer may have got lost, and several
requests of one page may present the same token."""
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-_\[\]:]+", re.ASCII)
_MAX_ORIGIN = 255


class RefreshRefused(SojournError):
    """The session token cannot be exchanged."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What an expired session token says, as far as an exchange wants to know it."""

    session_id: str
    user_id: str
    origin: str
    issued_at: int
    """Unix seconds."""


def check_origin(origin: str) -> None:
    """Raises RefreshRefused unless this is an origin: scheme and host, with a port if any, and no more."""
    if len(origin) > _MAX_ORIGIN or _ORIGIN.fullmatch(origin) is None:
        raise RefreshRefused(
            "refresh_request_origin_invalid", f"request_origin {clip(origin)} is not the origin of a page."
        )


def read(
    claims: Mapping[str, object], *, session_id: str, origin: str, now_seconds: int, max_age_seconds: int
) -> Expired:
    """What the claims of a token that was signed here say. Raises RefreshRefused."""
    sid, azp, iat = claims.get("sid"), claims.get("azp"), claims.get("iat")
    if not isinstance(sid, str):
        raise RefreshRefused("expired_session_token_missing_sid", "The session token has no claim sid.")
    if sid != session_id:
        raise RefreshRefused("refresh_sid_mismatch", "The session token is one of another session.")
    if not isinstance(azp, str):
        raise RefreshRefused("expired_session_token_missing_azp", "The session token has no claim azp.")
    if azp != origin:
        raise RefreshRefused(
            "refresh_request_origin_azp_mismatch", "The session token was made for another origin."
        )
    if not isinstance(iat, int) or isinstance(iat, bool):
        raise RefreshRefused(
            "session_refresh_expired_session_token_missing_iat", "The session token has no claim iat."
        )
    if now_seconds - iat > max_age_seconds:
        raise RefreshRefused(
            "session_refresh_expired_session_token_too_old",
            f"The session token was issued more than {max_age_seconds} seconds ago.",
        )
    return Expired(session_id=sid, user_id=str(claims.get("sub")), origin=azp, issued_at=iat)
