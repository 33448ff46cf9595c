import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.tokens.encoding import MAX_DEPTH, b64url_decode, b64url_encode, decode_object, encode_json


@given(data=st.binary(max_size=80))
def test_base64_round_trip(data: bytes) -> None:
    """Encoding agrees with the standard library, and decoding undoes it."""
    text = b64url_encode(data)
    assert text == base64.urlsafe_b64encode(data).rstrip(b"=")
    assert b64url_decode(text) == data


ALPHABET = "ABCDEFabcdef0189-_+/= \n!?\x00\xff"


@given(text=st.binary(max_size=12) | st.text(ALPHABET, max_size=12).map(lambda text: text.encode("latin-1")))
@settings(max_examples=500)
def test_base64_has_one_spelling(text: bytes) -> None:
    """What decodes at all is exactly what encoding the result gives."""
    try:
        data = b64url_decode(text)
    except ValueError:
        return
    assert b64url_encode(data) == text


def test_base64_last_characters_exhaustively() -> None:
    """Of all one-, two- and three-character endings, just the canonical ones decode."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=!"
    canonical = {b64url_encode(bytes([n])) for n in range(256)}
    canonical |= {b64url_encode(bytes([0, n])) for n in range(256)}
    decoded: set[bytes] = set()
    for text in [bytes([a, b]) for a in alphabet for b in alphabet] + [
        bytes([65, a, b]) for a in alphabet for b in alphabet
    ]:
        try:
            b64url_decode(text)
        except ValueError:
            continue
        decoded.add(text)
    assert {text for text in decoded if len(text) == 2} == {text for text in canonical if len(text) == 2}
    assert {text for text in canonical if len(text) == 3} == {
        text for text in decoded if len(text) == 3 and b64url_decode(text)[0] == 0
    }
    for single in alphabet:
        with pytest.raises(ValueError, match="base64"):
            b64url_decode(bytes([single]))


member = st.tuples(st.sampled_from(['"a"', '"b"', '"\\u0061"', '":"', '"a\\":"', '""']), st.none())
documents = st.recursive(
    st.sampled_from(["1", "1.50", '"a:b"', '"\\u003a"', '"\\\\"', "true", "null"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(member, inner), max_size=3).map(
            lambda items: "{" + ",".join(f"{name} :{value}" for (name, _), value in items) + "}"
        )
    ),
    max_leaves=10,
).filter(lambda text: text.startswith("{"))


@given(text=documents, compact=st.booleans())
@settings(max_examples=300)
def test_members_named_twice_are_found(text: str, compact: bool) -> None:
    """A document is refused just when some object in it names a member twice, whatever its spelling."""
    text = text.replace(" :", ":") if compact else text
    repeated: list[bool] = []
    expected = json.loads(
        text, object_pairs_hook=lambda pairs: repeated.append(len(dict(pairs)) < len(pairs)) or dict(pairs)
    )
    if any(repeated):
        with pytest.raises(ValueError, match="twice"):
            decode_object(text.encode())
    else:
        assert decode_object(text.encode()) == expected


@pytest.mark.parametrize("spaced", [False, True])
def test_depth_bound_is_exact(spaced: bool) -> None:
    """MAX_DEPTH levels decode and encode, one more does not, and brackets within strings do not count."""
    inner = MAX_DEPTH - 1
    space = " " if spaced else ""
    fits = f'{{"[[[[{{\\"":{space}{"[" * inner}"]]]{"[" * 99}"{"]" * inner}}}'
    value = decode_object(fits.encode())
    assert decode_object(encode_json(value)) == value
    with pytest.raises(ValueError, match="deep"):
        decode_object(f'{{"a":{space}{"[" * MAX_DEPTH}{"]" * MAX_DEPTH}}}'.encode())
    with pytest.raises(ValueError, match="deep"):
        encode_json([value])


def test_many_shallow_brackets_are_no_depth() -> None:
    """A payload may hold any number of small objects."""
    value: dict[str, object] = {"list": [{"n": [n]} for n in range(200)]}
    assert decode_object(encode_json(value)) == value
