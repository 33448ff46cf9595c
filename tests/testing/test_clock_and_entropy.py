"""What the testing package gives to programs: a clock that is moved by hand, ids that repeat."""

from __future__ import annotations

import pytest

from sojourn.core.ids import Prefix, created_at_ms, is_id
from sojourn.testing import ManualClock, SequentialEntropy


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    """Time passes by exactly what the test says."""
    clock = ManualClock(1000)
    assert (clock.now(), clock.wall(), clock.now()) == (1000, 1000, 1000)
    assert clock.advance(seconds=1.5, ms=3) == 2503
    assert (clock.now(), clock.wall()) == (2503, 2503)


def test_a_manual_clock_can_be_set() -> None:
    """Forwards both follow; backwards the wall clock alone, and time goes on from where it was."""
    clock = ManualClock(1000)
    clock.set(5000)
    assert (clock.now(), clock.wall()) == (5000, 5000)
    clock.set(2000)
    assert (clock.now(), clock.wall()) == (5000, 2000)
    clock.advance(seconds=1)
    assert (clock.now(), clock.wall()) == (6000, 3000)


def test_time_does_not_pass_backwards() -> None:
    """A negative step is a mistake of the test that makes it."""
    clock = ManualClock()
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(seconds=-1)


def test_sequential_entropy_repeats_itself() -> None:
    """Two sources give the same ids and bytes in the same order, and neither gives one twice."""
    now = ManualClock().now()
    one, other = SequentialEntropy(), SequentialEntropy()
    made = [one.id(Prefix.SESSION, now) for _ in range(100)]
    assert made == [other.id(Prefix.SESSION, now) for _ in range(100)]
    assert len(set(made)) == 100
    assert all(is_id(name, Prefix.SESSION) and created_at_ms(name) == now for name in made)
    drawn = [one.bytes(32) for _ in range(100)]
    assert drawn == [other.bytes(32) for _ in range(100)]
    assert len(set(drawn)) == 100
    assert {len(b) for b in drawn} == {32}
    assert one.bytes(0) == b""
