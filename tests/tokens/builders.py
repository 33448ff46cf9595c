"""Tokens made by hand, apart from the code under test, so that anything can be wrong with them."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from sojourn.tokens import jws
from sojourn.tokens.jws import Reason, TokenError
from sojourn.tokens.keyring import KeyEntry, KeyState
from sojourn.tokens.keys import PublicKey, SigningKey
from sojourn.verify import Options, Request, SignedIn, Verifier
from sojourn.verify.jwks import FixedKeys

NOW_MS = 1_764_000_000_000
NOW = NOW_MS // 1000
ISSUER = "https://clerk.example.com"
PARTY = "https://app.example.com"
PUBLISHABLE = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
"""The publishable key of ISSUER."""


def entry(key: SigningKey | PublicKey, state: KeyState, at: int = NOW_MS, **instants: int) -> KeyEntry:
    """A key of a ring, made and signing at an instant unless told otherwise."""
    given = {"created_at": at, "activates_at": at, **instants}
    return KeyEntry(kid=key.kid, state=state, key=key, **given)


def good_header(key: SigningKey) -> dict[str, object]:
    """The header of a good session token."""
    return {"alg": "RS256", "cat": jws.SESSION, "kid": key.kid, "typ": "JWT"}


def good_claims() -> dict[str, object]:
    """The claims of a good session token, version 2, at NOW."""
    return {
        "azp": PARTY,
        "exp": NOW + 60,
        "fva": [5, -1],
        "iat": NOW,
        "iss": ISSUER,
        "jti": "0123456789abcdef0123",
        "nbf": NOW - 10,
        "o": {"id": "org_1", "rol": "admin", "slg": "acme"},
        "sid": "sess_1",
        "sub": "user_1",
        "v": 2,
    }


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def rs256(key: SigningKey) -> Callable[[bytes], bytes]:
    """Sign as RS256."""
    return lambda data: key.private.sign(data, padding.PKCS1v15(), hashes.SHA256())


def forge(header: object, payload: object, signer: Callable[[bytes], bytes]) -> str:
    """A compact token of anything: bytes are taken as they are, everything else as compact JSON."""
    head, body = (
        part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
        for part in (header, payload)
    )
    signing_input = f"{b64(head)}.{b64(body)}"
    return f"{signing_input}.{b64(signer(signing_input.encode()))}"


def accept(token: str | bytes, key: SigningKey, **options: object) -> jws.Verified:
    """The three steps of a session verifier that knows `key`, at NOW."""
    verified = jws.verify(token, {key.kid: key.public})
    jws.check_category(verified.header, jws.SESSION)
    jws.check(verified.claims, **{"now_ms": NOW_MS, **options})  # type: ignore[arg-type] # any options pass on
    return verified


def welcome(token: str, key: SigningKey, **options: object) -> None:
    """The token is good for both, wherever it is carried."""
    accept(token, key, **options)
    assert all(isinstance(outcome, SignedIn) for outcome in everywhere(token, key, **options))


def refusal(token: str | bytes, key: SigningKey, **options: object) -> Reason:
    """The reason for which that verifier refuses the token; the test fails if it does not, or if
    `sojourn.verify` takes the token or gives another reason for the same."""
    with pytest.raises(TokenError) as caught:
        accept(token, key, **options)
    if isinstance(token, str):
        outcomes = everywhere(token, key, **options)
        assert not any(isinstance(outcome, SignedIn) for outcome in outcomes)
        # A token that says it is of another class is refused for that before anything else.
        assert outcomes[0].reason.value in (caught.value.reason.value, "token-type-mismatch")
    return caught.value.reason


def everywhere(token: str, key: SigningKey, **options: Any) -> list[Any]:
    """What `sojourn.verify` says at NOW of a token alone, as a header and as a cookie, unless those would
    carry another text: looked at for the first time, and again."""
    carried = re.fullmatch("[!-~]+", token) and not re.search("[;%]", token)
    now_ms = options.pop("now_ms", NOW_MS)
    settings = Options(**{"issuer": ISSUER, "publishable_key": PUBLISHABLE, **options})
    carriers = [("Authorization", f"Bearer {token}")], [("Cookie", f"__session={token}; __client_uat=1")]
    with Verifier(settings, keys=FixedKeys({key.kid: key.public}), clock=lambda: now_ms) as verifier:
        found: list[Any] = [verifier.token(token), verifier.token(token)]
        for headers in carriers if carried else ():
            found.append(verifier.authenticate(Request(method="GET", url=f"{PARTY}/", headers=headers)))
    return found


def control(key: SigningKey) -> None:
    """Positive control: the same builder, with nothing wrong, makes a token that passes."""
    welcome(forge(good_header(key), good_claims(), rs256(key)), key)
