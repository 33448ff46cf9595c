"""Documents of the instance on PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from sojourn.service.ports import DeleteDocument, Document, PutDocument, Refused
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.driver import Duplicate
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.sql.rows import sessions as rows
from sojourn.stores.sql.rows.documents import document_of


class Documents:
    """The verbs for documents."""

    _reads: Reads

    async def document(self, kind: str, document_id: str) -> Document | None:
        """As the port says."""
        found = await self._reads.named("document_get", kind=kind, id=document_id)
        return document_of(kind, found[0]) if found else None

    async def documents(self, kind: str, limit: int) -> Sequence[Document]:
        """As the port says."""
        return [
            document_of(kind, row) for row in await self._reads.named("document_page", kind=kind, limit=limit)
        ]


# What each operation does ----------------------------------------------------------------------------------


async def _put_document(change: Change, operation: PutDocument) -> None:
    bindings = {
        "kind": operation.kind,
        "id": operation.id,
        "content": rows.document(operation.content),
        "expected_version": operation.expected_version,
    }
    if operation.expected_version:
        await change.update("document_update", bindings, operation)
        return
    try:
        await change.run("document_insert", bindings)
    except Duplicate:
        raise Refused(Refused.CHANGED, operation) from None


async def _delete_document(change: Change, operation: DeleteDocument) -> None:
    bindings = {"kind": operation.kind, "id": operation.id, "expected_version": operation.expected_version}
    await change.update("document_delete", bindings, operation)


CHANGES: Mapping[type, Callable[..., Awaitable[None]]] = {
    PutDocument: _put_document,
    DeleteDocument: _delete_document,
}
"""What a commit does for each operation."""
