"""Sealing for the holder of a secret: what the service keeps and cannot read by itself.

The key is an HMAC by the secret, of which only a hash is stored.
"""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES: Final = 12
"""Length of the nonce, the one that GCM takes as it is (NIST SP 800-38D, section 5.2.1.1)."""

_LABEL: Final = b"sojourn/sealed for the holder/v1\0"


def seal_for(secret: str, value: bytes, *, about: bytes, nonce: bytes) -> bytes:
    """Encrypt a value for whoever knows `secret`, which holds 256 bits that nobody can guess.

    `about` names what the value belongs to; `nonce` is 12 random bytes. Raises ValueError for a nonce of
    another length.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce is {NONCE_BYTES} bytes")
    return nonce + AESGCM(_key(secret, about)).encrypt(nonce, value, about)


def unseal_for(secret: str, sealed: bytes, *, about: bytes) -> bytes | None:
    """What was sealed for this secret and about this; None when it was not."""
    nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return AESGCM(_key(secret, about)).decrypt(nonce, body, about)
    except (InvalidTag, ValueError):
        return None


def _key(secret: str, about: bytes) -> bytes:
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), _LABEL + about, "sha256")
