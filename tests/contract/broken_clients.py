"""Stores that break a promise about clients, one each."""

# ruff: noqa: D102  # the class says what is broken; what the verb should do is said by the port

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sojourn.service.ports import InsertClient, Operation, Refused, UpdateClient
from sojourn.stores.memory import MemoryStore
from tests.contract.broken import breaks


@breaks("test_a_client_is_kept_with_its_secret")
class ForgetsRotations(MemoryStore):
    """Which secrets are within their grace is lost."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for client in list(self._tables.clients.values()):
            if client.secret is not None:
                secret = replace(client.secret, rotations=())
                self._tables.clients[client.id] = replace(client, secret=secret)


@breaks("test_an_update_replaces_the_secret")
class KeepsTheSecret(MemoryStore):
    """An update without a secret leaves the one that is there."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        before = dict(self._tables.clients)
        await super().commit(operations)
        for operation in operations:
            if isinstance(operation, UpdateClient) and operation.client.secret is None:
                kept = before[operation.client.id].secret
                self._tables.clients[operation.client.id] = replace(operation.client, secret=kept)


@breaks("test_of_racing_rotations_of_a_secret_one_is_made")
class RotatesEveryTime(MemoryStore):
    """The last to replace a secret wins."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, UpdateClient):
                stored = self._tables.clients[operation.client.id]
                self._tables.clients[stored.id] = replace(stored, version=operation.expected_version)
        await super().commit(operations)


@breaks("test_a_client_that_is_not_there_is_not_changed")
class MakesClients(MemoryStore):
    """An update of what is not there is an insertion."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        try:
            await super().commit(operations)
        except Refused:
            await super().commit([InsertClient(o.client) for o in operations if isinstance(o, UpdateClient)])
            raise
