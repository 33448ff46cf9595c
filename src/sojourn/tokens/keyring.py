"""The key ring of an instance: which key signs, and which ones verifiers may still meet.

A key is upcoming (published, so that verifiers know it before its first token), then current (it signs), then
retired (published until the last token it signed has run out). Rotating makes a new ring; a ring never
changes, so one can be handed to any number of readers without a lock. A retired entry stays in the ring after
it is no longer published: that is how its kid is never used again, which verifiers that cache by kid rely on
(server-sdks.md 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from sojourn.tokens.keys import PublicKey, SigningKey


class KeyState(StrEnum):
    """Where a key is in its life; it only ever moves down this list."""

    UPCOMING = "upcoming"
    CURRENT = "current"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One key of a ring; `created_at` and `published_until` are Unix milliseconds.

    A retired key says until when (exclusive) it is published and may have lost its private half; the others
    have no end yet and need it. Raises ValueError on construction where that does not hold.
    """

    kid: str
    state: KeyState
    key: SigningKey | PublicKey
    created_at: int
    published_until: int | None = None

    def __post_init__(self) -> None:
        if self.key.kid != self.kid:
            raise ValueError(f"key entry {self.kid}: its key has the kid {self.key.kid}")
        if self.state is KeyState.RETIRED:
            if self.published_until is None:
                raise ValueError(f"key entry {self.kid}: a retired key needs published_until")
            return
        if self.published_until is not None:
            raise ValueError(f"key entry {self.kid}: only a retired key has published_until")
        if not isinstance(self.key, SigningKey):
            raise ValueError(f"key entry {self.kid}: a key that is {self.state} needs its private half")

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self.key.public if isinstance(self.key, SigningKey) else self.key

    def is_published(self, now_ms: int) -> bool:
        """Tell whether verifiers may use the key at `now_ms` (Unix milliseconds)."""
        return self.published_until is None or now_ms < self.published_until


class KeyRing:
    """All keys of an instance, unchangeable: one current, any number upcoming or retired.

    Raises ValueError on construction unless exactly one entry is current, every kid is there once, and so is
    every key: a key under a new kid would be a rotation in name only.
    """

    __slots__ = ("_by_kid", "_current", "_entries")

    def __init__(self, entries: Iterable[KeyEntry]) -> None:
        # Newest first, the current key before all: some verifiers only try the first of a set.
        ordered = sorted(entries, key=lambda entry: (entry.state is not KeyState.CURRENT, -entry.created_at))
        self._entries = tuple(ordered)
        self._by_kid = {entry.kid: entry for entry in ordered}
        self._current = _only_current(self._entries)
        if len(self._by_kid) != len(ordered):
            raise ValueError("key ring: a kid is used twice")
        if len({entry.public.key.public_numbers() for entry in ordered}) != len(ordered):
            raise ValueError("key ring: a key is used under two kids")

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(f'{entry.kid}: {entry.state}' for entry in self._entries)})"

    @property
    def entries(self) -> tuple[KeyEntry, ...]:
        """Every entry, the current one first, then the newest first."""
        return self._entries

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self._current

    def public(self, kid: str, *, now_ms: int) -> PublicKey | None:
        """Return the key that verifiers may use for `kid` at `now_ms`, or None if there is none."""
        entry = self._by_kid.get(kid)
        return entry.public if entry is not None and entry.is_published(now_ms) else None

    def at(self, now_ms: int) -> Callable[[str], PublicKey | None]:
        """Return `public` at one instant, in the shape that `jws.verify` takes for its keys."""
        return lambda kid: self.public(kid, now_ms=now_ms)

    def jwks(self, now_ms: int) -> dict[str, list[dict[str, str]]]:
        """Return the JWK set published at `now_ms`: public keys only (backend-api.md, section 3.6)."""
        return {"keys": [entry.public.jwk() for entry in self._entries if entry.is_published(now_ms)]}


def _only_current(entries: tuple[KeyEntry, ...]) -> SigningKey:
    current = [entry.key for entry in entries if entry.state is KeyState.CURRENT]
    if len(current) != 1:
        raise ValueError(f"key ring: {len(current)} keys are current, it takes exactly one")
    key = current[0]
    if not isinstance(key, SigningKey):
        raise ValueError("key ring: the current key has no private half")
    return key
