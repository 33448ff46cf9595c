"""A clock that stands still until a test moves it."""

from __future__ import annotations

START = 1_767_225_600_000
"""Where a clock starts unless told otherwise: the first ms of 2026 (UTC)."""


class ManualClock:
    """Implements `sojourn.service.ports.Clock`."""

    def __init__(self, start: int = START) -> None:
        self._wall = start
        self._now = start

    def now(self) -> int:
        """Unix ms; never goes back, whatever happens to the wall clock."""
        return self._now

    def wall(self) -> int:
        """Unix ms as other machines see it."""
        return self._wall

    def advance(self, *, seconds: float = 0, ms: int = 0) -> int:
        """Let time pass, by the sum of both. Returns the new `now()`. Raises ValueError for a step back."""
        step = round(seconds * 1000) + ms
        if step < 0:
            raise ValueError("time does not pass backwards; set() moves the wall clock back")
        self._wall += step
        self._now += step
        return self._now

    def set(self, wall: int) -> None:
        """Correct the wall clock to an instant (Unix ms), which may lie in the past.

        `now()` follows forwards and stays where it is on a step back.
        """
        self._wall = wall
        self._now = max(self._now, wall)
