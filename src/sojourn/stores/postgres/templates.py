"""Templates on PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from sojourn.core.templates import Template
from sojourn.service.ports import DeleteTemplate, InsertTemplate, Refused, TemplatePage, UpdateTemplate
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.driver import Duplicate
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.sql.rows.templates import template_of, template_values


class Templates:
    """The verbs for templates."""

    _reads: Reads

    async def template(self, template_id: str) -> Template | None:
        """As the port says."""
        found = await self._reads.named("template_get", id=template_id)
        return template_of(found[0]) if found else None

    async def template_by_name(self, name: str) -> Template | None:
        """As the port says."""
        found = await self._reads.named("template_by_name", name=name)
        return template_of(found[0]) if found else None

    async def templates(self, *, limit: int, offset: int) -> TemplatePage:
        """As the port says."""
        found = await self._reads.named("template_page", limit=limit, offset=offset)
        ((total,),) = await self._reads.named("template_count")
        return TemplatePage([template_of(row) for row in found], total)


# What each operation does ----------------------------------------------------------------------------------


async def _insert_template(change: Change, operation: InsertTemplate) -> None:
    template = operation.template
    ((standing,),) = await change.rows("template_count", {})
    if standing >= operation.at_most:
        raise Refused(Refused.FULL, operation)
    if await change.rows("template_by_name", {"name": template.name}):
        raise Refused(Refused.IDENTIFIER_TAKEN, operation)
    values = (template.id, template.created_at, *template_values(template))
    await change.insert("template_insert", values, template.id)


async def _update_template(change: Change, operation: UpdateTemplate) -> None:
    template = operation.template
    values = (template.created_at, *template_values(template), template.id, operation.expected_version)
    try:
        await change.update("template_update", values, operation)
    except Duplicate:
        raise Refused(Refused.IDENTIFIER_TAKEN, operation) from None


async def _delete_template(change: Change, operation: DeleteTemplate) -> None:
    bindings = {"id": operation.template_id, "expected_version": operation.expected_version}
    await change.update("template_delete", bindings, operation)


CHANGES: Mapping[type, Callable[..., Awaitable[None]]] = {
    InsertTemplate: _insert_template,
    UpdateTemplate: _update_template,
    DeleteTemplate: _delete_template,
}
"""What a commit does for each operation."""
