"""Keys that applications bring: what is accepted, and that others verify what they sign."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from sojourn.tokens.custom_keys import CUSTOM_ALGORITHMS, MAX_KEY_BYTES, CustomKey, sign_custom
from sojourn.tokens.jws import MAX_TOKEN_BYTES, TEMPLATE, Reason, TokenError, verify

CLAIMS = {"sub": "user_1", "https://hasura.io/jwt/claims": {"x-hasura-role": "\u00e9"}}
_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PRIVATE: dict[str, Any] = {
    **dict.fromkeys(("RS256", "RS384", "RS512"), _RSA),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
_READERS: dict[str, Any] = {"HS": OctKey, "RS": RSAKey, "ES": ECKey, "Ed": OKPKey}
SECRET = "canary" + "s" * 58


def pem(key: Any, *, password: bytes | None = None) -> str:
    """The PKCS#8 PEM text of a private key."""
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()


def text_for(algorithm: str) -> str:
    """A key for an algorithm, as an application gives it."""
    return SECRET if algorithm.startswith("HS") else pem(_PRIVATE[algorithm])


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # for Ed25519, which few verifiers know yet
@pytest.mark.parametrize("algorithm", CUSTOM_ALGORITHMS)
def test_others_verify_what_is_signed(algorithm: str) -> None:
    """joserfc finds header and claims good with the key's public half or the secret, and a changed one
    bad."""
    token = sign_custom(CLAIMS, CustomKey.read(algorithm, text_for(algorithm)), category=TEMPLATE)
    key = _READERS[algorithm[:2]].import_key(text_for(algorithm))
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)  # it does not know `cat`
    found = jwt.decode(token, key, registry=registry)
    assert found.claims == CLAIMS
    assert found.header == {"alg": algorithm, "cat": TEMPLATE, "typ": "JWT"}
    head, _, signature = token.split(".")
    forged = f"{head}.e30.{signature}"
    with pytest.raises(Exception, match="bad_signature"):
        jwt.decode(forged, key, registry=registry)


def test_signatures_on_curves_have_one_length() -> None:
    """Both numbers fill their octets, also where they begin with zeros."""
    for algorithm, octets in (("ES256", 64), ("ES384", 96), ("ES512", 132)):
        key = CustomKey.read(algorithm, text_for(algorithm))
        assert {len(key.sign(bytes([n]))) for n in range(200)} == {octets}


def test_t21_no_verifier_of_session_tokens_takes_one() -> None:
    """T-21: a token by a key of an application's own names no key, so that none is found for it."""
    for algorithm in CUSTOM_ALGORITHMS:
        token = sign_custom(CLAIMS, CustomKey.read(algorithm, text_for(algorithm)), category=TEMPLATE)
        with pytest.raises(TokenError) as error:
            verify(token, {})
        assert error.value.reason in (Reason.JWK_KID_MISMATCH, Reason.TOKEN_INVALID_ALGORITHM)


_SMALL = pem(rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505  # to be refused


@pytest.mark.parametrize(
    ("algorithm", "text", "says"),
    [
        ("none", SECRET, "algorithm must be one of"),
        ("hs256", SECRET, "algorithm must be one of"),
        ("PS256", pem(_RSA), "algorithm must be one of"),
        ("HS256", "canary" + "s" * 25, "at least 32 bytes"),
        ("HS384", "canary" + "s" * 41, "at least 48 bytes"),
        ("HS512", "canary" + "s" * 57, "at least 64 bytes"),
        ("HS256", "", "1 to 16384 bytes"),
        ("HS256", "x" * (MAX_KEY_BYTES + 1), "1 to 16384 bytes"),
        ("HS256", "\ud800" * 40, "1 to 16384 bytes"),
        ("RS256", "canary", "PEM text"),
        ("RS256", SECRET, "PEM text"),
        ("RS256", pem(_RSA, password=b"canary"), "PEM text"),
        ("RS256", _SMALL, "2048 to 8192 bits"),
        ("RS256", pem(_PRIVATE["ES256"]), "takes an RSA key"),
        ("ES256", pem(_RSA), "secp256r1"),
        ("ES256", pem(_PRIVATE["ES384"]), "secp256r1"),
        ("ES512", pem(_PRIVATE["ES256"]), "secp521r1"),
        ("EdDSA", pem(ed448.Ed448PrivateKey.generate()), "takes an Ed25519 key"),
        ("EdDSA", pem(_PRIVATE["ES256"]), "takes an Ed25519 key"),
    ],
)
def test_keys_that_are_refused(algorithm: str, text: str, says: str) -> None:
    """Each says what is wrong, and neither the message nor what hangs on to it shows the key."""
    with pytest.raises(ValueError, match=says) as error:
        CustomKey.read(algorithm, text)
    assert "canary" not in str(error.value)
    assert error.value.__context__ is None


def test_a_key_shows_itself_to_nobody() -> None:
    """Neither its repr nor its text has anything but the algorithm."""
    for algorithm in CUSTOM_ALGORITHMS:
        shown = repr(CustomKey.read(algorithm, text_for(algorithm)))
        assert shown == f"CustomKey(algorithm='{algorithm}')"


def test_a_token_that_is_too_long_is_not_signed() -> None:
    """As with the instance's own key."""
    key = CustomKey.read("HS256", SECRET)
    with pytest.raises(ValueError, match=f"{MAX_TOKEN_BYTES} bytes"):
        sign_custom({"a": "x" * MAX_TOKEN_BYTES}, key, category=TEMPLATE)
