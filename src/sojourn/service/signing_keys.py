"""The signing keys of the instance: opened from the store, held in a key ring."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from sojourn.core.errors import MasterKeyRefused
from sojourn.core.ids import Prefix
from sojourn.core.keys import KeyUse, StoredKey
from sojourn.service.context import Context
from sojourn.service.ports import PutStoredKey
from sojourn.tokens import envelope
from sojourn.tokens.envelope import MasterKey
from sojourn.tokens.jws import PublicKey, SigningKey
from sojourn.tokens.keyring import KeyEntry, KeyRing, KeyState

RELOAD_INTERVAL_MS = 10_000
"""A token with an unknown kid makes us look into the store at most this often (RELIABILITY T-09)."""
ALGORITHM = "RS256"
_log = logging.getLogger("sojourn.keys")
_NONCE_BYTES = 12


class SigningKeys:
    """The key ring and its copy in the store."""

    def __init__(self, context: Context, master: MasterKey | None) -> None:
        self._context = context
        self._master = master
        self._ring: KeyRing | None = None
        self._loaded_at = 0

    @property
    def ring(self) -> KeyRing:
        """The ring as last loaded."""
        if self._ring is None:
            raise MasterKeyRefused("The signing keys have not been loaded.")
        return self._ring

    def public(self, kid: str) -> PublicKey | None:
        """The published key with this kid, for the verifier."""
        return self.ring.public(kid, now_ms=self._context.clock.now())

    def jwks(self) -> dict[str, object]:
        """The public key set (RFC 7517 section 5) as published now."""
        return dict(self.ring.jwks(self._context.clock.now()))

    async def load(self) -> None:
        """Open all stored signing keys. Raises MasterKeyRefused when they cannot be opened."""
        rows = await self._context.store.stored_keys()
        entries = [self._entry(row) for row in rows if row.use is KeyUse.SIGNING]
        self._ring = KeyRing(entries)
        self._loaded_at = self._context.clock.now()

    async def reload(self) -> bool:
        """Load again unless that was tried a moment ago. Whether it was done."""
        now = self._context.clock.now()
        if now - self._loaded_at < RELOAD_INTERVAL_MS:
            return False
        self._loaded_at = now
        try:
            await self.load()
        except MasterKeyRefused as error:
            # Somebody put the stored keys under another master key: go on with the ring at hand.
            _log.error("the signing keys cannot be loaded again: %s", error.detail)
            return False
        return True

    @property
    def master(self) -> MasterKey | None:
        """The master key under which the stored keys are opened."""
        return self._master

    @master.setter
    def master(self, master: MasterKey | None) -> None:
        self._master = master

    def new(self) -> PutStoredKey:
        """The operation that stores a new current signing key."""
        now = self._context.clock.now()
        kid = self._context.id(Prefix.SIGNING_KEY, now)
        return PutStoredKey(
            StoredKey(
                kid=kid,
                use=KeyUse.SIGNING,
                algorithm=ALGORITHM,
                state=KeyState.CURRENT.value,
                material=self._close(SigningKey.generate(kid).to_pem(), kid, self._master),
                created_at=now,
            )
        )

    async def resealed(self, *, old: MasterKey | None, new: MasterKey | None) -> Sequence[PutStoredKey]:
        """The operations that put every stored key under another master key; None stands for in the clear.

        Raises MasterKeyRefused when a stored key is not in the form that `old` says.
        """
        rows = await self._context.store.stored_keys()
        return [
            PutStoredKey(replace(row, material=self._close(self._open(row, old), row.kid, new)))
            for row in rows
        ]

    def _entry(self, row: StoredKey) -> KeyEntry:
        return KeyEntry(
            kid=row.kid,
            state=KeyState(row.state),
            key=SigningKey.from_pem(row.kid, self._open(row, self._master)),
            created_at=row.created_at,
            published_until=row.published_until,
        )

    def _open(self, row: StoredKey, master: MasterKey | None) -> bytes:
        try:
            return envelope.unwrap(row.material, master=master, row_id=row.kid)
        except ValueError as error:
            raise MasterKeyRefused(f"The stored key {row.kid} cannot be opened: {error}") from None

    def _close(self, plain: bytes, kid: str, master: MasterKey | None) -> bytes:
        if master is None:
            return envelope.wrap_plain(plain)
        nonce = self._context.entropy.bytes(_NONCE_BYTES)
        return envelope.seal(plain, master=master, nonce=nonce, row_id=kid)
