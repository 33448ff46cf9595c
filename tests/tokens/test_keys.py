import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sojourn.tokens.keys import PublicKey, SigningKey
from tests.tokens.builders import b64, unb64


def test_jwk_has_exactly_the_published_members(key: SigningKey) -> None:
    """The JWK is public, in the published form, and holds the key's numbers."""
    jwk = key.public.jwk()
    assert list(jwk) == ["use", "kty", "kid", "alg", "n", "e"]
    assert (jwk["use"], jwk["kty"], jwk["kid"], jwk["alg"], jwk["e"]) == (
        "sig",
        "RSA",
        key.kid,
        "RS256",
        "AQAB",
    )
    assert int.from_bytes(unb64(jwk["n"]), "big") == key.private.public_key().public_numbers().n


def test_key_survives_jwk_and_pem(key: SigningKey) -> None:
    """Both halves read back from what they write are the same key."""
    assert PublicKey.from_jwk(key.public.jwk()) == key.public
    assert PublicKey.from_pem(key.kid, key.public.pem()) == key.public
    for pem in (key.to_pem(), key.to_pem().decode()):
        again = SigningKey.from_pem(key.kid, pem)
        assert again.public == key.public
        assert key.public.verify(again.sign(b"x"), b"x")


def test_pem_is_the_spki_of_rsa_2048(key: SigningKey) -> None:
    """The public PEM has the fixed prefix that the Clerk SDKs strip as text (server-sdks.md, section 5)."""
    lines = key.public.pem().splitlines()
    assert lines[0] == "-----BEGIN PUBLIC KEY-----"
    assert lines[1].startswith("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA")
    assert lines[-1] == "-----END PUBLIC KEY-----"
    assert "".join(lines[1:-1]).endswith("IDAQAB")


def test_repr_never_shows_the_key(key: SigningKey) -> None:
    """The repr of either half names kid and algorithm and nothing else."""
    assert repr(key) == f"SigningKey(kid={key.kid!r}, algorithm='RS256')"
    assert repr(key.public) == f"PublicKey(kid={key.kid!r}, algorithm='RS256')"


def test_public_keys_can_be_compared_and_hashed(key: SigningKey, other_key: SigningKey) -> None:
    """Equal public keys are one member of a set."""
    assert len({key.public, PublicKey.from_jwk(key.public.jwk()), other_key.public}) == 2


def test_verify_tells_good_from_bad(key: SigningKey) -> None:
    """A signature holds for its data alone."""
    signature = key.sign(b"data")
    assert key.public.verify(signature, b"data")
    assert not key.public.verify(signature, b"date")
    assert not key.public.verify(b"", b"data")


@pytest.mark.parametrize("kid", ["", "k" * 129, "a\nb", "a\x00", "ké"])
def test_unusable_kids(kid: str) -> None:
    """A kid is short and printable."""
    with pytest.raises(ValueError, match="kid"):
        SigningKey.generate(kid)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"kty": "EC"}, "kty"),
        ({"kty": ...}, "kty"),
        ({"use": "enc"}, "use"),
        ({"use": None}, "use"),
        ({"key_ops": ["encrypt"]}, "key_ops"),
        ({"key_ops": ["verify", "encrypt"]}, "key_ops"),
        ({"key_ops": []}, "key_ops"),
        ({"key_ops": "verify"}, "key_ops"),
        ({"alg": "RS512"}, "alg"),
        ({"alg": ...}, "alg"),
        ({"kid": ...}, "kid"),
        ({"kid": 1}, "kid"),
        ({"d": "AQAB"}, "private"),
        ({"p": "AQAB"}, "private"),
        ({"k": "AQAB"}, "private"),
        ({"n": ...}, "n is not"),
        ({"n": ""}, "n is not"),
        ({"n": 65537}, "n is not"),
        ({"n": "é"}, "n is not"),
        ({"e": "AAEAAQ"}, "e is not"),
        ({"e": "AQAB="}, "e is not"),
        ({"e": " AQAB"}, "e is not"),
        ({"e": "AQAB\n"}, "e is not"),
    ],
    ids=str,
)
def test_from_jwk_is_strict(key: SigningKey, change: dict[str, object], match: str) -> None:
    """A JWK that is for something else, carries a secret or spells a number oddly is refused."""
    jwk = {name: value for name, value in {**key.public.jwk(), **change}.items() if value is not ...}
    with pytest.raises(ValueError, match=match):
        PublicKey.from_jwk(jwk)


def test_from_jwk_passes_over_what_it_does_not_know(key: SigningKey) -> None:
    """Use may be absent, key_ops say the same, and members not known are ignored."""
    jwk: dict[str, object] = {**key.public.jwk(), "key_ops": ["verify"], "x5t": "AAAA", "ext": True}
    del jwk["use"]
    assert PublicKey.from_jwk(jwk) == key.public


def test_from_pem_refuses_everything_else(key: SigningKey) -> None:
    """Only RSA keys of the right half are read, and no error shows or carries what was given."""
    encoding, bare = serialization.Encoding.PEM, serialization.NoEncryption()
    curve = ec.generate_private_key(ec.SECP256R1())
    pkcs8 = serialization.PrivateFormat.PKCS8
    locked = key.private.private_bytes(encoding, pkcs8, serialization.BestAvailableEncryption(b"x"))
    wrong: list[bytes | str] = [
        b"",
        "hush",
        key.public.pem(),
        curve.private_bytes(encoding, pkcs8, bare),
        locked,
    ]
    for pem in wrong:
        with pytest.raises(ValueError, match="private key") as caught:
            SigningKey.from_pem("k", pem)
        assert caught.value.__context__ is None
    for pem in ("", "hush", key.to_pem()):
        with pytest.raises(ValueError, match="public key"):
            PublicKey.from_pem("k", pem)


def test_number_text_is_minimal(key: SigningKey) -> None:
    """A modulus with a leading zero octet, as some encoders write it, is not canonical."""
    padded = b64(b"\0" + unb64(key.public.jwk()["n"]))
    with pytest.raises(ValueError, match="n is not"):
        PublicKey.from_jwk({**key.public.jwk(), "n": padded})
