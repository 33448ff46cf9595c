"""Templates on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import apsw

from sojourn.core.templates import Template
from sojourn.service.ports import DeleteTemplate, InsertTemplate, Refused, TemplatePage, UpdateTemplate
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows.templates import template_of, template_values
from sojourn.stores.sqlite.changes import DUPLICATE, Change
from sojourn.stores.sqlite.driver import extended_code
from sojourn.stores.sqlite.reads import Reads, Statement

_SQL = queries("sqlite")


class Templates:
    """The verbs for templates."""

    _reads: Reads

    async def template(self, template_id: str) -> Template | None:
        """As the port says."""
        found = await self._reads.point(_SQL["template_get"], (template_id,))
        return template_of(found[0]) if found else None

    async def template_by_name(self, name: str) -> Template | None:
        """As the port says."""
        found = await self._reads.point(_SQL["template_by_name"], (name,))
        return template_of(found[0]) if found else None

    async def templates(self, *, limit: int, offset: int) -> TemplatePage:
        """As the port says."""
        page = Statement(_SQL["template_page"], (limit, offset))
        found, ((total,),) = await self._reads.near(page, Statement(_SQL["template_count"], ()))
        return TemplatePage([template_of(row) for row in found], total)


# What each operation does ----------------------------------------------------------------------------------


def _insert_template(change: Change, operation: InsertTemplate) -> None:
    template = operation.template
    ((standing,),) = change.execute(_SQL["template_count"]).fetchall()
    if standing >= operation.at_most:
        raise Refused(Refused.FULL, operation)
    if change.execute(_SQL["template_by_name"], (template.name,)).fetchall():
        raise Refused(Refused.IDENTIFIER_TAKEN, operation)
    change.insert(
        "template_insert", (template.id, template.created_at, *template_values(template)), template.id
    )


def _update_template(change: Change, operation: UpdateTemplate) -> None:
    template = operation.template
    values = (template.created_at, *template_values(template), template.id, operation.expected_version)
    try:
        change.update("template_update", values, operation)
    except apsw.ConstraintError as error:
        if extended_code(error) in DUPLICATE:
            raise Refused(Refused.IDENTIFIER_TAKEN, operation) from None
        raise


def _delete_template(change: Change, operation: DeleteTemplate) -> None:
    change.update("template_delete", (operation.template_id, operation.expected_version), operation)


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertTemplate: _insert_template,
    UpdateTemplate: _update_template,
    DeleteTemplate: _delete_template,
}
"""What a commit does for each operation."""
