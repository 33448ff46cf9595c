"""The real clock and the real source of randomness; the only place that asks the machine for either."""

from __future__ import annotations

import os
import time

from sojourn.core import ids


class SystemClock:
    """Wall time that never goes back: where the wall clock steps back, time goes on by the monotonic clock.

    A session that was seen as expired therefore stays so, whatever happens to the machine's clock.
    """

    __slots__ = ("_anchor_monotonic", "_anchor_wall")

    def __init__(self) -> None:
        self._anchor_wall = time.time_ns()
        self._anchor_monotonic = time.monotonic_ns()

    def now(self) -> int:
        """Unix ms, never less than before."""
        wall = time.time_ns()
        monotonic = time.monotonic_ns()
        steady = self._anchor_wall + (monotonic - self._anchor_monotonic)
        if wall >= steady:
            # The wall clock leads: follow it, so that ordinary corrections by NTP are taken over.
            self._anchor_wall, self._anchor_monotonic = wall, monotonic
            return wall // 1_000_000
        return steady // 1_000_000

    def wall(self) -> int:
        """Unix ms by the machine's clock, even where it has stepped back."""
        return time.time_ns() // 1_000_000

    def behind_ms(self) -> int:
        """How far the wall clock is behind this one (ms); above a second or so somebody has set it back."""
        return self.now() - self.wall()


_BATCH = 256
_batch: list[bytes] = []
"""Random bytes that were asked for together, each piece given out once."""
if hasattr(os, "register_at_fork"):
    # A child must not give out what its parent will.
    os.register_at_fork(after_in_child=_batch.clear)


class SystemEntropy:
    """Randomness from the operating system."""

    __slots__ = ()

    def id(self, prefix: ids.Prefix, now: int) -> str:
        """A new id of the instant `now` (Unix ms)."""
        return ids.make(prefix, now_ms=now, entropy=_piece())

    def bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""
        # What is longer than an id may be a secret, and is never kept waiting in memory.
        return _piece()[:count] if count <= ids.ENTROPY_BYTES else os.urandom(count)


def _piece() -> bytes:
    """The next bytes of the batch: a system call for 256 ids instead of one each. No other thread can come
    between in `pop` or `extend`, so nothing is given out twice."""
    try:
        return _batch.pop()
    except IndexError:
        fresh = os.urandom(_BATCH * ids.ENTROPY_BYTES)
        pieces = [fresh[i : i + ids.ENTROPY_BYTES] for i in range(0, len(fresh), ids.ENTROPY_BYTES)]
        piece = pieces.pop()
        _batch.extend(pieces)
        return piece
