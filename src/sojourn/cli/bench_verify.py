"""bench verify: what it costs to verify a session token, ours beside others', in one process."""

from __future__ import annotations

import base64
import importlib
import os
import time
from collections.abc import Callable
from typing import Annotated, Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cyclopts import Parameter

from sojourn.cli.common import emit, table
from sojourn.core.errors import ConfigurationError
from sojourn.tokens import jws
from sojourn.tokens.keys import SigningKey
from sojourn.verify import Options, SignedIn, Verifier

_ISSUER: Final = "https://clerk.example.com"
PARTY: Final = "https://app.example.com"
PUBLISHABLE_KEY: Final = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
"""The one of that issuer."""
_TOKENS: Final = 50
_Batch = Callable[[list[str]], None]


def verify(
    *,
    rounds: int = 200,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Measure the verification of session tokens: new ones, seen ones, and by other libraries.

    Every call gets a string of its own, and every verifier has its key in memory (a PEM, or what it made of
    it). The contenders take turns, batch by batch; the figure of each is its fastest batch, in microseconds
    a token.

    Parameters
    ----------
    rounds
        How often each contender verifies 50 tokens.
    as_json
        Print one JSON object.
    """
    found = measure(rounds)
    rows = [
        (name.removesuffix("_us"), f"{value:.2f} µs", f"{value / found['raw_us']:.2f}")
        for name, value in found.items()
    ]
    emit(dict[str, object](found), as_json=as_json, text=table(("verification", "time", "against raw"), rows))


def measure(rounds: int) -> dict[str, float]:
    """Microseconds a token by contender. Raises ConfigurationError where one is not installed."""
    key = SigningKey.generate("ins_bench")
    tokens = [jws.sign(claims(), key, category=jws.SESSION) for _ in range(_TOKENS)]
    contenders = _contenders(key, tokens)
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, run in contenders.items():
            # A string object of its own, whose hash nobody has asked for yet.
            given = [f"{token}."[:-1] for token in tokens]
            began = time.perf_counter()
            run(given)
            best[name] = min(best[name], time.perf_counter() - began)
    return {name: seconds / _TOKENS * 1e6 for name, seconds in best.items()}


def claims() -> dict[str, object]:
    """What a session token says, each another one."""
    now = int(time.time())
    return {
        "azp": PARTY,
        "exp": now + 3600,
        "fva": [5, -1],
        "iat": now,
        "iss": _ISSUER,
        "jti": os.urandom(10).hex(),
        "nbf": now - 10,
        "sid": f"sess_{os.urandom(14).hex()}",
        "sts": "active",
        "sub": "user_2uYQ2G2l2v9R2t9S5M1X0c7B3Pq",
        "v": 2,
    }


def _contenders(key: SigningKey, tokens: list[str]) -> dict[str, _Batch]:
    pem = key.public.pem()
    return {
        "raw_us": _raw(key, tokens),
        "cold_us": _cold(pem),
        "seen_us": _seen(pem, tokens),
        "joserfc_us": _joserfc(pem),
        "pyjwt_us": _pyjwt(key),
        "clerk_backend_api_us": _clerk(pem),
    }


def _raw(key: SigningKey, tokens: list[str]) -> _Batch:
    """OpenSSL's verification through `cryptography`, and nothing around it."""
    public, scheme, digest = key.public.key, padding.PKCS1v15(), hashes.SHA256()
    parts = [token.rpartition(".") for token in tokens]
    taken = [(base64.urlsafe_b64decode(tail + "=="), signed.encode()) for signed, _, tail in parts]

    def run(_: list[str]) -> None:
        for signature, signed in taken:
            public.verify(signature, signed, scheme, digest)

    return run


def _verifier(pem: str) -> Verifier:
    return Verifier(Options(issuer=_ISSUER, authorized_parties=(PARTY,)), pem=pem)


def _cold(pem: str) -> _Batch:
    verifier = _verifier(pem)

    def run(texts: list[str]) -> None:
        verifier.forget()
        for text in texts:
            verifier.token(text)

    return run


def _seen(pem: str, tokens: list[str]) -> _Batch:
    verifier = _verifier(pem)
    if not all(isinstance(verifier.token(token), SignedIn) for token in tokens):
        raise AssertionError("the tokens of the measurement are good")

    def run(texts: list[str]) -> None:
        for text in texts:
            verifier.token(text)

    return run


def _joserfc(pem: str) -> _Batch:
    jwt, keys, signatures = _installed("joserfc.jwt"), _installed("joserfc.jwk"), _installed("joserfc.jws")
    # Its default registry refuses the header member `cat`.
    registry = signatures.JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    public = keys.RSAKey.import_key(pem)
    claims = jwt.JWTClaimsRegistry(iss={"essential": True, "value": _ISSUER}, sub={"essential": True})

    def run(texts: list[str]) -> None:
        for text in texts:
            claims.validate(jwt.decode(text, public, registry=registry).claims)

    return run


def _pyjwt(key: SigningKey) -> _Batch:
    jwt, public = _installed("jwt"), key.public.key

    def run(texts: list[str]) -> None:
        for text in texts:
            jwt.decode(text, public, algorithms=["RS256"], issuer=_ISSUER)

    return run


def _clerk(pem: str) -> _Batch:
    security = _installed("clerk_backend_api.security")
    options = security.VerifyTokenOptions(jwt_key=pem, authorized_parties=[PARTY])

    def run(texts: list[str]) -> None:
        for text in texts:
            security.verify_token(text, options)

    return run


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigurationError(
            f"The comparison needs {name.partition('.')[0]}: pip install 'sojourn[bench]'."
        ) from None
