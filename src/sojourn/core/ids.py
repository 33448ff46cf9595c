"""Identifiers: a prefix and a 27-character KSUID.

A KSUID is 32 bits of seconds since 1 400 000 000 and 128 bits of entropy, 160 bits in base 62
(wire/backend-api.md section 5; proven there against published samples). Time and entropy are passed in:
nothing here reads a clock or a random source. Ids are never compared for order; a creation sequence does
that.
"""

from __future__ import annotations

import re
from enum import StrEnum

ENTROPY_BYTES = 16
"""128 bits: RELIABILITY S-15 asks that an id is never used twice."""

_KSUID_EPOCH_SECONDS = 1_400_000_000
_LENGTH = 27
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_BASE_PAIR = 62**2
_BASE_FOUR = 62**4
_BASE_EIGHT = 62**8
_SHAPE = re.compile(r"([a-z]+(?:_[a-z]+)*)_([0-9A-Za-z]{27})")
_MAX = (1 << 160) - 1


class Prefix(StrEnum):
    """What an id names."""

    SESSION = "sess"
    CLIENT = "client"
    USER = "user"
    ORGANIZATION = "org"
    MEMBERSHIP = "orgmem"
    INSTANCE = "ins"
    EVENT = "evt"
    ACTOR_TOKEN = "act"
    SIGN_IN_TOKEN = "sit"
    TEMPLATE = "jtmp"
    ACTIVITY = "sess_activity"
    IDENTIFICATION = "idn"
    API_KEY = "key"
    SIGNING_KEY = "kid"
    ENDING = "ending"


def make(prefix: Prefix, *, now_ms: int, entropy: bytes) -> str:
    """Build an id from an instant (Unix ms) and 16 bytes of entropy.

    Raises ValueError when the entropy has another length or the instant does not fit a KSUID's 32 bits.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"an id needs {ENTROPY_BYTES} bytes of entropy, got {len(entropy)}")
    seconds = now_ms // 1000 - _KSUID_EPOCH_SECONDS
    if not 0 <= seconds < 1 << 32:
        raise ValueError(f"the instant {now_ms} ms does not fit a KSUID")
    number = (seconds << 128) | int.from_bytes(entropy, "big")
    # Few divisions of the 160-bit number, which are what this function costs: eight digits a step, of which
    # small numbers then give pairs. Four steps make 32 digits, the first five of them zero.
    number, fourth = divmod(number, _BASE_EIGHT)
    number, third = divmod(number, _BASE_EIGHT)
    first, second = divmod(number, _BASE_EIGHT)
    digits: list[str] = []
    for eight in (first, second, third, fourth):
        for four in divmod(eight, _BASE_FOUR):
            digits += (_PAIRS[four // _BASE_PAIR], _PAIRS[four % _BASE_PAIR])
    return f"{prefix.value}_{''.join(digits)[-_LENGTH:]}"


def base62(number: int, length: int) -> str:
    """The last `length` digits of a number that is not negative, in the alphabet of ids."""
    digits: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def created_at_ms(identifier: str) -> int:
    """The instant (Unix ms, whole seconds) that an id carries. Raises ValueError for anything that is no
    id."""
    match = _SHAPE.fullmatch(identifier)
    if match is None:
        raise ValueError("not an identifier")
    number = 0
    for digit in match[2]:
        number = number * 62 + _ALPHABET.index(digit)
    if number > _MAX:
        raise ValueError("not an identifier")
    return ((number >> 128) + _KSUID_EPOCH_SECONDS) * 1000


def is_id(text: str, prefix: Prefix) -> bool:
    """Whether `text` has the shape of an id with this prefix; says nothing about whether it exists."""
    match = _SHAPE.fullmatch(text)
    return match is not None and match[1] == prefix.value
