"""Templates in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sojourn.core.templates import Template
from sojourn.service.ports import DeleteTemplate, InsertTemplate, Refused, TemplatePage, UpdateTemplate
from sojourn.stores.memory.tables import Change, Tables, own


class Templates:
    """The verbs for templates."""

    _tables: Tables

    async def template(self, template_id: str) -> Template | None:
        """As the port says."""
        return self._tables.templates.get(template_id)

    async def template_by_name(self, name: str) -> Template | None:
        """As the port says."""
        found = self._tables.template_ids.get(name)
        return None if found is None else self._tables.templates[found]

    async def templates(self, *, limit: int, offset: int) -> TemplatePage:
        """As the port says."""
        every = list(reversed(self._tables.templates.values()))
        return TemplatePage(every[offset : offset + limit], len(every))


# What each operation does ----------------------------------------------------------------------------------


def _insert_template(change: Change, operation: InsertTemplate) -> None:
    template = operation.template
    if len(change.tables.templates) >= operation.at_most:
        raise Refused(Refused.FULL, operation)
    _claim_name(change, template, operation)
    stored = replace(template, claims=own(template.claims), sequence=change.next("templates"))
    change.new(change.tables.templates, template.id, stored)


def _update_template(change: Change, operation: UpdateTemplate) -> None:
    stored, wanted = change.tables.templates.get(operation.template.id), operation.template
    if stored is None or stored.version != operation.expected_version:
        raise Refused(Refused.CHANGED, operation)
    if stored.name != wanted.name:
        _claim_name(change, wanted, operation)
        change.journal.drop(change.tables.template_ids, stored.name)
    changed = replace(wanted, claims=own(wanted.claims), sequence=stored.sequence)
    change.journal.put(change.tables.templates, stored.id, changed)


def _delete_template(change: Change, operation: DeleteTemplate) -> None:
    stored = change.tables.templates.get(operation.template_id)
    if stored is None or stored.version != operation.expected_version:
        raise Refused(Refused.CHANGED, operation)
    change.journal.drop(change.tables.template_ids, stored.name)
    change.journal.drop(change.tables.templates, stored.id)


def _claim_name(change: Change, template: Template, operation: InsertTemplate | UpdateTemplate) -> None:
    if template.name in change.tables.template_ids:
        raise Refused(Refused.IDENTIFIER_TAKEN, operation)
    change.journal.put(change.tables.template_ids, template.name, template.id)


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertTemplate: _insert_template,
    UpdateTemplate: _update_template,
    DeleteTemplate: _delete_template,
}
"""What a commit does for each operation."""
