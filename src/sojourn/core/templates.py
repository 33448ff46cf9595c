"""Templates: named shapes of claims, which are filled in when a token is made from a session."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sojourn.core import shortcodes
from sojourn.core.errors import Forbidden, Invalid, SojournError, clip
from sojourn.core.policy import MAX_SECONDS
from sojourn.core.session import Session

DEFAULT_LIFETIME_SECONDS = 60
DEFAULT_CLOCK_SKEW_SECONDS = 5
MIN_LIFETIME_SECONDS = 30
MAX_CLOCK_SKEW_SECONDS = 300
"""The defaults and bounds of the published API (wire/backend-api.md sections 1.3 and 3.3)."""
DEFAULT_ALGORITHM = "RS256"
MAX_NAME = 64
MAX_DEPTH = 8
MAX_SHORTCODES = 128
MAX_CLAIMS_BYTES = 8192
"""As long as the longest token (tokens/jws.py): claims that are longer fit into none."""
MAX_TEMPLATES = 100
BUDGET_BYTES = 1200
"""Custom claims that are longer than this endanger the cookie, which holds 4 KB with everything: 1.2 KB is
the published recommendation (wire/backend-api.md section 3.4)."""

OF_EVERY_TOKEN = frozenset({"azp", "exp", "iat", "iss", "jti", "nbf", "sub"})
RESERVED = OF_EVERY_TOKEN | {
    *("sid", "v", "pla", "fea", "sts", "fva", "o", "act"),
    *("org_id", "org_role", "org_slug", "org_permissions"),
    "handshake",
}
"""What no template may set: what every token has, what only the service may say of a session, in either
version of the claims (section 7, question 24; RELIABILITY T-28), and what would make a handshake of a token
(T-21)."""

_NAME = re.compile(r"[^\x00-\x20\x7f/\\?#%](?:[^\x00-\x1f\x7f/\\?#%]*[^\x00-\x20\x7f/\\?#%])?")


class ReservedClaim(SojournError):
    """A template cannot set this claim."""

    code = "jwt_template_reserved_claim"

    def __init__(self, claim: str) -> None:
        super().__init__(f"The claim {claim} is reserved: no template may set it.", param_name="claims")


class SessionTokenTemplate(Forbidden):
    """This template customises session tokens and cannot be deleted."""

    code = "session_token_jwt_template"


class ClaimsTooLarge(Invalid):
    """The claims are too large for a token."""

    code = "form_param_value_too_large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A named shape of claims. Instants are integer milliseconds of Unix time."""

    id: str
    name: str
    claims: Mapping[str, object]
    created_at: int
    updated_at: int
    lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS
    allowed_clock_skew_seconds: int = DEFAULT_CLOCK_SKEW_SECONDS
    """`nbf` of a token lies this much before its `iat`."""
    signing_algorithm: str = DEFAULT_ALGORITHM
    key_id: str | None = None
    """The stored key of its own that signs its tokens; None: the instance's."""
    version: int = 1
    sequence: int = 0

    @property
    def over_budget(self) -> int | None:
        """How many bytes its claims have before anything is filled in, where that is over the budget."""
        size = size_of(self.claims)
        return size if size > BUDGET_BYTES else None

    def to_wire(self) -> dict[str, object]:
        """The resource as JSON-ready values (spec JWTTemplate), which has no word about the key."""
        return {
            "object": "jwt_template",
            "id": self.id,
            "name": self.name,
            "claims": dict(self.claims),
            "lifetime": self.lifetime_seconds,
            "allowed_clock_skew": self.allowed_clock_skew_seconds,
            "custom_signing_key": self.key_id is not None,
            "signing_algorithm": self.signing_algorithm,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }


