"""Where a verifier's keys come from: given once as PEM, or the service's JWK set, fetched and renewed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final, Protocol, TypeAlias, cast

import msgspec

from sojourn.tokens.keys import PublicKey
from sojourn.verify.reasons import Reason

_log = logging.getLogger("sojourn.verify")

RENEW_MS: Final = 240_000
"""Age at which a set is renewed in the background: before the five minutes after which other verifiers of the
same keys do (wire/server-sdks.md, section 5), so that no request waits for it."""
KEEP_MS: Final = 3_600_000
"""How long a set is used while the service cannot be reached."""
REFETCH_MS: Final = 10_000
"""A kid that is not known causes a fetch at most this often (RELIABILITY, T-09)."""
FIRST_MS: Final = 1_000
"""The same while there is no set at all yet."""
MAX_SET_BYTES: Final = 262_144
MAX_KEYS: Final = 64

Fetched: TypeAlias = "bytes | Reason"
"""A JWK set as it was answered, or why there is none."""


class Keys(Protocol):
    """Public keys by kid, from any thread."""

    def find(self, kid: str) -> PublicKey | None:
        """The key, if it is known now."""
        ...

    def want(self, kid: str | None) -> Future[Reason | None] | None:
        """Have the keys fetched, for a kid that is not known or (None) because they have an age. None where
        fetching would not help, or was done a moment ago; else what becomes of it: None or a failure."""
        ...


class FixedKeys:
    """Keys that were given, for a verifier that never asks anybody."""

    def __init__(self, keys: Mapping[str, PublicKey], *, only: PublicKey | None = None) -> None:
        self._keys = dict(keys)
        self._only = only

    @classmethod
    def from_pem(cls, pem: str | bytes) -> FixedKeys:
        """The one key of a PEM, whatever kid a token names, as Clerk's SDKs have it. Raises ValueError."""
        return cls({}, only=PublicKey.from_pem("pem", pem))

    def find(self, kid: str) -> PublicKey | None:
        """The key of that kid, or the one of the PEM."""
        return self._only or self._keys.get(kid)

    def want(self, kid: str | None) -> Future[Reason | None] | None:
        """Nothing can be fetched."""
        return None


class RemoteKeys:
    """The service's JWK set: one fetch at a time, however many wait for it.

    `fetch` is called in a thread of its own. `clock` tells milliseconds that never go back. `forget` is
    called when a key is gone, so that nobody goes on accepting its tokens.
    """

    def __init__(
        self, fetch: Callable[[], Fetched], *, clock: Callable[[], int], forget: Callable[[], None]
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._forget = forget
        self._lock = threading.Lock()
        self._keys: dict[str, PublicKey] = {}
        self._fetched_at: int | None = None
        self._tried_at: int | None = None
        self._flight: Future[Reason | None] | None = None

    def find(self, kid: str) -> PublicKey | None:
        """The key, if the set that is held has it and is not too old to be used."""
        at = self._fetched_at
        if at is None:
            return None
        age = self._clock() - at
        if age >= KEEP_MS:
            return None  # whoever asked has to wait for a fetch, and is told what became of it
        if age >= RENEW_MS:
            self.want(None)
        return self._keys.get(kid)

    def want(self, kid: str | None) -> Future[Reason | None] | None:
        """Start a fetch, or join the one under way, unless the last was a moment ago."""
        with self._lock:
            if self._flight is not None:
                return self._flight
            pause = FIRST_MS if self._fetched_at is None else REFETCH_MS
            if self._tried_at is not None and self._clock() - self._tried_at < pause:
                return None
            self._tried_at = self._clock()
            flight: Future[Reason | None] = Future()
            flight.set_running_or_notify_cancel()  # nobody who waits can cancel it for the others
            self._flight = flight
            threading.Thread(target=self._fly, args=(flight,), name="sojourn-jwks", daemon=True).start()
            return flight

    def _fly(self, flight: Future[Reason | None]) -> None:
        failure: Reason | None = Reason.JWK_REMOTE_FAILED_TO_LOAD
        try:
            answer = self._fetch()
            failure = answer if isinstance(answer, Reason) else self._take(answer)
        except Exception:  # whatever it is, those who wait are answered
            _log.exception("the key set could not be fetched")
        finally:
            with self._lock:
                self._flight = None
            flight.set_result(failure)

    def _take(self, answer: bytes) -> Reason | None:
        keys = read_set(answer)
        if not keys:
            _log.warning("the key set has no usable key")
            return Reason.JWK_REMOTE_FAILED_TO_LOAD
        gone = any(keys.get(kid) != key for kid, key in self._keys.items())
        self._keys, self._fetched_at = keys, self._clock()
        if gone:
            self._forget()
        return None


def read_set(answer: bytes) -> dict[str, PublicKey]:
    """The usable keys of a JWK set (RFC 7517, section 5) by kid; those of another kind are passed over, as
    that section wants, and a kid that two keys have names neither. Never raises."""
    try:
        decoded: Any = msgspec.json.decode(answer) if len(answer) <= MAX_SET_BYTES else None
    except (ValueError, RecursionError):
        decoded = None
    listed = cast("dict[str, Any]", decoded).get("keys") if isinstance(decoded, dict) else None
    found: dict[str, PublicKey] = {}
    twice: set[str] = set()
    for jwk in cast("list[Any]", listed)[:MAX_KEYS] if isinstance(listed, list) else []:
        try:
            key = PublicKey.from_jwk(cast("dict[str, object]", jwk)) if isinstance(jwk, dict) else None
        except (ValueError, TypeError):
            key = None
        if key is not None:
            if key.kid in found:
                twice.add(key.kid)
            found[key.kid] = key
    return {kid: key for kid, key in found.items() if kid not in twice}
