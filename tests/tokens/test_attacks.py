"""The attack cases T-01 to T-14 of the threat model, by their ids: algorithms, keys, headers, signatures."""

import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from sojourn.tokens import jws
from sojourn.tokens.jws import Reason, TokenError
from sojourn.tokens.keys import PublicKey, SigningKey
from tests.tokens.builders import (
    accept,
    b64,
    control,
    forge,
    good_claims,
    good_header,
    refusal,
    rs256,
    unb64,
)

GOOD_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


@pytest.fixture(autouse=True)
def passes_when_nothing_is_wrong(key: SigningKey) -> None:
    """Every test here starts with the positive control: the builder's plain token is accepted."""
    control(key)


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Whatever the verifier tries to open or connect to."""
    seen: list[object] = []
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", lambda *args, **_: seen.append(args))
        patch.setattr(socket, "socket", lambda *args, **_: seen.append(args))
        patch.setattr(socket, "getaddrinfo", lambda *args, **_: seen.append(args))
        yield seen


@pytest.mark.parametrize("kept", [False, True], ids=["empty", "kept"])
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
def test_t01_t04_alg_none(key: SigningKey, alg: str, kept: bool) -> None:
    """A token that says it needs no signature is refused, whether or not it carries one."""
    header = {**good_header(key), "alg": alg}
    for kid in (key.kid, "ins_unknown"):
        token = forge({**header, "kid": kid}, good_claims(), rs256(key) if kept else lambda _: b"")
        assert refusal(token, key) is Reason.TOKEN_INVALID_ALGORITHM


def public_forms(key: SigningKey) -> dict[str, bytes]:
    """The public key in every form that a library has taken for an HMAC secret."""
    public, encoding, form = key.public.key, serialization.Encoding, serialization.PublicFormat
    return {
        "pem": public.public_bytes(encoding.PEM, form.SubjectPublicKeyInfo),
        "pkcs1-pem": public.public_bytes(encoding.PEM, form.PKCS1),
        "der": public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo),
        "openssh": public.public_bytes(encoding.OpenSSH, form.OpenSSH),
        "jwk": json.dumps(key.public.jwk()).encode(),
        "modulus": unb64(key.public.jwk()["n"]),
    }


@pytest.mark.parametrize("form", ["pem", "pkcs1-pem", "der", "openssh", "jwk", "modulus"])
def test_t05_public_key_as_hmac_secret(key: SigningKey, form: str) -> None:
    """A MAC made with the public key, under HS256 or passed off as RS256, is refused."""
    secret = public_forms(key)[form]

    def mac(data: bytes) -> bytes:
        return hmac.new(secret, data, hashlib.sha256).digest()

    token = forge({**good_header(key), "alg": "HS256"}, good_claims(), mac)
    assert refusal(token, key) is Reason.TOKEN_INVALID_ALGORITHM
    assert refusal(forge(good_header(key), good_claims(), mac), key) is Reason.TOKEN_INVALID_SIGNATURE


def signers(key: SigningKey) -> dict[str, Callable[[bytes], bytes]]:
    """True signatures by other algorithms."""
    curve = ec.generate_private_key(ec.SECP256R1())
    edwards = ed25519.Ed25519PrivateKey.generate()
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32)
    return {
        "RS384": lambda data: key.private.sign(data, padding.PKCS1v15(), hashes.SHA384()),
        "RS512": lambda data: key.private.sign(data, padding.PKCS1v15(), hashes.SHA512()),
        "PS256": lambda data: key.private.sign(data, pss, hashes.SHA256()),
        "ES256": lambda data: curve.sign(data, ec.ECDSA(hashes.SHA256())),
        "EdDSA": edwards.sign,
    }


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256", "ES256", "EdDSA"])
def test_t06_algorithm_not_the_keys(key: SigningKey, alg: str) -> None:
    """An algorithm that is not the key's is refused, announced or hidden behind RS256."""
    signer = signers(key)[alg]
    announced = forge({**good_header(key), "alg": alg}, good_claims(), signer)
    hidden = forge(good_header(key), good_claims(), signer)
    assert refusal(announced, key) is Reason.TOKEN_INVALID_ALGORITHM
    assert refusal(hidden, key) is Reason.TOKEN_INVALID_SIGNATURE


