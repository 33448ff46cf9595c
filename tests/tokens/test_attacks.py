"""The attack cases of the threat model, by their ids, against the three steps of a session verifier."""

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
from sojourn.tokens.keyring import KeyEntry, KeyRing, KeyState
from sojourn.tokens.keys import PublicKey, SigningKey
from tests.tokens.builders import (
    ISSUER,
    NOW,
    NOW_MS,
    PARTY,
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


def base64_variants(segment: str) -> list[str]:
    """The segment in spellings that lenient decoders take for the same bytes."""
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twisted = segment[:-1] + last[last.index(segment[-1]) ^ 1]
    variants = [f"{segment}=", f"{segment}==", f" {segment}", f"{segment}\n", f"{segment}?", f"{segment}A"]
    variants += [
        f"{segment[:4]}{odd}{segment[4:]}" for odd in ("?", " ", "\r\n", "=", "+", "/", "\x00", "é", "%")
    ]
    variants += [segment.replace("-", "+"), segment.replace("_", "/"), twisted]
    return [variant for variant in variants if variant != segment]


def test_t15_base64_spellings(key: SigningKey) -> None:
    """Every segment has one spelling: no padding, white space, foreign characters or stray bits."""
    token = forge(good_header(key), good_claims(), rs256(key))
    for place in range(3):
        for variant in base64_variants(token.split(".")[place]):
            segments = token.split(".")
            segments[place] = variant
            refusal(".".join(segments), key)
            refusal(".".join(segments).encode(), key)


def test_t15_signed_over_a_foreign_spelling(key: SigningKey) -> None:
    """A payload spelled otherwise is refused even where the signature covers that spelling."""
    head, body, _ = forge(good_header(key), good_claims(), rs256(key)).split(".")
    for variant in base64_variants(body):
        signing_input = f"{head}.{variant}"
        token = f"{signing_input}.{b64(rs256(key)(signing_input.encode()))}"
        refusal(token, key)


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_t15_empty_segments(key: SigningKey, empty: int) -> None:
    """No segment may be empty, even where the signature is over the empty payload."""
    segments = forge(good_header(key), b"", rs256(key)).split(".")
    assert refusal(".".join(segments), key) is Reason.TOKEN_INVALID
    segments = forge(good_header(key), good_claims(), rs256(key)).split(".")
    segments[empty] = ""
    # Without its payload the token is well formed, but what was signed is another one.
    expected = Reason.TOKEN_INVALID_SIGNATURE if empty == 1 else Reason.TOKEN_INVALID
    assert refusal(".".join(segments), key) is expected


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"RS256","alg":"RS256","kid":"%s","typ":"JWT"}',
        '{"alg":"none","alg":"RS256","kid":"%s"}',
        '{"alg":"RS256","kid":"x","kid":"%s"}',
        '{"alg":"RS256","\\u0061lg":"RS256","kid":"%s"}',
        '{"alg":"RS256","cat":"a","cat":"cl_B7d4PD111AAA","kid":"%s"}',
    ],
)
def test_t16_header_members_twice(key: SigningKey, header: str) -> None:
    """A header that names a member twice is refused, however spelled."""
    token = forge((header % key.kid).encode(), good_claims(), rs256(key))
    assert refusal(token, key) is Reason.TOKEN_INVALID


@pytest.mark.parametrize(
    "extra",
    [
        '"sub":"user_2",',
        '"sub":"user_1",',
        '"exp":9999999999,',
        '"\\u0065xp":9999999999,',
        '"act":{"sub":"a","sub":"b"},',
        '"x":[1,{"y":{"z":1,"z":1}}],',
        '"x":{"":1,"":2},',
        '"x":1,"x":{"a:b":"c:d"},',
    ],
)
def test_t16_claims_twice(key: SigningKey, extra: str) -> None:
    """A payload that names a member twice, at any depth and however spelled, is refused."""
    payload = json.dumps(good_claims())
    accept(forge(good_header(key), payload.encode(), rs256(key)), key)
    token = forge(good_header(key), ("{" + extra + payload[1:]).encode(), rs256(key))
    assert refusal(token, key) is Reason.TOKEN_VERIFICATION_FAILED


WRONG_INSTANTS = [
    '"1"',
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "true",
    "false",
    "-1",
    "-0.5",
    "null",
    "[1]",
    "{}",
]


