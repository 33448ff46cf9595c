"""Documents of the instance on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import apsw

from sojourn.service.ports import DeleteDocument, Document, PutDocument, Refused
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows import sessions as rows
from sojourn.stores.sql.rows.documents import document_of
from sojourn.stores.sqlite.changes import DUPLICATE, Change
from sojourn.stores.sqlite.driver import extended_code
from sojourn.stores.sqlite.reads import Reads

_SQL = queries("sqlite")


class Documents:
    """The verbs for documents."""

    _reads: Reads

    async def document(self, kind: str, document_id: str) -> Document | None:
        """As the port says."""
        found = await self._reads.point(_SQL["document_get"], (kind, document_id))
        return document_of(kind, found[0]) if found else None

    async def documents(self, kind: str, limit: int) -> Sequence[Document]:
        """As the port says."""
        found = await self._reads.point(_SQL["document_page"], (kind, limit))
        return [document_of(kind, row) for row in found]


# What each operation does ----------------------------------------------------------------------------------


def _put_document(change: Change, operation: PutDocument) -> None:
    content = rows.document(operation.content)
    if operation.expected_version:
        bindings = {
            "kind": operation.kind,
            "id": operation.id,
            "content": content,
            "expected_version": operation.expected_version,
        }
        change.update("document_update", bindings, operation)
        return
    try:
        change.execute(_SQL["document_insert"], (operation.kind, operation.id, content))
    except apsw.ConstraintError as error:
        if extended_code(error) in DUPLICATE:
            raise Refused(Refused.CHANGED, operation) from None
        raise


def _delete_document(change: Change, operation: DeleteDocument) -> None:
    change.update("document_delete", (operation.kind, operation.id, operation.expected_version), operation)


CHANGES: Mapping[type, Callable[..., None]] = {
    PutDocument: _put_document,
    DeleteDocument: _delete_document,
}
"""What a commit does for each operation."""
