"""Tokens seen before, so that the next request with one costs a look-up instead of a signature."""

from __future__ import annotations

from sojourn.verify.outcomes import SignedIn


class Memory:
    """Good tokens by their text, as many as given, each until it expires.

    In two halves, the younger and the older: when the younger is full it becomes the older, and that is
    dropped. So nothing is ever searched or moved, threads need no lock, and a flood of new tokens costs no
    more than one of known ones. Only tokens whose signature holds get in.
    """

    __slots__ = ("_half", "_older", "_younger")

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._younger: dict[str, SignedIn] = {}
        self._older: dict[str, SignedIn] = {}

    def recall(self, text: str, now_ms: int) -> SignedIn | None:
        """The token, if it was seen and is good at `now_ms` (Unix ms)."""
        found = self._younger.get(text)
        if found is None:
            found = self._older.get(text)
            if found is None:
                return None
            self.keep(text, found)
        return found if found.good_from_ms <= now_ms < found.good_until_ms else None

    def keep(self, text: str, found: SignedIn) -> None:
        """Remember a token."""
        if len(self._younger) >= self._half:
            self._older, self._younger = self._younger, {}
        self._younger[text] = found

    def clear(self) -> None:
        """Forget all."""
        self._older, self._younger = {}, {}
