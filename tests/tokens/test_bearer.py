"""Secrets in the form of a JWT: what they hold, and that no verifier takes one for a session token."""

from __future__ import annotations

import hashlib
import hmac
import json

import jwt
import pytest

from sojourn.tokens import bearer, jws
from sojourn.tokens.encoding import b64url_decode

SECRET = bytes(range(32))


def test_it_is_a_jwt() -> None:
    """Another library reads the same claims and, given the secret, the same signature."""
    text = bearer.make({"id": "client_1", "n": 1}, secret=SECRET)
    assert jwt.get_unverified_header(text) == {"alg": "HS256", "typ": "JWT"}
    assert jwt.decode(text, SECRET, algorithms=["HS256"]) == {"id": "client_1", "n": 1}
    assert bearer.claims_of(text) == {"id": "client_1", "n": 1}
    head, _, tail = text.rpartition(".")
    assert b64url_decode(tail.encode()) == hmac.new(SECRET, head.encode(), hashlib.sha256).digest()


def test_another_secret_is_another_text() -> None:
    """The digest is SHA-256 of the whole text, so a changed claim or secret is another one."""
    texts = {bearer.make({"a": a}, secret=bytes([s]) * 32) for a in range(10) for s in range(10)}
    assert len({bearer.digest(text) for text in texts}) == 100
    assert bearer.digest("abc") == hashlib.sha256(b"abc").digest()
    assert len(bearer.digest("\ud800")) == 32


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_secret_has_256_bits(length: int) -> None:
    """Any other length is refused."""
    with pytest.raises(ValueError, match="32"):
        bearer.make({}, secret=b"x" * length)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b",
        "a.b.c.d",
        "..",
        "a.!!.c",
        "a.W10.c",
        "é.e30.c",
        "a." + "e30" * 3000 + ".c",
        "." * 8000,
        "a.eyJhIjoxLCJhIjoyfQ.c",
        "a." + "W" * 8000 + ".c",
    ],
    ids=lambda text: text[:12],
)
def test_what_is_none_is_refused(text: str) -> None:
    """T-26 too: no other exception than ValueError, whatever the text."""
    with pytest.raises(ValueError):  # noqa: PT011  # every message is one of ours
        bearer.claims_of(text)


def test_no_verifier_takes_it_for_a_session_token() -> None:
    """T-21: not ours, with any key, since it names none and its algorithm is not offered."""
    text = bearer.make({"sub": "user_1", "sid": "sess_1", "exp": 2**40}, secret=SECRET)
    key = jws.SigningKey.generate("kid_1")
    with pytest.raises(jws.TokenError) as refused:
        jws.verify(text, lambda _: key.public)
    assert refused.value.reason is jws.Reason.TOKEN_INVALID_ALGORITHM
    assert json.loads(b64url_decode(text.split(".")[0].encode()))["alg"] == "HS256"
