"""The token of a client, the value of the cookie `__client`: a JWT with exactly `id` and `rotating_token`.

It is signed with HS256 by a key of the instance that nobody else has, so that what was not issued here is
turned away before anything is looked up, and what was is known for what it is however old. It has a `typ`
of its own (RFC 8725, section 3.11), neither `kid` nor `exp`, and can pass as a session token nowhere.

The secret in it belongs to a generation. That of the next one follows from it by an HMAC of the instance:
whoever presents a secret can be told its successor although only a hash of that is kept, and all who present
it are told the same one.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from sojourn.tokens.encoding import b64url_decode, b64url_encode, decode_object, encode_json

SECRET_BYTES: Final = 32
"""256 bits."""
MAX_BYTES: Final = 1024
"""Longest text that is looked at; ours have about 250 characters."""

_HEADER: Final = b64url_encode(b'{"alg":"HS256","typ":"client+jwt"}')
_GENERATION_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class ClientToken:
    """What a token says: which client, and the secret of which generation."""

    client_id: str
    generation: int
    secret: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What is kept of the secret."""
        return hashlib.sha256(self.secret).digest()


class ClientTokens:
    """Reads, writes and succeeds tokens with the keys of one instance."""

    def __init__(self, *, signing: bytes, deriving: bytes) -> None:
        self._signing = signing
        self._deriving = deriving

    def write(self, token: ClientToken) -> str:
        """The text of a token; the same for the same token."""
        rotating = b64url_encode(token.generation.to_bytes(_GENERATION_BYTES, "big") + token.secret)
        payload = b64url_encode(encode_json({"id": token.client_id, "rotating_token": rotating.decode()}))
        signing_input = b"%b.%b" % (_HEADER, payload)
        return (b"%b.%b" % (signing_input, b64url_encode(self._sign(signing_input)))).decode("ascii")

    def read(self, text: str) -> ClientToken | None:
        """The token of a text that was written here, None for any other."""
        if len(text) > MAX_BYTES or not text.isascii():
            return None
        signing_input, _, tail = text.encode("ascii").rpartition(b".")
        head, _, body = signing_input.partition(b".")
        try:
            signature = b64url_decode(tail)
            if head != _HEADER or not hmac.compare_digest(signature, self._sign(signing_input)):
                return None
            claims = decode_object(b64url_decode(body))
            client_id, rotating = claims["id"], claims["rotating_token"]
            if not isinstance(client_id, str) or not isinstance(rotating, str) or len(claims) != 2:
                return None
            raw = b64url_decode(rotating.encode("ascii"))
        except (ValueError, KeyError):
            return None
        if len(raw) != _GENERATION_BYTES + SECRET_BYTES:
            return None
        generation = int.from_bytes(raw[:_GENERATION_BYTES], "big")
        return ClientToken(client_id, generation, raw[_GENERATION_BYTES:])

    def successor(self, token: ClientToken, generation: int | None = None) -> ClientToken:
        """The token of a later generation, by default the next one."""
        until = token.generation + 1 if generation is None else generation
        secret = token.secret
        for number in range(token.generation, until):
            message = b"%b\0%d\0%b" % (token.client_id.encode(), number, secret)
            secret = hmac.digest(self._deriving, message, "sha256")
        return ClientToken(token.client_id, until, secret)

    def _sign(self, signing_input: bytes) -> bytes:
        return hmac.digest(self._signing, signing_input, "sha256")
