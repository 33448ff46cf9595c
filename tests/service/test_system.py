"""The machine's clock and randomness."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sojourn.core import ids
from sojourn.service.system import SystemClock, SystemEntropy

MS = 1_000_000


class Machine:
    """A machine whose two clocks a test can set (ns)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = 1_767_225_600_000 * MS
        self.monotonic = 5_000 * MS
        monkeypatch.setattr(time, "time_ns", lambda: self.wall)
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.monotonic)

    def sleep(self, ms: int) -> None:
        """Let time pass on both clocks."""
        self.wall += ms * MS
        self.monotonic += ms * MS


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The machine of the test."""
    return Machine(monkeypatch)


def test_the_clock_tells_wall_time(machine: Machine) -> None:
    """While the wall clock runs, it is followed."""
    clock = SystemClock()
    for _ in range(3):
        assert clock.now() == clock.wall() == machine.wall // MS
        assert clock.behind_ms() == 0
        machine.sleep(1234)


def test_a_step_back_prolongs_nothing(machine: Machine) -> None:
    """After the wall clock is set back an hour, time goes on from where it was, at the same pace."""
    clock = SystemClock()
    before = clock.now()
    machine.wall -= 3_600_000 * MS
    assert clock.now() == before
    machine.sleep(60_000)
    assert clock.now() == before + 60_000
    assert clock.wall() == before - 3_600_000 + 60_000
    assert clock.behind_ms() == 3_600_000


def test_a_step_forward_is_followed(machine: Machine) -> None:
    """A correction forward is taken over at once, and a later one back does not undo it."""
    clock = SystemClock()
    before = clock.now()
    machine.wall += 500 * MS
    assert clock.now() == before + 500
    machine.wall -= 500 * MS
    assert clock.now() == before + 500
    machine.sleep(500)
    assert clock.now() == before + 1000


@pytest.mark.parametrize("step", [-90_000, -1, 0, 1, 90_000])
def test_it_never_goes_back(machine: Machine, step: int) -> None:
    """Whatever the wall clock does, a later reading is never smaller than an earlier one."""
    clock = SystemClock()
    last = clock.now()
    for number in range(100):
        machine.sleep(number % 3)
        machine.wall += step * MS * (-1) ** number
        now = clock.now()
        assert now >= last
        last = now


def test_entropy_is_never_the_same_twice() -> None:
    """Ids and bytes differ each time, and ids carry their prefix and instant."""
    entropy = SystemEntropy()
    make: Callable[[], str] = lambda: entropy.id(ids.Prefix.SESSION, 1_767_225_600_000)  # noqa: E731
    made = {make() for _ in range(1000)}
    assert len(made) == 1000
    assert all(ids.is_id(i, ids.Prefix.SESSION) and ids.created_at_ms(i) == 1_767_225_600_000 for i in made)
    assert len({entropy.bytes(16) for _ in range(1000)}) == 1000
    assert len(entropy.bytes(7)) == 7
