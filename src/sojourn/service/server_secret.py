"""The secret of the instance from which the credentials of clients are derived; stored like a signing key."""

from __future__ import annotations

import hashlib
import hmac

from sojourn.core.errors import ConfigurationError
from sojourn.core.keys import KeyUse, StoredKey
from sojourn.service.context import Context
from sojourn.service.held_ring import HeldRing
from sojourn.service.ports import ExpectMasterKey, InsertOnce, PutStoredKey, Refused
from sojourn.tokens.client_token import ClientTokens

_KID = "hmac_clients"
_ALGORITHM = "HS256"
_BYTES = 32
_MADE = hashlib.sha256(b"sojourn server secret").digest()


class ServerSecret:
    """256 bits that nobody outside knows. What is derived for one purpose says nothing about another."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "<ServerSecret>"

    def derive(self, purpose: str, *parts: str) -> bytes:
        """32 bytes for a purpose and what it is done to; no part may hold a NUL."""
        return hmac.digest(self._secret, "\0".join((purpose, *parts)).encode(), "sha256")

    def client_tokens(self) -> ClientTokens:
        """What reads and writes the tokens of clients."""
        return ClientTokens(
            signing=self.derive("client token/v1"), deriving=self.derive("client successor/v1")
        )


async def load(context: Context, held: HeldRing) -> ServerSecret:
    """The secret of the instance, made when there is none yet. Raises MasterKeyRefused."""
    for _ in range(2):
        row = next((row for row in await context.store.stored_keys() if row.use is KeyUse.HMAC), None)
        if row is not None:
            return ServerSecret(held.unseal(row))
        await _make(context, held)
    raise ConfigurationError("The secret of the instance could not be made.")


async def _make(context: Context, held: HeldRing) -> None:
    now = context.clock.now()
    key = StoredKey(
        kid=_KID,
        use=KeyUse.HMAC,
        algorithm=_ALGORITHM,
        state="current",
        material=held.seal(context.entropy.bytes(_BYTES), _KID),
        created_at=now,
        activates_at=now,
    )
    # Of several processes that start at once one stores its own.
    once = InsertOnce(digest=_MADE, fingerprint=b"", resource_id=_KID, at=now)
    master = held.master
    try:
        await context.store.commit([once, ExpectMasterKey(master.id if master else None), PutStoredKey(key)])
    except Refused:
        return
