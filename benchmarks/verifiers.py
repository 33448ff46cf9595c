"""Verifying a session token: ours, other libraries', and OpenSSL's bare verification.

Run alone: `python -m benchmarks.verifiers NAME SECONDS`; prints verifications a second. Every token is
another one, so that nothing can be remembered; the key is known beforehand, as in an application that runs.
"""

from __future__ import annotations

import base64
import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from sojourn.tokens import jws

_KID = "kid_2uYQ2G2l2v9R2t9S5M1X0c7B3Pq"
_ISSUER = "https://clerk.example.com"
_TOKENS = 2_000


def main(name: str, seconds: float) -> float:
    """Verifications a second by one of them."""
    key = jws.SigningKey.generate(_KID)
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    tokens = [jws.sign(_claims(), key, category=jws.SESSION) for _ in range(_TOKENS)]
    verify: Callable[[Any], object] = _MAKERS[name](key, pem.decode())
    given: list[Any] = [_taken_apart(token) for token in tokens] if name == "raw" else list(tokens)
    for one in given[:200]:
        verify(one)
    count, began = 0, time.perf_counter()
    for one in itertools.cycle(given):
        verify(one)
        count += 1
        if count % 100 == 0 and time.perf_counter() - began > seconds:
            break
    return count / (time.perf_counter() - began)


def _claims() -> dict[str, object]:
    now = int(time.time())
    return {
        "exp": now + 3600,
        "iat": now,
        "iss": _ISSUER,
        "jti": os.urandom(10).hex(),
        "nbf": now - 10,
        "sid": "sess_2uYQ2G2l2v9R2t9S5M1X0c7B3Pq",
        "sts": "active",
        "sub": "user_2uYQ2G2l2v9R2t9S5M1X0c7B3Pq",
        "v": 2,
    }


def _taken_apart(token: str) -> tuple[bytes, bytes]:
    signed, _, signature = token.rpartition(".")
    return base64.urlsafe_b64decode(signature + "=="), signed.encode()


def _raw(key: jws.SigningKey, pem: str) -> Callable[[Any], object]:
    public = key.private.public_key()
    scheme, digest = padding.PKCS1v15(), hashes.SHA256()
    return lambda parts: public.verify(parts[0], parts[1], scheme, digest)


def _sojourn(key: jws.SigningKey, pem: str) -> Callable[[Any], object]:
    keys = {_KID: key.public}

    def verify(token: str) -> object:
        verified = jws.verify(token, keys)
        jws.check_category(verified.header, jws.SESSION)
        jws.check(verified.claims, now_ms=time.time_ns() // 1_000_000, issuer=_ISSUER)
        return verified.claims

    return verify


def _joserfc(key: jws.SigningKey, pem: str) -> Callable[[Any], object]:
    from joserfc import jwt
    from joserfc.jwk import RSAKey
    from joserfc.jws import JWSRegistry

    # Its default registry refuses the header member `cat`.
    lenient = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    public = RSAKey.import_key(pem)
    registry = jwt.JWTClaimsRegistry(iss={"essential": True, "value": _ISSUER}, sub={"essential": True})

    def verify(token: str) -> object:
        decoded = jwt.decode(token, public, registry=lenient)
        registry.validate(decoded.claims)
        return decoded.claims

    return verify


def _pyjwt(key: jws.SigningKey, pem: str) -> Callable[[Any], object]:
    import jwt

    public = key.private.public_key()
    return lambda token: jwt.decode(token, public, algorithms=["RS256"], issuer=_ISSUER)


def _clerk(key: jws.SigningKey, pem: str) -> Callable[[Any], object]:
    from clerk_backend_api.security import VerifyTokenOptions, verify_token

    options = VerifyTokenOptions(jwt_key=pem)
    return lambda token: verify_token(token, options)


_MAKERS = {"raw": _raw, "sojourn": _sojourn, "joserfc": _joserfc, "pyjwt": _pyjwt, "clerk": _clerk}

if __name__ == "__main__":
    print(main(sys.argv[1], float(sys.argv[2])))
