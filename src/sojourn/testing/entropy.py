"""Ids and bytes that are the same in every run."""

from __future__ import annotations

import hashlib

from sojourn.core import ids


class SequentialEntropy:
    """Implements `sojourn.service.ports.Entropy` with a counter: for tests only, everybody can guess it."""

    def __init__(self, start: int = 1) -> None:
        self._next = start

    def id(self, prefix: ids.Prefix, now: int) -> str:
        """The next id, of the shape of real ones. `now` is Unix ms."""
        return ids.make(prefix, now_ms=now, entropy=self._step().to_bytes(ids.ENTROPY_BYTES, "big"))

    def bytes(self, count: int) -> bytes:
        """The next bytes: they look random (keys made from them are accepted) and are not."""
        return hashlib.shake_256(self._step().to_bytes(8, "big")).digest(count)

    def _step(self) -> int:
        number = self._next
        self._next += 1
        return number
