"""API keys, private keys at rest and the instance: what happens, and the verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sojourn.core.keys import ApiKey, Instance, StoredKey


@dataclass(frozen=True, slots=True)
class InsertApiKey:
    """Store an API key's hash. Refused.REPEATED when that hash is stored already."""

    key: ApiKey


@dataclass(frozen=True, slots=True)
class PutStoredKey:
    """Insert or replace a stored private key by its kid."""

    key: StoredKey


@dataclass(frozen=True, slots=True)
class PutInstance:
    """Insert or replace the one instance row."""

    instance: Instance


KeyOperation: TypeAlias = InsertApiKey | PutStoredKey | PutInstance


class KeyStore(Protocol):
    """The verbs for keys and the instance."""

    async def api_key(self, digest: bytes) -> ApiKey | None:
        """The key whose text has this SHA-256, revoked ones included."""
        ...

    async def api_keys(self) -> Sequence[ApiKey]:
        """All API keys, oldest first; there are never many."""
        ...

    async def stored_keys(self) -> Sequence[StoredKey]:
        """All private keys at rest, oldest first."""
        ...

    async def instance(self) -> Instance | None:
        """The instance, None in an empty store."""
        ...
