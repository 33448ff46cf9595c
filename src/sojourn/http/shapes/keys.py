"""Public keys."""

from __future__ import annotations

from typing import Literal

from sojourn.http.shapes.common import Shape


class RsaPublicKey(Shape):
    """An RSA key that tokens are verified with (RFC 7517 section 4, RFC 7518 section 6.3.1)."""

    use: Literal["sig"]
    kty: Literal["RSA"]
    kid: str
    alg: Literal["RS256"]
    n: str
    e: str


class JWKS(Shape):
    """The keys that are published now."""

    keys: list[RsaPublicKey]
