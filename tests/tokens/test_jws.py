import json
import re
from contextlib import suppress
from types import MappingProxyType

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.tokens import jws
from sojourn.tokens.jws import Reason, TokenError
from sojourn.tokens.keys import PublicKey, SigningKey
from tests.tokens.builders import (
    ISSUER,
    NOW,
    NOW_MS,
    PARTY,
    accept,
    b64,
    forge,
    good_claims,
    good_header,
    refusal,
    rs256,
    unb64,
)


@pytest.mark.parametrize("category", [jws.SESSION, jws.TEMPLATE, jws.M2M])
def test_sign_writes_exactly_the_four_header_members(key: SigningKey, category: str) -> None:
    """The header is the one that Clerk writes, byte for byte, and RS256 signs both segments."""
    token = jws.sign(good_claims(), key, category=category)
    head, body, tail = token.split(".")
    assert unb64(head).decode() == f'{{"alg":"RS256","cat":"{category}","kid":"{key.kid}","typ":"JWT"}}'
    assert json.loads(unb64(body)) == good_claims()
    signed = f"{head}.{body}".encode()
    key.public.key.verify(unb64(tail), signed, padding.PKCS1v15(), hashes.SHA256())
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token, re.ASCII)


def test_sign_takes_any_mapping(key: SigningKey) -> None:
    """Claims may come in a mapping that is no dict."""
    token = jws.sign(MappingProxyType(good_claims()), key, category=jws.SESSION)
    assert accept(token, key).claims == good_claims()


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("x" * 9000, ValueError),
        ("\ud800", ValueError),
        (object(), TypeError),
        (json.loads("[" * 40 + "]" * 40), ValueError),
    ],
    ids=["long", "surrogate", "object", "deep"],
)
def test_sign_refuses_what_verify_would(key: SigningKey, value: object, error: type[Exception]) -> None:
    """No token is made that verifiers would turn down for its size or its encoding."""
    with pytest.raises(error):
        jws.sign({**good_claims(), "x": value}, key, category=jws.SESSION)


def test_verify_takes_text_and_bytes_mapping_and_function(key: SigningKey, other_key: SigningKey) -> None:
    """A token may be str or bytes, and keys a mapping or a function of the kid."""
    token = jws.sign(good_claims(), key, category=jws.SESSION)
    keys = {key.kid: key.public, other_key.kid: other_key.public}
    for form in (token, token.encode()):
        assert jws.verify(form, keys) == jws.verify(form, keys.get)
    header, claims = jws.verify(token, keys)
    assert (header.alg, header.kid, header.typ, header.cat) == ("RS256", key.kid, "JWT", jws.SESSION)
    assert claims == good_claims()


@pytest.mark.parametrize(
    "change", [{"typ": ...}, {"oiat": NOW}, {"cat": ...}, {"typ": ..., "cat": ..., "oiat": 0}], ids=str
)
def test_verify_allows_the_optional_header_members(key: SigningKey, change: dict[str, object]) -> None:
    """Typ and cat may be absent, and oiat present: the form holds, in any order and with white space."""
    header = {name: value for name, value in {**good_header(key), **change}.items() if value is not ...}
    jws.verify(forge(header, good_claims(), rs256(key)), {key.kid: key.public})
    spaced = json.dumps(dict(reversed(header.items())), indent=1).encode()
    jws.verify(forge(spaced, good_claims(), rs256(key)), {key.kid: key.public})


@pytest.mark.parametrize(
    "change",
    [
        {"typ": "jwt"},
        {"typ": "at+jwt"},
        {"typ": ""},
        {"typ": None},
        {"cat": None},
        {"cat": 1},
        {"oiat": "1"},
        {"oiat": True},
        {"x": 1},
    ],
    ids=str,
)
def test_verify_refuses_other_header_members(key: SigningKey, change: dict[str, object]) -> None:
    """A typ that is not JWT, a member of another type, or an unknown one makes the token invalid."""
    token = forge({**good_header(key), **change}, good_claims(), rs256(key))
    assert refusal(token, key) is Reason.TOKEN_INVALID


def test_verify_pins_the_algorithm_by_the_key(key: SigningKey) -> None:
    """A key for another algorithm does not verify an RS256 token, even where its numbers would."""

    class FutureKey:
        kid, algorithm, verify = key.kid, "ES256", key.public.verify

    keys: dict[str, PublicKey] = {key.kid: FutureKey()}  # type: ignore[dict-item] # no such PublicKey yet
    with pytest.raises(TokenError) as caught:
        jws.verify(jws.sign(good_claims(), key, category=jws.SESSION), keys)
    assert caught.value.reason is Reason.TOKEN_INVALID_ALGORITHM


def test_verify_signature_takes_any_payload(key: SigningKey) -> None:
    """The layer below verify returns signed bytes of any kind, and verify refuses them as claims."""
    for payload in (b"", b"foo", bytes(20)):
        token = forge(good_header(key), payload, rs256(key))
        assert jws.verify_signature(token, {key.kid: key.public})[1] == payload
        refusal(token, key)


