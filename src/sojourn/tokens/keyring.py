"""The key ring of an instance: which key signs, and which ones verifiers may still meet.

A key is upcoming (published, so that verifiers know it before its first token), then current (it signs), then
retired (published until the last token it signed has run out). Nothing has to happen for a key to take over:
a ring knows from when on each key signs, and where each stands is a function of that and of the instant
asked for, like the status of a session. What is stored is written down later and never goes back, so that a
clock that is set back cannot bring a retired key into use.

A ring never changes, so one can be handed to any number of readers without a lock. A retired entry stays in
it after it is no longer published: that is how its kid is never used again, which verifiers that cache by kid
rely on (server-sdks.md 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from sojourn.tokens.keys import PublicKey, SigningKey

HOUR_MS = 3_600_000
SKEW_MS = 60_000
"""Verifiers accept a token a little after its `exp`: the official SDKs 5 s, some others a minute."""


class KeyState(StrEnum):
    """Where a key is in its life; it only ever moves down this list."""

    UPCOMING = "upcoming"
    CURRENT = "current"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"
    """Unpublished at once, in an emergency: its tokens are refused."""


_LIVE = (KeyState.UPCOMING, KeyState.CURRENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """One key of a ring; instants are Unix milliseconds.

    A key that signs or will has its private half; one that no longer does may have lost it, and says since
    when. Raises ValueError on construction where that does not hold.
    """

    kid: str
    state: KeyState
    key: SigningKey | PublicKey
    created_at: int
    activates_at: int
    """From when on it signs."""
    retired_at: int | None = None
    last_exp_at: int | None = None
    """No token of this key has a later `exp`."""

    def __post_init__(self) -> None:
        if self.key.kid != self.kid:
            raise ValueError(f"key entry {self.kid}: its key has the kid {self.key.kid}")
        if self.state not in _LIVE:
            if self.retired_at is None:
                raise ValueError(f"key entry {self.kid}: a key that is {self.state} needs retired_at")
            return
        if self.retired_at is not None:
            raise ValueError(f"key entry {self.kid}: a key that is {self.state} has no retired_at")
        if not isinstance(self.key, SigningKey):
            raise ValueError(f"key entry {self.kid}: a key that is {self.state} needs its private half")

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self.key.public if isinstance(self.key, SigningKey) else self.key

    @property
    def published_until(self) -> int | None:
        """Until when (exclusive) verifiers may use it; None while it signs or will."""
        if self.retired_at is None:
            return None
        if self.state is KeyState.WITHDRAWN:
            return self.retired_at
        return published_until(retired_at=self.retired_at, last_exp_at=self.last_exp_at)

    def is_published(self, now_ms: int) -> bool:
        """Tell whether verifiers may use the key at `now_ms` (Unix milliseconds)."""
        # Whatever the clock says, a withdrawn key does not come back.
        if self.state is KeyState.WITHDRAWN:
            return False
        until = self.published_until
        return until is None or now_ms < until


def published_until(*, retired_at: int, last_exp_at: int | None) -> int:
    """Until when a retired key is published (Unix ms): while any token of it can be good.

    Never less than an hour: tokens of up to an hour may leave without `last_exp_at` where nothing can be
    written at the moment.
    """
    return max(last_exp_at or 0, retired_at + HOUR_MS) + SKEW_MS


def whole_hour(at_ms: int) -> int:
    """The next whole hour (Unix ms), so that many tokens cost one note of their `exp`."""
    return -(-at_ms // HOUR_MS) * HOUR_MS


class KeyRing:
    """All keys of an instance, unchangeable: one stored as current, any number upcoming, retired, withdrawn.

    Raises ValueError on construction unless exactly one entry is current, every kid is there once, and so is
    every key: a key under a new kid would be a rotation in name only.
    """

    __slots__ = ("_by_kid", "_entries", "_line")

    def __init__(self, entries: Iterable[KeyEntry]) -> None:
        self._entries = tuple(sorted(entries, key=_newest_first))
        self._by_kid = {entry.kid: entry for entry in self._entries}
        current = [entry for entry in self._entries if entry.state is KeyState.CURRENT]
        if len(current) != 1:
            raise ValueError(f"key ring: {len(current)} keys are current, it takes exactly one")
        if len(self._by_kid) != len(self._entries):
            raise ValueError("key ring: a kid is used twice")
        if len({entry.public.key.public_numbers() for entry in self._entries}) != len(self._entries):
            raise ValueError("key ring: a key is used under two kids")
        upcoming = (entry for entry in self._entries if entry.state is KeyState.UPCOMING)
        in_line = sorted(upcoming, key=lambda entry: (entry.activates_at, entry.created_at, entry.kid))
        self._line = (*current, *in_line)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(f'{entry.kid}: {entry.state}' for entry in self._entries)})"

    @property
    def entries(self) -> tuple[KeyEntry, ...]:
        """Every entry as it is stored, the current one first, then the newest first."""
        return self._entries

    def settled(self, now_ms: int) -> tuple[KeyEntry, ...]:
        """Every entry as it stands at `now_ms`, the one that signs first, then the newest first.

        Some verifiers only try the first of a set, and most tokens are of that key.
        """
        moved = {entry.kid: entry for entry in self._settled_line(now_ms)}
        entries = (moved.get(entry.kid, entry) for entry in self._entries)
        return tuple(sorted(entries, key=_newest_first))

    def current(self, now_ms: int) -> KeyEntry:
        """The entry of the key that signs at `now_ms`."""
        return self._settled_line(now_ms)[self._place(now_ms)]

    def signing(self, now_ms: int) -> SigningKey:
        """The key that signs at `now_ms`."""
        key = self._line[self._place(now_ms)].key
        if not isinstance(key, SigningKey):  # KeyEntry has seen to that
            raise TypeError("the current key has no private half")
        return key

    def last_exp_at(self, kid: str) -> int:
        """No token of a key has a later `exp` (Unix ms); 0 when it has signed none."""
        return self._by_kid[kid].last_exp_at or 0

    def raised(self, kid: str, last_exp_at: int) -> KeyRing:
        """This ring with a token of a key that is good until `last_exp_at` (Unix ms)."""
        entry = self._by_kid[kid]
        raised = replace(entry, last_exp_at=max(last_exp_at, entry.last_exp_at or 0))
        return KeyRing(raised if other is entry else other for other in self._entries)

    def public(self, kid: str, *, now_ms: int) -> PublicKey | None:
        """Return the key that verifiers may use for `kid` at `now_ms`, or None if there is none."""
        entry = self._by_kid.get(kid)
        if entry is None:
            return None
        if entry.state in _LIVE:
            entry = next(e for e in self._settled_line(now_ms) if e.kid == kid)
        return entry.public if entry.is_published(now_ms) else None

    def at(self, now_ms: int) -> Callable[[str], PublicKey | None]:
        """Return `public` at one instant, in the shape that `jws.verify` takes for its keys."""
        return lambda kid: self.public(kid, now_ms=now_ms)

    def jwks(self, now_ms: int) -> dict[str, list[dict[str, str]]]:
        """Return the JWK set published at `now_ms`: public keys only (backend-api.md, section 3.6)."""
        return {"keys": [e.public.jwk() for e in self.settled(now_ms) if e.is_published(now_ms)]}

    def _place(self, now_ms: int) -> int:
        """Where in the line the key is that signs: the last whose time has come."""
        place = 0
        for number, entry in enumerate(self._line):
            # What is stored as current has taken over, even where the clock has been set back since.
            if number and entry.activates_at <= now_ms:
                place = number
        return place

    def _settled_line(self, now_ms: int) -> tuple[KeyEntry, ...]:
        place = self._place(now_ms)
        if not place:
            return self._line
        gone = (
            replace(entry, state=KeyState.RETIRED, retired_at=after.activates_at)
            for entry, after in zip(self._line[:place], self._line[1:], strict=False)
        )
        return (*gone, replace(self._line[place], state=KeyState.CURRENT), *self._line[place + 1 :])


def _newest_first(entry: KeyEntry) -> tuple[bool, int, str]:
    return entry.state is not KeyState.CURRENT, -entry.created_at, entry.kid
