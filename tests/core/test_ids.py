"""Ids: a prefix and a KSUID, as the published samples have it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.core import ids
from sojourn.core.ids import Prefix

NOW = 1_767_225_600_000
LAST = (1_400_000_000 + 2**32 - 1) * 1000
# Ids with the second of their created_at, from published samples (wire/backend-api.md section 5).
SAMPLES = [
    ("sess_2cAHx9rDQUYIxjIMHNIEnorvr7Y", 1_707_547_706_000),
    ("sess_29wBYxnMCQU2KIs6V3ZPOJCPUXx", 1_654_014_318_000),
]


def entropy_of(identifier: str) -> bytes:
    """The 128 random bits of an id, by arithmetic of its own."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    digits = identifier.rpartition("_")[2]
    number = sum(alphabet.index(digit) * 62**place for place, digit in enumerate(reversed(digits)))
    return (number % 2**128).to_bytes(16, "big")


@pytest.mark.parametrize(("sample", "created_at"), SAMPLES)
def test_published_samples_round_trip(sample: str, created_at: int) -> None:
    """Time and entropy taken out of a real id give that id again."""
    assert ids.is_id(sample, Prefix.SESSION)
    assert ids.created_at_ms(sample) == created_at
    assert ids.make(Prefix.SESSION, now_ms=created_at, entropy=entropy_of(sample)) == sample


@given(
    prefix=st.sampled_from(Prefix),
    now=st.integers(1_400_000_000_000, LAST + 999),
    entropy=st.binary(min_size=16, max_size=16),
)
def test_an_id_carries_what_it_was_made_from(prefix: Prefix, now: int, entropy: bytes) -> None:
    """Shape, prefix, second and entropy can be read from every id that can be made."""
    made = ids.make(prefix, now_ms=now, entropy=entropy)
    assert made.startswith(f"{prefix}_")
    assert len(made) == len(prefix) + 1 + 27
    assert ids.created_at_ms(made) == now // 1000 * 1000
    assert entropy_of(made) == entropy
    assert [other for other in Prefix if ids.is_id(made, other)] == [prefix]


@given(
    first=st.tuples(st.integers(1_400_000_000, 2**32), st.binary(min_size=16, max_size=16)),
    second=st.tuples(st.integers(1_400_000_000, 2**32), st.binary(min_size=16, max_size=16)),
)
def test_different_seconds_or_entropy_make_different_ids(
    first: tuple[int, bytes], second: tuple[int, bytes]
) -> None:
    """Nothing of either is lost on the way into an id; ids of equal length sort by their second."""
    one, other = (ids.make(Prefix.USER, now_ms=s * 1000, entropy=e) for s, e in (first, second))
    assert (one == other) == (first == second)
    assert (one < other) == (first < second)


def test_a_hundred_thousand_ids_of_one_ms_are_all_different() -> None:
    """128 bits are enough for everything that happens in an instant."""
    source = random.Random(1)
    made = {ids.make(Prefix.SESSION, now_ms=NOW, entropy=source.randbytes(16)) for _ in range(100_000)}
    assert len(made) == 100_000


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_other_entropy_is_refused(length: int) -> None:
    """Fewer bytes would make ids guessable, more would be lost: neither goes by unnoticed."""
    with pytest.raises(ValueError, match="16 bytes"):
        ids.make(Prefix.SESSION, now_ms=NOW, entropy=b"x" * length)


@pytest.mark.parametrize("now", [0, -1, 1_399_999_999_999, LAST + 1000])
def test_an_instant_that_does_not_fit_is_refused(now: int) -> None:
    """A KSUID begins in May 2014 and lasts for 136 years."""
    with pytest.raises(ValueError, match="does not fit"):
        ids.make(Prefix.SESSION, now_ms=now, entropy=bytes(16))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sess_",
        "2cAHx9rDQUYIxjIMHNIEnorvr7Y",
        "sess_2cAHx9rDQUYIxjIMHNIEnorvr7",
        "sess_2cAHx9rDQUYIxjIMHNIEnorvr7YY",
        "sess-2cAHx9rDQUYIxjIMHNIEnorvr7Y",
        "Sess_2cAHx9rDQUYIxjIMHNIEnorvr7Y",
        "sess_2cAHx9rDQUYIxjIMHNIEnorvr7Ÿ",
        "sess_2cAHx9rDQUYIxjIMHNIEnorvr7_",
        "sess_2cAHx9rDQUYIxjIMHNIEnorvr7Y\n",
        " sess_2cAHx9rDQUYIxjIMHNIEnorvr7Y",
        "sess_2cAHx9rDQUYIxjIMHNIEnorvr٣Y",
    ],
)
def test_what_is_no_id_is_told_apart(text: str) -> None:
    """Length, alphabet and prefix all count, to the last character."""
    assert not any(ids.is_id(text, prefix) for prefix in Prefix)
    with pytest.raises(ValueError, match="not an identifier"):
        ids.created_at_ms(text)


def test_a_number_beyond_160_bits_is_no_id() -> None:
    """27 digits of base 62 hold a little more than a KSUID; what lies beyond carries no instant."""
    with pytest.raises(ValueError, match="not an identifier"):
        ids.created_at_ms("sess_" + "z" * 27)


def test_prefixes_are_not_confused() -> None:
    """One prefix that begins another does not stand for it."""
    activity = ids.make(Prefix.ACTIVITY, now_ms=NOW, entropy=bytes(16))
    assert ids.is_id(activity, Prefix.ACTIVITY)
    assert not ids.is_id(activity, Prefix.SESSION)
