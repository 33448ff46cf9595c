"""The attack cases of the threat model from T-15 on: spellings, claims, categories, kids and monsters."""

import json

import pytest

from sojourn.tokens import jws
from sojourn.tokens.jws import Reason, TokenError
from sojourn.tokens.keyring import KeyRing, KeyState
from sojourn.tokens.keys import SigningKey
from tests.tokens.builders import (
    ISSUER,
    NOW,
    NOW_MS,
    PARTY,
    accept,
    b64,
    control,
    entry,
    forge,
    good_claims,
    good_header,
    refusal,
    rs256,
)


@pytest.fixture(autouse=True)
def passes_when_nothing_is_wrong(key: SigningKey) -> None:
    """Every test here starts with the positive control: the builder's plain token is accepted."""
    control(key)


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
    retired = entry(key, KeyState.RETIRED, retired_at=NOW_MS)
    current = entry(other_key, KeyState.CURRENT)
    end = retired.published_until
    assert end is not None
    ring = KeyRing([retired, current])
    assert jws.verify(token, ring.at(end - 1)).claims["sub"] == "user_1"
    withdrawn = entry(key, KeyState.WITHDRAWN, retired_at=NOW_MS)
    for keys in (ring.at(end), KeyRing([current]).at(NOW_MS), KeyRing([withdrawn, current]).at(0)):
        with pytest.raises(TokenError) as caught:
            jws.verify(token, keys)
        assert caught.value.reason is Reason.JWK_KID_MISMATCH
