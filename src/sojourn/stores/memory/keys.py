"""API keys, private keys at rest and the instance in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sojourn.core.keys import ApiKey, Instance, StoredKey
from sojourn.service.ports import InsertApiKey, PutInstance, PutStoredKey, Refused
from sojourn.stores.memory.tables import Change, Tables


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


def _put_stored_key(change: Change, operation: PutStoredKey) -> None:
    change.journal.put(change.tables.stored_keys, operation.key.kid, operation.key)


def _put_instance(change: Change, operation: PutInstance) -> None:
    change.journal.put(change.tables.instances, "instance", operation.instance)


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertApiKey: _insert_api_key,
    PutStoredKey: _put_stored_key,
    PutInstance: _put_instance,
}
"""What a commit does for each operation."""
