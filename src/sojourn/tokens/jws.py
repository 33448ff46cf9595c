"""Sign and verify session tokens: compact JWS (RFC 7515) holding a JWT (RFC 7519), as Clerk's SDKs know them.

Three steps, apart because a caller needs the words of each: `verify` (form, key and signature),
`check_category` (which kind of token it is) and `check` (the claims, at an instant). A token is good when all
three return. The strictness is that of RFC 8725 (BCP 225): one key for one algorithm, an allow-list of header
members, one spelling for every byte, and nothing of the payload looked at before its signature holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import msgspec

from sojourn.tokens.encoding import (
    b64url_decode,
    b64url_encode,
    decode_object,
    encode_json,
    refuse_duplicates,
)
from sojourn.tokens.keys import ALGORITHMS, PublicKey, SigningKey

__all__ = [
    "M2M",
    "MAX_HEADER_BYTES",
    "MAX_TOKEN_BYTES",
    "SESSION",
    "TEMPLATE",
    "Header",
    "Keys",
    "PublicKey",
    "Reason",
    "SigningKey",
    "TokenError",
    "Verified",
    "check",
    "check_category",
    "compact",
    "sign",
    "verify",
    "verify_signature",
]

SESSION: Final = "cl_B7d4PD111AAA"
"""Header `cat` of session and handshake tokens (backend-api.md, section 3.1)."""
TEMPLATE: Final = "cl_B7d4PD222AAA"
"""Header `cat` of tokens made from a template; it is what stops one from passing as a session token."""
M2M: Final = "cl_B7d4PD333AAA"
"""Header `cat` of machine-to-machine tokens."""

MAX_TOKEN_BYTES: Final = 8192
"""Longest token, in bytes, signed or looked at. A cookie holds 4 KB; templates in a header may be larger."""

MAX_HEADER_BYTES: Final = 1024
"""Longest encoded header, in bytes: it is the only part read before the signature has been checked."""


class Reason(StrEnum):
    """Why a token is refused, in the strings that Clerk's SDKs report (server-sdks.md, section 6)."""

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
    JWK_KID_MISMATCH = "jwk-kid-mismatch"


class TokenError(Exception):
    """The token is refused.

    `reason` says why in Clerk's words; `detail` says it to a person and never repeats a part of the token.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The header members there may be; any other, `crit`, `jwk`, `jku` or `zip` say, refuses the token.

    In the order in which Clerk writes them, so that its headers take the fast path of `refuse_duplicates`.
    """

    alg: str
    cat: str | msgspec.UnsetType = msgspec.UNSET
    kid: str
    oiat: int | msgspec.UnsetType = msgspec.UNSET
    """When the token was first issued, in Unix seconds; clerk-js orders tokens by it."""
    typ: str | msgspec.UnsetType = msgspec.UNSET


class Verified(NamedTuple):
    """A token whose form and signature hold. Its category and claims are still to be checked."""

    header: Header
    claims: dict[str, object]


Keys: TypeAlias = Callable[[str], PublicKey | None] | Mapping[str, PublicKey]
"""Where to find the key for a kid. None, or no entry, refuses the token."""


def sign(claims: Mapping[str, object], key: SigningKey, *, category: str) -> str:
    """Return a compact token of `claims`, its header exactly `alg`, `cat`, `kid` and `typ`.

    Raises TypeError for a claim that JSON does not have, and ValueError for text that UTF-8 cannot carry and
    for what `verify` would not take back: a token over `MAX_TOKEN_BYTES` or claims nested too deeply. NaN and
    Infinity become null.
    """
    return compact(_header_segment(key.algorithm, key.kid, category), claims, key.sign)