def test_size_bound_is_exact(key: SigningKey) -> None:
    """A token of exactly the longest length passes both ways, and one byte more is refused."""
    fixed = len(jws.sign({"sub": ""}, key, category=jws.SESSION))
    sizes: set[int] = set()
    for extra in range(5):
        filler = "x" * ((jws.MAX_TOKEN_BYTES - fixed) * 3 // 4 - 1 + extra)
        token = forge(good_header(key), {"sub": filler}, rs256(key))
        sizes.add(len(token))
        if len(token) <= jws.MAX_TOKEN_BYTES:
            assert jws.sign({"sub": filler}, key, category=jws.SESSION) == token
            jws.verify(token, {key.kid: key.public})
        else:
            assert refusal(token, key) is Reason.TOKEN_INVALID
            with pytest.raises(ValueError, match="longer"):
                jws.sign({"sub": filler}, key, category=jws.SESSION)
    assert jws.MAX_TOKEN_BYTES in sizes
    assert max(sizes) > jws.MAX_TOKEN_BYTES


def test_error_tells_the_reason_and_nothing_of_the_token(key: SigningKey) -> None:
    """The error carries Clerk's reason and a sentence, in which no part of the token appears."""
    with pytest.raises(TokenError) as caught:
        jws.verify(forge({**good_header(key), "secret": "hush"}, good_claims(), rs256(key)), {})
    assert str(caught.value).startswith("token-invalid: ")
    assert "hush" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_check_order_is_that_of_the_clerk_sdk() -> None:
    """Of several things wrong the first in the order sub, azp, iss, exp, nbf, iat is the reason."""
    right = good_claims()
    wrong = {"sub": 1, "azp": "x", "iss": "x", "exp": NOW - 60, "nbf": NOW + 60, "iat": NOW + 60}
    reasons = [
        Reason.TOKEN_VERIFICATION_FAILED,
        Reason.TOKEN_INVALID_AUTHORIZED_PARTIES,
        Reason.TOKEN_INVALID_ISSUER,
        Reason.TOKEN_EXPIRED,
        Reason.TOKEN_NOT_ACTIVE_YET,
        Reason.TOKEN_IAT_IN_THE_FUTURE,
    ]
    claims = {**right, **wrong}
    for name, reason in zip(wrong, reasons, strict=True):
        with pytest.raises(TokenError) as caught:
            jws.check(claims, now_ms=NOW_MS, issuer=ISSUER, authorized_parties=[PARTY])
        assert caught.value.reason is reason
        claims[name] = right[name]
    jws.check(claims, now_ms=NOW_MS, issuer=ISSUER, authorized_parties=[PARTY])


@pytest.mark.parametrize("subject", [None, "", 1, ["user_1"], ...], ids=str)
def test_check_needs_a_subject(subject: object) -> None:
    """Sub must be a string that is not empty."""
    claims = {**good_claims(), "sub": subject}
    if subject is ...:
        del claims["sub"]
    with pytest.raises(TokenError) as caught:
        jws.check(claims, now_ms=NOW_MS)
    assert caught.value.reason is Reason.TOKEN_VERIFICATION_FAILED


def test_check_leaves_aud_azp_and_iss_alone_unless_asked() -> None:
    """Without options aud, azp and iss may be anything or missing."""
    claims = {**good_claims(), "aud": 1, "azp": None}
    del claims["iss"]
    jws.check(claims, now_ms=NOW_MS)


def test_check_parties_empty_or_one_string() -> None:
    """No authorized parties at all allow nobody, and one string in their place is the caller's mistake."""
    with pytest.raises(TokenError) as caught:
        jws.check(good_claims(), now_ms=NOW_MS, authorized_parties=[])
    assert caught.value.reason is Reason.TOKEN_INVALID_AUTHORIZED_PARTIES
    with pytest.raises(TypeError):
        jws.check(good_claims(), now_ms=NOW_MS, authorized_parties=PARTY)


def test_check_allow_expired_passes_over_the_deadline_only() -> None:
    """For a refresh an old exp passes, but not a missing one, nor anything else that is wrong."""
    jws.check({**good_claims(), "exp": 1}, now_ms=NOW_MS, allow_expired=True)
    for wrong in ({"exp": None}, {"nbf": NOW + 60}, {"sub": ""}):
        with pytest.raises(TokenError):
            jws.check({**good_claims(), "exp": 1, **wrong}, now_ms=NOW_MS, allow_expired=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), True, "1"])
def test_check_refuses_instants_that_no_decoder_let_in(value: object) -> None:
    """Claims that never were JSON are held to the same rule."""
    with pytest.raises(TokenError) as caught:
        jws.check({**good_claims(), "exp": value}, now_ms=NOW_MS)
    assert caught.value.reason is Reason.TOKEN_VERIFICATION_FAILED
    jws.check({**good_claims(), "exp": 10**400}, now_ms=NOW_MS)