@pytest.mark.parametrize("alg", ["rs256", "RS256 ", "", None, 256, ["RS256"], {"RS256": 1}, True])
def test_t06_algorithm_spelt_otherwise(key: SigningKey, alg: object) -> None:
    """Only the exact string RS256 names the algorithm."""
    token = forge({**good_header(key), "alg": alg}, good_claims(), rs256(key))
    assert refusal(token, key) is Reason.TOKEN_INVALID_ALGORITHM


def test_t07_key_in_the_header(key: SigningKey, other_key: SigningKey) -> None:
    """A key that the token brings along is never used, even where the signature fits it."""
    header = {**good_header(key), "jwk": other_key.public.jwk()}
    assert refusal(forge(header, good_claims(), rs256(other_key)), key) is Reason.TOKEN_INVALID
    assert refusal(forge(header, good_claims(), rs256(key)), key) is Reason.TOKEN_INVALID


@pytest.mark.parametrize("member", ["jku", "x5u", "x5c", "x5t", "x5t#S256"])
def test_t08_key_by_reference(
    key: SigningKey, other_key: SigningKey, member: str, touched: list[object]
) -> None:
    """A header that points to a key elsewhere is refused without anything being opened or asked."""
    header = {**good_header(key), member: "https://evil.example/jwks.json"}
    assert refusal(forge(header, good_claims(), rs256(other_key)), key) is Reason.TOKEN_INVALID
    assert touched == []


KIDS = [
    "../../dev/null",
    "/proc/self/environ",
    "x' UNION SELECT 'key",
    "https://evil.example/key",
    "ins_sojourn1\x00",
    "ins_sojourn1 ",
    "INS_SOJOURN1",
    "ins_sojourn\u0661",
    "",
    "k" * 200,
    None,
    ["ins_sojourn1"],
    {"ins_sojourn1": 1},
    1,
]


@pytest.mark.parametrize("kid", KIDS, ids=[str(number) for number in range(len(KIDS))])
def test_t09_kid_injection(key: SigningKey, kid: object, touched: list[object]) -> None:
    """A kid is compared and nothing else: a path, a query, a URL or no string finds no key."""
    token = forge({**good_header(key), "kid": kid}, good_claims(), rs256(key))
    assert refusal(token, key) is Reason.JWK_KID_MISMATCH
    assert touched == []


def test_t09_kid_missing_or_huge(key: SigningKey) -> None:
    """Without a kid there is no key, and one of 10 kB is refused before it is decoded."""
    header = good_header(key)
    del header["kid"]
    assert refusal(forge(header, good_claims(), rs256(key)), key) is Reason.JWK_KID_MISMATCH
    header["kid"] = "k" * 10_000
    assert refusal(forge(header, good_claims(), rs256(key)), key) is Reason.TOKEN_INVALID


def test_t09_lookup_sees_only_bounded_printable_kids(key: SigningKey) -> None:
    """Whatever the token, the lookup is called with a short printable string or not at all."""
    asked: list[str] = []

    def lookup(kid: str) -> PublicKey | None:
        asked.append(kid)
        return None

    for kid in KIDS:
        with pytest.raises(TokenError):
            jws.verify(forge({**good_header(key), "kid": kid}, good_claims(), rs256(key)), lookup)
    assert len(asked) == 6
    assert all(0 < len(kid) <= 128 and kid.isascii() and kid.isprintable() for kid in asked)


