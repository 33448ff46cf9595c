"""API keys, private keys at rest and the instance on PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

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
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.sql.rows.keys import api_key_of, instance_of, stored_key_of, stored_key_values


class Keys:
    """The verbs for keys and the instance."""

    _reads: Reads

    async def api_key(self, digest: bytes) -> ApiKey | None:
        """As the port says."""
        found = await self._reads.named("api_key_get", digest=digest)
        return api_key_of(found[0]) if found else None

    async def api_keys(self) -> Sequence[ApiKey]:
        """As the port says."""
        return [api_key_of(row) for row in await self._reads.named("api_key_list")]

    async def stored_keys(self) -> Sequence[StoredKey]:
        """As the port says."""
        return [stored_key_of(row) for row in await self._reads.named("stored_key_list")]

    async def instance(self) -> Instance | None:
        """As the port says."""
        found = await self._reads.named("instance_get")
        return instance_of(found[0]) if found else None


# What each operation does ----------------------------------------------------------------------------------


async def _insert_api_key(change: Change, operation: InsertApiKey) -> None:
    key = operation.key
    bindings = {
        "id": key.id,
        "kind": key.kind.value,
        "digest": key.digest,
        "hint": key.hint,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }
    await change.insert_unrepeated("api_key_insert", bindings, operation)


async def _revoke_api_key(change: Change, operation: RevokeApiKey) -> None:
    found = await change.rows("api_key_others", {"id": operation.id})
    if not found:
        raise Refused(Refused.CHANGED, operation)
    kind, others = found[0]
    if kind == ApiKeyKind.SECRET.value and not others and not operation.may_be_last:
        raise Refused(Refused.LAST_KEY, operation)
    await change.run("api_key_revoke", {"at": operation.at, "id": operation.id})


async def _put_stored_key(change: Change, operation: PutStoredKey) -> None:
    await change.run("stored_key_put", stored_key_values(operation.key))


async def _update_stored_key(change: Change, operation: UpdateStoredKey) -> None:
    bindings = stored_key_values(operation.key) | {"expected": operation.expected_version}
    await change.update("stored_key_update", bindings, operation)


async def _raise_last_exp(change: Change, operation: RaiseLastExp) -> None:
    await change.update("stored_key_raise", {"kid": operation.kid, "at": operation.at}, operation)


async def _drop_stored_key(change: Change, operation: DropStoredKey) -> None:
    await change.run("stored_key_drop", {"kid": operation.kid})


async def _expect_master_key(change: Change, operation: ExpectMasterKey) -> None:
    if not await change.rows("instance_sealed", {"master_key_id": operation.master_key_id}):
        raise Refused(Refused.CHANGED, operation)


async def _expect_stored_keys(change: Change, operation: ExpectStoredKeys) -> None:
    stored = frozenset(kid for (kid,) in await change.rows("stored_key_kids", {}))
    if stored != operation.kids:
        raise Refused(Refused.CHANGED, operation)


async def _put_instance(change: Change, operation: PutInstance) -> None:
    one = operation.instance
    bindings = {
        "id": one.id,
        "publishable_key": one.publishable_key,
        "epoch": one.epoch,
        "created_at": one.created_at,
        "master_key_id": one.master_key_id,
    }
    await change.run("instance_put", bindings)


CHANGES: Mapping[type, Callable[..., Awaitable[None]]] = {
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
