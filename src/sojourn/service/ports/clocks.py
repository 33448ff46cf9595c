"""What the services ask of a clock and of a source of ids."""

from __future__ import annotations

from typing import Protocol

from sojourn.core.ids import Prefix


class Clock(Protocol):
    """Time as the services see it."""

    def now(self) -> int:
        """Unix ms. Never goes back within a process: what has expired stays expired."""
        ...

    def wall(self) -> int:
        """Unix ms as other machines see it: for the times that tokens carry."""
        ...


class Entropy(Protocol):
    """Ids and random bytes."""

    def id(self, prefix: Prefix, now: int) -> str:
        """A new id; never the same twice."""
        ...

    def bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""
        ...