def check(template: Template) -> None:
    """Refuse what could not be minted from, or not be asked for. Raises Invalid naming the parameter,
    ClaimsTooLarge and ReservedClaim."""
    name = template.name
    if len(name) > MAX_NAME or name in (".", "..") or not name.isprintable() or not _NAME.fullmatch(name):
        raise Invalid(
            "name",
            f"name must have 1 to {MAX_NAME} printable characters without / \\ ? # % and no space at its "
            "ends: it stands in the path of requests.",
        )
    if not MIN_LIFETIME_SECONDS <= template.lifetime_seconds <= MAX_SECONDS:
        raise Invalid("lifetime", f"lifetime must be from {MIN_LIFETIME_SECONDS} to {MAX_SECONDS} seconds.")
    if not 0 <= template.allowed_clock_skew_seconds <= MAX_CLOCK_SKEW_SECONDS:
        raise Invalid(
            "allowed_clock_skew",
            f"allowed_clock_skew must be from 0 to {MAX_CLOCK_SKEW_SECONDS} seconds.",
        )
    check_claims(template.claims)


def check_claims(claims: Mapping[str, object]) -> None:
    """As `check`, of the claims alone."""
    for name in claims:
        if name in RESERVED:
            raise ReservedClaim(name)
    _check_value(claims, MAX_DEPTH)
    if size_of(claims) > MAX_CLAIMS_BYTES:
        raise ClaimsTooLarge("claims", f"claims must not be longer than {MAX_CLAIMS_BYTES} bytes of JSON.")
    if sum(text.count(shortcodes.OPEN) for text in shortcodes.texts(claims)) > MAX_SHORTCODES:
        raise Invalid("claims", f"claims must not have more than {MAX_SHORTCODES} shortcodes.")


def unreserved(claims: Mapping[str, object]) -> dict[str, object]:
    """Claims without those that are reserved: none of them is in a template that was checked, and none gets
    into a token from one that was not."""
    return {name: value for name, value in claims.items() if name not in RESERVED}


def size_of(claims: Mapping[str, object]) -> int:
    """How many bytes claims have as compact JSON in UTF-8."""
    return len(json.dumps(claims, ensure_ascii=False, separators=(",", ":"), default=dict).encode())


def template_claims(
    template: Template,
    session: Session,
    *,
    custom: Mapping[str, object],
    issuer: str,
    now_seconds: int,
    lifetime_seconds: int | None,
    jti: str,
    azp: str | None = None,
) -> dict[str, object]:
    """The claims of a token made from a template; `custom` are the template's, filled in. Times are whole
    seconds.

    As in session tokens, `exp` is never after the session's `expire_at`. Nothing here says that it is a
    session's: neither `sid` nor `v` nor `act`, nor what is active or permitted in it.
    """
    claims: dict[str, object] = {
        **custom,
        "exp": min(now_seconds + (lifetime_seconds or template.lifetime_seconds), session.expire_at // 1000),
        "iat": now_seconds,
        "iss": issuer,
        "jti": jti,
        "nbf": now_seconds - template.allowed_clock_skew_seconds,
        "sub": session.user_id,
    }
    if azp is not None:
        claims["azp"] = azp
    return claims


def _check_value(value: object, left: int) -> None:
    """Refuse what JSON in a token cannot carry unchanged. Raises Invalid."""
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        fits = value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    elif isinstance(value, int):
        fits = -(2**63) <= value < 2**64
    elif isinstance(value, float):
        fits = math.isfinite(value)
    elif isinstance(value, Mapping | list | tuple):
        if left == 0:
            raise Invalid("claims", f"claims must not be nested deeper than {MAX_DEPTH} levels.")
        if isinstance(value, Mapping):
            members = cast("Mapping[object, object]", value)
            for name in members:
                if not isinstance(name, str):
                    raise Invalid("claims", f"claims have a member that is no text: {clip(repr(name))}.")
                _check_value(name, left)
            items = [*members.values()]
        else:
            items = [*cast("Sequence[object]", value)]
        for item in items:
            _check_value(item, left - 1)
        return
    else:
        fits = False
    if not fits:
        raise Invalid("claims", "claims must hold JSON values that a token can carry unchanged.")
