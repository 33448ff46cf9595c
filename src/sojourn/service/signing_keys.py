"""The signing keys of the instance: rotating them without refusing a token, and at once in an emergency."""

from __future__ import annotations

import asyncio
import builtins
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sojourn.core.errors import Conflict, Invalid, Unavailable
from sojourn.core.events import EventType
from sojourn.core.ids import Prefix
from sojourn.core.keys import SigningKeyStatus
from sojourn.service.context import ATTEMPTS, Context
from sojourn.service.held_ring import ALGORITHM, HeldRing
from sojourn.service.ports import DropStoredKey, Operation, PutStoredKey, Refused
from sojourn.tokens.jws import PublicKey, SigningKey
from sojourn.tokens.keyring import KeyEntry, KeyRing, KeyState

PUBLISH_SECONDS = 600
MIN_PUBLISH_SECONDS = 370
"""A verifier may use a set of keys for 5 minutes (server-sdks.md 5), had from a cache on the way that keeps
it for one minute more (`max-age` of /.well-known/jwks.json), and a process may be a second late in publishing
(REFRESH_SECONDS)."""
MAX_PUBLISH_SECONDS = 30 * 86_400
DAY_MS = 86_400_000
_log = logging.getLogger("sojourn.keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationSettings:
    """How long a key is published before it signs (seconds), and at what age it is replaced (days; None: only
    when somebody says so). Raises Invalid naming the one that does not fit."""

    publish_seconds: int = PUBLISH_SECONDS
    max_age_days: int | None = None

    def __post_init__(self) -> None:
        check_publish(self.publish_seconds, "signing_key_publish_seconds")
        if self.max_age_days is not None and self.max_age_days * DAY_MS <= 2000 * self.publish_seconds:
            raise Invalid(
                "signing_key_max_age_days",
                "signing_key_max_age_days must be more than twice signing_key_publish_seconds.",
            )


def check_publish(seconds: int, name: str = "publish_seconds") -> None:
    """Raises Invalid for a time that would let verifiers meet a key that they do not know."""
    if not MIN_PUBLISH_SECONDS <= seconds <= MAX_PUBLISH_SECONDS:
        raise Invalid(name, f"{name} must be from {MIN_PUBLISH_SECONDS} to {MAX_PUBLISH_SECONDS}.")


class SigningKeys:
    """The keys that sign tokens: list, publish and rotate them."""

    def __init__(self, context: Context, held: HeldRing, settings: RotationSettings) -> None:
        self._context = context
        self._held = held
        self._settings = settings

    @property
    def ring(self) -> KeyRing:
        """The ring as last seen."""
        return self._held.ring

    @property
    def current(self) -> PublicKey:
        """The public half of the key that signs now."""
        return self._held.current.public

    def public(self, kid: str) -> PublicKey | None:
        """The published key with this kid, for the verifier; as last seen."""
        return self._held.public(kid)

    def jwks(self) -> dict[str, object]:
        """The public key set (RFC 7517 section 5) as published now, of the keys as last seen."""
        return self._held.jwks()

    async def published(self) -> dict[str, object]:
        """The public key set as it is in the store now: what another process did a moment ago is in it. Where
        the store does not answer, the set as last seen."""
        try:
            await self._held.refresh()
        except Unavailable as error:
            _log.warning("the key set is as of a moment ago: %s", error.detail)
        return self._held.jwks()

    async def list(self) -> Sequence[SigningKeyStatus]:
        """All signing keys as they stand now, the one that signs first, then the newest first."""
        await self._held.load()
        return [_status(entry) for entry in self.ring.settled(self._context.clock.now())]

    async def rotate(
        self, *, publish_seconds: int | None = None, emergency: bool = False
    ) -> SigningKeyStatus:
        """Make a new signing key. It is published at once and signs after `publish_seconds` (the setting by
        default); then the old one stays published until the last token it signed has run out.

        In an `emergency` the new key signs at once, and all others are unpublished at once and lose their
        private halves: their tokens are refused, sessions live on. Raises Conflict when a rotation is under
        way (an emergency overtakes it), and Invalid for a time too short for verifiers to learn of the key.
        """
        if emergency and publish_seconds is not None:
            raise Invalid("publish_seconds", "In an emergency the new key signs at once.")
        seconds = self._settings.publish_seconds if publish_seconds is None else publish_seconds
        check_publish(seconds)
        now = self._context.clock.now()
        # Finding the primes takes a tenth of a second and more: not in the event loop.
        key = await asyncio.to_thread(SigningKey.generate, self._context.id(Prefix.SIGNING_KEY, now))
        for _ in range(ATTEMPTS):
            await self._held.load()
            operations = self._withdrawal(key) if emergency else self._publication(key, seconds)
            try:
                await self._context.store.commit(operations)
            except Refused:
                continue
            await self._held.load()
            if emergency:
                await self._scrub()
            now = self._context.clock.now()
            return next(_status(entry) for entry in self.ring.settled(now) if entry.kid == key.kid)
        raise Conflict

    async def settle(self) -> None:
        """What is due: write down which key has taken over and destroy the private half of the one before,
        rotate by age, and forget keys that were unpublished long ago. Nothing depends on when this is done.
        """
        await self._held.load()
        await self._write_down()
        await self._rotate_by_age()
        await self._forget()

    # What is committed --------------------------------------------------------------------------------------

    def _publication(self, key: SigningKey, seconds: int) -> builtins.list[Operation]:
        now = self._context.clock.now()
        settled = self.ring.settled(now)
        for entry in settled:
            if entry.state is KeyState.UPCOMING:
                raise Conflict(f"A rotation is under way: {entry.kid} is published and will sign soon.")
        row = self._held.row(key, KeyState.UPCOMING, created_at=now, activates_at=now + seconds * 1000)
        # The current key's new version is the guard: of two rotations that begin at the same moment one wins.
        current = next(entry for entry in settled if entry.state is KeyState.CURRENT)
        return [
            self._held.same_master(),
            *self._moves(settled, always=current.kid),
            PutStoredKey(row),
            self._context.event(EventType.KEY_PUBLISHED, now, resource_id=key.kid),
        ]

    def _withdrawal(self, key: SigningKey) -> builtins.list[Operation]:
        now = self._context.clock.now()
        operations: list[Operation] = [self._held.same_master()]
        for entry in self.ring.settled(now):
            # Whoever has got at one key may have got at those before it, so none of them stays.
            if entry.is_published(now):
                operations.append(self._held.moved(_withdrawn(entry, now)))
                operations.append(self._context.event(EventType.KEY_WITHDRAWN, now, resource_id=entry.kid))
            elif entry not in self.ring.entries:
                operations.append(self._held.moved(entry))
        row = self._held.row(key, KeyState.CURRENT, created_at=now, activates_at=now)
        operations.append(PutStoredKey(row))
        operations.append(self._context.event(EventType.KEY_ROTATED, now, resource_id=key.kid))
        return operations

    def _moves(self, settled: Iterable[KeyEntry], *, always: str | None = None) -> builtins.list[Operation]:
        """The operations that write down what the clock has done, and the event of the key that took over."""
        stored = {entry.kid: entry for entry in self.ring.entries}
        operations: list[Operation] = []
        for entry in settled:
            moved = entry.state is not stored[entry.kid].state
            if moved or entry.kid == always:
                operations.append(self._held.moved(entry))
            if moved and entry.state is KeyState.CURRENT:
                operations.append(
                    self._context.event(EventType.KEY_ROTATED, entry.activates_at, resource_id=entry.kid)
                )
        return operations

    # What is due --------------------------------------------------------------------------------------------

    async def _write_down(self) -> None:
        operations = self._moves(self.ring.settled(self._context.clock.now()))
        if not operations:
            return
        try:
            await self._context.store.commit([self._held.same_master(), *operations])
        except Refused:
            return  # somebody else has done it
        await self._held.load()
        await self._scrub()

    async def _rotate_by_age(self) -> None:
        days = self._settings.max_age_days
        if days is None:
            return
        now = self._context.clock.now()
        newest = max(entry.activates_at for entry in self.ring.settled(now))
        if now < newest + days * DAY_MS - self._settings.publish_seconds * 1000:
            return
        try:
            await self.rotate()
        except Conflict:
            return  # somebody else has begun it

    async def _forget(self) -> None:
        now = self._context.clock.now()
        keep = self._context.policy.event_retention_seconds * 1000
        gone = [
            DropStoredKey(entry.kid)
            for entry in self.ring.entries
            if entry.published_until is not None and entry.published_until + keep < now
        ]
        if gone:
            await self._context.store.commit(gone)
            await self._held.load()

    async def _scrub(self) -> None:
        try:
            await self._context.store.scrub()
        except Unavailable as error:
            _log.warning("a destroyed key may still lie in the database's log: %s", error.detail)


def _withdrawn(entry: KeyEntry, now: int) -> KeyEntry:
    return KeyEntry(
        kid=entry.kid,
        state=KeyState.WITHDRAWN,
        key=entry.public,
        created_at=entry.created_at,
        activates_at=entry.activates_at,
        retired_at=now,
        last_exp_at=entry.last_exp_at,
    )


def _status(entry: KeyEntry) -> SigningKeyStatus:
    return SigningKeyStatus(
        kid=entry.kid,
        algorithm=ALGORITHM,
        state=entry.state.value,
        created_at=entry.created_at,
        activates_at=entry.activates_at,
        retired_at=entry.retired_at,
        published_until=entry.published_until,
    )
