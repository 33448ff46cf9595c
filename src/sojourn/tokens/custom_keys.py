"""Keys that an application brings for the tokens of one template: a shared secret, or a private key as PEM.

Their tokens are verified by whoever the application has told of the key, Hasura or Supabase say, and by
nobody else: the key is in no JWK set, and the header of the token names no `kid`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from sojourn.tokens.encoding import b64url_encode, encode_json
from sojourn.tokens.jws import compact
from sojourn.tokens.keys import check_rsa

_Signer = Callable[[bytes], bytes]

_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Final[Mapping[str, tuple[type[ec.EllipticCurve], int]]] = {
    "ES256": (ec.SECP256R1, 32),
    "ES384": (ec.SECP384R1, 48),
    "ES512": (ec.SECP521R1, 66),
}
"""Curve and octets of each of the two numbers in a signature (RFC 7518, section 3.4)."""

CUSTOM_ALGORITHMS: Final = (
    *("HS256", "HS384", "HS512"),
    *("RS256", "RS384", "RS512"),
    *("ES256", "ES384", "ES512"),
    "EdDSA",
)
"""What a key of an application may be for (RFC 7518, section 3.1; RFC 8037, section 3.1, with Ed25519)."""
MAX_KEY_BYTES: Final = 16_384
"""Longest text of a key; RSA with 8192 bits as PEM has 6.5 KB."""


@dataclass(frozen=True, slots=True, eq=False)
class CustomKey:
    """A private key or shared secret for one algorithm. Its repr never shows it."""

    algorithm: str
    sign: _Signer = field(repr=False)
    """Makes the signature over bytes."""

    @classmethod
    def read(cls, algorithm: str, text: str) -> CustomKey:
        """Read a key: for HS… the secret itself, otherwise the unencrypted private key as PEM.

        Raises ValueError, never showing the text, for an algorithm that is not offered, a key of another kind
        or curve, RSA outside 2048 to 8192 bits, and a secret shorter than its hash (RFC 7518, section 3.2).
        """
        if algorithm not in CUSTOM_ALGORITHMS:
            raise ValueError(f"the algorithm must be one of {', '.join(CUSTOM_ALGORITHMS)}")
        try:
            data = text.encode()
        except UnicodeEncodeError:
            data = b""
        if not 0 < len(data) <= MAX_KEY_BYTES:
            raise ValueError(f"the key must have 1 to {MAX_KEY_BYTES} bytes of UTF-8")
        if algorithm.startswith("HS"):
            return cls(algorithm, _hmac(algorithm, data))
        key = _private(data)
        if key is None:
            raise ValueError("the key must be the PEM text of an unencrypted private key")
        return cls(algorithm, _signer(algorithm, key))


def sign_custom(claims: Mapping[str, object], key: CustomKey, *, category: str) -> str:
    """A compact token of `claims`, its header exactly `alg`, `cat` and `typ`. Raises as `jws.sign` does."""
    head = b64url_encode(encode_json({"alg": key.algorithm, "cat": category, "typ": "JWT"}))
    return compact(head, claims, key.sign)


def _private(data: bytes) -> object:
    """The private key in PEM text, or None; no exception holding a piece of the key hangs on."""
    try:
        return serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _signer(algorithm: str, key: object) -> _Signer:
    if algorithm.startswith("RS"):
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"{algorithm} takes an RSA key")
        check_rsa(key.public_key().public_numbers())
        chosen = _HASHES[algorithm[2:]]
        return lambda data: key.sign(data, padding.PKCS1v15(), chosen)
    if algorithm.startswith("ES"):
        curve, octets = _CURVES[algorithm]
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, curve):
            raise ValueError(f"{algorithm} takes an elliptic-curve key on {curve.name}")
        return _ecdsa(key, ec.ECDSA(_HASHES[algorithm[2:]]), octets)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ValueError(f"{algorithm} takes an Ed25519 key")
    return key.sign


def _ecdsa(key: ec.EllipticCurvePrivateKey, way: ec.ECDSA, octets: int) -> _Signer:
    def sign(data: bytes) -> bytes:
        numbers = utils.decode_dss_signature(key.sign(data, way))
        return b"".join(number.to_bytes(octets, "big") for number in numbers)

    return sign


def _hmac(algorithm: str, secret: bytes) -> _Signer:
    bits = algorithm[2:]
    if len(secret) * 8 < int(bits):
        raise ValueError(f"the secret for {algorithm} must have at least {int(bits) // 8} bytes")
    return lambda data: hmac.digest(secret, data, f"sha{bits}")
