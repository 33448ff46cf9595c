"""Stores that break a promise about keys, one each."""

# ruff: noqa: D102  # the class says what is broken; what the verb should do is said by the port

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from sojourn.service.ports import (
    DropStoredKey,
    ExpectMasterKey,
    Operation,
    PutStoredKey,
    RaiseLastExp,
    Refused,
    RevokeApiKey,
    UpdateStoredKey,
)
from sojourn.stores.memory import MemoryStore
from tests.contract.broken import breaks
from tests.contract.broken_writes import Rewriting


@breaks("test_an_api_key_is_revoked_once")
class RevokesAgain(MemoryStore):
    """A later revocation moves the instant of the first."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        keys = self._tables.api_keys
        for operation in operations:
            if isinstance(operation, RevokeApiKey):
                digest = next(key.digest for key in keys.values() if key.id == operation.id)
                keys[digest] = replace(keys[digest], revoked_at=operation.at)


@breaks("test_the_last_secret_key_stays")
class LocksEverybodyOut(Rewriting):
    """The last secret key goes like any other."""

    def rewrite(self, operation: Operation) -> Operation:
        return replace(operation, may_be_last=True) if isinstance(operation, RevokeApiKey) else operation


@breaks("test_of_racing_revocations_one_key_is_left")
class CountsKeysTooEarly(LocksEverybodyOut):
    """The keys that are left are counted, and then somebody else has a turn before the key is revoked."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        if any(isinstance(operation, RevokeApiKey) for operation in operations):
            if [key.revoked_at for key in self._tables.api_keys.values()].count(None) < 2:
                raise Refused(Refused.LAST_KEY, operations[0])
            await asyncio.sleep(0)
        await super().commit(operations)


@breaks("test_a_stored_key_is_updated_at_its_version")
class ForgetsTheLastExp(MemoryStore):
    """An update of a key writes back what it had read of its tokens."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for operation in operations:
            if isinstance(operation, UpdateStoredKey):
                self._tables.stored_keys[operation.key.kid] = operation.key


@breaks("test_of_racing_rotations_one_is_made")
class RotatesTwice(Rewriting):
    """The last rotation wins, and so do all before it."""

    def rewrite(self, operation: Operation) -> Operation:
        return PutStoredKey(operation.key) if isinstance(operation, UpdateStoredKey) else operation


@breaks("test_the_last_exp_is_only_raised")
class BelievesTheLastToken(MemoryStore):
    """The last `exp` is that of the last token."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        keys = self._tables.stored_keys
        for operation in operations:
            if isinstance(operation, RaiseLastExp):
                keys[operation.kid] = replace(keys[operation.kid], last_exp_at=operation.at)


@breaks("test_a_stored_key_is_dropped")
class KeepsKeys(MemoryStore):
    """Nothing is dropped."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit([o for o in operations if not isinstance(o, DropStoredKey)])


@breaks("test_a_commit_can_depend_on_the_master_key")
class IgnoresTheMasterKey(MemoryStore):
    """Whatever the keys are sealed with, the commit is made."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit([o for o in operations if not isinstance(o, ExpectMasterKey)])
