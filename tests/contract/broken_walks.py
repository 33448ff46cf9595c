"""Stores that break a promise about walks, limits, spared sessions and documents."""

# ruff: noqa: D102  # the class says what is broken; what the verb should do is said by the port

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sojourn.core.events import Event
from sojourn.core.session import Status
from sojourn.service.ports import (
    DeleteDocument,
    Document,
    InsertCutoff,
    InsertSession,
    Operation,
    PutDocument,
    SessionWalk,
    WalkStep,
)
from sojourn.stores.memory import MemoryStore
from tests.contract.broken import breaks


@breaks("test_a_walk_finds_what_matches", facts={"actor": "user_z"}, names=["acted"], size=(3, 2))
class OverlooksActors(MemoryStore):
    """Who acts makes no difference to a walk."""

    async def walk(self, walk: SessionWalk) -> WalkStep:
        return await super().walk(replace(walk, actor=None))


@breaks("test_a_step_looks_at_its_window_alone")
class LooksAtAll(MemoryStore):
    """A step goes on until it has found something."""

    async def walk(self, walk: SessionWalk) -> WalkStep:
        return await super().walk(replace(walk, window=10**9))


@breaks("test_a_walk_sees_cutoffs")
class WalksAsStored(MemoryStore):
    """A walk trusts what is stored."""

    async def walk(self, walk: SessionWalk) -> WalkStep:
        step = await super().walk(replace(walk, statuses=None))
        wanted = walk.statuses or frozenset(Status)
        return WalkStep([held for held in step.items if held.session.status in wanted], step.before)


@breaks("test_a_limit_counts_live_sessions")
class KnowsNoLimit(MemoryStore):
    """Any number of sessions is as good as another."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(
            [replace(one, at_most=None) if isinstance(one, InsertSession) else one for one in operations]
        )


@breaks("test_a_cutoff_that_spares_is_swept")
class SparesNobody(MemoryStore):
    """A cutoff ends the session that it should spare."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(
            [
                InsertCutoff(replace(one.cutoff, spared=None)) if isinstance(one, InsertCutoff) else one
                for one in operations
            ]
        )


@breaks("test_a_document_at_another_version_stays", version=7)
class WritesOverDocuments(MemoryStore):
    """The version of a document is not looked at."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit([self._current(one) for one in operations])

    def _current(self, operation: Operation) -> Operation:
        if isinstance(operation, PutDocument | DeleteDocument):
            stored = self._tables.documents.get((operation.kind, operation.id))
            return replace(operation, expected_version=stored.version if stored else 0)
        return operation


@breaks("test_documents_are_listed")
class ListsEveryDocument(MemoryStore):
    """A list of documents has those of every kind."""

    async def documents(self, kind: str, limit: int) -> Sequence[Document]:
        return list(reversed(self._tables.documents.values()))[:limit]


@breaks("test_the_events_of_a_session")
class GivesTheOldestEvents(MemoryStore):
    """The history of a session breaks off at its beginning."""

    async def events_of_session(self, session_id: str, limit: int) -> Sequence[Event]:
        return (await super().events_of_session(session_id, 10**9))[:limit]
