"""Secrets in the form of a JWT, for what only this service redeems: tickets and the tokens of clients.

Nobody verifies their signature. Each is made with a key of its own that is thrown away at once, so the text
holds 256 bits that nobody can guess; the service keeps the SHA-256 of the text and compares that. A key
rotation therefore leaves them alone, however long they live, and no verifier that knows the instance's public
keys takes one for a session token, not even one that looks neither at `cat` nor at `kid`
(wire/server-sdks.md, section 5: Python with a PEM).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from sojourn.tokens.encoding import b64url_decode, b64url_encode, decode_object, encode_json

SECRET_BYTES: Final = 32
"""256 bits (RELIABILITY, ASVS 7.2.3 asks for 128 at least)."""

MAX_BYTES: Final = 8192
"""Longest text that is looked at."""

_HEADER: Final = b64url_encode(b'{"alg":"HS256","typ":"JWT"}')


def make(claims: Mapping[str, object], *, secret: bytes) -> str:
    """A compact JWT (RFC 7519) of `claims`, signed with HS256 by `secret`, which must be used for nothing
    else and then forgotten. Raises ValueError unless that has 32 bytes, and what `encode_json` raises."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a secret is {SECRET_BYTES} bytes")
    signing_input = b"%b.%b" % (_HEADER, b64url_encode(encode_json(dict(claims))))
    signature = hmac.digest(secret, signing_input, "sha256")
    return (b"%b.%b" % (signing_input, b64url_encode(signature))).decode("ascii")


def digest(text: str) -> bytes:
    """What is kept of a secret: its SHA-256. Without salt, as nobody can guess 256 bits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def claims_of(text: str) -> dict[str, object]:
    """What a text claims to be; only its digest tells whether that is true. Raises ValueError, and nothing
    else, unless it is three segments with one strict JSON object in the middle."""
    if len(text) > MAX_BYTES or not text.isascii() or text.count(".") != 2:
        raise ValueError("not a compact JWT")
    return decode_object(b64url_decode(text.split(".")[1].encode("ascii")))