def compact(head: bytes, claims: Mapping[str, object], sign: Callable[[bytes], bytes]) -> str:
    """A token of an encoded header, claims and the signature that `sign` makes. Raises as `sign` does."""
    body = encode_json(claims if isinstance(claims, dict) else dict(claims))
    signing_input = b"%b.%b" % (head, b64url_encode(body))
    token = b"%b.%b" % (signing_input, b64url_encode(sign(signing_input)))
    if len(token) > MAX_TOKEN_BYTES:
        raise ValueError(f"token would be longer than {MAX_TOKEN_BYTES} bytes")
    return token.decode("ascii")


def verify(token: str | bytes, keys: Keys) -> Verified:
    """Return header and claims of a token whose form and signature hold, whatever they say.

    Raises TokenError, and nothing else whatever the token: the reasons of `verify_signature`, token-invalid
    for an empty payload, and token-verification-failed when what was signed is not one strict JSON object.
    """
    header, payload = verify_signature(token, keys)
    if not payload:
        raise TokenError(Reason.TOKEN_INVALID, "the payload is empty")
    try:
        claims = decode_object(payload)
    except ValueError:
        raise TokenError(Reason.TOKEN_VERIFICATION_FAILED, "the payload is not one strict object") from None
    return Verified(header, claims)


def verify_signature(token: str | bytes, keys: Keys) -> tuple[Header, bytes]:
    """Return header and payload of a compact JWS whose form and signature hold; the payload is any bytes.

    `keys` finds the key by `kid`, and that key says which algorithm it is for. Raises TokenError:
    token-invalid for the form, token-invalid-algorithm, jwk-kid-mismatch for a key that there is not,
    token-invalid-signature.
    """
    signing_input, head, body, tail = _split(token)
    header = _read_header(head)
    if header.alg not in ALGORITHMS:
        raise TokenError(Reason.TOKEN_INVALID_ALGORITHM, "the algorithm is not offered")
    if header.typ != "JWT" and header.typ is not msgspec.UNSET:
        raise TokenError(Reason.TOKEN_INVALID, "the header's typ is not JWT")
    kid = header.kid
    if not PublicKey.is_kid(kid):
        raise TokenError(Reason.JWK_KID_MISMATCH, "the header's kid cannot be a key's")
    key = keys(kid) if callable(keys) else keys.get(kid)
    if key is None:
        raise TokenError(Reason.JWK_KID_MISMATCH, "there is no key for the header's kid")
    if key.algorithm != header.alg:
        raise TokenError(Reason.TOKEN_INVALID_ALGORITHM, "the key is for another algorithm")
    try:
        payload = b64url_decode(body)
        signature = b64url_decode(tail)
    except ValueError:
        raise TokenError(Reason.TOKEN_INVALID, "a segment is not canonical base64url") from None
    if not signature:
        raise TokenError(Reason.TOKEN_INVALID, "the signature is empty")
    if not key.verify(signature, signing_input):
        raise TokenError(Reason.TOKEN_INVALID_SIGNATURE, "the signature does not hold")
    return header, payload


def check_category(header: Header, expected: str, *, allow_absent: bool = False) -> None:
    """Raise TokenError (token-type-mismatch) unless the token is of the `expected` category.

    Clerk's SDKs let a token without `cat` pass; `allow_absent` does so too, for tokens older than the member.
    """
    if header.cat == expected or (allow_absent and header.cat is msgspec.UNSET):
        return
    raise TokenError(Reason.TOKEN_TYPE_MISMATCH, "the token is of another category")