@pytest.mark.parametrize(
    "extra",
    [{"crit": ["exp"]}, {"crit": ["bork"]}, {"crit": []}, {"b64": False}, {"crit": ["b64"], "b64": False}],
    ids=str,
)
def test_t10_critical_extensions(key: SigningKey, extra: dict[str, object]) -> None:
    """A header with `crit` or `b64` is refused, however well signed (RFC 7515, section 4.1.11)."""
    token = forge({**good_header(key), **extra}, good_claims(), rs256(key))
    assert refusal(token, key) is Reason.TOKEN_INVALID


@pytest.mark.parametrize(
    "extra",
    [{"zip": "DEF"}, {"cty": "JWT"}, {"enc": "A256GCM"}, {"p2c": 2**31, "p2s": "AAAA"}, {"epk": {}}],
    ids=str,
)
def test_t11_header_of_another_format(key: SigningKey, extra: dict[str, object]) -> None:
    """Compression, nesting and encryption have no place in the header."""
    token = forge({**good_header(key), **extra}, good_claims(), rs256(key))
    assert refusal(token, key) is Reason.TOKEN_INVALID


def test_t11_other_serializations(key: SigningKey) -> None:
    """Encrypted, JSON-serialized, detached and over-long forms of a good token are refused."""
    token = forge(good_header(key), good_claims(), rs256(key))
    head, body, tail = token.split(".")
    flattened = json.dumps({"protected": head, "payload": body, "signature": tail})
    general = json.dumps({"payload": body, "signatures": [{"protected": head, "signature": tail}]})
    pbes2 = b64(json.dumps({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31}).encode())
    forms = [flattened, general, f"{pbes2}.a.b.c.d", f"{head}.{body}", f"{token}.", f".{token}"]
    forms += [f"{token}.{tail}", f"{head}..{tail}", f"{head}.{body}.{tail}.{body}.{tail}"]
    assert {refusal(form, key) for form in forms[:-2]} == {Reason.TOKEN_INVALID}
    assert refusal(forms[-2], key) is Reason.TOKEN_INVALID_SIGNATURE
    assert refusal(forms[-1], key) is Reason.TOKEN_INVALID


@pytest.mark.parametrize("size", [0, 63, 64, 65, 71, 128])
def test_t12_es256_signatures(key: SigningKey, size: int) -> None:
    """ES256 is not offered: zeros of any length, or any other such signature, are refused."""
    for signature in (bytes(size), b"\xff" * size):
        token = forge({**good_header(key), "alg": "ES256"}, good_claims(), lambda _, value=signature: value)
        assert refusal(token, key) is Reason.TOKEN_INVALID_ALGORITHM


def test_t13_eddsa_small_order(key: SigningKey) -> None:
    """EdDSA is not offered: a signature with the neutral element as R and S = 0 or S >= L is refused."""
    order = 2**252 + 27742317777372353535851937790883648493
    for scalar in (0, order, order + 1):
        signature = bytes([1] + [0] * 31) + scalar.to_bytes(32, "little")
        token = forge({**good_header(key), "alg": "EdDSA"}, good_claims(), lambda _, value=signature: value)
        assert refusal(token, key) is Reason.TOKEN_INVALID_ALGORITHM


def emsa(data: bytes, size: int) -> bytes:
    """The encoded message of RFC 8017, section 9.2, that a true signature has."""
    info = GOOD_SHA256_INFO + hashlib.sha256(data).digest()
    return b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info


def forged_paddings(data: bytes, size: int) -> dict[str, bytes]:
    """Encoded messages that a lenient verifier has been seen to accept."""
    digest = hashlib.sha256(data).digest()
    info = GOOD_SHA256_INFO + digest
    good = emsa(data, size)
    without_null = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + digest
    long_form = bytes.fromhex("308131300d060960864801650304020105000420") + digest
    return {
        "garbage-after": b"\x00\x01" + b"\xff" * 8 + b"\x00" + info + bytes(size - len(info) - 11),
        "short-padding": (b"\x00\x01\xff\x00" + info).ljust(size, b"\x00"),
        "type-2": b"\x00\x02" + good[2:],
        "type-0": b"\x00\x00" + good[2:],
        "hole-in-padding": good[:20] + b"\xfe" + good[21:],
        "no-separator": b"\x00\x01" + b"\xff" * (size - len(info) - 2) + info,
        "no-null": b"\x00\x01" + b"\xff" * (size - len(without_null) - 3) + b"\x00" + without_null,
        "long-form": b"\x00\x01" + b"\xff" * (size - len(long_form) - 3) + b"\x00" + long_form,
        "bare-digest": b"\x00\x01" + b"\xff" * (size - 35) + b"\x00" + digest,
        "sha1-info": good[: size - 51] + bytes.fromhex("3021300906052b0e03021a05000414") + digest + bytes(4),
    }


