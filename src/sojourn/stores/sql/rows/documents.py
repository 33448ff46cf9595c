"""Documents as rows."""

from __future__ import annotations

import json

from sojourn.service.ports import Document
from sojourn.stores.sql.rows.sessions import Row


def document_of(kind: str, row: Row) -> Document:
    """A document from `document_get` and `document_page`."""
    return Document(kind=kind, id=row[0], version=row[1], content=json.loads(row[2]))
