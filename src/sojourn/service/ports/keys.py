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


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeApiKey:
    """Note that a stored API key is revoked, which is never undone: one that is revoked stays as it is.

    Refused.CHANGED when there is no such key; Refused.LAST_KEY, unless `may_be_last`, when it is a secret key
    and no other one would be left that is not revoked.
    """

    id: str
    at: int
    may_be_last: bool = False


@dataclass(frozen=True, slots=True)
class PutStoredKey:
    """Insert or replace a stored private key by its kid, all of it."""

    key: StoredKey


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStoredKey:
    """Replace a stored private key, if it is there and still at `expected_version` (else Refused.CHANGED).

    Writes all but `last_exp_at`, which RaiseLastExp alone moves.
    """

    key: StoredKey
    expected_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseLastExp:
    """Note that tokens of a key may be good until an instant (ms). An earlier one changes nothing.

    Refused.CHANGED when the key is not stored, or no longer as upcoming or current. No new version: it can
    neither lose nor undo a change.
    """

    kid: str
    at: int


@dataclass(frozen=True, slots=True)
class DropStoredKey:
    """Delete a stored key, its public half too. One that is not there is fine."""

    kid: str


@dataclass(frozen=True, slots=True)
class ExpectMasterKey:
    """Changes nothing. Refused.CHANGED unless the instance's keys are sealed with this master key (None: lie
    in the clear), so that nothing is stored under a key that was replaced in between."""

    master_key_id: str | None


@dataclass(frozen=True, slots=True)
class ExpectStoredKeys:
    """Changes nothing. Refused.CHANGED unless the stored keys are those with these kids, no more and no
    fewer, so that none is left behind by what is done to all."""

    kids: frozenset[str]


@dataclass(frozen=True, slots=True)
class PutInstance:
    """Insert or replace the one instance row."""

    instance: Instance


KeyOperation: TypeAlias = (
    InsertApiKey
    | RevokeApiKey
    | PutStoredKey
    | UpdateStoredKey
    | RaiseLastExp
    | DropStoredKey
    | ExpectMasterKey
    | ExpectStoredKeys
    | PutInstance
)


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