def test_t14_forged_pkcs1_padding(key: SigningKey) -> None:
    """A signature whose padding is not the one of RFC 8017 is refused, while the right one passes."""
    numbers = key.private.private_numbers()
    size = key.private.key_size // 8

    def raw(message: bytes) -> bytes:
        value = int.from_bytes(message, "big")
        return pow(value, numbers.d, numbers.public_numbers.n).to_bytes(size, "big")

    header, claims = good_header(key), good_claims()
    accept(forge(header, claims, lambda data: raw(emsa(data, size))), key)
    for name, message in forged_paddings(b"", size).items():
        assert len(message) == size, name
        token = forge(header, claims, lambda data, name=name: raw(forged_paddings(data, size)[name]))
        assert refusal(token, key) is Reason.TOKEN_INVALID_SIGNATURE, name


def test_t14_signature_out_of_range(key: SigningKey) -> None:
    """A signature with n added, shortened or lengthened is refused."""
    modulus = key.public.key.public_numbers().n
    good = rs256(key)

    def plus_n(data: bytes) -> bytes:
        return (int.from_bytes(good(data), "big") + modulus).to_bytes(257, "big")

    variants = [plus_n, lambda d: good(d)[1:], lambda d: good(d)[:-1], lambda d: b"\0" + good(d)]
    variants += [lambda d: good(d) + b"\0", lambda _: bytes(256), lambda _: b"\0" * 255 + b"\1"]
    for variant in variants:
        token = forge(good_header(key), good_claims(), variant)
        assert refusal(token, key) is Reason.TOKEN_INVALID_SIGNATURE


def weak_numbers() -> dict[str, rsa.RSAPublicNumbers]:
    """Public keys that must not be used."""
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505 # weak on purpose: it must be refused
    sound = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    primes = [p for p in range(2, 168) if all(p % q for q in range(2, int(p**0.5) + 1))]
    product = 1
    for prime in primes:
        product *= prime
    roca = pow(65537, 1234567, product) + (1 << 2047) // product * product + product
    return {
        "1024 bits": small.public_key().public_numbers(),
        "e=1": rsa.RSAPublicNumbers(1, sound),
        "e=3": rsa.RSAPublicNumbers(3, sound),
        "e even": rsa.RSAPublicNumbers(65538, sound),
        "e huge": rsa.RSAPublicNumbers((1 << 256) + 1, sound),
        "n even": rsa.RSAPublicNumbers(65537, sound - 1),
        "n huge": rsa.RSAPublicNumbers(65537, (1 << 8192) + 1),
        "roca": rsa.RSAPublicNumbers(65537, roca),
    }


WEAKNESSES = {
    "1024 bits": "not of 2048",
    "e=1": "exponent",
    "e=3": "exponent",
    "e even": "exponent",
    "e huge": "exponent",
    "n even": "modulus is even",
    "n huge": "to 8192 bits",
    "roca": "ROCA",
}


def test_t14_weak_keys(key: SigningKey) -> None:
    """A key that is short, has a bad exponent or came from a broken generator never becomes a PublicKey."""
    for name, numbers in weak_numbers().items():
        jwk = dict(key.public.jwk())
        jwk["n"] = b64(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big"))
        jwk["e"] = b64(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big"))
        with pytest.raises(ValueError, match=WEAKNESSES[name]):
            PublicKey.from_jwk(jwk)
