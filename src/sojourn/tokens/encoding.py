"""Strict base64url and strict JSON: the two encodings that a token is made of.

Lenient decoders are how two readers of one token come to disagree about it (RFC 8725bis, "polyglot tokens"),
so every value here has exactly one accepted spelling.
"""

from __future__ import annotations

import binascii
import json
import re
from typing import Final

import msgspec

MAX_DEPTH: Final = 32
"""Deepest nesting of objects and arrays in a payload; claims templates need a handful of levels."""


def b64url_encode(data: bytes) -> bytes:
    """Encode as base64url without padding (RFC 7515, section 2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=")


def b64url_decode(text: bytes) -> bytes:
    """Decode canonical base64url without padding (RFC 7515, section 2; RFC 4648, section 3.5).

    Raises ValueError for padding, white space, foreign characters (`+` and `/` among them), an impossible
    length, or a last character whose unused bits are not zero.
    """
    surplus = len(text) & 3
    if surplus == 0:
        return binascii.a2b_base64(text.translate(_FROM_URL), strict_mode=True)
    if surplus == 1 or text[-1] not in _LAST_CHARACTERS[surplus]:
        raise ValueError("not canonical base64url")
    return binascii.a2b_base64(text.translate(_FROM_URL) + _PADDING[surplus], strict_mode=True)


def encode_json(value: object) -> bytes:
    """Encode as compact JSON in UTF-8.

    Raises TypeError for a value that JSON does not have, ValueError for text that UTF-8 cannot carry and for
    nesting deeper than `MAX_DEPTH`. NaN and Infinity become null.
    """
    try:
        raw = _ENCODER.encode(value)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    _check_depth(raw)
    return raw


def decode_object(raw: bytes) -> dict[str, object]:
    """Decode one JSON object, refusing whatever two readers could understand differently.

    Raises ValueError for anything but one object in valid UTF-8, lone surrogates, NaN, Infinity, numbers out
    of range, a member named twice at any depth (RFC 8259, section 4, leaves their meaning open), and nesting
    deeper than `MAX_DEPTH`.
    """
    _check_depth(raw)
    try:
        value = _DECODER.decode(raw)
    except RecursionError:  # far below its limit here, unless the caller's own stack is nearly full
        raise ValueError("JSON nested too deeply") from None
    refuse_duplicates(raw, value)
    return value


def refuse_duplicates(raw: bytes, value: object) -> None:
    """Raise ValueError if the document `raw`, already decoded to `value`, names a member twice.

    msgspec silently keeps the last of them. A value whose encoding is `raw` itself cannot have lost a member,
    and that holds for every token made by `sign`; only a document spelled in another way pays for the exact
    search.
    """
    if _ENCODER.encode(value) != raw:
        json.loads(raw, object_pairs_hook=_unique_members)


def _check_depth(raw: bytes) -> None:
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(raw):
        if raw[match.start()] in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError("JSON nested too deeply")
        elif raw[match.start()] in b"]}":
            depth -= 1


def _unique_members(members: list[tuple[str, object]]) -> None:
    if len({name for name, _ in members}) != len(members):
        raise ValueError("JSON member named twice")


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(dict[str, object])

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
# "!" is in neither alphabet, so that the standard one and padding are refused by the strict decoder.
_FROM_URL: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING: Final = (b"", b"", b"==", b"=")
# By surplus: two characters carry 8 of 12 bits, three carry 16 of 18; the rest of the last one must be zero.
_LAST_CHARACTERS: Final = (b"", b"", _ALPHABET[::16], _ALPHABET[::4])
# A string is matched up to its quote or else to the end, so that a search over any input stays linear.
_STRING_OR_BRACKET: Final = re.compile(rb'"(?:[^"\\]|\\.?)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
