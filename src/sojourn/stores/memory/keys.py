"""API keys, private keys at rest and the instance in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sojourn.core.keys import ApiKey, ApiKeyKind, Instance, StoredKey
from sojourn.service.ports import (
    DropStoredKey,
    ExpectMasterKey,
    ExpectStoredKeys,
    InsertApiKey,
    PutInstance,
    PutStoredKey,
    RaiseLastExp,
    Refused,
    RevokeApiKey,
    UpdateStoredKey,
)
from sojourn.stores.memory.tables import Change, Tables, latest


class Keys:
    """The verbs for keys and the instance."""

    _tables: Tables

    async def api_key(self, digest: bytes) -> ApiKey | None:
        """As the port says."""
        return self._tables.api_keys.get(digest)

    async def api_keys(self) -> Sequence[ApiKey]:
        """As the port says."""
        return list(self._tables.api_keys.values())

    async def stored_keys(self) -> Sequence[StoredKey]:
        """As the port says."""
        return list(self._tables.stored_keys.values())

    async def instance(self) -> Instance | None:
        """As the port says."""
        return self._tables.instances.get("instance")


# What each operation does ----------------------------------------------------------------------------------


def _insert_api_key(change: Change, operation: InsertApiKey) -> None:
    if operation.key.digest in change.tables.api_keys:
        raise Refused(Refused.REPEATED, operation)
    change.journal.put(change.tables.api_keys, operation.key.digest, operation.key)


def _revoke_api_key(change: Change, operation: RevokeApiKey) -> None:
    keys = change.tables.api_keys
    key = next((key for key in keys.values() if key.id == operation.id), None)
    if key is None:
        raise Refused(Refused.CHANGED, operation)
    if key.revoked_at is not None:
        return
    if key.kind is ApiKeyKind.SECRET and not operation.may_be_last:
        others = (k for k in keys.values() if k.kind is ApiKeyKind.SECRET and k.revoked_at is None)
        if all(other.id == key.id for other in others):
            raise Refused(Refused.LAST_KEY, operation)
    change.journal.put(keys, key.digest, replace(key, revoked_at=operation.at))


def _put_stored_key(change: Change, operation: PutStoredKey) -> None:
    change.journal.put(change.tables.stored_keys, operation.key.kid, operation.key)


def _update_stored_key(change: Change, operation: UpdateStoredKey) -> None:
    keys, key = change.tables.stored_keys, operation.key
    stored = keys.get(key.kid)
    if stored is None or stored.version != operation.expected_version:
        raise Refused(Refused.CHANGED, operation)
    change.journal.put(keys, key.kid, replace(key, last_exp_at=stored.last_exp_at))


def _raise_last_exp(change: Change, operation: RaiseLastExp) -> None:
    keys = change.tables.stored_keys
    stored = keys.get(operation.kid)
    if stored is None or stored.state not in ("upcoming", "current"):
        raise Refused(Refused.CHANGED, operation)
    change.journal.put(
        keys, stored.kid, replace(stored, last_exp_at=latest(stored.last_exp_at, operation.at))
    )


def _drop_stored_key(change: Change, operation: DropStoredKey) -> None:
    if operation.kid in change.tables.stored_keys:
        change.journal.drop(change.tables.stored_keys, operation.kid)


def _expect_master_key(change: Change, operation: ExpectMasterKey) -> None:
    instance = change.tables.instances.get("instance")
    if instance is None or instance.master_key_id != operation.master_key_id:
        raise Refused(Refused.CHANGED, operation)


def _expect_stored_keys(change: Change, operation: ExpectStoredKeys) -> None:
    if change.tables.stored_keys.keys() != operation.kids:
        raise Refused(Refused.CHANGED, operation)


def _put_instance(change: Change, operation: PutInstance) -> None:
    change.journal.put(change.tables.instances, "instance", operation.instance)


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertApiKey: _insert_api_key,
    RevokeApiKey: _revoke_api_key,
    PutStoredKey: _put_stored_key,
    UpdateStoredKey: _update_stored_key,
    RaiseLastExp: _raise_last_exp,
    DropStoredKey: _drop_stored_key,
    ExpectMasterKey: _expect_master_key,
    ExpectStoredKeys: _expect_stored_keys,
    PutInstance: _put_instance,
}
"""What a commit does for each operation."""
