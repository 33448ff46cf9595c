"""Documents of the instance in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sojourn.service.ports import DeleteDocument, Document, PutDocument, Refused
from sojourn.stores.memory.tables import Change, Tables, own


class Documents:
    """The verbs for documents."""

    _tables: Tables

    async def document(self, kind: str, document_id: str) -> Document | None:
        """As the port says."""
        return self._tables.documents.get((kind, document_id))

    async def documents(self, kind: str, limit: int) -> Sequence[Document]:
        """As the port says."""
        return [one for one in reversed(self._tables.documents.values()) if one.kind == kind][:limit]


# What each operation does ----------------------------------------------------------------------------------


def _put_document(change: Change, operation: PutDocument) -> None:
    key = (operation.kind, operation.id)
    stored = change.tables.documents.get(key)
    if (stored.version if stored else 0) != operation.expected_version:
        raise Refused(Refused.CHANGED, operation)
    document = Document(
        kind=operation.kind,
        id=operation.id,
        content=own(operation.content),
        version=operation.expected_version + 1,
    )
    change.journal.put(change.tables.documents, key, document)


def _delete_document(change: Change, operation: DeleteDocument) -> None:
    key = (operation.kind, operation.id)
    stored = change.tables.documents.get(key)
    if stored is None or stored.version != operation.expected_version:
        raise Refused(Refused.CHANGED, operation)
    change.journal.drop(change.tables.documents, key)


CHANGES: Mapping[type, Callable[..., None]] = {
    PutDocument: _put_document,
    DeleteDocument: _delete_document,
}
"""What a commit does for each operation."""
