"""Documents of the instance: the changed policy, work that goes on in steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A JSON object under a kind and an id. `version` counts its changes, from 1 on."""

    kind: str
    id: str
    content: Mapping[str, object]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PutDocument:
    """Store a document if it is still at `expected_version`, 0 for one that is not there yet (else
    Refused.CHANGED)."""

    kind: str
    id: str
    content: Mapping[str, object]
    expected_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteDocument:
    """Remove a document that is still at `expected_version` (else Refused.CHANGED)."""

    kind: str
    id: str
    expected_version: int


DocumentOperation: TypeAlias = PutDocument | DeleteDocument


class DocumentStore(Protocol):
    """The verbs for documents."""

    async def document(self, kind: str, document_id: str) -> Document | None:
        """One document."""
        ...

    async def documents(self, kind: str, limit: int) -> Sequence[Document]:
        """Documents of a kind, the newest first."""
        ...