@pytest.mark.parametrize("value", WRONG_INSTANTS)
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_t17_instants_of_a_wrong_kind(key: SigningKey, name: str, value: str) -> None:
    """An instant is a finite number of seconds, neither negative nor a truth value."""
    claims = good_claims()
    del claims[name]
    payload = json.dumps(claims)[:-1] + f',"{name}":{value}}}'
    token = forge(good_header(key), payload.encode(), rs256(key))
    assert refusal(token, key) is Reason.TOKEN_VERIFICATION_FAILED


def test_t17_instants_missing(key: SigningKey) -> None:
    """A token without exp is refused; nbf and iat may be left out, and instants may have fractions."""
    claims = good_claims()
    del claims["exp"]
    assert refusal(forge(good_header(key), claims, rs256(key)), key) is Reason.TOKEN_VERIFICATION_FAILED
    fractions = {**good_claims(), "exp": NOW + 0.5, "iat": NOW - 0.5}
    del fractions["nbf"]
    accept(forge(good_header(key), fractions, rs256(key)), key)


@pytest.mark.parametrize(
    ("name", "offset_ms", "reason"),
    [
        ("exp", 4999, None),
        ("exp", 5000, Reason.TOKEN_EXPIRED),
        ("exp", 5001, Reason.TOKEN_EXPIRED),
        ("nbf", -5001, Reason.TOKEN_NOT_ACTIVE_YET),
        ("nbf", -5000, None),
        ("nbf", -4999, None),
        ("iat", -5001, Reason.TOKEN_IAT_IN_THE_FUTURE),
        ("iat", -5000, None),
        ("iat", -4999, None),
    ],
)
def test_t18_edges_of_the_skew(key: SigningKey, name: str, offset_ms: int, reason: Reason | None) -> None:
    """To the millisecond: exp <= now - skew has expired, nbf or iat > now + skew is in the future."""
    claims = {**good_claims(), "nbf": NOW - 60, "iat": NOW - 60, name: NOW}
    token = forge(good_header(key), claims, rs256(key))
    if reason is None:
        accept(token, key, now_ms=NOW_MS + offset_ms)
    else:
        assert refusal(token, key, now_ms=NOW_MS + offset_ms) is reason


@pytest.mark.parametrize(
    "azp",
    [f"{PARTY}.evil", PARTY[:-1], PARTY.upper(), f"{PARTY}/", "", None, True, [PARTY], {PARTY: 1}, ...],
    ids=str,
)
@pytest.mark.parametrize(
    "parties", [[PARTY], {PARTY}, ("https://b.example", PARTY)], ids=["list", "set", "two"]
)
def test_t19_authorized_parties(key: SigningKey, azp: object, parties: list[str]) -> None:
    """With authorized parties set, azp must be there and be one of them to the letter."""
    accept(forge(good_header(key), good_claims(), rs256(key)), key, authorized_parties=parties)
    claims = {**good_claims(), "azp": azp}
    if azp is ...:
        del claims["azp"]
    token = forge(good_header(key), claims, rs256(key))
    assert refusal(token, key, authorized_parties=parties) is Reason.TOKEN_INVALID_AUTHORIZED_PARTIES


@pytest.mark.parametrize(
    "iss",
    [f"{ISSUER}.evil", ISSUER[:-1], f"{ISSUER}/", "https://clerk.other.example", "", None, [ISSUER], ...],
    ids=str,
)
def test_t20_issuer(key: SigningKey, iss: object) -> None:
    """With an issuer set, iss must be it to the letter, although the key is the same."""
    accept(forge(good_header(key), good_claims(), rs256(key)), key, issuer=ISSUER)
    claims = {**good_claims(), "iss": iss}
    if iss is ...:
        del claims["iss"]
    token = forge(good_header(key), claims, rs256(key))
    assert refusal(token, key, issuer=ISSUER) is Reason.TOKEN_INVALID_ISSUER


@pytest.mark.parametrize("category", [jws.TEMPLATE, jws.M2M, "", "cl_B7d4PD111AAA ", ...], ids=str)
def test_t21_token_of_another_category(key: SigningKey, category: object) -> None:
    """A template or machine token, or one without a category, is no session token."""
    header = {**good_header(key), "cat": category}
    if category is ...:
        del header["cat"]
    assert refusal(forge(header, good_claims(), rs256(key)), key) is Reason.TOKEN_TYPE_MISMATCH


