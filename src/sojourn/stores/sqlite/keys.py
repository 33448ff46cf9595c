"""API keys, private keys at rest and the instance on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows.keys import api_key_of, instance_of, stored_key_of, stored_key_values
from sojourn.stores.sqlite.changes import Change
from sojourn.stores.sqlite.reads import Reads

_SQL = queries("sqlite")


class Keys:
    """The verbs for keys and the instance."""

    _reads: Reads

    async def api_key(self, digest: bytes) -> ApiKey | None:
        """As the port says."""
        found = await self._reads.point(_SQL["api_key_get"], (digest,))
        return api_key_of(found[0]) if found else None

    async def api_keys(self) -> Sequence[ApiKey]:
        """As the port says."""
        return [api_key_of(row) for row in await self._reads.point(_SQL["api_key_list"])]

    async def stored_keys(self) -> Sequence[StoredKey]:
        """As the port says."""
        return [stored_key_of(row) for row in await self._reads.point(_SQL["stored_key_list"])]

    async def instance(self) -> Instance | None:
        """As the port says."""
        found = await self._reads.point(_SQL["instance_get"])
        return instance_of(found[0]) if found else None


# What each operation does ----------------------------------------------------------------------------------


def _insert_api_key(change: Change, operation: InsertApiKey) -> None:
    key = operation.key
    values = (key.id, key.kind.value, key.digest, key.hint, key.created_at, key.revoked_at)
    change.insert_unrepeated("api_key_insert", values, operation)


def _revoke_api_key(change: Change, operation: RevokeApiKey) -> None:
    found = change.execute(_SQL["api_key_others"], (operation.id,)).fetchall()
    if not found:
        raise Refused(Refused.CHANGED, operation)
    kind, others = found[0]
    if kind == ApiKeyKind.SECRET.value and not others and not operation.may_be_last:
        raise Refused(Refused.LAST_KEY, operation)
    change.execute(_SQL["api_key_revoke"], (operation.at, operation.id))


def _put_stored_key(change: Change, operation: PutStoredKey) -> None:
    change.execute(_SQL["stored_key_put"], stored_key_values(operation.key))


def _update_stored_key(change: Change, operation: UpdateStoredKey) -> None:
    bindings = stored_key_values(operation.key) | {"expected": operation.expected_version}
    change.update("stored_key_update", bindings, operation)


def _raise_last_exp(change: Change, operation: RaiseLastExp) -> None:
    change.update("stored_key_raise", {"kid": operation.kid, "at": operation.at}, operation)


def _drop_stored_key(change: Change, operation: DropStoredKey) -> None:
    change.execute(_SQL["stored_key_drop"], (operation.kid,))


def _expect_master_key(change: Change, operation: ExpectMasterKey) -> None:
    if not change.execute(_SQL["instance_sealed"], (operation.master_key_id,)).fetchall():
        raise Refused(Refused.CHANGED, operation)


def _expect_stored_keys(change: Change, operation: ExpectStoredKeys) -> None:
    stored = frozenset(kid for (kid,) in change.execute(_SQL["stored_key_kids"]).fetchall())
    if stored != operation.kids:
        raise Refused(Refused.CHANGED, operation)


def _put_instance(change: Change, operation: PutInstance) -> None:
    one = operation.instance
    values = (one.id, one.publishable_key, one.epoch, one.created_at, one.master_key_id)
    change.execute(_SQL["instance_put"], values)


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
