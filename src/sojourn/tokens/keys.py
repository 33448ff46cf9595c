"""One signing key and its public half.

Only RS256 is offered: it is what every published Clerk SDK verifies (server-sdks.md, section 5), and their
PEM mode demands RSA-2048 with e = 65537. ES256 and EdDSA can follow as further entries of `ALGORITHMS`:
whoever verifies asks the key, and the key alone says which algorithm it is for (RFC 8725, section 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sojourn.tokens.encoding import b64url_decode, b64url_encode

Algorithm: TypeAlias = Literal["RS256"]

ALGORITHMS: Final[frozenset[str]] = frozenset({"RS256"})
"""The algorithms that a key here can be for."""

MAX_KID_LENGTH: Final = 128
"""Longest key id, in characters."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a signing key, checked: whatever holds one may verify with it.

    Raises ValueError on construction for an unusable kid, an algorithm not offered, RSA outside 2048 to 8192
    bits, a public exponent that is even, below 65537 or not below 2**256 (FIPS 186-5, section 5.4), or a
    modulus made by the generator of CVE-2017-15361 ("ROCA").
    """

    kid: str
    algorithm: Algorithm
    key: rsa.RSAPublicKey = field(repr=False, hash=False)

    def __post_init__(self) -> None:
        _check_kid(self.kid)
        _check_algorithm(self.algorithm)
        check_rsa(self.key.public_numbers())

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> PublicKey:
        """Read a public RSA key from a JWK (RFC 7517; RFC 7518, section 6.3.1).

        `kid`, `alg`, `n` and `e` must be there, `use` and `key_ops` must allow verifying if they are; a key
        with private members is refused, for whoever published it has lost it. Members not known are ignored,
        as RFC 7517, section 4, wants. Raises ValueError, naming the member that is wrong but never its value.
        """
        if jwk.get("kty") != "RSA":
            raise ValueError("JWK: kty is not RSA")
        if not _PRIVATE_MEMBERS.isdisjoint(jwk):
            raise ValueError("JWK: carries private members")
        if jwk.get("use", "sig") != "sig":
            raise ValueError("JWK: use is not sig")
        if jwk.get("key_ops", ["verify"]) != ["verify"]:
            raise ValueError("JWK: key_ops is not verify")
        if jwk.get("alg") != "RS256":
            raise ValueError("JWK: alg is not RS256")
        kid = jwk.get("kid")
        if not isinstance(kid, str):
            raise ValueError("JWK: kid is not a string")
        numbers = rsa.RSAPublicNumbers(e=_uint(jwk, "e"), n=_uint(jwk, "n"))
        check_rsa(numbers)
        return cls(kid, "RS256", numbers.public_key())

    @classmethod
    def from_pem(cls, kid: str, pem: str | bytes) -> PublicKey:
        """Read a public RSA key from SPKI PEM text. Raises ValueError for anything else."""
        data = pem.encode() if isinstance(pem, str) else pem
        try:
            key = serialization.load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError("not the PEM text of an RSA public key")
        return cls(kid, "RS256", key)

    @staticmethod
    def is_kid(text: str) -> bool:
        """Tell whether a text can be a key's id."""
        return 0 < len(text) <= MAX_KID_LENGTH and text.isascii() and text.isprintable()

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Tell whether `signature` over `data` was made by this key with its one algorithm."""
        try:
            self.key.verify(signature, data, _PKCS1, _SHA256)
        except (InvalidSignature, ValueError):
            return False
        return True

    def jwk(self) -> dict[str, str]:
        """Return the public JWK with the members, and in the order, of backend-api.md, section 3.6."""
        numbers = self.key.public_numbers()
        return {
            "use": "sig",
            "kty": "RSA",
            "kid": self.kid,
            "alg": self.algorithm,
            "n": _uint_text(numbers.n),
            "e": _uint_text(numbers.e),
        }

    def pem(self) -> str:
        """Return the SPKI PEM text, the form of the Clerk SDKs' `jwtKey`."""
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_bytes(serialization.Encoding.PEM, spki).decode("ascii")


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """A private key for one algorithm under one kid. Its repr never shows the key.

    Raises ValueError on construction for what `PublicKey` refuses.
    """

    kid: str
    algorithm: Algorithm
    private: rsa.RSAPrivateKey = field(repr=False)
    public: PublicKey = field(init=False, repr=False)

    def __post_init__(self) -> None:
        public = PublicKey(self.kid, self.algorithm, self.private.public_key())
        object.__setattr__(self, "public", public)

    @classmethod
    def generate(cls, kid: str) -> SigningKey:
        """Make a new RSA-2048 key with e = 65537, the one shape that every SDK's PEM mode takes."""
        return cls(kid, "RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @classmethod
    def from_pem(cls, kid: str, pem: str | bytes) -> SigningKey:
        """Read an unencrypted RSA private key from PEM text. Raises ValueError, never showing the text."""
        data = pem.encode() if isinstance(pem, str) else pem
        try:
            key = serialization.load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        # Raised out here, so that no exception holding a piece of the key hangs on as context.
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("not the PEM text of an unencrypted RSA private key")
        return cls(kid, "RS256", key)

    def to_pem(self) -> bytes:
        """Return the private key as unencrypted PKCS#8 PEM: seal it (`envelope`) before it is stored."""
        pkcs8, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.private.private_bytes(serialization.Encoding.PEM, pkcs8, bare)

    def sign(self, data: bytes) -> bytes:
        """Sign `data`: 256 bytes for RSA-2048."""
        return self.private.sign(data, _PKCS1, _SHA256)


def _check_kid(kid: str) -> None:
    if not PublicKey.is_kid(kid):
        raise ValueError(f"a kid is 1 to {MAX_KID_LENGTH} printable ASCII characters")


def _check_algorithm(algorithm: str) -> None:
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm not offered: {algorithm}")


def check_rsa(numbers: rsa.RSAPublicNumbers) -> None:
    """Raise ValueError for RSA numbers that `PublicKey` refuses."""
    # The upper bound is ours: verifying costs the square of the size, and a JWKS comes from elsewhere.
    if not 2048 <= numbers.n.bit_length() <= 8192:
        raise ValueError("RSA modulus is not of 2048 to 8192 bits")
    if numbers.n % 2 == 0:
        raise ValueError("RSA modulus is even")
    if numbers.e % 2 == 0 or not 65537 <= numbers.e < 2**256:
        raise ValueError("RSA public exponent is even or out of bounds")
    if all(numbers.n % prime in residues for prime, residues in _ROCA):
        raise ValueError("RSA modulus has the ROCA fingerprint (CVE-2017-15361)")


def _uint(jwk: Mapping[str, object], name: str) -> int:
    text = jwk.get(name)
    try:
        octets = b64url_decode(text.encode("ascii")) if isinstance(text, str) else b""
    except ValueError:
        octets = b""
    # RFC 7518, section 2: Base64urlUInt has as few octets as the number needs.
    if not octets or octets[0] == 0:
        raise ValueError(f"JWK: {name} is not a canonical number")
    return int.from_bytes(octets, "big")


def _uint_text(number: int) -> str:
    return b64url_encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode("ascii")


def _roca_fingerprint() -> tuple[tuple[int, frozenset[int]], ...]:
    """Return small primes with the powers of 65537 modulo each.

    The faulty generator made primes p = k*M + 65537**a mod M, with M a product of the first primes, so modulo
    each of them n is a power of 65537 too (Nemec et al., ACM CCS 2017). A sound modulus passes once in about
    2**28.
    """
    primes = [p for p in range(3, 168) if all(p % q for q in range(2, int(p**0.5) + 1))]
    return tuple((p, frozenset(pow(65537, a, p) for a in range(p - 1))) for p in primes)


_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_PKCS1: Final = padding.PKCS1v15()
_SHA256: Final = hashes.SHA256()
_ROCA: Final = _roca_fingerprint()