def test_check_category_absent_only_when_allowed(key: SigningKey) -> None:
    """A token without a category passes only where that is allowed, a wrong one never."""
    header = jws.Header(alg="RS256", kid=key.kid)
    jws.check_category(header, jws.SESSION, allow_absent=True)
    for wrong, allow in ((header, False), (jws.Header(alg="RS256", kid=key.kid, cat=jws.TEMPLATE), True)):
        with pytest.raises(TokenError) as caught:
            jws.check_category(wrong, jws.SESSION, allow_absent=allow)
        assert caught.value.reason is Reason.TOKEN_TYPE_MISMATCH


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(claims=st.dictionaries(names, values, max_size=8))
@settings(max_examples=150)
def test_sign_and_verify_round_trip(key: SigningKey, claims: dict[str, object]) -> None:
    """Whatever claims are signed come back as they were."""
    token = jws.sign(claims, key, category=jws.SESSION)
    assert jws.verify(token, {key.kid: key.public}).claims == claims


@given(claims=st.dictionaries(names, values, max_size=8), indent=st.sampled_from([None, 1]))
@settings(max_examples=100)
def test_tokens_written_otherwise_are_understood(
    key: SigningKey, claims: dict[str, object], indent: int | None
) -> None:
    """Another encoder's spelling of the same claims, escaped and spaced, verifies to the same."""
    payload = json.dumps(claims, indent=indent).encode()
    assert jws.verify(forge(good_header(key), payload, rs256(key)), {key.kid: key.public}).claims == claims


def test_every_flipped_bit_is_refused(key: SigningKey) -> None:
    """Each token that differs from a good one by one bit is refused with TokenError, as str and as bytes."""
    token = jws.sign(good_claims(), key, category=jws.SESSION).encode()
    keys = {key.kid: key.public}
    for place in range(len(token)):
        for bit in range(8):
            mutant = bytearray(token)
            mutant[place] ^= 1 << bit
            with pytest.raises(TokenError):
                jws.verify(bytes(mutant), keys)
        with pytest.raises(TokenError):
            jws.verify(bytes(mutant).decode("latin-1"), keys)


@given(data=st.data())
@settings(max_examples=300)
def test_one_changed_byte_is_refused(key: SigningKey, data: st.DataObject) -> None:
    """A byte replaced, removed or put in anywhere makes a good token refused, with TokenError only."""
    token = jws.sign(good_claims(), key, category=jws.SESSION).encode()
    place = data.draw(st.integers(0, len(token) - 1))
    byte = data.draw(st.binary(min_size=1, max_size=1).filter(lambda new: new != token[place : place + 1]))
    mutants = [token[:place] + byte + token[place + 1 :], token[:place] + token[place + 1 :]]
    mutants.append(token[:place] + byte + token[place:])
    for mutant in mutants:
        with pytest.raises(TokenError):
            jws.verify(mutant, {key.kid: key.public})


@given(token=st.text() | st.binary() | st.from_regex(r"[\w-]{0,20}\.[\w-]{0,20}\.[\w-]{0,20}"))
@settings(max_examples=400)
def test_arbitrary_text_is_refused(key: SigningKey, token: str | bytes) -> None:
    """Nothing but TokenError ever comes out for any text or bytes."""
    with pytest.raises(TokenError):
        jws.verify(token, lambda _: key.public)


@given(head=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
@settings(max_examples=200)
def test_arbitrary_headers_are_refused(key: SigningKey, head: bytes) -> None:
    """Nothing but TokenError comes out for any bytes as a header, well encoded."""
    with pytest.raises(TokenError):
        jws.verify(f"{b64(head)}.e30.AAAA", lambda _: key.public)


@given(members=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "cat", "oiat", "crit"]), values))
@settings(max_examples=200)
def test_arbitrary_header_members_are_refused(key: SigningKey, members: dict[str, object]) -> None:
    """Nothing but TokenError comes out for header members of any types."""
    with pytest.raises(TokenError):
        jws.verify(forge({"alg": "RS256", **members}, {}, lambda _: b"\0" * 256), lambda _: key.public)


@given(payload=st.binary(max_size=40) | values.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=200)
def test_arbitrary_signed_payloads(key: SigningKey, payload: bytes) -> None:
    """Any bytes that were truly signed are an object of claims or are refused with TokenError."""
    try:
        verified = jws.verify(forge(good_header(key), payload, rs256(key)), {key.kid: key.public})
        jws.check(verified.claims, now_ms=NOW_MS, issuer=ISSUER, authorized_parties=[PARTY])
    except TokenError:
        return
    assert verified.claims == json.loads(payload)


@given(claims=st.dictionaries(st.sampled_from(["sub", "azp", "iss", "exp", "nbf", "iat", "aud"]), values))
@settings(max_examples=300)
def test_check_raises_token_error_only(claims: dict[str, object]) -> None:
    """Nothing but TokenError comes out of check for claims of any types."""
    for parties in ([PARTY], {PARTY}):
        with suppress(TokenError):
            jws.check({"sub": "user_1", **claims}, now_ms=NOW_MS, issuer=ISSUER, authorized_parties=parties)