def check(
    claims: Mapping[str, object],
    *,
    now_ms: int,
    skew_ms: int = 5000,
    issuer: str | None = None,
    authorized_parties: Collection[str] | None = None,
    allow_expired: bool = False,
) -> None:
    """Check the claims at `now_ms` (Unix milliseconds), with clocks allowed to differ by `skew_ms`.

    In the order of @clerk/backend (server-sdks.md, section 5), so that a token wrong in two ways gets the
    same reason: sub, azp, iss, exp, nbf, iat. `aud` is not looked at. `issuer` and `authorized_parties`
    compare whole strings; None leaves `iss` or `azp` unchecked, while an empty collection of parties allows
    nobody. `allow_expired` passes over a deadline that has gone by, for a refresh, but not over a missing
    one.

    Raises TokenError, and TypeError for parties given as one string, which would compare substrings.
    """
    if isinstance(authorized_parties, str):
        raise TypeError("authorized_parties is a collection of origins, not one string")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise TokenError(Reason.TOKEN_VERIFICATION_FAILED, "sub is not a non-empty string")
    if authorized_parties is not None:
        azp = claims.get("azp")
        if not isinstance(azp, str) or azp not in authorized_parties:
            raise TokenError(Reason.TOKEN_INVALID_AUTHORIZED_PARTIES, "azp is not an authorized party")
    if issuer is not None and claims.get("iss") != issuer:
        raise TokenError(Reason.TOKEN_INVALID_ISSUER, "iss is not the issuer expected")
    if _instant(claims, "exp", None) * 1000 <= now_ms - skew_ms and not allow_expired:
        raise TokenError(Reason.TOKEN_EXPIRED, "exp has passed")
    if _instant(claims, "nbf", 0) * 1000 > now_ms + skew_ms:
        raise TokenError(Reason.TOKEN_NOT_ACTIVE_YET, "nbf is in the future")
    if _instant(claims, "iat", 0) * 1000 > now_ms + skew_ms:
        raise TokenError(Reason.TOKEN_IAT_IN_THE_FUTURE, "iat is in the future")


@lru_cache(maxsize=256)
def _header_segment(algorithm: str, kid: str, category: str) -> bytes:
    return b64url_encode(encode_json(Header(alg=algorithm, cat=category, kid=kid, typ="JWT")))


def _split(token: str | bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return signing input, header, payload and signature as they stand in the token."""
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenError(Reason.TOKEN_INVALID, "the token is too long")
    if isinstance(token, str):
        try:
            token = token.encode("ascii")
        except UnicodeEncodeError:
            token = b""
    signing_input, _, tail = token.rpartition(b".")
    head, dot, body = signing_input.partition(b".")
    if not dot or b"." in body or not 0 < len(head) <= MAX_HEADER_BYTES:
        raise TokenError(Reason.TOKEN_INVALID, "the token is not three segments")
    return signing_input, head, body, tail


# Every token of a key and a kind begins with the same header: read it once.
@lru_cache(maxsize=256)
def _read_header(head: bytes) -> Header:
    try:
        raw = b64url_decode(head)
        header = _HEADER_DECODER.decode(raw)
        refuse_duplicates(raw, header)
    except (ValueError, RecursionError):
        raise _header_error(head) from None
    return header


def _header_error(head: bytes) -> TokenError:
    """Say what is wrong with a header that was refused: its algorithm and kid have reasons of their own."""
    try:
        members = decode_object(b64url_decode(head))
    except ValueError:
        return TokenError(Reason.TOKEN_INVALID, "the header is not one strict JSON object")
    if members.get("alg") not in _OFFERED:
        return TokenError(Reason.TOKEN_INVALID_ALGORITHM, "the algorithm is not offered")
    if not isinstance(members.get("kid"), str):
        return TokenError(Reason.JWK_KID_MISMATCH, "the header's kid is not a string")
    return TokenError(Reason.TOKEN_INVALID, "the header has a member that is not known or not of its type")


def _instant(claims: Mapping[str, object], name: str, absent: int | None) -> int | float:
    """Return a NumericDate claim in seconds (RFC 7519, section 2), or `absent` if it may be left out."""
    value = claims.get(name, absent)
    if type(value) is int and value >= 0:  # as good as always
        return value
    # bool is an int to Python; a date before 1970, or one that is no number, is nothing that anybody signs.
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, float) and math.isfinite(value) and value >= 0:
        return value
    raise TokenError(Reason.TOKEN_VERIFICATION_FAILED, f"{name} is not a number of seconds")


_HEADER_DECODER: Final = msgspec.json.Decoder(Header)
_OFFERED: Final = tuple(ALGORITHMS)