def test_t22_same_kid_of_another_instance(key: SigningKey) -> None:
    """A token signed by another instance whose key has the same kid is refused."""
    impostor = SigningKey.generate(key.kid)
    token = forge(good_header(key), good_claims(), rs256(impostor))
    assert refusal(token, key) is Reason.TOKEN_INVALID_SIGNATURE
    accept(token, impostor)


MONSTERS = {
    "megabyte": "a" * 1_000_000,
    "dots": "." * 65_536,
    "dots within the bound": "." * 8_000,
    "non-ascii": "é.é.é",
    "surrogate": "\ud800.a.b",
    "nul": "\x00.\x00.\x00",
    "bytes": b"\xff\xfe.\x80.\x00",
    "nothing": "",
}


@pytest.mark.parametrize("name", MONSTERS)
def test_t26_monsters(key: SigningKey, name: str) -> None:
    """Over-long and meaningless input is refused as malformed."""
    assert refusal(MONSTERS[name], key) is Reason.TOKEN_INVALID


PAYLOADS = {
    "deep array": b'{"sub":' + b"[" * 2_500 + b"]" * 2_500 + b"}",
    "deep object": b'{"a":' * 800 + b"1" + b"}" * 800,
    "just too deep": b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
    "unclosed": b"[" * 5_000,
    "long integer": b'{"exp":' + b"9" * 5_000 + b"}",
    "lone high surrogate": b'{"sub":"\\ud800"}',
    "lone low surrogate": b'{"sub":"\\udc00x"}',
    "surrogate in utf-8": b'{"sub":"\xed\xa0\x80"}',
    "invalid utf-8": b'{"sub":"\xff\xfe"}',
    "invalid utf-8 name": b'{"\xc3(":1}',
    "over-long utf-8": b'{"sub":"\xc0\xaf"}',
    "utf-16": '{"sub":"user_1"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"sub":"user_1"}',
    "two documents": b"{}{}",
    "array": b"[]",
    "string": b'"sub"',
    "null": b"null",
    "comment": b"{/**/}",
    "trailing comma": b'{"sub":"user_1",}',
    "raw control": b'{"sub":"\x00"}',
    "not json": b"foo",
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_t26_payloads(key: SigningKey, name: str) -> None:
    """What is signed but not one strict, shallow JSON object is refused as such."""
    token = forge(good_header(key), PAYLOADS[name], rs256(key))
    assert refusal(token, key) is Reason.TOKEN_VERIFICATION_FAILED


@pytest.mark.parametrize("name", PAYLOADS)
def test_t26_headers(key: SigningKey, name: str) -> None:
    """The same documents are refused as a header, before any key is looked for."""
    refusal(forge(PAYLOADS[name], good_claims(), rs256(key)), key)


def test_t26_long_header(key: SigningKey) -> None:
    """A header within the token's bound but over its own is refused before it is decoded."""
    header = {**good_header(key), "cat": "x" * (jws.MAX_HEADER_BYTES * 3 // 4)}
    assert refusal(forge(header, good_claims(), rs256(key)), key) is Reason.TOKEN_INVALID
    header["cat"] = "x" * (jws.MAX_HEADER_BYTES // 2)
    assert refusal(forge(header, good_claims(), rs256(key)), key) is Reason.TOKEN_TYPE_MISMATCH


def test_t26_unsigned_payload_is_never_read(key: SigningKey, other_key: SigningKey) -> None:
    """However broken the payload, a signature that does not hold is what is reported."""
    for payload in PAYLOADS.values():
        token = forge(good_header(key), payload, rs256(other_key))
        assert refusal(token, key) is Reason.TOKEN_INVALID_SIGNATURE


def test_t27_retired_and_unknown_keys(key: SigningKey, other_key: SigningKey) -> None:
    """A key verifies until it is published no more, and never before it is in the ring."""
    token = forge(good_header(key), good_claims(), rs256(key))
    retired = KeyEntry(key.kid, KeyState.RETIRED, key, NOW_MS - 1000, published_until=NOW_MS)
    current = KeyEntry(other_key.kid, KeyState.CURRENT, other_key, NOW_MS - 500)
    ring = KeyRing([retired, current])
    assert jws.verify(token, ring.at(NOW_MS - 1)).claims["sub"] == "user_1"
    for keys in (ring.at(NOW_MS), KeyRing([current]).at(NOW_MS)):
        with pytest.raises(TokenError) as caught:
            jws.verify(token, keys)
        assert caught.value.reason is Reason.JWK_KID_MISMATCH
